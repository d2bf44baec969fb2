"""Bytes that mean harm: nothing but sentences comes of them, quickly and in little memory."""

import io
import json
import random
import tracemalloc
import zlib
from typing import Any

import fastavro
import pytest

from adapters.codecs.alerts import decode_details, decode_messages, is_alert_container
from adapters.codecs.avro_container import MAX_BYTES
from hub.errors import DecodeError
from tests.support import lsst_packets, ztf_packets

SYNC = bytes(range(16))


def number(value: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", value)
    return out.getvalue()


def sized(data: bytes) -> bytes:
    return number(len(data)) + data


def container(schema: Any, count: int, block: bytes, codec: bytes = b"null") -> bytes:
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    header = b"Obj\x01" + number(2) + sized(b"avro.schema") + sized(text) + sized(b"avro.codec") + sized(codec) + number(0) + SYNC
    return header + number(count) + sized(block) + SYNC


def refusal(payload: bytes) -> str:
    rows = decode_messages([payload])
    assert rows.batches == ()
    ((_, sentence),) = rows.refused
    assert all_bad(payload)
    return sentence


def all_bad(payload: bytes) -> bool:
    """Whether the details say so too: the message as a whole, or each alert in it, is refused or bears a refusal."""
    try:
        return all(isinstance(one, DecodeError) or one.refusal for one in decode_details(payload))
    except DecodeError:
        return True


def ztf(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "ztf.alert", "fields": list(fields)}


def test_the_builder_of_this_module_makes_good_containers():
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(ztf_packets.SCHEMA), ztf_packets.record())
    assert len(decode_messages([container(ztf_packets.SCHEMA, 1, body.getvalue())]).batches) == 1


def test_a_recursive_schema_is_refused():
    node = {"type": "record", "name": "node", "fields": [{"name": "next", "type": ["null", "node"]}]}
    payload = container(ztf({"name": "list", "type": node}), 1, b"\x02" * 100_000 + b"\0")
    assert refusal(payload) == "the schema is recursive: ztf.node contains itself"
    assert not is_alert_container(payload)


def test_a_schema_that_is_recursive_through_an_array_is_refused():
    payload = container(ztf({"name": "a", "type": {"type": "array", "items": "ztf.alert"}}), 1, b"\0")
    assert "recursive" in refusal(payload)


@pytest.mark.parametrize(
    "items", ["null", {"type": "record", "name": "empty", "fields": []}, {"type": "fixed", "name": "f", "size": 0}]
)
def test_array_items_without_bytes_are_refused(items: Any):
    payload = container(ztf({"name": "bomb", "type": {"type": "array", "items": items}}), 1, number(10**8) + b"\0")
    assert refusal(payload) == "the schema has values that take no bytes"


def test_a_chain_of_references_is_as_deep_as_what_it_spells_out():
    links = [{"name": "f0", "type": {"type": "record", "name": "t0", "fields": [{"name": "x", "type": "int"}]}}]
    links += [
        {"name": f"f{n}", "type": {"type": "record", "name": f"t{n}", "fields": [{"name": "x", "type": f"t{n - 1}"}]}}
        for n in range(1, 6000)
    ]
    assert "nested more than 32 levels" in refusal(container(ztf(*links), 1, bytes(10)))


@pytest.mark.parametrize("depth", [40, 5_000, 100_000])
def test_deeply_nested_schema_text_is_refused(depth: int):
    assert refusal(container(b'{"type":' * depth + b'"int"' + b"}" * depth, 1, b"\0"))
    assert refusal(container(b"[" * depth + b"]" * depth, 1, b"\0"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b'"int"',
        b"[]",
        b"{}",
        b'{"type": "record"}',
        b'{"type": "record", "name": 5, "fields": 7}',
        b'{"type":"record","name":"ztf.alert","fields":[{"name":"a","type":"b"}]}',
        b'{"type":"record","name":"ztf.alert","fields":[[]]}',
        b"\xff",
    ],
)
def test_a_schema_that_is_none_is_refused(text: bytes):
    payload = container(text, 1, b"\0")
    assert refusal(payload)
    assert not is_alert_container(payload)


def test_a_deflate_bomb_is_refused_in_little_memory():
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(256)) + deflater.flush()
    assert len(bomb) < 300_000
    payload = container(ztf_packets.SCHEMA, 1, bomb, b"deflate")
    tracemalloc.start()
    try:
        assert refusal(payload) == f"the container inflates to more than {MAX_BYTES} bytes"
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_counts_of_alerts_are_checked_before_they_are_read():
    assert "10000 are allowed" in refusal(container(ztf_packets.SCHEMA, 10**8, bytes(100)))
    assert "alerts in 100 bytes" in refusal(container(ztf_packets.SCHEMA, 9_999, bytes(100)))
    assert "cut off" in refusal(container(ztf_packets.SCHEMA, -1, bytes(100)))


def test_a_block_must_end_where_it_says():
    good = ztf_packets.container([ztf_packets.record()])
    assert "cut off" in refusal(good[:-1] + bytes([good[-1] ^ 1]))
    assert "cut off" in refusal(good[:-20])


@pytest.mark.parametrize("name", ["lsst", "ztf"])
def test_bytes_behind_the_last_alert_of_a_block_are_refused(name: str):
    schema = ztf_packets.SCHEMA if name == "ztf" else lsst_packets.schema("10.0")
    record = ztf_packets.record() if name == "ztf" else lsst_packets.record("10.0")
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), record)
    assert refusal(container(schema, 1, body.getvalue() + b"\0")) == "1 bytes follow the last alert of a block"


@pytest.mark.parametrize("codec", [b"snappy", b"zstandard", b"bzip2", b"xz", b"\xff\xfe"])
def test_other_compressions_are_refused(codec: bytes):
    assert "only null and deflate" in refusal(container(ztf_packets.SCHEMA, 1, b"", codec))


def test_a_container_that_calls_itself_lsst_with_another_schema_is_refused():
    schema = {"type": "record", "name": "lsst.v10_0.alert", "fields": [{"name": "diaSourceId", "type": "long"}]}
    assert "none of the LSST alert schemas" in refusal(container(schema, 1, b"\x02"))


def test_a_foreign_container_is_named():
    schema = {"type": "record", "name": "other.thing", "fields": [{"name": "a", "type": "long"}]}
    payload = container(schema, 1, b"\x02")
    assert refusal(payload) == "an Avro container of schema other.thing, no alert format that the hub knows"
    assert not is_alert_container(payload)


SEEDS = {
    "frame": lsst_packets.framed("10.0", lsst_packets.record("10.0", history_mjd=(61233.5, 61230.5)) | {"target_name": "field"}),
    "old frame": lsst_packets.framed("3.0", lsst_packets.record("3.0", history_mjd=(61233.5,))),
    "lsst container": lsst_packets.container("11.1", [lsst_packets.record("11.1", history_mjd=(61233.5,))], "deflate"),
    "ztf container": ztf_packets.container([ztf_packets.record(history=[{"jd": 2459990.5, "candid": 7}])]),
}


def mutated(generator: random.Random, payload: bytes) -> bytes:
    """Return the payload with one to four bytes changed, dropped or inserted."""
    data = bytearray(payload)
    for _ in range(generator.randint(1, 4)):
        at = generator.randrange(len(data))
        match generator.randrange(4):
            case 0:
                data[at] = generator.choice((0, 1, 2, 0x7F, 0x80, 0xFF))
            case 1:
                data[at] ^= 1 << generator.randrange(8)
            case 2:
                del data[at : at + generator.randint(1, 9)]
            case _:
                data[at:at] = generator.randbytes(generator.randint(1, 9))
    return bytes(data) or b"\0"


@pytest.mark.parametrize("kind", SEEDS)
def test_mutations_end_in_rows_or_sentences_and_both_roads_agree(kind: str):
    generator = random.Random(f"mutations of a {kind}")
    messages = [mutated(generator, SEEDS[kind]) for _ in range(400)]
    rows = decode_messages(messages)
    with_rows = {at for index in rows.message_index for at in index.tolist()}
    refused = {at for at, _ in (*rows.refused, *rows.held)}
    assert with_rows | refused == set(range(len(messages)))
    assert refused
    for batch in rows.batches:
        assert ((batch.ra_deg >= 0) & (batch.ra_deg < 360) & (abs(batch.dec_deg) <= 90) & (batch.hpx29 >= 0)).all()
    for at, message in enumerate(messages):
        is_alert_container(message)
        assert all_bad(message) is (at not in with_rows)


@pytest.mark.recorded
def test_mutations_of_a_real_packet_end_in_rows_or_sentences(recorded):
    payload = (recorded / "lsst" / "confluent" / "7912941781254298.v9_0.bin").read_bytes()
    generator = random.Random(9)
    messages = [mutated(generator, payload[:820])[:820] + payload[820:] for _ in range(400)]
    rows = decode_messages(messages)
    assert len(rows.refused) + len(rows.held) + sum(map(len, rows.batches)) == len(messages)
    assert len(rows.refused) > 100


@pytest.mark.parametrize("kind", ["string", {"type": "map", "values": "string"}, {"type": "array", "items": "long"}])
def test_a_simulated_alert_of_another_shape_is_a_sentence(kind: Any):
    schema = {"type": "record", "name": "elasticc.v0_9.alert", "fields": [{"name": "diaSource", "type": kind}]}
    payload = container(schema, 1, sized(b"x") if kind == "string" else number(0))
    assert "simulated" in refusal(payload)
    with pytest.raises(DecodeError, match="cannot be decoded"):
        decode_details(payload)


def test_an_unforeseen_fault_of_a_reader_is_a_sentence_too():
    # A union index beyond the branches makes fastavro raise IndexError; the sentence names it and nothing escapes.
    schema = ztf({"name": "a", "type": ["null", "int"]})
    assert refusal(container(schema, 1, b"\x50")) == "the alert cannot be decoded (IndexError)"
