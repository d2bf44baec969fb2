"""The hub is put together with the catalogues and classes that its settings name."""

from pathlib import Path

import pytest

from hub import config
from hub.bootstrap import create_database, open_hub
from hub.catalogs.recipes import recipes
from hub.catalogs.writing import add
from hub.errors import ConfigError
from hub.services.current_catalogs import CurrentHosting
from hub.services.known_facts import KnownFacts


def settings(folder: Path, *used: str) -> config.Settings:
    return config.load([], {"hub.data_dir": str(folder / "data"), "catalogs.use": list(used)}).settings


def made(folder: Path, *names: str) -> None:
    source = folder / "mine.csv"
    source.write_text("id,ra,dec,kind\na,150,2,agn\n")
    for name in names:
        add(source, recipes()["generic"], folder / "data" / "catalogs", name)


@pytest.mark.parametrize(("used", "expected"), [((), ["one", "two"]), (("two",), ["two"])])
def test_a_hub_uses_the_catalogues_of_its_settings(tmp_path: Path, used: tuple[str, ...], expected: list[str]) -> None:
    made(tmp_path, "one", "two")
    mine = settings(tmp_path, *used)
    with create_database(mine) as store, open_hub(mine, store) as hub:
        facts = hub.correlation._candidacy.facts
        assert isinstance(facts, KnownFacts)
        assert isinstance(facts.hosting, CurrentHosting)
        assert [one.name for one in facts.hosting.catalogs.infos] == expected


def test_a_catalogue_that_is_named_and_not_there_is_said(tmp_path: Path) -> None:
    mine = settings(tmp_path, "glade+")
    with (
        create_database(mine) as store,
        pytest.raises(ConfigError, match=r"there is no catalogue 'glade\+'"),
        open_hub(mine, store),
    ):
        pass
