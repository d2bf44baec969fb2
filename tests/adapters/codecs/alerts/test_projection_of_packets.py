"""LSST packets as columns against fastavro: every recorded one, made ones of every version, and a hundred thousand mutations of both."""

import json
import math
import os
import random
import struct
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.alerts import decode_messages, lsst
from adapters.codecs.alerts.avro_plan import Fault
from adapters.codecs.alerts.avro_projection import Messages, Projector, make_projector, project_plainly
from adapters.codecs.alerts.avro_schema import As, Want
from adapters.codecs.alerts.lsst_schemas import by_id, known_ids
from adapters.codecs.alerts.messages import _lsst_record
from adapters.codecs.alerts.reading import Reading, problem, to_batch
from hub.errors import DecodeError
from hub.model.alert import COLUMN_DTYPES, AlertBatch
from tests.support import lsst_packets
from tests.support.avro_against_fastavro import assert_agree, assert_same_columns

IS_FULL = os.environ.get("MMHUB_TEST_FUZZ") == "full"
N_MUTATIONS = 100_000 if IS_FULL else 4_000
VERSIONS = sorted(known_ids().values(), key=lambda version: tuple(map(int, version.split("."))))
ARCHIVE = (
    *lsst.WANTS,
    Want(name="n_sources", paths=("diaObject.nDiaSources",), kind=As.INTEGER),
    Want(name="n_forced", paths=("prvDiaForcedSources",), kind=As.COUNT),
    Want(name="snr_least", paths=("prvDiaSources.snr",), kind=As.LEAST),
    Want(name="cutout", paths=("cutoutScience",), kind=As.TEXT),
)


@cache
def projector_of(schema_id: int, *, to_the_end: bool = True) -> Projector:
    schema = json.loads(json.dumps(lsst_packets.plain_schema(known_ids()[schema_id])))
    return make_projector(schema, ARCHIVE, to_the_end=to_the_end)


def schema_id_of(payload: bytes) -> int:
    return int.from_bytes(payload[1:5], "big")


def full_packet(version: str) -> bytes:
    """A packet with something in every field that may have something, an object and an orbit beside it, and two earlier detections."""
    packet = lsst_packets.record(version, history_mjd=(61233.5, 61230.25), first_mjd=61230.25)
    dice = random.Random(version)
    packet["diaSource"] = filled(lsst_packets.schema(version), "diaSource", packet["diaSource"], dice)
    packet["prvDiaSources"] = [filled(lsst_packets.schema(version), "diaSource", one, dice) for one in packet["prvDiaSources"]]
    return lsst_packets.framed(version, packet)


def filled(schema: Any, name: str, values: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    fields = next(record for full, record in lsst_packets.records(schema).items() if full.endswith(f".{name}"))["fields"]
    some = {"long": 70_000, "int": -3, "float": 0.5, "double": 1.25, "boolean": True, "string": "word", "bytes": b"x"}
    kinds = {each["name"]: each["type"] for each in fields}
    return {
        key: some.get(next((kind for kind in kinds[key] if kind != "null"), ""), value)
        if value is None and isinstance(kinds[key], list) and dice.random() < 0.7
        else value
        for key, value in values.items()
    }


def recorded_packets(recorded: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((recorded / "lsst" / "confluent").glob("*.bin"))]


def plain_batch(payload: bytes) -> AlertBatch | None:
    """The row of a packet by way of the whole record, None where an alert must not go on."""
    schema = by_id(schema_id_of(payload))
    reading = lsst.from_record(_lsst_record(payload[5:], schema))
    return None if problem(reading) else to_batch("LSST", [reading], [f"lsst-{schema.version}"])


def assert_same_row(batch: AlertBatch, row: int, plain: AlertBatch) -> None:
    for name in COLUMN_DTYPES.keys() - {"revision"}:  # in which the batch has more of the packet than a reading
        np.testing.assert_array_equal(getattr(batch, name)[row], getattr(plain, name)[0], err_msg=name)


@pytest.mark.recorded
@pytest.mark.parametrize("to_the_end", [True, False])
def test_every_recorded_packet_has_the_values_that_fastavro_finds(recorded: Path, to_the_end: bool):
    packets = recorded_packets(recorded)
    assert len(packets) == 26
    for payload in packets:
        projector = projector_of(schema_id_of(payload), to_the_end=to_the_end)
        assert projector.plan is not None
        messages = Messages.of([payload]).behind(5)
        found = projector.project(messages)
        plain = project_plainly(projector.schema, projector.wants, messages, to_the_end=to_the_end)
        assert (found.sentence(0), plain.sentence(0)) == (None, None)
        assert_same_columns(found, plain, [0])
        assert found.ends.tolist() == plain.ends.tolist()


@pytest.mark.recorded
def test_every_recorded_packet_has_the_row_that_its_whole_record_has(recorded: Path):
    packets = recorded_packets(recorded)
    rows = decode_messages(packets)
    (batch,), (index,) = rows.batches, rows.message_index
    assert len(batch) + len(rows.refused) == len(packets)
    for row, at in enumerate(index.tolist()):
        assert_same_row(batch, row, plain_batch(packets[at]))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read_as_fastavro_reads_it(version: str):
    payload = full_packet(version)
    for to_the_end in (True, False):
        projector = projector_of(schema_id_of(payload), to_the_end=to_the_end)
        messages = Messages.of([payload]).behind(5)
        found = projector.project(messages)
        assert found.sentence(0) is None
        assert_same_columns(found, project_plainly(projector.schema, projector.wants, messages, to_the_end=to_the_end), [0])
    (batch,) = decode_messages([payload]).batches
    assert_same_row(batch, 0, plain_batch(payload))


def mutated(dice: random.Random, payload: bytes) -> bytes:
    """Return a packet with one to three places changed, or cut off, or with something behind its end."""
    data = bytearray(payload)
    for _ in range(dice.randint(1, 3)):
        if len(data) <= 5:
            return bytes(data) + bytes(6)
        at = dice.randrange(5, len(data))
        match dice.randrange(8):
            case 0 | 1:
                data[at] = dice.choice((0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF))
            case 2 | 3:
                data[at] ^= 1 << dice.randrange(8)
            case 4:
                del data[at : at + dice.randint(1, 9)]
            case 5:
                data[at:at] = dice.randbytes(dice.randint(1, 9))
            case 6:
                data[at : at + dice.randint(0, 3)] = dice.choice(
                    (b"\xff" * 9 + b"\x01", b"\xfe" * 9 + b"\x01", b"\x80\0", struct.pack("<d", math.nan))
                )
            case 7:
                del data[at + dice.randrange(len(data)) :]
                data += dice.randbytes(dice.choice((0, 0, 3)))
    return bytes(data)


def shortened(payload: bytes) -> bytes:
    """Return a recorded packet with cutouts of some bytes: mutations of images find nothing, and reading them takes time."""
    schema = by_id(schema_id_of(payload))
    record = _lsst_record(payload[5:], schema)
    record |= {name: record[name] and record[name][:40] for name in ("cutoutDifference", "cutoutScience", "cutoutTemplate")}
    return lsst_packets.framed(schema.version, record)


def try_mutations(seeds: list[bytes], count: int, name: str) -> Counter[Fault]:
    dice = random.Random(name)
    ends: Counter[Fault] = Counter()
    for n, seed in enumerate(seeds):
        bodies = [mutated(dice, seed)[5:] for _ in range(count // len(seeds) + (n < count % len(seeds)))]
        ends.update(assert_agree(projector_of(schema_id_of(seed)), bodies))
    return ends


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
def test_mutations_of_made_packets_are_read_as_fastavro_reads_them_or_refused():
    ends = try_mutations([full_packet(version) for version in VERSIONS], N_MUTATIONS // 2, "made")
    assert sum(ends.values()) == N_MUTATIONS // 2
    assert min(ends[fault] for fault in Fault if fault is not Fault.UNREADABLE) > 10


@pytest.mark.fuzz
@pytest.mark.recorded
@pytest.mark.timeout(1800)
def test_mutations_of_recorded_packets_are_read_as_fastavro_reads_them_or_refused(recorded: Path):
    packets = [shortened(payload) for payload in recorded_packets(recorded)]
    small, deep = [one for one in packets if len(one) < 20_000], [one for one in packets if len(one) >= 20_000]
    n_deep = N_MUTATIONS // 400  # fastavro takes 6 ms and more for each
    ends = try_mutations(small, N_MUTATIONS // 2 - n_deep, "recorded") + try_mutations(deep, n_deep, "deep")
    assert sum(ends.values()) == N_MUTATIONS // 2
    assert min(ends[fault] for fault in Fault if fault is not Fault.UNREADABLE) > 10


@pytest.mark.fuzz
def test_rows_of_mutations_are_those_of_their_whole_records():
    dice = random.Random("rows")
    messages = [mutated(dice, full_packet(dice.choice(VERSIONS))) for _ in range(N_MUTATIONS // 20)]
    rows = decode_messages(messages)
    ((batch,), (index,)) = rows.batches, rows.message_index
    assert batch.survey == "LSST"
    for row, at in enumerate(index.tolist()):
        assert_same_row(batch, row, plain_batch(messages[at]))
    assert sorted([*index.tolist(), *(at for at, _ in (*rows.refused, *rows.held))]) == list(range(len(messages)))


NUMBERS = st.one_of(
    st.floats(width=32), st.sampled_from([0.0, -0.0, 359.9999, 360.0, 90.0, -90.0, 40_000.0, 80_000.0, 61_234.5, math.inf])
)
DOUBLES = st.one_of(NUMBERS, st.floats(), st.floats(40_000, 80_000))


def reading_of(message: bytes) -> Reading | str:
    """The alert of a whole record, or why there is none."""
    try:
        return lsst.from_record(_lsst_record(message[5:], by_id(1000)))
    except DecodeError as error:
        return error.reason


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "diaSourceId": st.integers(-3, 2**63 - 1),
                "diaObjectId": st.one_of(st.none(), st.integers(-3, 2**63 - 1)),
                "ssObjectId": st.one_of(st.none(), st.integers(-1, 5)),
                "ra": DOUBLES,
                "dec": DOUBLES,
                "midpointMjdTai": DOUBLES,
                "psfFlux": st.one_of(st.none(), NUMBERS),
                "psfFluxErr": st.one_of(st.none(), NUMBERS),
                "snr": st.one_of(st.none(), NUMBERS),
                "reliability": st.one_of(st.none(), NUMBERS),
                "band": st.one_of(st.none(), st.text(max_size=5), st.sampled_from("ugrizy")),
                "isNegative": st.one_of(st.none(), st.booleans()),
                "pixelFlags_saturatedCenter": st.one_of(st.none(), st.booleans()),
            },
        ),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.one_of(DOUBLES, st.floats(61_000, 61_234)), max_size=3),
    st.one_of(st.none(), DOUBLES),
)
def test_columns_have_the_rules_and_the_rounding_of_single_alerts(
    sources: list[dict[str, Any]], history: list[float], first: float | None
):
    messages = [
        lsst_packets.framed("10.0", lsst_packets.record("10.0", history_mjd=tuple(history), first_mjd=first, **source))
        for source in sources
    ]
    rows = decode_messages(messages)
    said = dict(rows.refused)
    places = dict(zip(rows.message_index[0].tolist(), range(len(messages)), strict=False)) if rows.batches else {}
    for at, message in enumerate(messages):
        reading = reading_of(message)
        assert said.get(at) == (reading if isinstance(reading, str) else problem(reading))
        if at in places:
            assert_same_row(rows.batches[0], places[at], to_batch("LSST", [reading], ["lsst-10.0"]))
