"""Every recorded message through ``mmhub decode``: what was read, what the manifest expects, and why they differ where they do.

The table of it is ``docs/reference/recorded-messages.md``; MMHUB_TEST_REFRESH=1 writes it anew.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from hub.model.instant import Instant
from tests.conftest import REPOSITORY
from tests.support.recorded_expectations import NO_MESSAGES, checks
from tests.support.recorded_table import page

pytestmark = pytest.mark.recorded

PAGE = REPOSITORY / "docs" / "reference" / "recorded-messages.md"

MAX_MAIN_PROCESS_KB = 512 * 1024

_CORE = "a building block of the GCN schema, shown with made-up values: it belongs to no mission and to no event"
_ELASTICC = "the simulation states no unit of its fluxes"
_NO_MAP = "the example's embedded map is a placeholder, no FITS file; the notice itself is read"
_OBSERVATORY = (
    "the manifest took the file's first C1 and C2, which are the observatory's place; the event's own stand further down"
)

REASONS = {
    ("gcn/kafka/kafka_alert_icecube_retraction.json", "systematic_included"): (
        "a retraction without a position has no errors that could include systematics"
    ),
    ("gcn/unified/notices/burstcube/alert.example.json", "skymap"): _NO_MAP,
    ("gcn/unified/notices/burstcube/test.example.json", "skymap"): _NO_MAP,
    ("gcn/unified/notices/core/Pointing.example.json", "kind"): _CORE,
    ("gcn/unified/notices/core/Reporter.example.json", "kind"): _CORE,
    ("gcn/unified/notices/core/Statistics.example.json", "kind"): _CORE,
    ("lsst/ocf/ampel_11290844.avro", "flux_njy"): _ELASTICC,
    ("lsst/ocf/elasticc_alert_mjd59583.0511_obj1131_src2262001.avro", "flux_njy"): _ELASTICC,
    ("lsst/ocf/elasticc_alert_mjd60663.0431_obj1474_src2948048.avro", "flux_njy"): _ELASTICC,
    ("voevent/antares/Antares_1438351269.xml", "ra_deg"): _OBSERVATORY,
    ("voevent/antares/Antares_1438351269.xml", "dec_deg"): _OBSERVATORY,
    ("voevent/antares/Antares_1438351269.xml", "radius_deg"): _OBSERVATORY,
    ("voevent/integral/REFINED_010042.xml", "event_id"): (
        "its TrigID holds the number 10042 in the lower 16 bits and the count of the packet above them; the ivorn says 010042 too"
    ),
    ("voevent/odd/amon_sim_iceevent_0.xml", "ra_deg"): _OBSERVATORY,
    ("voevent/odd/amon_sim_iceevent_0.xml", "dec_deg"): _OBSERVATORY,
    ("voevent/optical/Gaia16aac.xml", "t0"): (
        "the manifest has the text as it stands, but the packet is on the scale TDB: 32.184 s and 36 leap seconds ahead of UTC"
    ),
    (
        "ztf_and_others/alercebroker_02a59543o0040o_006230.avro",
        "kind",
    ): "an ATLAS container; of other surveys only ZTF's are read",
    ("ztf_and_others/boom-astro_alert.avro", "kind"): "a DECam container of DESIRT; of other surveys only ZTF's are read",
}
"""By file and field, why what was read is right although the manifest has something else. Reviewed one by one."""


@pytest.fixture(scope="module")
def entries(recorded: Path) -> dict[str, dict[str, Any]]:
    return {entry["file"]: entry for entry in json.loads((recorded / "manifest.json").read_text())}


@pytest.fixture(scope="module")
def decoded(recorded: Path) -> subprocess.CompletedProcess[str]:
    """``mmhub decode --json`` of the whole folder in a process of its own, with that process's peak memory (kB) on stderr."""
    program = (
        "import re, sys; from hub.cli.app import main; code = main(sys.argv[1:]); "
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1], file=sys.stderr); sys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "decode", str(recorded), "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=REPOSITORY,
    )


@pytest.fixture(scope="module")
def records(recorded: Path, decoded: subprocess.CompletedProcess[str]) -> dict[str, list[dict[str, Any]]]:
    """The records of each file, by its name in the manifest."""
    found = defaultdict(list)
    for line in decoded.stdout.splitlines():
        record = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
        found[Path(record["path"]).relative_to(recorded).as_posix()].append(record)
    return found


def test_every_file_gives_a_line_for_each_message_and_never_a_traceback(entries, decoded, records):
    assert decoded.returncode == 1  # some files are no messages
    assert "Traceback" not in decoded.stderr + decoded.stdout
    assert entries.keys() <= records.keys()
    for name, entry in entries.items():
        assert [record["index"] for record in records[name]] == list(
            range(entry["expect"].get("records", 1) if _is_read(records[name]) else 1)
        ), name
        for record in records[name]:
            if record["kind"] == "rejected":
                assert record["reason"], name
                assert "\n" not in record["reason"], name


def _is_read(found: list[dict[str, Any]]) -> bool:
    return found[0]["kind"] != "rejected"


def test_the_main_process_stays_small(decoded):
    assert int(decoded.stderr.split()[-1]) < MAX_MAIN_PROCESS_KB


def test_what_is_no_message_is_rejected_as_such(entries, records):
    for name, entry in entries.items():
        if entry["kind"] in NO_MESSAGES - {"igwn-internal"}:
            (record,) = records[name]
            assert record["kind"] == "rejected"
            assert record["reason"].startswith("not a message"), name


def test_every_difference_from_the_manifest_has_its_reason(entries, records):
    differences = {
        (name, check.field): (check.read, check.expected)
        for name, entry in entries.items()
        for record in records[name][:1]
        for check in checks(entry, record)
        if not check.is_same
    }
    unexplained = {where: what for where, what in differences.items() if where not in REASONS}
    assert unexplained == {}
    assert REASONS.keys() - differences.keys() == set(), "these no longer differ"


def test_the_reasons_given_are_true(recorded, records):
    """Each reason states facts of the files; here they are looked at."""
    for name in ("alert", "test"):
        path = f"gcn/unified/notices/burstcube/{name}.example.json"
        assert len(json.loads((recorded / path).read_text())["healpix_file"]) < 200
        assert records[path][0]["skymap_refused"]
    (retraction,) = records["gcn/kafka/kafka_alert_icecube_retraction.json"]
    assert (retraction["stage"], retraction["ra_deg"]) == ("retraction", None)
    (gaia,) = records["voevent/optical/Gaia16aac.xml"]
    assert b"TDB" in (recorded / "voevent/optical/Gaia16aac.xml").read_bytes()
    ahead = Instant.from_utc_iso("2016-01-16T07:52:27Z").minus(Instant.from_utc_iso(gaia["t0"]))
    assert ahead == pytest.approx(32.184 + 36, abs=1e-6)
    assert 75578 & 0xFFFF == 10042
    for name in ("antares/Antares_1438351269.xml", "odd/amon_sim_iceevent_0.xml"):
        assert b"ObservatoryLocation" in (recorded / "voevent" / name).read_bytes().partition(b"ObservationLocation")[0]


def test_the_page_in_the_docs_says_the_same(entries, records):
    text = page(entries, records, REASONS)
    if os.environ.get("MMHUB_TEST_REFRESH") == "1":
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "run this test with MMHUB_TEST_REFRESH=1 and look at the difference"
