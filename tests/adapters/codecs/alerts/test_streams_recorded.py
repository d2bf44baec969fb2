"""The shipped stream maps against recorded packets: the reader by map gives what the built-in readers give."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest

from adapters.codecs.alerts import Streams, decode_details, decode_messages
from adapters.codecs.alerts.stream_map import shipped
from hub.model.alert import COLUMN_DTYPES, UNSAID, AlertBatch
from hub.ports import AlertRows

pytestmark = pytest.mark.recorded

MAPS = shipped()
BY_MAP = Streams(maps={name: one.model_copy(update={"reader": "mapped"}) for name, one in MAPS.items()})
"""All maps, the two that name a faster reader included, read as data."""


def payloads(recorded: Path, *kinds: str) -> Iterator[tuple[str, bytes]]:
    for row in json.loads((recorded / "manifest.json").read_text()):
        if row["kind"] in kinds and row["file"].endswith((".bin", ".avro")):
            yield row["file"], (recorded / row["file"]).read_bytes()


def assert_same(found: AlertBatch, expected: AlertBatch, name: str) -> None:
    for column in COLUMN_DTYPES.keys() - UNSAID.keys():  # maps do not read the past of an object for its beginning
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column), err_msg=f"{name}: {column}")


def both(payload: bytes, stream: str) -> tuple[AlertRows, AlertRows]:
    return decode_messages([payload]), decode_messages([payload], stream, BY_MAP)


@pytest.mark.parametrize("stream", ["lsst", "fink-lsst"])
def test_lsst_packets_give_the_same_rows_by_map(recorded: Path, stream: str):
    n_same = 0
    for name, payload in payloads(recorded, "lsst-alert"):
        built_in, by_map = both(payload, stream)
        if built_in.batches:
            assert by_map.refused == (), name
            assert by_map.batches[0].survey == "LSST"
            assert_same(by_map.batches[0], built_in.batches[0], name)
            n_same += 1
        elif "MJD" in built_in.refused[0][1]:
            assert by_map.refused == built_in.refused, name
    assert n_same == 29


@pytest.mark.parametrize("stream", ["ztf", "fink-ztf", "ampel", "babamul-ztf"])
def test_ztf_packets_give_the_same_rows_by_map(recorded: Path, stream: str):
    n_same = 0
    for name, payload in payloads(recorded, "other-avro"):
        built_in, by_map = both(payload, stream)
        if built_in.batches and by_map.batches:
            assert_same(by_map.batches[0], built_in.batches[0], name)
            n_same += 1
        else:
            assert by_map.refused, name
    assert n_same == {"ztf": 6, "fink-ztf": 7, "ampel": 7, "babamul-ztf": 1}[stream]


def test_the_named_built_in_readers_give_what_the_bytes_alone_give(recorded: Path):
    for kind, stream in (("lsst-alert", "lsst"), ("other-avro", "ztf")):
        for name, payload in payloads(recorded, kind):
            alone, named = decode_messages([payload]), decode_messages([payload], stream, Streams(maps=MAPS))
            if alone.batches:
                assert_same(named.batches[0], alone.batches[0], name)
            else:
                assert named.refused == alone.refused, name


def test_details_agree_with_the_columns(recorded: Path):
    for kind, stream in (("lsst-alert", "lsst"), ("other-avro", "ztf")):
        for name, payload in payloads(recorded, kind):
            rows = decode_messages([payload], stream, BY_MAP)
            if not rows.batches:
                continue
            (row,) = rows.batches[0].rows()
            (detail,) = decode_details(payload, stream, BY_MAP)
            assert (detail.format, detail.survey) == (stream, rows.batches[0].survey), name
            assert (detail.source_id, detail.object_id or "") == (str(row["source_id"]), row["object_id"]), name
            assert (detail.ra_deg, detail.dec_deg, detail.band or "") == (row["ra_deg"], row["dec_deg"], row["band"]), name
            assert detail.refusal is None


def test_the_same_packets_as_json_give_the_same_rows(recorded: Path):
    n_same = 0
    for name, payload in payloads(recorded, "other-avro"):
        built_in = decode_messages([payload])
        if not built_in.batches or "babamul" in name:
            continue
        (record,) = fastavro.reader(io.BytesIO(payload))
        text = json.dumps({key: value for key, value in record.items() if not key.startswith("cutout")}).encode()
        rows = decode_messages([text], "ampel", BY_MAP)
        assert rows.refused == (), name
        assert_same(rows.batches[0], built_in.batches[0], name)
        n_same += 1
    assert n_same == 6


def test_lsst_alerts_in_json_are_read(recorded: Path):
    expected = {row["file"]: row["expect"] for row in json.loads((recorded / "manifest.json").read_text())}
    for name in ("lsst/json/lasair_schema10.0_alert.json", "lsst/json/lasair_schema7.1_alert.json"):
        said = expected[name]
        rows = decode_messages([(recorded / name).read_bytes()], "lsst-json", BY_MAP)
        assert rows.refused == ()
        (row,) = rows.batches[0].rows()
        assert (row["source_id"], row["object_id"]) == (said["diaSourceId"], str(said["diaObjectId"]))
        assert (row["ra_deg"], row["dec_deg"]) == pytest.approx((said["ra"], said["dec"]), rel=1e-8)
        assert (row["band"], row["flux_njy"]) == (said["band"], pytest.approx(said["psfFlux"], rel=1e-6))
        assert row["n_history"] == said["n_prvDiaSources"]
        assert row["is_solar_system"] == bool(said["ssObjectId"])


def test_a_fink_copy_with_empty_records_for_nulls_gives_the_same_row(recorded: Path):
    """Fink writes empty lists and records of nulls where LSST has null."""
    payload = (recorded / "lsst" / "confluent" / "169813006111211570.v10_0.bin").read_bytes()
    (detail,) = decode_details(payload)
    copy: dict[str, Any] = dict(detail.record)
    copy["prvDiaSources"] = copy["prvDiaSources"] or []
    copy["ssSource"] = copy["ssSource"] or {"ssObjectId": None}
    copy = {key: value for key, value in copy.items() if not key.startswith("cutout")}
    rows = decode_messages([json.dumps(copy).encode()], "lsst-json", BY_MAP)
    assert rows.refused == ()
    assert_same(rows.batches[0], decode_messages([payload]).batches[0], "copy")
