"""The catalogues over HTTP."""

from pathlib import Path

from hub.api.catalogs import Catalog
from hub.catalogs.recipes import recipes
from hub.catalogs.writing import add
from tests.support.api_night import api


def test_catalogues_are_listed_with_what_they_say_of_themselves(tmp_path: Path) -> None:
    source = tmp_path / "mine.csv"
    source.write_text("id,ra,dec\na,150,2\nb,,\n")
    for name in ("mine", "another"):
        add(source, recipes()["glade+"], tmp_path / "catalogs", name)
    with api(tmp_path, catalogs_folder=tmp_path / "catalogs") as (client, _):
        answer = client.get("/api/v1/catalogs")
        assert answer.status_code == 200, answer.text
        found = [Catalog.model_validate(one) for one in answer.json()["data"]]
    assert [one.name for one in found] == ["another", "mine"]
    assert found[0].refused == ["1 row was set aside: it has no position that can be read"]
    assert found[0].completeness is not None


def test_a_hub_without_catalogues_lists_none(tmp_path: Path) -> None:
    with api(tmp_path) as (client, _):
        assert client.get("/api/v1/catalogs").json()["data"] == []
