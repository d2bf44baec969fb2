"""Every recorded VOEvent against the values that the manifest states."""

import json

import pytest

from adapters.codecs.voevent import xml
from adapters.codecs.voevent.packet import read_packet
from adapters.codecs.voevent.reader import decode
from hub.errors import DecodeError
from hub.model.instant import Instant

# The manifest states the first C1, C2 of the file, which in these two is the observatory's own place, not the event's.
EVENT_NOT_OBSERVATORY = {
    "voevent/antares/Antares_1438351269.xml": (156.957, -21.274, 0.325),
    "voevent/odd/amon_sim_iceevent_0.xml": (174.199, 45.2075, 0.8),
}
ROLES = {"observe": "observation", "sim": "test"}
TDB_BARY = "voevent/optical/Gaia16aac.xml"


def entries(recorded):
    found = [entry for entry in json.loads((recorded / "manifest.json").read_text()) if entry["kind"] == "voevent"]
    assert len(found) >= 70
    return found


@pytest.fixture(scope="module")
def packets(recorded):
    """Entry and bytes of every file that must be understood."""
    return [(entry, (recorded / entry["file"]).read_bytes()) for entry in entries(recorded) if "ivorn" in entry["expect"]]


def test_ivorn_role_version_and_format_are_those_of_the_manifest(packets):
    for entry, payload in packets:
        expect = entry["expect"]
        notice = decode(payload).notice
        assert notice.ivorn == expect["ivorn"], entry["file"]
        assert notice.role == ROLES.get(expect["role"], expect["role"]), entry["file"]
        assert notice.format == f"voevent-{expect['version']}", entry["file"]


def test_params_and_citations_are_those_of_the_manifest(packets):
    for entry, payload in packets:
        expect = entry["expect"]
        packet = read_packet(xml.read_root(payload))
        assert len(packet.params) == expect["n_params"], entry["file"]
        for name, value in expect["params"].items():
            assert value.strip() in [param.value for param in packet.params if param.name == name], (entry["file"], name)
        cited = [(c["cite"], c["ivorn"]) for c in expect.get("citations", ())]
        assert [(c.cite, c.ivorn) for c in packet.citations] == cited, entry["file"]


def test_positions_are_those_of_the_manifest_or_none_where_it_says_0_0(packets):
    n_without = 0
    for entry, payload in packets:
        expect = entry["expect"]
        stated = EVENT_NOT_OBSERVATORY.get(
            entry["file"], (expect.get("ra_deg"), expect.get("dec_deg"), expect.get("error_radius_deg"))
        )
        position = decode(payload).notice.position
        if stated[0] is None or stated[:2] == (0.0, 0.0):
            n_without += 1
            assert position is None, entry["file"]
            continue
        assert (position.ra_deg, position.dec_deg) == pytest.approx(stated[:2], abs=1e-7), entry["file"]
        assert position.radius_deg == (pytest.approx(stated[2], rel=1e-6) if stated[2] else None), entry["file"]
        assert (position.region is None) or position.radius_deg > 0
    assert n_without > 15


def test_times_are_those_of_the_manifest(packets):
    for entry, payload in packets:
        notice = decode(payload).notice
        stated = Instant.from_utc_iso(entry["expect"]["event_time_text"][0])
        if entry["file"] == TDB_BARY:  # 68.184 s = 32.184 + 36 leap seconds of early 2016
            assert stated.minus(notice.t0) == pytest.approx(68.184, abs=1e-6)
        else:
            assert notice.t0 == stated, entry["file"]
        assert notice.issued_at is not None, entry["file"]


def test_the_two_broken_files_are_refused_with_their_reason(recorded):
    refused = {}
    for entry in entries(recorded):
        if "parse_error" in entry["expect"]:
            with pytest.raises(DecodeError) as refusal:
                decode((recorded / entry["file"]).read_bytes())
            refused[entry["file"].rpartition("/")[2]] = refusal.value.reason
    assert refused == {
        "FRB140514_detection_junk_prefix.xml": "text stands before the XML declaration",
        "amon_malformed_xml.xml": "the XML is not well-formed: AttValue: \" or ' expected, line 5, column 10",
    }


def test_notices_are_plain_words_that_json_can_hold(packets):
    for entry, payload in packets:
        notice = decode(payload).notice
        json.dumps([dict(notice.extra), dict(notice.properties), dict(notice.classification)], allow_nan=False)
        assert notice.stream
        assert notice.mission
        assert (notice.event_key is None) == (notice.role == "utility"), entry["file"]


def test_only_observations_without_a_mark_of_a_test_are_live(packets):
    dead = {entry["file"].rpartition("/")[2] for entry, payload in packets if not decode(payload).notice.is_live}
    assert dead == {
        "GBM_SUBTHRESH_546126856.xml",
        "HESS_test_event.xml",
        "MS181101ab-1-EarlyWarning.xml",
        "MS181101ab-2-Preliminary.xml",
        "MS181101ab-3-Initial.xml",
        "MS181101ab-5-Retraction.xml",
        "MS181101ab-6-Update_external_coinc.xml",
        "POINTDIR_utility.xml",
        "REFINED_test.xml",
        "SNEWS_2018-09-18_test.xml",
        "amon_sim_iceevent_0.xml",
        "no_namespace_packet.xml",
    }


def test_the_two_snews_files_with_one_ivorn_stay_apart(recorded):
    folder = recorded / "voevent" / "snews"
    real, test = (decode((folder / name).read_bytes()).notice for name in ("SNEWS_2018-09-18.xml", "SNEWS_2018-09-18_test.xml"))
    assert real.ivorn == test.ivorn
    assert real.identity != test.identity
