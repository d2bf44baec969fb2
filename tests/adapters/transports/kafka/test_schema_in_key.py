"""Messages whose schema stands in their key, as Fink sends them, from a real broker."""

import io
import json
from pathlib import Path

import fastavro
from confluent_kafka import Producer

from adapters.codecs.alerts import Streams, decode_messages
from adapters.codecs.alerts.stream_map import shipped
from adapters.transports.kafka.consumer import Options, open_source
from tests.support import ztf_packets
from tests.support.kafka_sources import take
from tests.support.parts import part_context


def test_fink_messages_arrive_as_containers_and_others_as_they_are(bootstrap, make_topic, unique) -> None:
    topic = make_topic("fink")
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(ztf_packets.SCHEMA), ztf_packets.record())
    whole = ztf_packets.container([ztf_packets.record(candid=5)])
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, body.getvalue(), json.dumps(ztf_packets.SCHEMA))
    producer.produce(topic, whole, "ZTF26aaaaaaa")
    assert producer.flush(30) == 0
    options = {"bootstrap_servers": bootstrap, "security": "plaintext", "topics": (topic,), "group_id": f"group-{unique}"}
    with open_source(Options(**options, stream="fink-ztf"), part_context(Path(), "fink")) as source:
        first, second = take(source, 2)
    assert second.payload == whole
    rows = decode_messages([first.payload, second.payload], "fink-ztf", Streams(maps=shipped()))
    assert rows.refused == ()
    assert rows.batches[0].source_id.tolist() == [123456789, 5]
