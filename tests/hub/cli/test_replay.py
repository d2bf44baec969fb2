"""Messages again: files by their time, what `listen` wrote, and what is wrong with either."""

import base64
import json
import os
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from hub.archive.history import ArchiveHistory
from hub.bootstrap import now
from hub.cli import replay
from hub.cli.app import main
from hub.cli.archive import Kept, kept_messages
from hub.cli.replay import NAP_S, _in_time
from hub.model.instant import Instant
from hub.ports import Health
from hub.storage import coincidences, components, followup, outbox
from hub.storage.engine import open_store, upgrade
from tests.support import small_world
from tests.support.voevents import voevent

MAX = 1_000_000
T0 = 1_767_225_600
"""2026-01-01T00:00:00Z, seconds since 1970."""


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lines(name: str, *records: object) -> Path:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_files_come_in_the_order_of_their_times():
    for name, moment in (("a.xml", 300), ("b.xml", 100), ("c.xml", 200)):
        Path(name).write_bytes(name.encode())
        os.utime(name, (moment, moment))
    found, faults = kept_messages([Path()], MAX)
    assert [(one.position, one.time_s, one.load()) for one in found] == [
        ("b.xml", 100, b"b.xml"),
        ("c.xml", 200, b"c.xml"),
        ("a.xml", 300, b"a.xml"),
    ]
    assert faults == []


def test_a_manifest_gives_time_and_topic_and_its_files_are_taken_once():
    Path("kept").mkdir()
    Path("kept/m.msg").write_bytes(b"\x00\x01")
    lines(
        "kept/messages.jsonl",
        {"received_at": "2026-01-01T00:00:20Z", "position": "t/0/7", "topic": "t", "file": "m.msg"},
        {"received_at": "2026-01-01T00:00:10Z", "payload": "<a/>"},
        {"received_at": "2026-01-01T00:00:30Z", "payload_base64": base64.b64encode(b"\xff").decode()},
    )
    found, faults = kept_messages([Path("kept")], MAX)
    assert faults == []
    assert [(one.time_s - T0, one.topic, one.load()) for one in found] == [
        (10, None, b"<a/>"),
        (20, "t", b"\x00\x01"),
        (30, None, b"\xff"),
    ]
    assert found[1].position == "t/0/7"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ([1], "it is no JSON object"),
        ({"received_at": "2026-01-01T00:00:00Z"}, "it has no payload"),
        ({"file": "../secret"}, "its file lies outside of the folder"),
        ({"file": "none"}, "No such file or directory"),
        ({"payload_base64": "%"}, "its payload_base64 is none"),
        ({"payload": "x", "received_at": "yesterday"}, ""),
    ],
)
def test_a_line_that_is_no_message_is_one_sentence_and_stops_no_other(record, reason):
    path = lines("some.jsonl", record, {"payload": "<a/>"})
    found, faults = kept_messages([path], MAX)
    assert [one.load() for one in found] == [b"<a/>"]
    assert len(faults) == 1
    assert faults[0].startswith("some.jsonl, line 1, is no message: ")
    assert reason in faults[0]


def test_a_night_is_replayed_through_the_whole_hub(capsys: pytest.CaptureFixture[str]):
    for number in range(3):
        name = f"{number}.xml"
        Path(name).write_bytes(voevent(ivorn=f"ivo://x/y#{number}"))
        os.utime(name, (1000 + 60 * number, 1000 + 60 * number))
    Path("3.txt").write_bytes(b"no message")
    words = [*(f"{number}.xml" for number in range(3)), "3.txt"]
    assert main(["--data-dir", "data", "replay", *words, "--speed", "max", "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["position"], one["state"]) for one in shown] == [
        ("0.xml", "stored"),
        ("1.xml", "stored"),
        ("2.xml", "stored"),
        ("3.txt", "dead"),
    ]
    assert main(["--data-dir", "data", "replay", *words[:3], "--speed", "1e6"]) == 0
    assert capsys.readouterr().out == "stored: 0, duplicate: 3, dead: 0 of 3 messages\n"


@pytest.mark.parametrize("speed", ["-1", "fast", "nan", "inf"])
def test_a_speed_that_is_none_is_a_usage_error(speed: str):
    Path("a.xml").write_bytes(b"<a/>")
    assert main(["replay", "a.xml", f"--speed={speed}"]) == 2


def test_what_cannot_be_read_is_said(capsys: pytest.CaptureFixture[str]):
    assert main(["--data-dir", "data", "replay", "none.xml"]) == 1
    assert capsys.readouterr().err == "mmhub: none.xml cannot be read: No such file or directory\n"


def test_a_folder_without_files_is_called_so(capsys: pytest.CaptureFixture[str]):
    Path("empty").mkdir()
    assert main(["--data-dir", "data", "replay", "empty"]) == 1
    assert capsys.readouterr().err == "mmhub: empty is a folder without files\n"


# ------------------------------------------------------------------------------------------------- nothing leaves by itself


def merger_and_burst(trust: str | None = "trusted") -> Path:
    """Return an archive of a merger and a burst that belong together."""
    said = {} if trust is None else {"trust": trust}
    payloads = [base64.b64encode(one.envelope.payload).decode() for one in small_world.notices()]
    return lines(
        "night/messages.jsonl",
        *(
            {"received_at": f"2026-03-04T05:00:{number:02}Z", "payload_base64": one, **said}
            for number, one in enumerate(payloads)
        ),
    )


def configured(*, sources: str = "") -> None:
    broker = "bootstrap_servers = '127.0.0.1:1'\nsecurity = 'plaintext'\n"
    Path("mmhub.toml").write_text(f"[destinations.world]\nkind = 'kafka'\ntopic = 'out'\nrelay = true\n{broker}{sources}")


def left_over() -> tuple[int, int, int]:
    """Return how many messages wait or went, how many pairs there are, and how many telescopes were asked."""
    store = open_store("sqlite:///data/hub.sqlite")
    with closing(store), store.reading() as session:
        return (
            len(outbox.search(session, limit=1000)),
            len(coincidences.search(session, limit=1000)),
            len(followup.search(session)),
        )


def test_a_replay_announces_nothing_unless_it_is_told_to(capsys: pytest.CaptureFixture[str]):
    configured()
    night = merger_and_burst()
    assert main(["--data-dir", "data", "replay", str(night), "--speed", "max"]) == 0
    n_messages, n_pairs, n_requests = left_over()
    assert n_pairs > 0
    assert (n_messages, n_requests) == (0, 0)
    assert not list(Path("data").rglob("*.xml"))
    assert "announced" not in capsys.readouterr().err


def test_a_replay_that_is_to_announce_says_so_and_does(capsys: pytest.CaptureFixture[str]):
    configured()
    night = merger_and_burst()
    assert main(["--data-dir", "data", "replay", str(night), "--speed", "max", "--announce"]) == 0
    assert left_over()[0] > 0
    assert "mmhub: what follows from the replay is announced to every destination" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("in_archive", "words", "is_believed"),
    [
        (None, (), False),
        ("untrusted", (), False),
        ("trusted", (), True),
        (None, ("--trust", "trusted"), True),
        ("trusted", ("--trust", "untrusted"), False),
    ],
)
def test_messages_are_believed_as_the_archive_says(in_archive, words, is_believed):
    night = merger_and_burst(in_archive)
    assert main(["--data-dir", "data", "replay", str(night), "--speed", "max", *words]) == 0
    store = open_store("sqlite:///data/hub.sqlite")
    with closing(store), store.reading() as session:
        said = {bool(row) for row in session.execute(text("SELECT is_trusted FROM notices")).scalars()}
    assert said == {is_believed}


def test_a_trust_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]):
    night = merger_and_burst("blindly")
    assert main(["--data-dir", "data", "replay", str(night), "--speed", "max"]) == 1
    assert "its trust is neither trusted nor untrusted" in capsys.readouterr().err
    assert main(["--data-dir", "data", "replay", str(night), "--trust", "blindly"]) == 2


def test_nothing_is_replayed_in_silence_beside_a_hub_that_would_announce_it(capsys: pytest.CaptureFixture[str]):
    Path("data").mkdir()
    upgrade("sqlite:///data/hub.sqlite")
    store = open_store("sqlite:///data/hub.sqlite")
    with closing(store), store.transaction() as session:
        components.report(session, "here/1", [("worker", Health(state="running"))], now())
    night = merger_and_burst()
    assert main(["--data-dir", "data", "replay", str(night), "--speed", "max"]) == 1
    assert "a hub runs on this database and would announce what is replayed" in capsys.readouterr().err
    assert left_over() == (0, 0, 0)


# --------------------------------------------------------------------------------------------------------- alert streams


def test_a_recorded_alert_of_a_broker_is_read_by_the_stream_that_is_named(recorded: Path, capsys: pytest.CaptureFixture[str]):
    alert = str(recorded / "lsst/json/lasair_schema7.1_alert.json")
    assert main(["--data-dir", "data", "replay", alert, "--speed", "max", "--stream", "lsst-json", "--json"]) == 0
    (shown,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (shown["state"], shown["kind"]) == ("stored", "alert")


def test_an_archive_says_by_which_stream_each_message_is_read(recorded: Path, capsys: pytest.CaptureFixture[str]):
    alert = (recorded / "lsst/json/lasair_schema7.1_alert.json").read_text()
    moment = "2026-01-01T00:00:00Z"
    archive = lines(
        "kept.jsonl",
        {"received_at": moment, "payload": alert, "alert_stream": "lsst-json", "trust": "trusted"},
        {"received_at": moment, "payload": voevent().decode(), "topic": "gcn"},
        {"received_at": moment, "payload": None, "topic": "gcn"},
    )
    assert main(["--data-dir", "data", "replay", str(archive), "--speed", "max", "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["state"], one["kind"]) for one in shown] == [("stored", "alert"), ("stored", "notice")]


def test_a_stream_that_there_is_not_is_one_sentence(capsys: pytest.CaptureFixture[str]):
    Path("a.json").write_bytes(b"{}")
    assert main(["--data-dir", "data", "replay", "a.json", "--stream", "none"]) == 1
    assert "there is no such stream map" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------ pauses and stops


def test_the_pauses_are_those_of_the_night_divided_by_the_speed():
    moments = (0.0, 10.0, 10.0, 40.0)
    kept = [Kept(time_s=T0 + moment, position=str(moment), topic=None, load=lambda: b"<a/>") for moment in moments]
    watch = [1000.0]

    def sleep(seconds: float) -> None:
        assert 0 < seconds <= NAP_S
        watch[0] += seconds

    batches = _in_time(kept, 10.0, lambda: 0, 100, clock=lambda: watch[0], sleep=sleep)
    assert [round(watch[0] - 1000.0, 6) for _ in batches] == [0.0, 1.0, 1.0, 4.0]


def test_a_replay_that_was_stopped_half_way_doubles_nothing_when_it_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
):
    payloads = [one.envelope.payload for one in small_world.everything()]
    records = [
        {
            "received_at": f"2026-03-04T05:{n // 60:02}:{n % 60:02}Z",
            "payload_base64": base64.b64encode(one).decode(),
            "trust": "trusted",
        }
        for n, one in enumerate(payloads)
    ]
    night = str(lines("night.jsonl", *records))
    assert main(["--data-dir", "whole", "replay", night, "--speed", "max"]) == 0

    said = iter(range(12))

    def stopped(record: object) -> None:
        if next(said, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(replay, "emit", stopped)  # as a person stops it, between two messages
    assert main(["--data-dir", "data", "replay", night, "--speed", "max", "--json"]) != 0
    assert content("data") != content("whole")
    assert main(["--data-dir", "data", "replay", night, "--speed", "max"]) == 0
    assert content("data") == content("whole")


def content(folder: str) -> dict[str, list[object]]:
    """Return what a database holds of notices, events, pairs and detections."""
    queries = {
        "notices": "SELECT digest, is_trusted FROM notices",
        "coincidences": "SELECT DISTINCT coincidence_id FROM coincidences",
    }
    past = ArchiveHistory(Path(folder) / "archive").in_region(np.array([0]), np.array([12 * 4**29]), Instant(0), Instant(2**62))
    detections = sorted((batch.survey, source_id) for batch in past for source_id in batch.source_id.tolist())
    store = open_store(f"sqlite:///{folder}/hub.sqlite")
    with closing(store), store.reading() as session:
        rows = {name: sorted(map(tuple, session.execute(text(query)))) for name, query in queries.items()}
    return {**rows, "detections": detections}
