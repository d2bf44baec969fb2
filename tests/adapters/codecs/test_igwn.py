import io
import zlib

import fastavro
import pytest

from adapters.codecs import igwn
from hub.errors import DecodeError
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Role, Stage
from tests.support import json_notices as made


def notice(message):
    return igwn.decode(message, topic=None).notice


def event(**changes):
    return made.igwn_alert()["event"] | changes


def test_an_alert_is_read_with_its_map_and_its_facts():
    read = notice(made.igwn_alert())
    assert (read.format, read.stream, read.mission, read.instrument) == ("igwn-json", "igwn.gwalert", "LVK", "H1,V1")
    assert (read.messenger, read.event_class) == (Messenger.GW, EventClass.CBC)
    assert (read.event_key, read.role, read.stage) == ("S260301b", Role.OBSERVATION, Stage.PRELIMINARY)
    assert read.is_live
    assert read.t0 == Instant.from_utc_iso("2026-03-01T02:03:04.25Z")
    assert read.issued_at == Instant.from_utc_iso("2026-03-01T02:05:00Z")
    assert read.far_hz == 1.5e-9
    assert read.p_astro == pytest.approx(0.9)
    assert read.classification == {"BNS": 0.7, "NSBH": 0.2, "BBH": 0.0, "Terrestrial": 0.1}
    assert read.skymap == made.TINY_FITS
    facts = {"HasNS", "HasRemnant", "HasMassGap", "group", "search", "pipeline", "significant", "instruments"}
    assert read.properties.keys() == facts
    assert read.extra["urls"] == {"gracedb": "https://example.org/superevents/S260301b/view/"}
    assert read.identity == "igwn|S260301b|PRELIMINARY|2026-03-01T02:05:00.000000Z"


@pytest.mark.parametrize(("word", "stage"), [("EARLYWARNING", Stage.EARLY_WARNING), ("INITIAL", Stage.INITIAL)])
def test_the_alert_type_is_the_stage(word, stage):
    assert notice(made.igwn_alert(alert_type=word)).stage is stage


def test_a_retraction_has_no_event():
    read = notice(made.igwn_alert(alert_type="RETRACTION", event=None))
    assert (read.stage, read.event_key, read.t0, read.skymap) == (Stage.RETRACTION, "S260301b", None, None)
    assert read.is_live


@pytest.mark.parametrize(
    ("superevent_id", "search"), [("MS260301b", "AllSky"), ("TS260301b", "AllSky"), ("S260301b", "MDC"), ("GW170817", "AllSky")]
)
def test_mocks_and_strange_ids_are_never_live(superevent_id, search):
    read = notice(made.igwn_alert(superevent_id=superevent_id, event=event(search=search)))
    assert (read.role, read.is_live) == (Role.TEST, False)


def test_a_retraction_of_a_mock_is_a_test_too():
    assert notice(made.igwn_alert(superevent_id="MS260301b", alert_type="RETRACTION", event=None)).role is Role.TEST


def test_a_burst_has_duration_and_frequency_in_place_of_classes():
    burst = event(group="Burst", classification={}, duration=0.02, central_frequency=150.0)
    read = notice(made.igwn_alert(event=burst))
    assert read.event_class is EventClass.BURST
    assert read.p_astro is None
    assert (read.properties["duration_s"], read.properties["central_frequency_hz"]) == (0.02, 150.0)


@pytest.mark.parametrize("identifier", [123456789, "123456789"])
def test_an_external_coincidence_is_told_without_its_map(identifier):
    message = made.igwn_with_coincidence()
    message["external_coinc"]["gcn_notice_id"] = identifier
    told = notice(message).properties["external_coinc"]
    assert told == {
        "gcn_notice_id": "123456789",
        "ivorn": "ivo://example/Fermi#1",
        "observatory": "Fermi",
        "search": "GRB",
        "time_difference_s": 1.75,
        "time_coincidence_far_hz": 3e-10,
        "time_sky_position_coincidence_far_hz": 4e-12,
        "has_combined_skymap": True,
    }


def test_chirp_masses_of_newer_alerts_are_kept():
    bins = {"bin_edges": [0.1, 0.87, 1.2], "probabilities": [0.25, 0.75]}
    assert notice(made.igwn_alert(event=event(mchirp_source=bins))).properties["mchirp_source"] == bins


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"alert_type": "GUESS"}, "'alert_type' is none of"),
        ({"superevent_id": 5}, "'superevent_id' is not the id"),
        ({"superevent_id": "S1/../x"}, "'superevent_id' is not the id"),
        ({"time_created": None}, "'time_created' is missing"),
        ({"time_created": "soon"}, "'time_created' is not an ISO 8601 time"),
        ({"event": None}, "only a retraction may lack"),
        ({"event": []}, "only a retraction may lack"),
        ({"event": {}}, "event has no time"),
        ({"event": {"time": "2026"}}, "'time' is not an ISO 8601 time"),
    ],
)
def test_an_alert_that_does_not_say_what_or_when_is_refused(changes, reason):
    with pytest.raises(DecodeError, match=reason) as caught:
        notice(made.igwn_alert(**changes))
    assert caught.value.format == "igwn-json"


def test_a_broken_map_does_not_cost_the_alert():
    read = notice(made.igwn_alert(event=event(skymap="%%%")))
    assert read.skymap is None
    assert read.skymap_refused == "the embedded map is not base64"


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_avro_says_the_same_as_json(codec):
    message = made.igwn_alert()
    del message["external_coinc"]
    from_json = notice(message)
    from_avro = igwn.decode_avro(made.as_avro(message, codec=codec), topic=None).notice
    assert from_avro.format == "igwn-avro"
    for name in ("identity", "event_key", "t0", "skymap", "classification", "properties", "far_hz", "extra", "stage", "is_live"):
        assert getattr(from_avro, name) == getattr(from_json, name), name


def container(schema, records=(), codec="null", body=None):
    """An object container, its one block's bytes replaced where wanted."""
    stream = io.BytesIO()
    fastavro.writer(stream, schema, records, codec=codec)
    written = stream.getvalue()
    if body is None:
        return written
    sync = written[-16:]
    return written + bytes([2]) + zigzag(len(body)) + body + sync


def zigzag(number):
    number <<= 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def test_a_schema_with_an_array_of_nothing_is_refused_before_it_is_read():
    schema = {
        "type": "record",
        "name": "igwn.alerts.Alert",
        "fields": [{"name": "x", "type": {"type": "array", "items": "null"}}],
    }
    with pytest.raises(DecodeError, match="values that take no bytes"):
        igwn.decode_avro(container(schema, body=zigzag(10**9) + b"\0"), topic=None)


def test_a_recursive_schema_is_refused_before_it_is_read():
    schema = {"type": "record", "name": "igwn.alerts.Alert", "fields": [{"name": "x", "type": ["null", "igwn.alerts.Alert"]}]}
    with pytest.raises(DecodeError, match="recursive"):
        igwn.decode_avro(container(schema, body=b"\2" * 100_000 + b"\0"), topic=None)


def test_a_deflate_bomb_is_refused():
    schema = {"type": "record", "name": "igwn.alerts.Alert", "fields": [{"name": "x", "type": "bytes"}]}
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(200 * 1024 * 1024)) + packer.flush()
    with pytest.raises(DecodeError, match="inflates to more"):
        igwn.decode_avro(container(schema, codec="deflate", body=bomb), topic=None)


def test_a_container_of_another_record_or_of_two_records_is_refused():
    other = {"type": "record", "name": "other.Alert", "fields": [{"name": "x", "type": "int"}]}
    with pytest.raises(DecodeError, match="not the expected record"):
        igwn.decode_avro(container(other, [{"x": 1}]), topic=None)
    two = {**other, "name": "igwn.alerts.Alert"}
    with pytest.raises(DecodeError, match="not exactly one record"):
        igwn.decode_avro(container(two, [{"x": 1}, {"x": 2}]), topic=None)


def test_every_cut_and_every_flipped_byte_of_a_container_is_read_or_refused():
    message = made.igwn_alert()
    del message["external_coinc"]
    good = made.as_avro(message)
    for place in range(0, len(good), 7):
        broken = bytearray(good)
        broken[place] ^= 0xFF
        for payload in (good[:place], bytes(broken)):
            try:
                igwn.decode_avro(payload, topic=None)
            except DecodeError as error:
                assert error.reason  # noqa: PT017 - both outcomes are right
