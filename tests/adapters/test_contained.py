"""Messages whose schema came in their key."""

import io
import json

import fastavro
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.alerts import Streams, decode_messages
from adapters.codecs.alerts.stream_map import shipped
from adapters.contained import contained, is_schema
from tests.support import ztf_packets

KEY = json.dumps(ztf_packets.SCHEMA).encode()


def body(record: dict) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(ztf_packets.SCHEMA), record)
    return out.getvalue()


def test_a_fink_message_becomes_a_container_that_its_map_reads():
    message = contained(KEY, body(ztf_packets.record()))
    rows = decode_messages([message], "fink-ztf", Streams(maps=shipped()))
    assert rows.refused == ()
    assert rows.batches[0].source_id.tolist() == [123456789]
    assert contained(KEY, body(ztf_packets.record())) == message


@given(st.integers(0, 2**63 - 1), st.text(max_size=300))
def test_containers_are_those_of_the_official_reader(number: int, text: str):
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "long"}, {"name": "t", "type": "string"}]}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), {"n": number, "t": text})
    container = contained(json.dumps(schema).encode(), out.getvalue())
    assert list(fastavro.reader(io.BytesIO(container))) == [{"n": number, "t": text}]


def test_a_container_stays_as_it_is():
    whole = ztf_packets.container([ztf_packets.record()])
    assert contained(KEY, whole) == whole


def test_only_the_text_of_a_record_is_a_schema():
    assert is_schema(KEY)
    assert not is_schema(None)
    assert not is_schema(b"ZTF26aaaaaaa")
    assert not is_schema(b'{"id": 5}')
    assert not is_schema(b'{"type": "record"}' + b" " * (1 << 20))
