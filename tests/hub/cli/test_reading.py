"""The verbs that read the database, on one with one of everything."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.cli.app import main
from hub.services import queries
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import coincidence, fill


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    url = f"sqlite:///{folder / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    fill(store)
    store.close()
    return folder


@pytest.fixture
def hub(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> str:
        assert main(["--data-dir", str(folder), *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out if code in (0, 3) else err

    return run


@pytest.fixture(scope="module")
def session(folder: Path):
    store = open_store(f"sqlite:///{folder / 'hub.sqlite'}")
    with store.reading() as session:
        yield session
    store.close()


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_listings_give_the_bodies_of_the_api(hub, session) -> None:
    assert lines(hub("events", "--json")) == queries.event_page(session, limit=1000).bodies
    assert lines(hub("coinc", "list", "--json")) == queries.coincidence_page(session, limit=1000).bodies
    assert lines(hub("followup", "list", "--json")) == queries.followup_page(session, limit=1000).bodies


def test_the_arithmetic_of_a_coincidence_is_shown_number_by_number(hub, session) -> None:
    (pair,) = [body for body in queries.coincidence_page(session, limit=99).bodies if len(body["scores"]) == 2]
    told, _ = lines(hub("coinc", "explain", pair["coincidence_id"], "--json"))
    assert (told["statistic"], told["value"], told["agrees"]) == ("joint_far", 2e-17, None)
    assert told["arithmetic"] == "its inputs are not stored with it"
    assert "joint_far" in hub("coinc", "explain", pair["coincidence_id"], "--version", "1")
    hub("coinc", "explain", coincidence(1).coincidence_id, code=1)  # its rank is not what its inputs give


def test_one_of_each_gives_the_body_of_the_api(hub, session) -> None:
    pair = coincidence(1).coincidence_id
    (request,) = queries.followup_page(session, limit=1).bodies
    assert lines(hub("show", "S170817a", "--json")) == [queries.event(session, "S170817a")]
    assert lines(hub("coinc", "show", pair, "--json")) == [queries.coincidence(session, pair)]
    assert lines(hub("coinc", "show", pair, "--history", "--json")) == queries.coincidence_history(session, pair)
    assert lines(hub("followup", "show", request["intent_id"], "--json")) == [
        queries.followup_request(session, request["intent_id"])
    ]


def test_tables_for_people_name_what_is_there(hub, session) -> None:
    pair = coincidence(1).coincidence_id
    (request,) = queries.followup_page(session, limit=1).bodies
    assert "S170817a" in hub("events")
    shown = hub("show", "S170817a")
    assert "versions: " in shown
    assert pair in shown
    assert pair in hub("coinc", "list")
    assert "held_back" in hub("coinc", "list").splitlines()[0]
    assert "joint_far" in hub("coinc", "show", pair)
    assert request["intent_id"] in hub("followup", "list")
    assert "transitions" not in hub("followup", "show", request["intent_id"]).split()


def test_limit_holds_over_pages(hub, session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.cli.listing.PAGE", 1)
    every = queries.event_page(session, limit=1000).bodies
    assert len(every) >= 2
    assert lines(hub("events", "--json")) == every
    assert lines(hub("events", "--json", "--limit", "2")) == every[:2]


def test_filters_narrow(hub) -> None:
    assert {body["event_id"] for body in lines(hub("events", "--name", "S170817", "--json"))} == {"S170817a", "MS170817a"}
    assert hub("coinc", "list", "--kind", "no-such-kind", code=3) == ""
    assert hub("events", "--name", "no such event", code=3) == ""


@pytest.mark.parametrize("words", [("show", "S1"), ("coinc", "show", "0" * 20), ("followup", "show", "0" * 20)])
def test_unknown_name_is_exit_code_3_and_a_sentence(words, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", str(folder), *words]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mmhub: there is no ")


def test_without_a_database_a_sentence_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["events"], ["show", "x"], ["coinc", "list"], ["followup", "list"], ["serve"]):
        assert main(["--data-dir", str(tmp_path / "none"), *words]) == 1
        assert "hub.sqlite yet: `mmhub ingest`" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_database_is_made_and_made_again_without_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["--data-dir", str(tmp_path / "new"), "db", "upgrade"]) == 0
        assert "is up to date" in capsys.readouterr().out
    assert main(["--data-dir", str(tmp_path / "new"), "events"]) == 3


def test_file_that_is_no_database_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hub.sqlite").write_bytes(b"no database at all" * 100)
    for words in (["events"], ["deadletter", "list"], ["what", "1", "2"]):
        assert main(["--data-dir", str(tmp_path), *words]) == 1
        assert capsys.readouterr().err == "mmhub: the state database cannot be used: file is not a database\n"


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["--data-dir", str(tmp_path / "file" / "data"), "db", "upgrade"]) == 1
    assert capsys.readouterr().err.startswith("mmhub: hub.data_dir: the hub cannot make the folder ")


def test_password_of_the_database_is_never_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMHUB_STORAGE__URL", "postgresql://hub:geheim@127.0.0.1:1/hub")
    for words in (["events"], ["db", "upgrade"], ["--debug", "events"]):
        assert main(["--data-dir", str(tmp_path), *words]) == 1
        out, err = capsys.readouterr()
        assert "geheim" not in out + err
        assert "mmhub: " in err


def test_the_budget_is_shown_for_people_and_for_machines(hub) -> None:
    (told,) = lines(hub("budget", "--days", "3650", "--json"))
    assert told["promised_per_month"] <= told["shared_per_month"] <= told["false_per_month"]
    assert {"rule", "share_per_month", "spent_per_month", "announced", "taken_back"} <= told["shares"][0].keys()
    said = hub("budget")
    assert "false announcements a month are given to" in said
    assert "gw-grb" in said


def test_rates_are_shown_for_people_and_for_machines(hub) -> None:
    rows = lines(hub("rates", "--at", "2026-03-01T00:00:00", "--json"))
    assert {(row["what"], *row["classes"]) for row in rows} >= {("triggers", "grb"), ("triggers", "hen"), ("alerts", "cbc")}
    assert all(row["used_per_yr"] >= row["configured_per_yr"] for row in rows if row["what"] == "triggers")
    said = hub("rates")
    assert "configured" in said
    assert "325" in said
    assert "--at is a UTC time" in hub("rates", "--at", "soon", code=1)
