"""Packets by stream maps, in the shapes of the brokers: all of our own making."""

import io
import json
import math
import struct
import zlib
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.alerts import Streams, decode_details, decode_messages
from adapters.codecs.alerts.stream_map import StreamMap, parse, shipped
from hub.errors import DecodeError, SchemaUnknown
from hub.model.instant import Instant
from tests.support import lsst_packets, ztf_packets

MAPS = shipped()
STREAMS = Streams(maps=MAPS)
DAY_US = 86_400_000_000

LASAIR = {
    "diaObjectId": 169760235333878021,
    "UTC": "2026-01-29 11:40:14",
    "classification": "SN",
    "ra": 221.87087,
    "decl": -38.16173,
    "alert": {
        "diaObject": {"firstDiaSourceMjdTai": 61060.25},
        "diaSourcesList": [
            {
                "diaSourceId": 170094456523456000 + n,
                "diaObjectId": 169760235333878021,
                "midpointMjdTai": 61060.5 + n,
                "ra": 221.87,
                "dec": -38.16,
                "psfFlux": 1000.0 + n,
                "psfFluxErr": 50.0,
                "snr": 20.0,
                "band": "r",
                "reliability": 0.9,
                "isNegative": False,
                "ssObjectId": 0,
            }
            for n in (2, 0, 1)
        ],
        "diaForcedSourcesList": [],
    },
}
ALERCE = {
    "oid": "ZTF26aaaaaaa",
    "detections": [
        {
            "candid": "2500000000000000001",
            "oid": "ZTF26aaaaaaa",
            "mjd": 61000.25,
            "ra": 10.0,
            "dec": 5.0,
            "mag": 20.0,
            "e_mag": 0.125,
            "isdiffpos": -1,
            "fid": "g",
            "forced": False,
            "extra_fields": {"drb": 0.75},
        },
        {"candid": "2500000000000000000", "mjd": 60999.25, "ra": 10.0, "dec": 5.0, "isdiffpos": 1, "fid": 2, "forced": False},
        {"candid": "0", "mjd": 61001.25, "ra": 10.0, "dec": 5.0, "isdiffpos": 1, "fid": 2, "forced": True},
    ],
}
BABAMUL_LSST = {
    "candid": 170094456523456557,
    "objectId": "313893023095193658",
    "candidate": {
        "diaSourceId": 170094456523456557,
        "diaObjectId": 313893023095193658,
        "ssObjectId": None,
        "midpointMjdTai": 61000.5,
        "ra": 10.0,
        "dec": -5.0,
        "psfFlux": -1500.0,
        "psfFluxErr": 250.0,
        "snr": 6.0,
        "band": "i",
        "reliability": 0.75,
        "isNegative": True,
        "pixelFlags_saturatedCenter": True,
        "jdstarthist": 2460995.0,
    },
    "prv_candidates": [{"jd": 2460996.0}, {"jd": 2461001.0}],
}
ANTARES = {
    "id": "ANT2026aaaaa",
    "ra": 10.0,
    "dec": -5.0,
    "properties": {
        "newest_alert_id": "ztf_candidate:2500000000000000001",
        "newest_alert_observation_time": 61000.25,
        "oldest_alert_observation_time": 60990.25,
        "newest_alert_magnitude": 20.0,
        "ztf_object_id": "ZTF26aaaaaaa",
    },
    "tags": ["extragalactic"],
}
LASAIR_ZTF = {"objectId": "ZTF26aaaaaaa", "ramean": 10.0, "decmean": -5.0, "jdmax": 2461000.5, "jdmin": 2460990.5, "UTC": "now"}


def bson(value: Any) -> bytes:
    """Return a document in BSON: texts, doubles, 64-bit numbers, booleans, null, documents and lists."""
    body = b""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        match item:
            case bool():
                kind, data = 8, bytes([item])
            case str():
                data = struct.pack("<i", len(item.encode()) + 1) + item.encode() + b"\0"
                kind = 2
            case float():
                kind, data = 1, struct.pack("<d", item)
            case int():
                kind, data = 18, struct.pack("<q", item)
            case None:
                kind, data = 10, b""
            case _:
                kind, data = (3 if isinstance(item, dict) else 4), bson(item)
        body += bytes([kind]) + str(name).encode() + b"\0" + data
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def container(packet: dict[str, Any], name: str) -> bytes:
    """Return an Avro container whose schema is made from the packet."""
    count = iter(range(10_000))

    def schema(value: Any) -> Any:
        match value:
            case bool():
                return "boolean"
            case int():
                return "long"
            case float():
                return "double"
            case str():
                return "string"
            case None:
                return ["null", "string"]
            case list():
                return {"type": "array", "items": schema(value[0])}
            case _:
                fields = [{"name": key, "type": schema(item)} for key, item in value.items()]
                return {"type": "record", "name": f"r{next(count)}", "fields": fields}

    out = io.BytesIO()
    fastavro.writer(out, schema(packet) | {"name": name}, [packet])
    return out.getvalue()


def only_row(payload: bytes, stream: str, streams: Streams = STREAMS) -> dict[str, Any]:
    rows = decode_messages([payload], stream, streams)
    assert (rows.refused, rows.held) == ((), ())
    (batch,) = rows.batches
    assert batch.survey == streams.maps[stream].survey
    (row,) = batch.rows()
    return row


def sentence(payload: bytes, stream: str, streams: Streams = STREAMS) -> str:
    rows = decode_messages([payload], stream, streams)
    assert rows.batches == ()
    ((_, said),) = rows.refused
    return said


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_the_newest_detection_of_a_full_lasair_alert_is_the_alert():
    row = only_row(as_json(LASAIR), "lasair-lsst")
    assert (row["source_id"], row["object_id"]) == (170094456523456002, "169760235333878021")
    assert row["mid_tai_us"] == Instant.from_mjd_tai(61062.5).tai_us
    assert row["first_tai_us"] == Instant.from_mjd_tai(61060.25).tai_us
    assert (row["n_history"], row["flux_njy"], row["band"], row["snr"]) == (2, 1002.0, "r", 20.0)
    (detail,) = decode_details(as_json(LASAIR), "lasair-lsst", STREAMS)
    assert detail.annotations == ({"kind": "classification", "value": {"class": "SN"}, "source": "lasair", "version": ""},)


def test_a_lite_lasair_alert_gets_an_id_of_the_hubs_own_always_the_same():
    lite = LASAIR | {
        "alert": {
            "diaSourcesList": [
                {key: one[key] for key in ("psfFlux", "psfFluxErr", "midpointMjdTai", "band", "reliability")}
                for one in LASAIR["alert"]["diaSourcesList"]
            ]
        }
    }
    first, again = only_row(as_json(lite), "lasair-lsst-lite"), only_row(as_json(lite | {"UTC": "later"}), "lasair-lsst-lite")
    assert str(first) == str(again)  # as text, for NaN is not equal to itself
    assert first["source_id"] < 0
    assert (first["ra_deg"], first["dec_deg"]) == (221.87087, -38.16173)
    assert first["first_tai_us"] == Instant.from_mjd_tai(61060.5).tai_us
    lite["alert"]["diaSourcesList"][0]["midpointMjdTai"] += 1
    assert only_row(as_json(lite), "lasair-lsst-lite")["source_id"] != first["source_id"]


def test_a_thin_lasair_message_is_refused_with_a_sentence():
    thin = {key: value for key, value in LASAIR.items() if key != "alert"}
    assert sentence(as_json(thin), "lasair-lsst") == "alert.diaSourcesList holds no detection"


def test_lasair_ztf_gives_a_place_and_a_time():
    row = only_row(as_json(LASAIR_ZTF), "lasair-ztf")
    assert row["source_id"] < 0
    assert Instant(row["mid_tai_us"]).to_utc_iso() == "2025-11-21T00:00:15.000000Z"
    assert row["first_tai_us"] == row["mid_tai_us"] - 10 * DAY_US
    assert math.isnan(row["flux_njy"])
    assert row["band"] == ""


@pytest.mark.parametrize("payload", [as_json(ALERCE)], ids=["json"])
def test_alerce_lists_its_detections_and_forced_photometry_is_none(payload: bytes):
    row = only_row(payload, "alerce")
    assert (row["source_id"], row["object_id"], row["band"]) == (2500000000000000001, "ZTF26aaaaaaa", "g")
    assert row["flux_njy"] == pytest.approx(-36310.0, rel=1e-6)
    assert (row["is_negative"], row["n_history"], row["reliability"]) == (True, 1, 0.75)
    assert row["mid_tai_us"] == Instant.from_mjd_utc(61000.25).plus_s(15).tai_us
    assert row["first_tai_us"] == row["mid_tai_us"] - DAY_US


def test_babamul_lsst_has_the_ids_of_the_survey():
    row = only_row(container(BABAMUL_LSST, "BabamulLsstAlert"), "babamul-lsst")
    assert (row["source_id"], row["object_id"]) == (170094456523456557, "313893023095193658")
    assert (row["flux_njy"], row["is_negative"], row["is_saturated"], row["is_solar_system"]) == (-1500.0, True, True, False)
    assert (row["n_history"], row["first_tai_us"]) == (1, Instant.from_mjd_tai(60994.5).tai_us)
    assert "a packet of the schema Other" in sentence(container(BABAMUL_LSST, "Other"), "babamul-lsst")


def test_antares_sends_compressed_bson():
    row = only_row(zlib.compress(bson(ANTARES)), "antares")
    assert (row["source_id"], row["object_id"], row["band"]) == (2500000000000000001, "ZTF26aaaaaaa", "")
    assert row["flux_njy"] == pytest.approx(36310.0, rel=1e-6)
    assert row["first_tai_us"] == row["mid_tai_us"] - 10 * DAY_US
    older = {"data": {"id": "ANT", "attributes": {key: ANTARES[key] for key in ("ra", "dec", "properties")}}}
    assert str(only_row(zlib.compress(bson(older)), "antares")) == str(row)
    other = ANTARES | {"properties": ANTARES["properties"] | {"newest_alert_id": "lsst_dia_source:5"}}
    assert "does not begin with 'ztf_candidate:'" in sentence(zlib.compress(bson(other)), "antares")


def test_fink_says_what_it_found_out():
    packet = ztf_packets.record() | {"cdsxmatch": "Unknown", "rf_snia_vs_nonia": 0.75, "fink_science_version": "5.1"}
    schema = json.loads(json.dumps(ztf_packets.SCHEMA))
    schema["fields"] += [
        {"name": "cdsxmatch", "type": "string"},
        {"name": "rf_snia_vs_nonia", "type": "double"},
        {"name": "fink_science_version", "type": "string"},
    ]
    (detail,) = decode_details(ztf_packets.container([packet], schema=schema), "fink-ztf", STREAMS)
    assert detail.annotations == (
        {"kind": "classification", "value": {"class": "Unknown"}, "source": "fink", "version": "5.1"},
        {"kind": "classification", "value": {"class": "SN Ia (rising)", "probability": 0.75}, "source": "fink", "version": "5.1"},
    )


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("diaSourceId", 1.7e17, "floating-point number"),
        ("diaSourceId", None, "row.diaSourceId 'None' is no id of a LSST alert"),
        ("diaSourceId", -5, "is no id of a LSST alert"),
        ("diaSourceId", 2**63, "is no id of a LSST alert"),
        ("diaObjectId", 1.7e17, "floating-point number"),
        ("ra", "221.87", "row.ra is no number"),
        ("ra", None, "the alert states no position"),
        ("dec", 91.0, "declination 91.0 deg is outside"),
        ("dec", 10**400, "a whole number of 401 digits"),
        ("band", 5, "row.band '5' is no name of a band"),
        ("band", "rainbow", "has more than 4 characters"),
        ("psfFlux", math.inf, "flux_njy is infinite"),
        ("psfFlux", True, "row.psfFlux is no number"),
    ],
)
def test_bad_values_are_refused_with_a_sentence_and_the_others_go_on(path: str, value: object, said: str):
    bad = json.loads(json.dumps(LASAIR))
    bad["alert"]["diaSourcesList"][0][path] = value
    rows = decode_messages([as_json(LASAIR), as_json(bad), as_json(LASAIR)], "lasair-lsst", STREAMS)
    ((index, found),) = rows.refused
    assert (index, said in found) == (1, True), found
    assert rows.message_index[0].tolist() == [0, 2]


@pytest.mark.parametrize(
    ("scale", "stated"),
    [
        ("mjd_tai", 61041.00042824074),
        ("mjd_utc", 61041.0),
        ("jd_tai", 2461041.50042824074),
        ("jd_utc", 2461041.5),
        ("unix_s_utc", 1767225600.0),
        ("iso_utc", "2026-01-01T00:00:00Z"),
    ],
)
def test_times_are_read_on_every_scale(scale: str, stated: object):
    stream = by_scale(scale)
    packet = {"candid": 5, "objectId": "a", "ra": 1.0, "dec": 2.0, "t": stated}
    row = only_row(as_json(packet), "mine", Streams(maps={"mine": stream}))
    assert row["mid_tai_us"] == pytest.approx(Instant.from_utc_iso("2026-01-01T00:00:00Z").tai_us, abs=50)


@pytest.mark.parametrize("scale", ["mjd_tai", "mjd_utc", "jd_tai", "jd_utc", "unix_s_utc", "iso_utc"])
@pytest.mark.parametrize("stated", [0, -1, 41000.0, 2441000.0, 1e300, "yesterday", "1969-01-01T00:00:00Z", "[]", True, 10**99])
def test_times_that_are_none_are_refused(scale: str, stated: object):
    packet = {"candid": 5, "objectId": "a", "ra": 1.0, "dec": 2.0, "t": stated}
    rows = decode_messages([as_json(packet)], "mine", Streams(maps={"mine": by_scale(scale)}))
    is_early_but_a_time = (scale, stated) in {("mjd_tai", 41000.0), ("jd_tai", 2441000.0)}
    assert bool(rows.batches) is is_early_but_a_time


def by_scale(scale: str) -> StreamMap:
    text = f"""
name = "mine"
title = "mine"
survey = "TEST"
wire = "json"
id = {{ source = "candid", object = "objectId" }}
position = {{ ra = "ra", dec = "dec" }}
time = {{ field = "t", scale = "{scale}" }}
selection = {{ kind = "filtered", cuts = "some" }}
"""
    return parse(text.encode(), where="mine")


@pytest.mark.parametrize(("unit", "njy"), [("nJy", 2.5), ("uJy", 2.5e3), ("mJy", 2.5e6), ("Jy", 2.5e9)])
def test_fluxes_are_read_in_every_unit(unit: str, njy: float):
    stream = MAPS["lasair-lsst"]
    assert stream.brightness is not None
    changed = stream.model_copy(update={"brightness": stream.brightness.model_copy(update={"unit": unit})})
    packet = json.loads(json.dumps(LASAIR))
    packet["alert"]["diaSourcesList"][0]["psfFlux"] = 2.5
    assert only_row(as_json(packet), "lasair-lsst", Streams(maps={"lasair-lsst": changed}))["flux_njy"] == njy


def test_a_body_without_header_is_read_by_the_schema_beside_its_map():
    schema = json.dumps(ztf_packets.SCHEMA)
    stream = MAPS["ztf"].model_copy(update={"reader": "mapped", "wire": ("avro-schemaless",), "schema_text": schema})
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), ztf_packets.record())
    streams = Streams(maps={"ztf": stream})
    assert only_row(out.getvalue(), "ztf", streams)["source_id"] == 123456789
    assert "bytes follow" in sentence(out.getvalue() + b"more", "ztf", streams)
    without = Streams(maps={"ztf": stream.model_copy(update={"schema_text": None})})
    assert "came without its schema" in sentence(out.getvalue(), "ztf", without)


def test_a_newer_lsst_schema_from_a_registry_is_walked():
    newer = json.loads(json.dumps(lsst_packets.schema("11.1")).replace("v11_1", "v12_0"))
    payload = b"\0" + (1200).to_bytes(4, "big") + lsst_packets.framed("11.1")[5:]
    asked = []

    def schemas(number: int) -> dict[str, Any]:
        asked.append(number)
        return {key: value for key, value in newer.items() if not key.startswith("__")}

    streams = Streams(maps=MAPS, schemas=schemas)
    row = only_row(payload, "lsst", streams)
    assert str(row) == str(only_row(lsst_packets.framed("11.1"), "lsst"))
    (detail,) = decode_details(payload, "lsst", streams)
    assert detail.format == "lsst-12.0"
    assert set(asked) == {1200}


def test_a_schema_of_something_else_under_an_unknown_number_is_refused():
    streams = Streams(maps=MAPS, schemas=lambda _: {"type": "record", "name": "other", "fields": [{"name": "x", "type": "int"}]})
    said = sentence(b"\0" + (1300).to_bytes(4, "big") + b"\x02", "lsst", streams)
    assert (
        said
        == "the schema 1300 is no LSST alert's: it has no diaSource.diaSourceId, diaSource.ra, diaSource.dec, diaSource.midpointMjdTai"
    )


def test_packets_of_an_unknown_schema_are_held_between_good_ones():
    good = lsst_packets.framed("10.0")
    unknown = b"\0" + (7).to_bytes(4, "big") + good[5:]
    rows = decode_messages([good, unknown, good], "lsst", STREAMS)
    assert rows.refused == ()
    ((index, said),) = rows.held
    assert (index, said) == (1, "nobody knows the schema 7 yet, and no schema registry is configured")
    assert rows.message_index[0].tolist() == [0, 2]
    with pytest.raises(SchemaUnknown):
        decode_details(unknown, "lsst", STREAMS)


def test_an_alert_of_another_survey_is_refused():
    assert "an alert of ZTF in lsst, which is a stream of LSST" in sentence(ztf_packets.container([ztf_packets.record()]), "lsst")


def test_a_stream_without_a_map_is_refused():
    assert sentence(b"{}", "nobodys") == "there is no stream map 'nobodys'"


MESSAGES = {
    "lasair-lsst": as_json(LASAIR),
    "lasair-ztf": as_json(LASAIR_ZTF),
    "alerce": as_json(ALERCE),
    "babamul-lsst": container(BABAMUL_LSST, "BabamulLsstAlert"),
    "antares": zlib.compress(bson(ANTARES)),
    "fink-ztf": ztf_packets.container([ztf_packets.record()]),
    "fink-lsst": lsst_packets.framed("10.0"),
}


@given(st.sampled_from(sorted(MESSAGES)), st.integers(0), st.integers(0, 12), st.binary(max_size=12))
def test_a_packet_that_was_changed_anywhere_gives_rows_or_a_sentence(stream: str, at: int, cut: int, put: bytes):
    message = MESSAGES[stream]
    at %= len(message)
    check(message[:at] + put + message[at + cut :], stream)


@given(st.integers(0), st.integers(0, 12), st.binary(max_size=12))
def test_a_bson_document_that_was_changed_anywhere_gives_rows_or_a_sentence(at: int, cut: int, put: bytes):
    document = bson(ANTARES)
    at %= len(document)
    check(zlib.compress(document[:at] + put + document[at + cut :]), "antares")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["lasair-lsst", "alerce", "lasair-ztf"]), st.data())
def test_any_value_in_any_field_gives_rows_or_a_sentence(stream: str, data: st.DataObject):
    packet = json.loads(MESSAGES[stream])
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(item, dict | list):
                walk(item)

    walk(packet)
    node, key = data.draw(st.sampled_from(places))
    node[key] = data.draw(VALUES)
    check(as_json(packet), stream)


def check(message: bytes, stream: str) -> None:
    """Rows that keep the rules, or a sentence on what is wrong; never what a program says of itself."""
    rows = decode_messages([message], stream, STREAMS)
    assert len(rows.refused) + len(rows.held) + sum(map(len, rows.batches)) >= 1 or message.startswith(b"Obj")
    if not message.startswith((b"Obj", b"\0")):  # only of fastavro's many errors may the name of one be all that can be said
        assert not [said for _, said in rows.refused if "cannot be decoded (" in said]
    for batch in rows.batches:
        assert ((batch.ra_deg >= 0) & (batch.ra_deg < 360) & (abs(batch.dec_deg) <= 90) & (batch.hpx29 >= 0)).all()
    try:
        details = decode_details(message, stream, STREAMS)
    except DecodeError:
        assert not rows.batches
    else:
        assert bool(rows.batches) <= bool(details)


def test_a_sign_that_is_not_stated_is_called_missing():
    bad = json.loads(json.dumps(ALERCE))
    del bad["detections"][0]["isdiffpos"]
    ((_, said),) = decode_messages([as_json(bad)], "alerce", STREAMS).refused
    assert said == "row.isdiffpos is missing"
