import json
import socket
import tomllib
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.config import Settings


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, tuple[object, str]]:
    assert main([*words, "config", "show", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["key"]: (row["value"], row["origin"]) for row in rows}


def test_show_prints_every_setting_with_its_origin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("x.toml").write_text("[api]\nport = 9\n")
    monkeypatch.setenv("MMHUB_API__HOST", "::1")
    settings = shown(capsys, "--config", "x.toml", "--data-dir", "here")
    plain = Settings().model_dump(exclude={"sources", "destinations"})
    assert {f"{s}.{k}" for s, table in plain.items() for k in table} <= set(settings)
    assert settings["api.port"] == (9, "x.toml")
    assert settings["api.host"] == ("::1", "environment MMHUB_API__HOST")
    assert settings["hub.data_dir"] == ("here", "command line")


def test_show_as_a_table_names_origins_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show"]) == 0
    plain = capsys.readouterr().out
    assert main(["config", "show", "--origin"]) == 0
    assert "conf/default.toml" in capsys.readouterr().out
    assert "conf/default.toml" not in plain
    assert "api.port" in plain


def test_bad_setting_is_one_line_that_names_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmhub.toml").write_text("[api]\nprot = 1\n")
    for words in (["config", "show"], ["config", "check"], ["decode", "x"], ["db", "upgrade"]):
        assert main(words) == 1
        out, err = capsys.readouterr()
        assert (out, err) == ("", "mmhub: api.prot (mmhub.toml) is no setting of the hub\n")


def test_check_tells_where_data_goes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", "deep/folder", "config", "check"]) == 0
    assert str(Path("deep/folder").resolve()) in capsys.readouterr().out
    assert list(Path("deep/folder").iterdir()) == []


def test_check_refuses_a_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert main(["--data-dir", "file/inside", "config", "check"]) == 1
    assert capsys.readouterr().out.startswith("hub.data_dir: the hub cannot write into file/inside")


def test_check_tries_each_part_and_says_what_to_fix(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        port = taken.getsockname()[1]
        Path("mmhub.toml").write_text(
            f"[sources.kafka]\nkind = 'kafka'\ntopics = ['t']\ngroup_id = 'g'\n"
            f"bootstrap_servers = '127.0.0.1:{port}'\nsecurity = 'plaintext'\n"
            f"[sources.away]\nkind = 'vtp-subscriber'\nhost = '127.0.0.1'\nport = {port}\n"
            "[sources.off]\nkind = 'folder'\npath = 'x'\nenabled = false\n"
        )
        assert main(["config", "check", "--json"]) == 1
    said = {one["part"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name for name, one in said.items() if not one["fine"]} == {"sources.kafka", "sources.away"}
    assert f"127.0.0.1:{port}" in said["sources.away"]["says"][0]
    assert said["sources.off"]["says"] == ["is switched off (enabled = false)"]
    assert set(said) == {
        *("hub.data_dir", "storage", "rules", "sources.kafka", "sources.away", "sources.off", "destinations.voevents")
    }


def test_each_fault_has_a_line_that_names_its_part_once(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        Path("mmhub.toml").write_text(
            "[sources.gcn]\nkind = 'gcn-kafka'\ntopics = ['t']\ngroup_id = 'g'\nclient_id = 'me'\n"
            f"[sources.authors]\nkind = 'vtp-receiver'\nport = {taken.getsockname()[1]}\n"
        )
        assert main(["config", "check"]) == 1
    said = capsys.readouterr().out.splitlines()
    (gcn,) = [line for line in said if "gcn" in line]
    assert gcn.startswith("sources.gcn: the client secret is missing: set MMHUB_SOURCES__GCN__CLIENT_SECRET")
    assert len([line for line in said if line.startswith("sources.authors: ")]) == 2  # nobody is allowed, and the port is taken


def test_init_writes_a_file_that_changes_nothing_and_lists_everything(capsys: pytest.CaptureFixture[str]) -> None:
    before = shown(capsys)
    assert main(["init"]) == 0
    assert "mmhub.toml" in capsys.readouterr().out
    written = Path("mmhub.toml").read_text()
    assert {key: value for key, (value, _) in shown(capsys).items()} == {key: value for key, (value, _) in before.items()}
    uncommented = "".join(
        line.removeprefix("#") if "=" in line and line[1:2].isalpha() else line for line in written.splitlines(True)
    )
    said = tomllib.loads(uncommented)
    assert said.pop("destinations") == {"voevents": {"kind": "folder", "path": "voevents"}}
    assert said == Settings().model_dump(mode="json", exclude={"sources", "destinations"})


def test_init_overwrites_only_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmhub.toml").write_text("[api]\nport = 9\n")
    assert main(["init"]) == 1
    assert "is there already; --force overwrites it" in capsys.readouterr().err
    assert main(["init", "--force"]) == 0
    assert "port = 9\n" not in Path("mmhub.toml").read_text()


def test_init_into_a_missing_folder_fails_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "none/mmhub.toml"]) == 1
    assert capsys.readouterr().err == "mmhub: cannot write none/mmhub.toml: No such file or directory\n"


def test_kinds_are_listed_with_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "kinds", "--json"]) == 0
    found = {(one["part"], one["kind"]): one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {("source", "gcn-kafka"), ("source", "kafka"), ("source", "vtp-receiver"), ("destination", "vtp")} <= found.keys()
    for one in found.values():
        assert one["summary"]
        assert all(option["meaning"] for option in one["options"]), one["kind"]
    assert main(["config", "kinds", "pigeon"]) == 3
