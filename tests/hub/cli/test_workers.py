"""What ``mmhub run worker`` says where it cannot run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.cli.app import main

KAFKA = """
[sources.rubin]
kind = "kafka"
stream = "lsst"
bootstrap_servers = "127.0.0.1:1"
security = "plaintext"
topics = ["alerts"]
group_id = "g"
"""

POSTGRESQL = """
[storage]
url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
"""


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the verb with some settings and returns what it says before it fails."""

    def run(text: str, *words: str, code: int = 1) -> str:
        path = tmp_path / "mmhub.toml"
        path.write_text(f'[hub]\ndata_dir = "{tmp_path / "data"}"\n{text}')
        assert main(["--config", str(path), "run", *words]) == code
        return " ".join(capsys.readouterr().err.replace("│", " ").split())

    return run


def test_several_workers_need_a_database_that_several_may_write_to(said, tmp_path: Path) -> None:
    sentence = said(KAFKA, "worker", "--source", "rubin", "-n", "2")
    assert "storage.url: several workers need PostgreSQL for their state, since SQLite lets only one process write" in sentence
    assert not (tmp_path / "data").exists()


def test_a_source_that_is_not_there_is_named_beside_those_that_are(said) -> None:
    sentence = said(KAFKA, "worker", "--source", "ruby", "-n", "2")
    assert "there is no source 'ruby' to listen to: the sources that are enabled are rubin" in sentence
    assert "no source is enabled" in said("", "worker", "--source", "rubin")


def test_what_has_no_group_or_one_member_by_name_cannot_be_shared(said) -> None:
    static = POSTGRESQL + KAFKA + 'group_instance_id = "one"\n'
    assert "sources.rubin.group_instance_id names one member" in said(static, "worker", "--source", "rubin", "-n", "2")
    folder = POSTGRESQL + '[sources.inbox]\nkind = "folder"\npath = "inbox"\n'
    assert "a source of kind 'folder' has no consumer group" in said(folder, "worker", "--source", "inbox", "-n", "2")


def test_the_options_belong_to_the_role_and_to_each_other(said) -> None:
    assert "belong to the role worker" in said(KAFKA, "ingest", "--source", "rubin", code=2)
    assert "belong to the role worker" in said(KAFKA, "-n", "2", code=2)
    assert "name it with --source" in said(KAFKA, "worker", "-n", "2", code=2)
    for words in (("worker", "--source", "rubin"), ("worker",), ("ingest",), ("dispatch",)):
        assert f"the role {words[0]} answers no requests" in said(KAFKA, *words, "--port", "8000", code=2)
