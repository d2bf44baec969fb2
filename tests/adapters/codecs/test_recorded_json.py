"""Every recorded JSON and Avro notice against the values that a correct parser must get."""

import base64
import json

import pytest

from adapters.codecs.decoder import WireDecoder
from hub.errors import DecodeError
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.model.notice import Role, Stage
from hub.model.sky import Circle
from hub.ports import DecodedContext, DecodedNotice

pytestmark = pytest.mark.recorded
NOW = Instant.from_utc_iso("2026-03-01T03:00:00Z")
STAGES = {"initial": Stage.INITIAL, "subsequent": Stage.UPDATE, "update": Stage.UPDATE, "retraction": Stage.RETRACTION}
IGWN_STAGES = {"EARLYWARNING": Stage.EARLY_WARNING, "PRELIMINARY": Stage.PRELIMINARY, "INITIAL": Stage.INITIAL} | {
    "UPDATE": Stage.UPDATE,
    "RETRACTION": Stage.RETRACTION,
}


@pytest.fixture(scope="module")
def manifest(recorded):
    return json.loads((recorded / "manifest.json").read_text())


def decode(payload):
    return WireDecoder().decode(Envelope(payload=payload, source="test", received_at=NOW))


def of_kind(manifest, recorded, *kinds):
    rows = [row for row in manifest if row["kind"] in kinds]
    assert rows
    return [(row["file"], row["expect"], (recorded / row["file"]).read_bytes()) for row in rows]


def difference(name, found, expected, tolerance=1e-8):
    if isinstance(expected, float) and found is not None:
        return [] if found == pytest.approx(expected, rel=tolerance) else [(name, found, expected)]
    return [] if found == expected else [(name, found, expected)]


def instant(text):
    return Instant.from_utc_iso(text) if text else None


def compare_unified(notice, expect, stated):
    """Differences between a notice and what the manifest expects; `stated` is the message by itself."""
    found = []
    if "trigger_time" in expect:
        found += difference("t0", notice.t0, instant(expect["trigger_time"]))
    found += difference("issued_at", notice.issued_at, instant(expect.get("alert_datetime")))
    if "alert_type" in expect:
        found += difference("stage", notice.stage, STAGES[expect["alert_type"]])
    if "mission" in expect:
        found += difference("mission", notice.mission, expect["mission"])
    if "instrument" in expect:
        found += difference("instrument", notice.instrument, expect["instrument"])
    found += difference("far", notice.far_hz, expect.get("far"))
    found += difference("p_astro", notice.p_astro, expect.get("p_astro"))
    if "classification" in expect:
        found += difference("classification", dict(notice.classification), expect["classification"])
    found += difference("url", notice.skymap_url, expect.get("healpix_url"))
    is_test = expect.get("alert_tense") == "test" or "/test." in expect.get("$schema", "")
    is_mock = str(expect.get("ref_ID", "")).startswith("MS")
    found += difference("test", notice.role is Role.TEST, is_test or is_mock)
    if "ra" in expect:
        position = notice.position
        found += difference("ra", position.ra_deg, expect["ra"]) + difference("dec", position.dec_deg, expect["dec"])
        has_error = "ra_dec_error" in expect or "ra_uncertainty" in stated
        found += difference("region", position.region is not None, has_error)
        if has_error:
            found += difference("containment", position.containment, expect.get("containment_probability", 0.9))
        found += difference("systematics", position.systematic_included, expect.get("systematic_included"))
        if isinstance(expect.get("ra_dec_error"), int | float):
            found += difference("radius", position.region, Circle(radius_deg=expect["ra_dec_error"]))
    ids = expect.get("id", [])
    for name in [ids] if isinstance(ids, str) else ids:
        told = [notice.event_key, *notice.aliases]
        if not any(name.replace("_", "-").removesuffix("-0") in text for text in told):
            found.append(("id", told, name))
    return found


def test_every_unified_notice_says_what_it_says(manifest, recorded):
    wrong, notices = {}, 0
    for path, expect, payload in of_kind(manifest, recorded, "gcn-json"):
        if "/core/" in path or "circular" in path:
            continue
        said = decode(payload)
        assert isinstance(said, DecodedNotice), path
        assert said.notice.format == "gcn-unified"
        notices += 1
        if found := compare_unified(said.notice, expect, json.loads(payload)):
            wrong[path] = found
    assert wrong == {}
    assert notices >= 47


def test_fragments_of_the_schema_are_no_notices(manifest, recorded):
    paths = [(path, payload) for path, _, payload in of_kind(manifest, recorded, "gcn-json") if "/core/" in path]
    assert len(paths) == 3
    for _, payload in paths:
        with pytest.raises(DecodeError, match="building block"):
            decode(payload)


def test_every_gravitational_wave_alert_says_what_it_says(manifest, recorded):
    wrong = {}
    for path, expect, payload in of_kind(manifest, recorded, "igwn"):
        notice = decode(payload).notice
        found = difference("format", notice.format, "igwn-avro" if path.endswith("avro") else "igwn-json")
        found += difference("key", notice.event_key, expect["superevent_id"])
        found += difference("stage", notice.stage, IGWN_STAGES[expect["alert_type"]])
        found += difference("issued_at", notice.issued_at, instant(expect["time_created"]))
        found += difference("t0", notice.t0, instant(expect.get("time")))
        found += difference("far", notice.far_hz, expect.get("far"))
        found += difference("live", notice.is_live, "/real/" in path)
        if "classification" in expect:
            found += difference("classes", sorted(notice.classification), sorted(expect["classification"]))
            for name, value in expect["classification"].items():
                found += difference(name, notice.classification[name], value)
            for name, value in expect["properties"].items():
                found += difference(name, notice.properties[name], value)
            for name in ("significant", "instruments", "group", "pipeline", "search"):
                found += difference(name, notice.properties[name], expect[name])
            rows = expect["skymap"]["rows"]
            found += difference("map", len(notice.skymap) > rows * 40 and notice.skymap.startswith(b"SIMPLE"), True)
        if "external_coinc" in expect:
            told = notice.properties["external_coinc"]
            found += difference("notice id", told["gcn_notice_id"], str(expect["external_coinc"]["gcn_notice_id"]))
            joint = expect["external_coinc"]["time_sky_position_coincidence_far"]
            found += difference("joint far", told["time_sky_position_coincidence_far_hz"], joint)
            found += difference("combined", told["has_combined_skymap"], True)
        if found:
            wrong[path] = found
    assert wrong == {}


def test_the_avro_form_of_an_alert_says_the_same_as_its_json(recorded):
    for stage in ("update", "retraction"):
        one, other = (
            decode((recorded / f"igwn/mock/MS181101ab-{stage}.{form}").read_bytes()).notice for form in ("json", "avro")
        )
        for name in ("identity", "event_key", "t0", "skymap", "classification", "properties", "far_hz", "stage", "role"):
            assert getattr(one, name) == getattr(other, name), (stage, name)


def test_the_embedded_map_of_a_targeted_search_is_handed_on(recorded):
    payload = (recorded / "gcn/kafka/kafka_alert_swift_targeted_wskymap.json").read_bytes()
    assert decode(payload).notice.skymap == base64.b64decode(json.loads(payload)["healpix_file"])


def test_snews_messages_and_circulars_are_read(manifest, recorded):
    kinds = {}
    for path, _, payload in of_kind(manifest, recorded, "snews-json", "gcn-circular-text"):
        said = decode(payload)
        kinds[path.rpartition("/")[2]] = said.format if isinstance(said, DecodedContext) else said.notice.role
    assert kinds == {
        "coincidence_tier.json": Role.TEST,
        "timing_tier.json": Role.TEST,
        "heartbeat.json": "snews2-heartbeat",
        "circular_legacy.gcn3": "gcn-circular-text",
    }


def test_records_tables_and_schemas_are_no_messages(manifest, recorded):
    for path, _, payload in of_kind(manifest, recorded, "igwn-internal", "topics", "schema", "moc", "catalog", "lsst-json"):
        if path.endswith(".xsd"):
            continue
        with pytest.raises(DecodeError):
            decode(payload)


def test_every_sky_map_is_context(manifest, recorded):
    for path, _, payload in of_kind(manifest, recorded, "skymap"):
        said = decode(payload)
        assert isinstance(said, DecodedContext), path
        assert said.kind == "skymap", path


def test_every_file_ends_as_something_or_with_a_sentence(manifest, recorded):
    for row in manifest:
        try:
            decode((recorded / row["file"]).read_bytes())
        except DecodeError as error:
            reason = error.reason
        else:
            continue
        assert reason
        assert "\n" not in reason, row["file"]
