"""The pages keep their word: settings that they show can be used, and every route, verb, kind and setting is told of."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adapters import catalogue
from hub import config
from hub.api import metrics
from hub.api.app import create_app
from hub.bootstrap import create_database
from hub.errors import ConfigError
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.glob("how-to/*.md")), *sorted(DOCS.glob("reference/*.md"))]
BLOCKS = [
    pytest.param(found[1], id=f"{page.stem}-{number}")
    for page in PAGES
    for number, found in enumerate(re.finditer(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    if re.search(r"^\[(sources|destinations|hub|api|fetch|intake)\b", found[1], re.MULTILINE)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_settings_that_a_page_shows_are_accepted(block: str, tmp_path: Path) -> None:
    tomllib.loads(block)
    file = tmp_path / "mmhub.toml"
    file.write_text(block, encoding="utf-8")
    settings = config.load([file]).settings
    for name, source in settings.sources.items():
        catalogue.source_options(source.kind, f"sources.{name}", source.options)
    for name, sink in settings.destinations.items():
        catalogue.sink_options(sink.kind, f"destinations.{name}", sink.options)


def test_a_wrong_key_in_such_a_block_is_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sources\.gcn\.topic is no option"):
        catalogue.source_options("gcn-kafka", "sources.gcn", {"topic": "igwn.gwalert", "group_id": "me"})


def test_every_route_is_in_the_reference(tmp_path: Path) -> None:
    page = (DOCS / "reference" / "http-api.md").read_text(encoding="utf-8")
    settings = config.load([], {"hub.data_dir": str(tmp_path / "data")}).settings
    with create_database(settings) as store:
        paths = create_app(store).openapi()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods if method != "head"}
    assert "POST /api/v1/notices" in there
    assert f"`GET {metrics.PATH}`" in page  # which OpenAPI leaves out
    assert sorted(one for one in there if f"`{one}`" not in page) == []


def test_every_verb_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    said = subprocess.run(
        [sys.executable, "-m", "hub", "--help"], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    verbs = re.findall(r"^  (\w+)  ", said.partition("Commands:")[2], re.MULTILINE)
    assert verbs
    assert [verb for verb in verbs if f"`mmhub {verb}" not in page.replace("\n", " ")] == []


def test_every_kind_of_source_and_destination_is_told_of() -> None:
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    kinds = catalogue.sources().keys() | catalogue.sinks().keys()
    assert [kind for kind in kinds if f'kind = "{kind}"' not in told] == []


def test_every_page_is_linked_from_another_or_listed() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    folders = {page.parent.name for page in DOCS.glob("*/*.md") if "_build" not in page.parts}
    assert [folder for folder in folders if f"{folder}/*" not in index] == []
