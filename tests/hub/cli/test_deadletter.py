"""Dead letters on the command line: look, replay, drop."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.storage import deadletters, envelopes
from hub.storage.engine import open_store, upgrade
from tests.conftest import REPOSITORY
from tests.support import json_notices
from tests.support.api_night import NOW, receive

JUNK = b"\x00\xff junk \x1b[2J"
GOOD = json_notices.as_bytes(json_notices.gbm())


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub that once refused some junk, and a good message that an older version could not read."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    with store.transaction() as session:
        for number, (payload, reason) in enumerate(((JUNK, "not a message\x1b[2J"), (GOOD, "an unknown mission"))):
            envelope = receive(session, payload, outcome=envelopes.MessageState.DEAD)
            deadletters.add(session, envelope, reason=reason, format=None, adapter_version="0", at=NOW.plus_s(number))
    store.close()
    return tmp_path


@pytest.fixture
def hub(folder: Path, capsys: pytest.CaptureFixture[str]):
    def run(*words: str, code: int = 0) -> str:
        assert main(["--data-dir", str(folder), "deadletter", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert "\x1b" not in out + err
        return out or err

    return run


def books(folder: Path) -> tuple[int, int, int]:
    store = open_store(f"sqlite:///{folder / 'hub.sqlite'}")
    with store.reading() as session:
        (source,) = envelopes.counts(session)
        assert envelopes.law_holds([source])
    store.close()
    return source.received, source.stored, source.dead_letters


def test_list_names_every_letter_the_newest_first(hub) -> None:
    rows = [json.loads(line) for line in hub("list", "--json").splitlines()]
    assert [(row["digest"], row["reason"], row["tries"], row["source"]) for row in rows] == [
        (digest(GOOD), "an unknown mission", 1, "gcn"),
        (digest(JUNK), "not a message\x1b[2J", 1, "gcn"),
    ]
    assert digest(GOOD)[:12] in hub("list")
    assert len(hub("list", "--limit", "1", "--json").splitlines()) == 1


def test_show_tells_where_it_came_from(hub) -> None:
    body = json.loads(hub("show", digest(JUNK)[:8], "--json"))
    assert (body["digest"], body["n_bytes"], body["source"], body["trust"]) == (digest(JUNK), len(JUNK), "gcn", "trusted")
    assert "junk" in hub("show", digest(JUNK))


def test_raw_bytes_come_out_as_they_came_in(folder: Path) -> None:
    words = ["-m", "hub", "--data-dir", folder, "deadletter", "show", digest(JUNK), "--raw"]
    done = subprocess.run([sys.executable, *words], capture_output=True, check=True, cwd=REPOSITORY, timeout=60)
    assert done.stdout == JUNK


def test_replay_stores_what_is_understood_now(hub, folder: Path) -> None:
    assert books(folder) == (2, 0, 2)
    said = json.loads(hub("replay", digest(GOOD), "--json"))
    assert (said["digest"], said["kind"], said["state"]) == (digest(GOOD), "notice", "stored")
    assert books(folder) == (2, 1, 1)
    assert [json.loads(line)["digest"] for line in hub("list", "--json").splitlines()] == [digest(JUNK)]


def test_replay_of_all_fails_where_one_is_refused_again(hub, folder: Path) -> None:
    lines = [json.loads(line) for line in hub("replay", "--all", "--json", code=1).splitlines()]
    assert {line["kind"] for line in lines} == {"notice", "rejected"}
    (left,) = [json.loads(line) for line in hub("list", "--json").splitlines()]
    assert (left["digest"], left["tries"]) == (digest(JUNK), 2)
    assert books(folder) == (2, 1, 1)


def test_dropped_letters_are_off_the_list_and_stay_in_the_books(hub, folder: Path) -> None:
    assert digest(JUNK) in hub("drop", digest(JUNK)[:10])
    assert hub("drop", "--all").count("dropped") == 1
    assert hub("list", code=3) == ""
    assert hub("drop", "--all", code=3) == ""
    assert books(folder) == (2, 0, 2)


@pytest.mark.parametrize("verb", ["replay", "drop"])
def test_nothing_is_done_where_one_name_is_wrong(hub, verb: str) -> None:
    assert hub(verb, digest(GOOD), "0" * 64, code=3).startswith("mmhub: there is no dead letter")
    assert len(hub("list", "--json").splitlines()) == 2


@pytest.mark.parametrize("words", [(), (digest(GOOD), "--all")])
def test_letters_are_named_or_all(hub, words: tuple[str, ...]) -> None:
    assert "say --all" in hub("drop", *words, code=1)


def test_too_short_a_name_is_not_found(hub) -> None:
    assert "there is no dead letter" in hub("show", digest(GOOD)[:7], code=3)
