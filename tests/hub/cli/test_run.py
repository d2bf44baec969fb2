"""``mmhub run`` as an operator starts it: messages dropped into the inbox come out as VOEvents and through the API."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2 as httpx
import pytest
import voeventparse

from hub.model.instant import Instant
from tests.conftest import REPOSITORY
from tests.support.demo import mmhub
from tests.support.lsst_packets import framed
from tests.support.voevents import voevent

TIMEOUT_S = 240.0
"""Longest wait for a condition: generous, for machines that are busy."""

T0 = Instant.from_utc_iso("2026-01-02T03:04:05.670Z")
PLACE = (150.0, -20.0)


def burst(t0: Instant) -> bytes:
    """Return a Swift burst of our own making."""
    return voevent(
        ivorn="ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1234567-001",
        params={"Packet_Type": 61, "TrigID": 1234567},
        time=t0.to_utc_iso()[:23],
        date=t0.plus_s(20).to_utc_iso()[:19],
        position=(*PLACE, 0.05),
    )


def afterglow(number: int, delay_d: float, flux_njy: float, t0: Instant = T0) -> bytes:
    """Return a packet of an object near the burst."""
    return framed(
        "10.0",
        diaSourceId=1000 + number,
        diaObjectId=7,
        ssObjectId=None,
        ra=PLACE[0] + 0.01,
        dec=PLACE[1],
        midpointMjdTai=t0.plus_s(delay_d * 86_400).mjd_tai,
        psfFlux=flux_njy,
        psfFluxErr=50.0,
        snr=flux_njy / 50.0,
        reliability=0.97,
        isNegative=False,
    )


class Running:
    """A process of the hub, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line

    def stop(self) -> None:
        """Ask it to end and hold it to that."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=TIMEOUT_S) == 0, self.said
        self._reader.join(TIMEOUT_S)
        assert "Traceback" not in self.said
        assert "cancelled" not in self.said


@contextlib.contextmanager
def run(folder: Path, *words: str, sources: str | None = None) -> Iterator[Running]:
    inbox = f"[sources.inbox]\nkind = 'folder'\npath = '{folder / 'inbox'}'\n"
    (folder / "mmhub.toml").write_text(inbox if sources is None else sources)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
    environment |= {
        "PYTHONPATH": str(REPOSITORY),
        "MMHUB_API__PORT": "0",
        "MMHUB_ARCHIVE__KEEP_DAYS": "100000",  # the alerts of the tests have fixed dates, and the hub has the clock of this machine
    }
    command = [sys.executable, "-m", "hub", "--data-dir", str(folder / "data"), "run", *words]
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def until(condition, *running: Running):
    """Return what the condition gives once that is true."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        for one in running:
            assert one.process.poll() is None, one.said
        assert time.monotonic() < deadline, "\n".join(one.said for one in running)
        threading.Event().wait(0.05)
    return found


def address(one: Running) -> str:
    return until(lambda: re.findall(r"http://127\.0\.0\.1:\d+/api/v1", one.said), one)[0]


def drop(folder: Path, name: str, payload: bytes) -> None:
    """Write under a hidden name, then rename: how messages are to be put into the inbox."""
    inbox = folder / "inbox"
    inbox.mkdir(exist_ok=True)
    hidden = inbox / f".{name}"
    hidden.write_bytes(payload)
    hidden.rename(inbox / name)


def follow_the_flow(folder: Path, url: str, *running: Running) -> None:
    """Drop a burst and two detections of a fading object; wait for the coincidence, its VOEvent, and the file."""
    with httpx.Client(base_url=url, timeout=60) as client:

        def data(path: str) -> list[dict]:
            return client.get(f"{url}/{path}").json()["data"]

        drop(folder, "burst.xml", burst(T0))
        event = until(lambda: data("events"), *running)[0]
        assert (event["event_id"], event["state"]) == ("Swift-1234567", "active")
        drop(folder, "first.avro", afterglow(1, 0.1, 20_000.0))
        drop(folder, "second.avro", afterglow(2, 0.6, 8_000.0))
        coincidence = until(lambda: data("coincidences?event=Swift-1234567"), *running)[0]
        assert (coincidence["kind"], coincidence["state"]) == ("grb-optical", "open")
        sent = until(lambda: data("voevents?state=sent"), *running)[0]
        assert client.get(f"{url}/health").json()["data"]["law_holds"] is True
        issued = client.get(f"{url}/voevents/{sent['voevent_id']}.xml").content
    (file,) = (folder / "data" / "voevents").glob("*.xml")
    assert file.read_bytes() == issued
    voeventparse.assert_valid_as_v2_0(voeventparse.loads(issued))
    # What follows from a message may be out before the message itself is put away.
    done = {"burst.xml", "first.avro", "second.avro"}
    until(lambda: {path.name for path in (folder / "inbox" / "done").iterdir()} == done, *running)


@pytest.mark.slow
def test_all_roles_in_one_process_take_in_announce_answer_and_stop(tmp_path):
    with run(tmp_path) as hub:
        follow_the_flow(tmp_path, address(hub), hub)
        hub.stop()


@pytest.mark.slow
def test_each_role_in_a_process_of_its_own_does_the_same(tmp_path):
    assert mmhub("db", "upgrade", data_dir=tmp_path / "data").returncode == 0
    with run(tmp_path, "ingest") as ingest, run(tmp_path, "dispatch") as dispatch, run(tmp_path, "api") as api:
        follow_the_flow(tmp_path, address(api), ingest, dispatch, api)
        for one in (api, ingest, dispatch):
            one.stop()


@pytest.mark.slow
def test_a_catalogue_that_is_added_while_the_hub_runs_changes_what_is_said_of_a_candidate(tmp_path):
    """Days ago by the clock of this machine: what is long past is left alone."""
    t0 = Instant.from_datetime(datetime.now(UTC)).plus_s(-2 * 86_400.0)
    (tmp_path / "mine.csv").write_text(f"id,ra,dec\nV* near,{PLACE[0] + 0.01},{PLACE[1]}\n")
    with run(tmp_path) as hub, httpx.Client(base_url=address(hub), timeout=60) as client:

        def flags() -> list[list[str]]:
            return [one["flags"] for one in client.get("candidates").json()["data"] if one["hypothesis"] == "afterglow"]

        drop(tmp_path, "burst.xml", burst(t0))
        drop(tmp_path, "first.avro", afterglow(1, 0.1, 20_000.0, t0))
        (former,) = until(flags, hub)
        words = ("catalog", "add", str(tmp_path / "mine.csv"), "--as", "generic", "--kind", "variable", "--name", "mine")
        added = mmhub(*words, data_dir=tmp_path / "data")
        assert added.returncode == 0, added.stderr
        until(lambda: flags() == [[*former, "in variable catalogue"]], hub)
        taken = mmhub("catalog", "remove", "mine", data_dir=tmp_path / "data")
        assert taken.returncode == 0, taken.stderr
        until(lambda: flags() == [former], hub)
        hub.stop()


def test_ingest_without_anything_to_take_in_is_one_sentence(tmp_path):
    done = mmhub("run", "ingest", data_dir=tmp_path / "data")
    assert done.returncode == 1
    assert done.stderr == "mmhub: no table [sources.NAME] stands in the settings, so there is nothing to take in\n"


def test_hub_without_anything_to_take_in_says_so_and_answers(tmp_path):
    with run(tmp_path, sources="") as hub:
        assert httpx.get(f"{address(hub)}/health", timeout=60).json()["data"]["counts"]["events"] == 0
        assert hub.said.startswith("no table [sources.NAME] stands in the settings, so there is nothing to take in\n")
        hub.stop()


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ("[sources.x]\nkind = 'pigeon'\n", "mmhub: sources.x.kind: there is no kind 'pigeon'; there are "),
        ("[sources.x]\nkind = 'folder'\n", "mmhub: sources.x.path is missing"),
        ("[sources.x]\nkind = 'folder'\npath = 'a'\nfoo = 1\n", "mmhub: sources.x.foo is no option of this kind"),
        ("[sources.x]\nkind = 'folder'\npath = 'a'\necho_of = 'y'\n", "mmhub: sources.x.echo_of: there is no destination 'y'"),
    ],
)
def test_a_source_that_makes_no_sense_is_one_sentence(tmp_path, sources: str, sentence: str):
    with run(tmp_path, "ingest", sources=sources) as hub:
        assert hub.process.wait(timeout=TIMEOUT_S) == 1
        assert until(lambda: hub.said).startswith(sentence)


FALLS_INTO_A_CALLBACK = """
import os, signal, weakref
from hub.cli.run import _ends_early
class Thing: pass
with _ends_early() as is_stopped:
    thing = Thing()
    reference = weakref.ref(thing, lambda _: (os.kill(os.getpid(), signal.SIGTERM), sum(range(1000))))
    del thing
    print(is_stopped())
    reference = weakref.ref(thing := Thing(), lambda _: 1 / 0)
    del thing
"""


def test_a_stop_that_falls_into_a_callback_is_remembered_and_prints_nothing():
    words = [sys.executable, "-c", FALLS_INTO_A_CALLBACK]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    assert done.stdout == "True\n"
    assert "SystemExit" not in done.stderr
    assert "ZeroDivisionError" in done.stderr  # other faults are still said


def test_inbox_that_cannot_be_made_needs_a_person(tmp_path):
    (tmp_path / "inbox").write_bytes(b"a file")
    with run(tmp_path, "ingest") as hub:
        assert hub.process.wait(timeout=TIMEOUT_S) == 1
        assert "sources.inbox.path: the hub cannot make the folder " in until(lambda: hub.said)


@pytest.mark.parametrize("sign", ["data", "data/hub.sqlite"])
def test_a_stop_during_the_start_ends_it_soon_and_well(tmp_path, sign):
    """While the database is made, and before."""
    with run(tmp_path) as hub:
        until((tmp_path / sign).exists, hub)
        hub.stop()
    with run(tmp_path) as hub:  # and nothing is broken by it
        address(hub)
        hub.stop()
