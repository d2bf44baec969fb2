"""GET /api/v1/events/{id}/diff and ``mmhub diff``: two versions of an event."""

import json

import pytest

from hub.api import wire_differences
from hub.catalogs.recipes import recipes
from hub.catalogs.writing import add
from hub.cli.app import main
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import api, fill

URL = "/api/v1/events/GW170817/diff"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with api(tmp_path_factory.mktemp("night")) as (client, _):
        yield client


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    fill(store)
    store.close()
    return tmp_path


def test_the_answer_keeps_its_shape_and_names_the_event_by_its_id(client):
    answer = client.get(URL, params={"from": 1, "to": 2})
    assert answer.status_code == 200, answer.text
    found = wire_differences.Differences.model_validate(answer.json()["data"])
    assert (found.event_id, found.from_, found.to) == ("S170817a", 1, 2)
    assert found.not_judged == 7  # this database has no archive
    assert client.get(answer.json()["links"]["self"]).json() == answer.json()


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ({"from": 1, "to": 3}, 404, "has versions 1 to 2, not 3"),
        ({"from": 1, "to": 1}, 422, "name two versions"),
        ({"from": 0, "to": 1}, 422, "from"),
        ({"from": "one", "to": 2}, 422, "from"),
        ({"from": 1}, 422, "to"),
    ],
)
def test_bad_versions_get_a_sentence(client, words, status, reason):
    answer = client.get(URL, params=words)
    assert answer.status_code == status
    assert reason in answer.json()["detail"]


def test_an_event_that_is_not_there_is_not_found(client):
    assert client.get("/api/v1/events/none/diff", params={"from": 1, "to": 2}).status_code == 404


def test_the_command_gives_the_body_of_the_api(client, folder, capsys):
    assert main(["--data-dir", str(folder), "diff", "GW170817", "1", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == client.get(URL, params={"from": 1, "to": 2}).json()["data"]
    assert main(["--data-dir", str(folder), "diff", "GW170817", "1", "2"]) == 0
    assert "S170817a, version 1 to 2" in capsys.readouterr().out


@pytest.mark.parametrize(("pair", "code"), [(("1", "3"), 3), (("2", "2"), 1), (("1", "x"), 2)])
def test_the_command_says_in_one_sentence_which_versions_there_are(folder, capsys, pair, code):
    assert main(["--data-dir", str(folder), "diff", "GW170817", *pair]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err


def test_only_the_catalogues_that_candidates_are_looked_up_in_are_opened(tmp_path):
    source = tmp_path / "mine.csv"
    source.write_text("id,ra,dec\na,150,2\n")
    catalogs = tmp_path / "catalogs"
    add(source, recipes()["glade+"], catalogs, "mine")
    (catalogs / "left-out.parquet").write_bytes(b"no catalogue")
    for used, status in ((("mine",), 200), ((), 500)):
        folder = tmp_path / f"state{status}"
        folder.mkdir()
        with api(folder, archive=tmp_path / "archive", catalogs_folder=catalogs, catalogs_used=used) as (client, _):
            assert client.get(URL, params={"from": 1, "to": 2}).status_code == status
