"""Everything bad at once, through the real command in one process: each message ends somewhere, and the good ones come through."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.storage import envelopes, notices
from hub.storage.engine import open_store
from hub.storage.envelopes import law_holds
from hub.text import printable
from tests.conftest import REPOSITORY, recorded_folder
from tests.support import bombs_avro, bombs_json, bombs_maps, bombs_xml, json_notices, lsst_packets
from tests.support.bombs import Bomb, moment
from tests.support.voevents import voevent

pytestmark = [pytest.mark.slow, pytest.mark.fuzz, pytest.mark.timeout(1800)]

MEASURED = """
import re, sys
from hub.cli.app import main
peak_file, sys.argv[1:] = sys.argv[1], sys.argv[2:]
code = main()
# Not getrusage: it starts with the size of whoever started this process.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
open(peak_file, "w").write(peak[1])
sys.exit(code)
"""
"""Runs the command and writes down how large its process (without the child that reads maps) ever was, kB."""

PEAK_BYTES = 512 << 20
LONGEST_S = 240.0
"""A guard against a hang, not a measurement: a hundred times what the slowest message took on two busy cores."""


@dataclass(frozen=True)
class Run:
    """What one process made of the whole corpus."""

    bombs: dict[str, Bomb]
    good: list[str]
    recorded: list[str]
    records: dict[str, dict[str, Any]]
    took_s: dict[str, float]
    code: int
    errors: str
    peak_bytes: int
    database: str

    def name(self, path: str) -> str:
        """Return what a message is."""
        return self.bombs[path].name if path in self.bombs else Path(path).name


def good_message(number: int) -> bytes:
    """Return a message that every hub must read, of its own event and in one of four formats."""
    match number % 4:
        case 0:
            return voevent(ivorn=f"ivo://example.org/good#{number}", time=moment(number).rstrip("Z"))
        case 1:
            return json_notices.as_bytes(json_notices.gbm(id=[f"{600_000_000 + number}"], trigger_time=moment(number)))
        case 2:
            return lsst_packets.framed("10.0", diaSourceId=5_000_000 + number)
        case _:
            return bombs_maps.gravitational_wave(bombs_maps.rows(slice(None)), 336 + number)


def corpus() -> list[Bomb]:
    every = 7 if os.environ.get("MMHUB_TEST_FUZZ") == "full" else 29
    return [*bombs_xml.bombs(), *bombs_avro.bombs(), *bombs_maps.bombs(), *bombs_json.bombs(every=every)]


def odd_files(recorded: Path) -> list[Path]:
    """Return the recorded files that are no good messages of today: malformed, of other kinds, schemas, catalogues, bare maps."""
    folders = ("voevent/odd", "voevent/v21", "catalogs", "schemas", "skymaps", "gcn/gracedb_internal", "gcn/snews", "lsst/json")
    inside = [path for folder in folders for path in sorted((recorded / folder).rglob("*")) if path.is_file()]
    return [*inside, *(path for path in sorted((recorded / "gcn").iterdir()) if path.is_file()), recorded / "manifest.json"]


def command(*words: str, folder: Path) -> list[str]:
    return [sys.executable, "-c", MEASURED, str(folder / "peak"), "--data-dir", str(folder / "data"), *words]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("bad")
    messages = folder / "messages"
    messages.mkdir()
    bombs: dict[str, Bomb] = {}
    good: list[str] = []
    for number, bomb in enumerate(corpus()):
        path = messages / f"{number:05}-bad"
        path.write_bytes(bomb.build())
        bombs[str(path)] = bomb
        if number % 10 == 0:
            path = messages / f"{number:05}-good"
            path.write_bytes(good_message(number // 10))
            good.append(str(path))
    folder_of_recorded = recorded_folder()
    recorded = [str(path) for path in odd_files(folder_of_recorded)] if folder_of_recorded is not None else []
    records: dict[str, dict[str, Any]] = {}
    took_s: dict[str, float] = {}
    with (
        (folder / "errors").open("wb") as errors,
        subprocess.Popen(
            command("ingest", "--json", str(messages), *recorded, folder=folder),
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
        ) as child,
    ):
        assert child.stdout is not None
        last: float | None = None  # the first message waits for the imports
        for line in child.stdout:
            now = time.monotonic()
            record = json.loads(line)
            records[record["path"]] = record
            took_s[record["path"]] = 0.0 if last is None else now - last
            last = now
        code = child.wait(600)
    return Run(
        bombs=bombs,
        good=good,
        recorded=recorded,
        records=records,
        took_s=took_s,
        code=code,
        errors=(folder / "errors").read_text(),
        peak_bytes=int((folder / "peak").read_text()) * 1024,
        database=f"sqlite:///{folder}/data/hub.sqlite",
    )


def sentence(reason: str) -> bool:
    """Return whether a reason is something to show a person: one line, of bearable length, about the message."""
    return (
        5 < len(reason) < 300
        and reason == printable(reason)
        and reason == reason.strip()
        and "internal error" not in reason
        and "Traceback" not in reason
        and not reason.endswith((":", ",", "("))
    )


def test_every_message_ends_somewhere(run: Run) -> None:
    assert run.records.keys() == {*run.bombs, *run.good, *run.recorded}
    assert {record["state"] for record in run.records.values()} <= {"stored", "duplicate", "dead"}


def test_every_refusal_is_a_sentence(run: Run) -> None:
    bad = {
        run.name(path): record["reason"]
        for path, record in run.records.items()
        if record["state"] == "dead" and not sentence(record["reason"])
    }
    assert bad == {}


def test_bombs_end_as_they_must(run: Run) -> None:
    wrong = {
        bomb.name: run.records[path]
        for path, bomb in run.bombs.items()
        if bomb.ends != "either"
        and run.records[path]["state"] not in (bomb.ends, "duplicate" if bomb.ends == "stored" else "dead")
    }
    assert wrong == {}


def test_good_messages_come_through(run: Run) -> None:
    assert [path for path in run.good if run.records[path]["state"] != "stored"] == []


def test_the_command_ends_well_and_quietly(run: Run) -> None:
    assert run.code == 0, run.errors[-2000:]
    assert "Traceback" not in run.errors
    assert "internal error" not in run.errors


def test_the_books_balance(run: Run) -> None:
    store = open_store(run.database)
    with store.reading() as session:
        books = envelopes.counts(session)
    store.close()
    assert law_holds(books)
    assert sum(book.received for book in books) >= len(run.records)
    assert sum(book.in_flight for book in books) == 0


def test_a_refused_map_leaves_the_notice_with_its_circle_and_a_remark(run: Run) -> None:
    carriers = {path: bomb.name for path, bomb in run.bombs.items() if bomb.remark}
    assert len(carriers) > 50
    store = open_store(run.database)
    with store.reading() as session:
        for path, name in carriers.items():
            (stored,) = notices.of_event(session, run.records[path]["event_id"])
            (remark,) = stored.remarks
            assert remark.startswith("The sky map is not usable: "), name
            assert sentence(remark), (name, remark)
            assert (stored.localization_id is None) == (stored.notice.position is None), name
    store.close()


@pytest.mark.recorded
def test_odd_recorded_files_end_somewhere_too(run: Run, recorded: Path) -> None:
    found = {str(path.relative_to(recorded)): run.records[str(path)] for path in odd_files(recorded)}
    assert len(found) > 100
    assert {name for name, record in found.items() if not sentence(record["reason"] or "stored")} == set()
    assert found["voevent/odd/amon_malformed_xml.xml"]["state"] == "dead"
    assert found["catalogs/4LAC-DR3-h.fits"]["state"] == "dead"


def test_the_process_stays_small(run: Run) -> None:
    assert run.peak_bytes < PEAK_BYTES


def test_no_message_takes_long(run: Run) -> None:
    assert {run.name(path): took for path, took in run.took_s.items() if took > LONGEST_S} == {}


def test_decode_says_one_line_for_each_and_never_a_traceback(run: Run) -> None:
    """The same corpus, read only: what intake refused is rejected here too."""
    folder = Path(next(iter(run.bombs))).parent
    done = subprocess.run(
        command("decode", "--json", str(folder), folder=folder.parent),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    lines = [json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} in JSON")) for line in done.stdout.splitlines()]
    assert {line["path"] for line in lines} == {*run.bombs, *run.good}
    assert all(line["index"] == 0 for line in lines)
    assert len(lines) == len(run.bombs) + len(run.good)
    for line in lines:
        name, state = run.name(line["path"]), run.records[line["path"]]["state"]
        if line["kind"] == "rejected":
            assert sentence(line["reason"]), (name, line["reason"])
        if name.startswith(("map alone", "packet: midpointMjdTai")):
            continue  # intake keeps a bare map by its header alone, decode opens it; decode shows an alert of any time
        assert (line["kind"] == "rejected") == (state == "dead"), (name, state, line)
    assert int((folder.parent / "peak").read_text()) * 1024 < PEAK_BYTES
