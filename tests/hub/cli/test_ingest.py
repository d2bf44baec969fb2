"""The contract of ``mmhub ingest``: what is counted, what is printed, which exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.cli.app import main
from tests.support import json_notices, lsst_packets

JSON_KEYS = ["path", "state", "kind", "event_id", "reason", "n_alerts"]


@pytest.fixture
def ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the verb on a hub in an empty folder; give its output and its complaints."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        assert main(["--data-dir", "hub", "ingest", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return out, err

    return run


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A burst in two versions, three alerts of one container of which one is bad, one framed alert, a circular, and a wrong file."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    burst, revised = json_notices.gbm(), json_notices.gbm()
    revised["alert_datetime"] = "2026-03-01T02:05:00Z"
    alerts = [lsst_packets.record("10.0", diaSourceId=number, ra=ra) for number, ra in ((1, 10.0), (2, 400.0), (3, 11.0))]
    (folder / "a-burst.json").write_bytes(json_notices.as_bytes(burst))
    (folder / "b-burst.json").write_bytes(json_notices.as_bytes(revised))
    (folder / "c-alerts.avro").write_bytes(lsst_packets.container("10.0", alerts))
    (folder / "d-alert.bin").write_bytes(lsst_packets.framed("10.0", diaSourceId=4))
    (folder / "e-circular.json").write_bytes(json_notices.as_bytes(json_notices.circular()))
    (folder / "f-letter.txt").write_bytes(b"good evening")
    return folder


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} in JSON")) for line in out.splitlines()]


def test_summary_counts_and_lists_what_is_known(ingest, inbox: Path) -> None:
    out, err = ingest("inbox")
    assert err == "" or "warning" in err  # refused messages are logged
    first, *rest = out.splitlines()
    # The container counts its two good alerts, and once itself as the dead letter that keeps the bad one.
    assert first == "received: 8, stored: 6, duplicates: 0, dead letters: 2"
    assert "events: 1" in rest
    head = next(line for line in rest if line.startswith("event "))
    assert head.split() == ["event", "class", "role", "t0", "versions", "state", "FAR/Hz", "90", "%", "deg2", "candidates"]
    row = rest[rest.index(head) + 1].split()
    assert row[0].startswith("Fermi-")
    assert row[1:3] + row[4:6] == ["grb", "observation", "2", "active"]
    assert "pairs of events: none" in rest
    assert "candidates, the best of each event: none" in rest


def test_second_run_counts_duplicates_and_says_the_same(ingest, inbox: Path) -> None:
    first, *tables = ingest("inbox")[0].splitlines()
    again, *same_tables = ingest("inbox")[0].splitlines()
    assert first.startswith("received: 8, stored: 6")
    assert again == "received: 8, stored: 0, duplicates: 8, dead letters: 0"
    assert same_tables == tables


def test_each_file_has_one_json_line_in_order(ingest, inbox: Path) -> None:
    records = lines(ingest("inbox", "--json")[0])
    assert [list(record) for record in records] == [JSON_KEYS] * 6
    assert [record["path"] for record in records] == [str(Path("inbox") / path.name) for path in sorted(inbox.iterdir())]
    assert [(record["state"], record["kind"], record["n_alerts"]) for record in records] == [
        ("stored", "notice", 0),
        ("stored", "notice", 0),
        ("dead", "rejected", 2),
        ("stored", "alert", 1),
        ("stored", "circular", 0),
        ("dead", "rejected", 0),
    ]
    assert records[0]["event_id"] == records[1]["event_id"]
    assert records[0]["reason"] is None
    assert records[2]["reason"] == "alert 2 of the container: right ascension 400.0 deg is outside [0, 360)"
    assert records[5]["reason"] == "not a message"


def test_json_lines_of_a_second_run_say_duplicate(ingest, inbox: Path) -> None:
    good = ["inbox/a-burst.json", "inbox/d-alert.bin", "inbox/e-circular.json"]
    ingest("inbox", "--quiet")
    records = lines(ingest(*good, "--json")[0])
    assert [record["state"] for record in records] == ["duplicate"] * 3


def test_new_alert_is_stored_beside_a_known_one(ingest, inbox: Path) -> None:
    (inbox / "g-alert.bin").write_bytes(lsst_packets.framed("10.0", diaSourceId=5))
    ingest("inbox/d-alert.bin", "--quiet")
    records = lines(ingest("inbox/d-alert.bin", "inbox/g-alert.bin", "inbox/g-alert.bin", "--json")[0])
    assert [record["state"] for record in records] == ["duplicate", "stored", "duplicate"]


def test_quiet_prints_nothing(ingest, inbox: Path) -> None:
    assert ingest("inbox", "--quiet")[0] == ""


def test_wrong_messages_alone_are_no_failure(ingest, inbox: Path) -> None:
    out, _ = ingest("inbox/f-letter.txt")
    assert out.splitlines()[0] == "received: 1, stored: 0, duplicates: 0, dead letters: 1"
    assert "events: none" in out


def test_unreadable_file_fails_and_stops_no_other(ingest, inbox: Path) -> None:
    out, err = ingest("none.json", "inbox/a-burst.json", code=1)
    assert out.splitlines()[0] == "received: 1, stored: 1, duplicates: 0, dead letters: 0"
    assert "mmhub: none.json cannot be read: No such file or directory" in err.splitlines()


def test_empty_folder_fails(ingest, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _, err = ingest("empty", code=1)
    assert "mmhub: empty cannot be read: Is a directory" in err.splitlines()


def test_file_over_the_limit_fails_unread(ingest, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMHUB_INTAKE__MAX_MESSAGE_BYTES", "1024")
    (inbox / "g-big").write_bytes(bytes(1025))
    out, err = ingest("inbox/f-letter.txt", "inbox/g-big", code=1)
    assert out.startswith("received: 1, ")
    assert f"mmhub: {Path('inbox/g-big')} is larger than intake.max_message_bytes, 1024 bytes" in err.splitlines()


def test_no_file_is_a_wrong_command_line(ingest) -> None:
    ingest(code=2)


def test_database_that_is_none_fails_with_a_sentence(ingest, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hub.sqlite").write_bytes(b"this is no database, only text that is long enough to be one" * 20)
    _, err = ingest("inbox", code=1)
    assert "database" in err.splitlines()[-1]
