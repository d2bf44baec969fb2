"""Messages again: files by their time, what `listen` wrote, and what is wrong with either."""

import base64
import json
import os
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.cli.archive import kept_messages
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
