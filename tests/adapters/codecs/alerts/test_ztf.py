"""ZTF packets of our own making."""

import json
import math

import pytest

from adapters.codecs.alerts import decode_details, decode_messages, is_alert_container
from hub.errors import DecodeError
from hub.model.instant import Instant
from tests.support import ztf_packets


def only_row(**candidate: object) -> dict:
    payload = ztf_packets.container([ztf_packets.record(**candidate)])
    rows = decode_messages([payload])
    assert rows.refused == ()
    (row,) = rows.batches[0].rows()
    return row


def refusal(**candidate: object) -> str:
    payload = ztf_packets.container([ztf_packets.record(**candidate)])
    ((_, sentence),) = decode_messages([payload]).refused
    (fault,) = decode_details(payload)
    assert isinstance(fault, DecodeError)
    assert sentence == f"alert 1 of the container: {fault.reason}"
    return sentence


def test_the_time_is_the_start_of_an_exposure_of_30_s_in_utc():
    # JD 2460000.5 UTC is 2023-02-25T00:00:00 UTC.
    assert Instant(only_row()["mid_tai_us"]).to_utc_iso() == "2023-02-25T00:00:15.000000Z"


def test_a_stated_length_of_the_exposure_counts():
    schema = json.loads(json.dumps(ztf_packets.SCHEMA))
    schema["fields"][3]["type"]["fields"].append({"name": "exptime", "type": "float"})
    payload = ztf_packets.container([ztf_packets.record(exptime=90.0)], schema=schema)
    (row,) = decode_messages([payload]).batches[0].rows()
    assert Instant(row["mid_tai_us"]).to_utc_iso() == "2023-02-25T00:00:45.000000Z"


@pytest.mark.parametrize(("fid", "band"), [(1, "g"), (2, "r"), (3, "i")])
def test_the_filter_number_names_the_band(fid: int, band: str):
    assert only_row(fid=fid)["band"] == band


def test_an_unknown_filter_is_refused():
    assert "none of ZTF's filters" in refusal(fid=4)


@pytest.mark.parametrize(
    ("stated", "negative"),
    [("t", False), ("1", False), (True, False), (1, False), ("f", True), ("0", True), (False, True), (0, True)],
)
def test_the_sign_of_the_subtraction_becomes_the_sign_of_the_flux(stated: object, negative: bool):
    row = only_row(isdiffpos=stated)
    assert row["is_negative"] is negative
    # AB magnitude 20 is 36.31 uJy (Oke & Gunn 1983: zero point 3631 Jy).
    assert row["flux_njy"] == pytest.approx(-36310.0 if negative else 36310.0, rel=1e-6)


def test_another_sign_is_refused():
    assert "isdiffpos" in refusal(isdiffpos="maybe")


def test_magnitude_errors_become_signal_to_noise_and_flux_errors():
    row = only_row(sigmapsf=0.125)
    assert row["snr"] == pytest.approx(1.0857362 / 0.125, rel=1e-6)
    assert row["flux_err_njy"] == pytest.approx(36310.0 / row["snr"], rel=1e-6)


@pytest.mark.parametrize("value", [-999.0, math.nan, 0.0])
def test_sentinels_of_the_error_are_missing(value: float):
    row = only_row(sigmapsf=value)
    assert math.isnan(row["snr"])
    assert math.isnan(row["flux_err_njy"])


@pytest.mark.parametrize("value", [-999.0, math.nan, math.inf, -math.inf, 1e9])
def test_magnitudes_that_no_source_has_are_missing(value: float):
    assert math.isnan(only_row(magpsf=value)["flux_njy"])


@pytest.mark.parametrize(
    ("drb", "rb", "score"),
    [(0.875, 0.5, 0.875), (None, 0.5, 0.5), (-999.0, 0.5, 0.5), (None, None, None), (math.nan, -999.0, None)],
)
def test_the_deep_learning_score_goes_before_the_older_one(drb: float | None, rb: float | None, score: float | None):
    found = only_row(drb=drb, rb=rb)["reliability"]
    assert math.isnan(found) if score is None else found == score


@pytest.mark.parametrize(
    ("distance", "name", "expected"),
    [
        (0.0, "123", True),
        (4.9, "123", True),
        (5.1, "123", False),
        (29.0, "123", False),
        (-999.0, "null", False),
        (1.0, "null", False),
        (1.0, None, False),
        (None, "123", False),
    ],
)
def test_a_known_solar_system_object_at_the_position_is_the_source(distance: float | None, name: str | None, expected: bool):
    assert only_row(ssdistnr=distance, ssnamenr=name)["is_solar_system"] is expected


def test_detections_count_as_history_and_upper_limits_do_not():
    history = [{"jd": 2459990.5, "candid": None}, {"jd": 2459995.5, "candid": 7}, {"jd": 2460000.5, "candid": 123456789}]
    row = only_row(history=history)
    assert row["n_history"] == 1
    assert row["first_tai_us"] == Instant.from_jd_utc(2459995.5).plus_s(15).tai_us


def test_the_stated_start_of_the_history_goes_further_back():
    assert only_row(jdstarthist=2459000.5)["first_tai_us"] == Instant.from_jd_utc(2459000.5).plus_s(15).tai_us


@pytest.mark.parametrize("stated", [None, -999.0, math.nan, 2470000.5])
def test_without_a_usable_start_the_alert_itself_is_the_first(stated: float | None):
    row = only_row(jdstarthist=stated)
    assert row["first_tai_us"] == row["mid_tai_us"]


def test_negative_ids_of_2016_are_kept_and_zero_is_refused():
    assert only_row(candid=-12)["source_id"] == -12
    assert "no id of a ZTF alert" in refusal(candid=0)


@pytest.mark.parametrize("values", [{"ra": 360.0}, {"dec": -91.0}, {"jd": 60000.0}, {"jd": math.nan}, {"ra": math.nan}])
def test_impossible_positions_and_times_are_refused(values: dict):
    assert refusal(**values).startswith("alert 1 of the container: ")


def test_the_version_stands_in_the_packet_or_in_the_schema():
    assert [d.format for d in decode_details(ztf_packets.container([ztf_packets.record()]))] == ["ztf-4.02"]
    old = ztf_packets.SCHEMA | {"version": "1.8", "fields": ztf_packets.SCHEMA["fields"][1:]}
    assert [d.format for d in decode_details(ztf_packets.container([ztf_packets.record()], schema=old))] == ["ztf-1.8"]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_container_holds_many(codec: str):
    payload = ztf_packets.container([ztf_packets.record(candid=n) for n in range(1, 500)], codec)
    assert is_alert_container(payload)
    (batch,) = decode_messages([payload]).batches
    assert batch.survey == "ZTF"
    assert batch.source_id.tolist() == list(range(1, 500))
    assert [detail.source_id for detail in decode_details(payload)] == [str(n) for n in range(1, 500)]


@pytest.mark.parametrize("kind", ["string", "bytes", "boolean"])
def test_a_number_of_another_type_is_refused(kind: str):
    candidate = {"name": "candidate", "type": {"type": "record", "name": "c", "fields": [{"name": "jd", "type": kind}]}}
    schema = {"type": "record", "name": "ztf.alert", "fields": [*ztf_packets.SCHEMA["fields"][1:3], candidate]}
    value = {"string": "2460000.5", "bytes": b"1", "boolean": True}[kind]
    payload = ztf_packets.container([{"objectId": "ZTF26a", "candid": 5, "candidate": {"jd": value}}], schema=schema)
    ((_, sentence),) = decode_messages([payload]).refused
    assert sentence == "alert 1 of the container: jd is no number"


def test_a_packet_without_a_candidate_is_refused():
    schema = {"type": "record", "name": "ztf.alert", "fields": ztf_packets.SCHEMA["fields"][1:3]}
    payload = ztf_packets.container([{"objectId": "ZTF26a", "candid": 5}], schema=schema)
    assert decode_messages([payload]).refused == ((0, "alert 1 of the container: the packet has no candidate or no objectId"),)


def test_one_bad_alert_of_a_container_does_not_stop_the_others():
    packets = [ztf_packets.record(candid=1), ztf_packets.record(candid=2, fid=9), ztf_packets.record(candid=3, ra=-1.0)]
    payload = ztf_packets.container(packets)
    rows = decode_messages([payload])
    assert rows.batches[0].source_id.tolist() == [1]
    assert [sentence[:24] for _, sentence in rows.refused] == ["alert 2 of the container", "alert 3 of the container"]
    good, *bad = decode_details(payload)
    assert good.source_id == "1"
    assert [type(one) for one in bad] == [DecodeError, DecodeError]
