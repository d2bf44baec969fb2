"""Outgoing messages on the command line: look, send again, take out."""

import json
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.storage import outbox
from hub.storage.engine import open_store, upgrade
from tests.contracts.sink import message
from tests.support.words import T0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub with one sent, one failed and one delayed message, and one for a destination that is gone."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    with store.transaction() as session:
        for one in (*(message(number, destination="voevents") for number in (1, 2, 3)), message(4, destination="pigeon")):
            outbox.put(session, one)
        outbox.mark_sent(session, message(1, destination="voevents"), T0)
        outbox.mark_failed(session, message(2, destination="voevents"), "the address\x1b[2J is gone", retry_at=None)
        outbox.mark_failed(session, message(3, destination="voevents"), "no answer", retry_at=T0.plus_s(1e9))
    store.close()
    return tmp_path


@pytest.fixture
def hub(folder: Path, capsys: pytest.CaptureFixture[str]):
    def run(*words: str, code: int = 0) -> str:
        assert main(["--data-dir", str(folder), "outbox", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert "\x1b" not in out + err
        return out or err

    return run


def states(hub) -> dict[str, str]:
    return {body["message_id"]: body["state"] for body in map(json.loads, hub("list", "--json").splitlines())}


def test_the_list_tells_what_waits_and_why(hub) -> None:
    assert states(hub) == {"1": "sent", "2": "failed", "3": "waiting", "4": "waiting"}
    told = hub("list")
    assert "voevents: 1 sent, 1 waiting, the oldest since" in told
    assert "1 failed: no answer" in told
    assert "pigeon: 0 sent, 1 waiting" in told
    assert "the settings name no such destination" in told
    assert [json.loads(line)["message_id"] for line in hub("list", "--json", "--state", "failed").splitlines()] == ["2"]
    assert "4" not in hub("list", "--destination", "voevents", "--json")[:40]


def test_a_person_takes_out_and_brings_back(hub) -> None:
    assert "dropped: 4 " in hub("drop", "--destination", "pigeon")
    assert states(hub)["4"] == "dropped"
    assert hub("retry", "--all").count("waiting: ") == 2
    assert states(hub) == {"1": "sent", "2": "waiting", "3": "waiting", "4": "dropped"}
    assert json.loads(hub("retry", "4", "--json"))["state"] == "waiting"
    assert hub("drop", "1", code=3) == ""
    assert states(hub)["1"] == "sent"


def test_a_slip_gets_a_sentence(hub) -> None:
    assert "there is no outgoing message 99" in hub("retry", "4", "99", code=3)
    assert "name the messages by their numbers" in hub("retry", code=1)
    assert "name the messages by their numbers" in hub("drop", "1", "--all", code=1)
    assert "--state should be one of waiting, sent, failed, dropped" in hub("list", "--state", "lost", code=1)
    assert hub("list", "--destination", "nowhere", code=3) == ""
