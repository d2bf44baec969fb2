"""LSST packets of our own making, in every version, in frames and containers."""

import math

import numpy as np
import pytest

from adapters.codecs.alerts import Streams, decode_details, decode_messages, is_alert_container
from adapters.codecs.alerts.lsst_schemas import known_ids
from adapters.codecs.alerts.stream_map import shipped
from adapters.codecs.decoder import WireDecoder
from hub.errors import DecodeError, SchemaUnknown
from hub.model.alert import COLUMN_DTYPES, UNSAID
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from tests.support import lsst_packets

VERSIONS = sorted(known_ids().values(), key=lambda version: tuple(map(int, version.split("."))))


def only_row(payload: bytes) -> dict:
    rows = decode_messages([payload])
    assert rows.refused == ()
    (batch,) = rows.batches
    (row,) = batch.rows()
    assert batch.survey == "LSST"
    return row


def refusal(payload: bytes) -> str:
    rows = decode_messages([payload])
    assert rows.batches == ()
    ((index, sentence),) = rows.refused
    assert index == 0
    with pytest.raises(DecodeError):
        decode_details(payload)
    return sentence


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_gives_the_same_row(version: str):
    row = only_row(lsst_packets.framed(version, lsst_packets.record(version, history_mjd=(61233.5, 61230.25))))
    has_reliability = "reliability" in lsst_packets.record(version)["diaSource"]
    assert math.isnan(row.pop("reliability")) is not has_reliability
    assert row == {
        "source_id": 170094456523456557,
        "object_id": "313893023095193658",
        "ra_deg": 197.45,
        "dec_deg": -23.3815,
        "mid_tai_us": Instant.from_mjd_tai(61234.5).tai_us,
        "first_tai_us": Instant.from_mjd_tai(61230.25).tai_us,
        "n_history": 2,
        "flux_njy": -1500.0,
        "flux_err_njy": 250.0,
        "snr": 6.0,
        "band": "i",
        "is_solar_system": False,
        "is_negative": True,
        "is_saturated": False,
        "hpx29": row["hpx29"],
        **UNSAID,
        "revision": row["revision"],
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_details_say_the_same_and_keep_the_whole_packet(version: str):
    packet = lsst_packets.record(version, history_mjd=(61233.5,))
    (detail,) = decode_details(lsst_packets.framed(version, packet))
    assert (detail.format, detail.survey) == (f"lsst-{version}", "LSST")
    assert (detail.source_id, detail.object_id) == ("170094456523456557", "313893023095193658")
    assert (detail.ra_deg, detail.dec_deg, detail.mjd_tai, detail.n_history) == (197.45, -23.3815, 61234.5, 1)
    assert (detail.flux_njy, detail.snr, detail.band, detail.is_solar_system) == (-1500.0, 6.0, "i", False)
    assert detail.record == packet
    assert detail.record["cutoutDifference"] == b"SIMPLE  = our own"


def test_the_time_is_tai_and_not_utc():
    # MJD 61041.0 TAI is 2026-01-01T00:00:00 TAI, which clocks on UTC call 37 s earlier.
    row = only_row(lsst_packets.framed("10.0", midpointMjdTai=61041.0))
    assert Instant(row["mid_tai_us"]).to_utc_iso() == "2025-12-31T23:59:23.000000Z"
    (detail,) = decode_details(lsst_packets.framed("10.0", midpointMjdTai=61041.0))
    assert detail.mjd_tai == 61041.0


def test_columns_have_the_types_of_the_model():
    (batch,) = decode_messages([lsst_packets.framed("11.1")]).batches
    for name, kind in COLUMN_DTYPES.items():
        assert getattr(batch, name).dtype == np.dtype(kind), name
        assert not getattr(batch, name).flags.writeable


def test_the_pixel_is_that_of_healpy():
    healpy = pytest.importorskip("healpy")
    generator = np.random.default_rng(1)
    ra, dec = generator.uniform(0, 360, 50), np.degrees(np.arcsin(generator.uniform(-1, 1, 50)))
    ra[:3], dec[:3] = (0.0, 359.9999999, 12.0), (90.0, -90.0, 0.0)
    messages = [lsst_packets.framed("10.0", ra=r, dec=d) for r, d in zip(ra.tolist(), dec.tolist(), strict=True)]
    (batch,) = decode_messages(messages).batches
    np.testing.assert_array_equal(batch.hpx29, healpy.ang2pix(1 << 29, ra, dec, nest=True, lonlat=True))


def test_the_stated_first_detection_counts_where_the_history_is_cut():
    packet = lsst_packets.record("10.0", history_mjd=(61233.5,), first_mjd=61000.0)
    assert only_row(lsst_packets.framed("10.0", packet))["first_tai_us"] == Instant.from_mjd_tai(61000.0).tai_us


@pytest.mark.parametrize("stated", [None, math.nan, 0.0, -math.inf])
def test_an_unusable_first_detection_falls_back_to_the_history(stated: float | None):
    packet = lsst_packets.record("10.0", history_mjd=(61233.5, math.nan), first_mjd=stated)
    assert only_row(lsst_packets.framed("10.0", packet))["first_tai_us"] == Instant.from_mjd_tai(61233.5).tai_us


def test_a_first_detection_is_never_later_than_the_alert_itself():
    row = only_row(lsst_packets.framed("10.0", lsst_packets.record("10.0", first_mjd=61300.0)))
    assert row["first_tai_us"] == row["mid_tai_us"]


@pytest.mark.parametrize("object_id", [None, 0])
def test_a_moving_source_has_no_object(object_id: int | None):
    payload = lsst_packets.framed("10.0", diaObjectId=object_id, ssObjectId=21163611661088578)
    row = only_row(payload)
    assert row["object_id"] == ""
    assert row["is_solar_system"]
    (detail,) = decode_details(payload)
    assert detail.object_id is None
    assert detail.is_solar_system


def test_null_and_nan_are_both_missing():
    payload = lsst_packets.framed("10.0", psfFlux=math.nan, psfFluxErr=None, snr=None, reliability=math.nan, isNegative=None)
    row = only_row(payload)
    assert all(math.isnan(row[name]) for name in ("flux_njy", "flux_err_njy", "snr", "reliability"))
    assert row["is_negative"] is False
    (detail,) = decode_details(payload)
    assert (detail.flux_njy, detail.snr, detail.reliability) == (None, None, None)


def test_without_the_flag_a_negative_flux_tells_a_negative_source():
    assert only_row(lsst_packets.framed("10.0", isNegative=None))["is_negative"]
    assert not only_row(lsst_packets.framed("3.0", psfFlux=12.0))["is_negative"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ra": 360.0}, "right ascension"),
        ({"ra": -1e-9}, "right ascension"),
        ({"ra": math.nan}, "states no position"),
        ({"dec": 90.0001}, "declination"),
        ({"dec": math.inf}, "declination"),
        ({"midpointMjdTai": math.nan}, "believable time"),
        ({"midpointMjdTai": -math.inf}, "believable time"),
        ({"psfFlux": math.inf}, "flux_njy is infinite"),
        ({"snr": -math.inf}, "snr is infinite"),
        ({"reliability": math.inf}, "reliability is infinite"),
        ({"diaSourceId": 0}, "cannot be ids"),
        ({"diaSourceId": -5}, "cannot be ids"),
        ({"diaObjectId": -5}, "cannot be ids"),
        ({"band": "infrared"}, "band"),
        ({"band": "ü"}, "band"),
    ],
)
def test_impossible_values_are_refused_with_a_sentence(values: dict, said: str):
    assert said in refusal(lsst_packets.framed("10.0", **values))


def test_a_packet_of_an_unknown_schema_is_held_and_one_of_none_that_lsst_can_have_is_refused():
    body = lsst_packets.framed("10.0")[5:]
    rows = decode_messages([lsst_packets.framed("10.0"), b"\0" + (9999).to_bytes(4, "big") + body])
    assert rows.held == ((1, "nobody knows the schema 9999 yet, and no schema registry is configured"),)
    assert rows.refused == ()
    assert len(rows.batches[0]) == 1
    little_endian = b"\0" + (1000).to_bytes(4, "little") + body
    assert "is not in the table" in refusal(little_endian)


def test_trailing_bytes_are_refused():
    assert refusal(lsst_packets.framed("10.0") + bytes(7)) == "7 bytes follow the end of the packet"


def test_every_truncation_is_refused():
    payload = lsst_packets.framed("10.0", lsst_packets.record("10.0", history_mjd=(61233.5,)))
    cuts = [payload[:length] for length in range(len(payload))]
    rows = decode_messages(cuts)
    assert rows.batches == ()
    assert [index for index, _ in rows.refused] == list(range(len(cuts)))


def test_a_packet_above_the_cap_is_refused_before_it_is_read():
    packet = lsst_packets.record("10.0") | {"cutoutDifference": bytes(4 << 20)}
    assert "4194304 are allowed" in refusal(lsst_packets.framed("10.0", packet))


def test_a_body_of_another_version_is_refused():
    assert refusal(b"\0" + (1100).to_bytes(4, "big") + lsst_packets.framed("8.0")[5:])


def test_a_claimed_length_is_checked_against_the_bytes():
    payload = lsst_packets.framed("10.0", lsst_packets.record("10.0") | {"target_name": "T"})
    huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # 2^63 - 1
    assert payload.count(b"\x02\x02T") == 1
    assert "cut off" in refusal(payload.replace(b"\x02\x02T", b"\x02" + huge + b"T"))
    assert "cut off" in refusal(payload.replace(b"\x02\x02T", b"\x02\x01T"))  # -1


def test_a_boolean_that_is_neither_0_nor_1_is_refused():
    payload = bytearray(lsst_packets.framed("10.0", isDipole=False))
    other = lsst_packets.framed("10.0", isDipole=True)
    (at,) = [n for n, (one, two) in enumerate(zip(payload, other, strict=True)) if one != two]
    payload[at] = 7
    assert "schema does not allow" in refusal(bytes(payload))


def test_a_negative_union_index_is_refused():
    payload = bytearray(lsst_packets.framed("10.0"))
    assert payload[-18] == 2 * 17  # the length of the last cutout, behind its union index
    payload[-19] = 1  # zigzag for -1, by which fastavro means the last branch
    assert "union branch" in refusal(bytes(payload))


def test_a_number_without_end_is_refused():
    assert refusal(b"\0" + (1000).to_bytes(4, "big") + b"\xff" * 1_000_000)


def test_text_that_is_no_utf8_loses_no_alert():
    payload = lsst_packets.framed("10.0", lsst_packets.record("10.0") | {"target_name": "XYZ"})
    broken = payload.replace(b"XYZ", b"X\xffZ")
    assert only_row(broken)["source_id"] == 170094456523456557
    (detail,) = decode_details(broken)
    assert detail.record["target_name"] == "X\ufffdZ"


@pytest.mark.parametrize("codec", ["null", "deflate"])
@pytest.mark.parametrize("version", ["3.0", "7.4", "11.1"])
def test_a_container_gives_a_row_for_each_alert(version: str, codec: str):
    packets = [lsst_packets.record(version, diaSourceId=n, history_mjd=(61200.0,) * (n - 1)) for n in (1, 2, 3)]
    payload = lsst_packets.container(version, packets, codec)
    assert is_alert_container(payload)
    rows = decode_messages([b"", payload])
    (batch,), (index,) = rows.batches, rows.message_index
    assert batch.source_id.tolist() == [1, 2, 3]
    assert batch.n_history.tolist() == [0, 1, 2]
    assert index.tolist() == [1, 1, 1]
    assert [detail.record for detail in decode_details(payload)] == packets


def test_one_bad_alert_of_a_container_does_not_stop_the_others():
    packets = [lsst_packets.record("10.0", diaSourceId=1), lsst_packets.record("10.0", diaSourceId=2, ra=400.0)]
    payload = lsst_packets.container("10.0", packets)
    rows = decode_messages([payload])
    assert rows.batches[0].source_id.tolist() == [1]
    assert rows.refused == ((0, "alert 2 of the container: right ascension 400.0 deg is outside [0, 360)"),)
    good, bad = decode_details(payload)
    assert (good.source_id, good.refusal) == ("1", None)
    assert isinstance(bad, DecodeError)
    assert (bad.reason, bad.format) == ("right ascension 400.0 deg is outside [0, 360)", "lsst-10.0")


@pytest.mark.parametrize("mjd", [1480360995.0, 2461041.5, -1.0])
def test_an_alert_of_no_believable_time_is_shown_but_gives_no_row(mjd: float):
    sentence = f"MJD {mjd} is no believable time of an exposure (40000 to 80000)"
    framed, record = lsst_packets.framed("7.1", midpointMjdTai=mjd), lsst_packets.record("7.1", midpointMjdTai=mjd)
    for payload in (framed, lsst_packets.container("7.1", [record])):
        rows = decode_messages([payload])
        assert rows.batches == ()
        assert [found.rpartition(": ")[2] for _, found in rows.refused] == [sentence]
        (detail,) = decode_details(payload)
        assert (detail.mjd_tai, detail.refusal) == (mjd, sentence)


def test_one_bad_message_does_not_stop_the_others():
    good = lsst_packets.framed("10.0")
    rows = decode_messages([good, b"", b"\0", b"text", good[:100], good])
    assert rows.message_index[0].tolist() == [0, 5]
    assert [index for index, _ in rows.refused] == [1, 2, 3, 4]
    assert all(sentence for _, sentence in rows.refused)


def test_no_messages_give_no_batches():
    rows = decode_messages([])
    assert (rows.batches, rows.message_index, rows.refused) == ((), (), ())


def test_rows_carry_visit_detector_reason_and_versions():
    packet = lsst_packets.record("11.1", visit=2026110300123, detector=94, reliabilityVersion="rb-7")
    first = lsst_packets.framed("11.1", packet | {"observation_reason": "field_survey", "target_name": "DD: COSMOS"})
    second = lsst_packets.framed("11.1", lsst_packets.record("11.1", visit=-1, detector=0))
    (batch,) = decode_messages([first, second]).batches
    said = batch.provenance
    assert (said.visit.tolist(), said.detector.tolist()) == ([2026110300123, -1], [94, 0])
    assert said.reason.texts() == ["field_survey", ""]
    assert said.target.texts() == ["DD: COSMOS", ""]
    assert said.reliability_version.texts() == ["rb-7", ""]
    assert said.schema.texts() == ["lsst-11.1"] * 2
    assert (said.topic.texts(), said.partition.tolist(), said.offset.tolist()) == (["", ""], [-1, -1], [-1, -1])


def test_what_an_old_version_does_not_say_is_unknown():
    said = decode_messages([lsst_packets.framed("3.0")]).batches[0].provenance
    assert (said.visit.tolist(), said.detector.tolist()) == ([0], [-1])
    assert (said.reason.texts(), said.target.texts(), said.schema.texts()) == ([""], [""], ["lsst-3.0"])


def test_packets_of_several_versions_and_containers_keep_their_order():
    numbers = iter(range(1, 100))
    messages = []
    for version in ("10.0", "11.1", "3.0", "10.0", "7.4", "3.0"):
        messages.append(lsst_packets.framed(version, diaSourceId=next(numbers)))
        messages.append(
            lsst_packets.container(version, [lsst_packets.record(version, diaSourceId=next(numbers)) for _ in range(2)])
        )
        messages.append(lsst_packets.framed(version, diaSourceId=next(numbers), ra=400.0))
        messages.append(b"\0\0\0")
    rows = decode_messages(messages)
    (batch,), (index,) = rows.batches, rows.message_index
    assert batch.source_id.tolist() == [n for n in range(1, 25) if n % 4]
    assert index.tolist() == [4 * n + k for n in range(6) for k in (0, 1, 1)]
    assert [at for at, _ in rows.refused] == [4 * n + k for n in range(6) for k in (2, 3)]
    assert batch.provenance.schema.texts()[:6] == ["lsst-10.0"] * 3 + ["lsst-11.1"] * 3


def newer_schema(**changed: object) -> dict:
    """A schema as a registry would give it: version 10.0 with a field more, of a kind that no plan can walk over."""
    schema = lsst_packets.plain_schema("10.0")
    many = [{"type": "fixed", "name": f"many{n}", "size": 1} for n in range(65)]
    fields = [*schema["fields"], {"name": "extra", "type": many}]
    source = next(field for field in fields if field["name"] == "diaSource")["type"]
    source["fields"] = [field | {"type": changed.get(field["name"], field["type"])} for field in source["fields"]]
    return schema | {"fields": fields}


def test_a_newer_schema_that_no_plan_can_walk_is_read_by_fastavro():
    streams = Streams(maps={}, schemas=lambda _: newer_schema())
    packet = lsst_packets.record("10.0", history_mjd=(61233.5, 61230.25), first_mjd=61229.0) | {"target_name": "here"}
    body = lsst_packets.body("10.0", packet)
    newer = b"\0" + (1200).to_bytes(4, "big") + body + b"\x04x"
    rows = decode_messages([newer, newer[:-1], newer + b"\0"], streams=streams)
    (plain,), (fast,) = rows.batches, decode_messages([lsst_packets.framed("10.0", packet)]).batches
    for name in COLUMN_DTYPES:
        np.testing.assert_array_equal(getattr(plain, name), getattr(fast, name), err_msg=name)
    assert (plain.provenance.target.texts(), plain.provenance.schema.texts()) == (["here"], ["lsst-12.0"])
    assert rows.refused == ((1, "the packet cannot be decoded (EOFError)"), (2, "1 bytes follow the end of the packet"))


def test_a_newer_schema_in_which_a_field_is_of_another_kind_is_refused():
    streams = Streams(maps={}, schemas=lambda _: newer_schema(ra="string"))
    rows = decode_messages([b"\0" + (1200).to_bytes(4, "big") + b"x"] * 2, streams=streams)
    assert [index for index, _ in rows.refused] == [0, 1]
    assert "diaSource.ra is a string and cannot be read as number" in rows.refused[0][1]


def test_a_packet_in_a_stream_of_another_survey_is_refused():
    messages = [lsst_packets.framed("10.0"), lsst_packets.framed("10.0", ra=400.0)]
    rows = decode_messages(messages, "ztf", Streams(maps=shipped()))
    assert rows.batches == ()
    assert [sentence for _, sentence in rows.refused] == [
        "an alert of LSST in ztf, which is a stream of ZTF",
        "right ascension 400.0 deg is outside [0, 360)",
    ]


@pytest.mark.parametrize("schema_id", [1, 99, 1200, 10_000, 100_004, 9_999_999])
def test_a_packet_of_an_unknown_schema_is_held_though_its_source_names_no_stream(schema_id: int):
    payload = b"\0" + schema_id.to_bytes(4, "big") + b"x" * 50
    rows = decode_messages([payload])
    assert (rows.refused, [index for index, _ in rows.held]) == ((), [0])
    with pytest.raises(SchemaUnknown):
        WireDecoder().decode(Envelope(payload=payload, source="s", received_at=Instant(0)))
