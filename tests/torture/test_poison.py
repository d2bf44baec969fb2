"""Messages that nobody can use between good ones: the good ones get through, the others wait until what was wrong is mended."""

import hashlib
import json
import socket
import struct
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.services import deadletters
from hub.storage import envelopes
from hub.storage.deadletters import DeadLetter
from hub.storage.engine import open_store
from tests.support import lsst_packets
from tests.support.kafka import Kafka
from tests.support.ports import free_port
from tests.support.running_hub import Books, RunningHub, until
from tests.torture import night

pytestmark = [pytest.mark.kafka]

N_GOOD = 30

NEW_SCHEMA = 1200
"""Number of a schema that the survey begins to use and nobody has told the hub of."""

POISON_NOTICES = (
    b"no message at all",
    night.burst(900)[:-40],
    night.burst(901).replace(b"?>", b'?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>', 1),
    b"[" * 100_000,
    b'{"trigger_time": "2026-03-01T00:00:00Z", "ra": NaN}',
    b"\xff\xfe\x00\x00",
    night.burst(902).replace(b'version="2.0"', b'version="7.5"'),
    night.burst(903).replace(b"ivo://", b"http://", 1),
)
"""Cut short, hostile, not finite, of no format, of no version, without a name."""

REFUSED_ALERTS = (
    night.alert(900)[:60],
    lsst_packets.framed("10.0", diaSourceId=901, dec=90.5),
    lsst_packets.framed("10.0", diaSourceId=902, ra=float("inf")),
)

HELD_ALERTS = tuple(
    b"\0" + NEW_SCHEMA.to_bytes(4, "big") + lsst_packets.body("10.0", lsst_packets.record("10.0", diaSourceId=number))
    for number in (910, 911)
)


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def between(good: list[bytes], bad: tuple[bytes, ...]) -> list[bytes]:
    """Return the good ones with the bad ones spread evenly among them, the first and last being good."""
    mixed = list(good)
    for number, payload in enumerate(bad):
        mixed.insert(1 + (2 * number + 1) * (len(good) - 2) // (2 * len(bad)) + number, payload)
    return mixed


def answer_of(port: int, payload: bytes) -> bytes:
    """Send one event by VTP and return what the hub says."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(struct.pack(">I", len(payload)) + payload)
        stream = line.makefile("rb")
        (length,) = struct.unpack(">I", stream.read(4))
        return stream.read(length)


def letters(data: Path) -> dict[str, DeadLetter]:
    store = open_store(f"sqlite:///{data / 'hub.sqlite'}")
    try:
        return {letter.digest: letter for letter in deadletters.listing(store)}
    finally:
        store.close()


@pytest.fixture
def config(kafka: Kafka, tmp_path: Path) -> tuple[Path, dict[str, str], int]:
    topics = {name: kafka.create_topic(kafka.unique_topic(f"poison.{name}")) for name in ("notices", "alerts")}
    port = free_port()
    path = tmp_path / "mmhub.toml"
    text = f"""
[hub]
data_dir = "{tmp_path / "data"}"
[followup]
enabled = false
[sources.authors]
kind = "vtp-receiver"
port = {port}
allow = ["127.0.0.1/32"]
trust = "trusted"
"""
    for name, topic in topics.items():
        text += f"""
[sources.{name}]
kind = "kafka"
bootstrap_servers = "{kafka.bootstrap}"
security = "plaintext"
trust = "trusted"
topics = ["{topic}"]
group_id = "{topic}"
session_timeout_s = 6
{'stream = "lsst"' if name == "alerts" else ""}
"""
    path.write_text(text)
    return path, topics, port


def test_poison_between_good_messages_stops_none_of_them_and_can_be_read_once_it_is_mended(
    kafka: Kafka, config: tuple[Path, dict[str, str], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, topics, port = config
    notices = [night.burst(number) for number in range(1, N_GOOD + 1)]
    events = [night.burst(number) for number in range(101, 101 + N_GOOD)]
    # What lies in a topic differs from what authors send: the same bytes twice would be duplicates.
    poison_events = tuple(payload + b"<!-- by VTP -->" for payload in POISON_NOTICES)
    alerts = [night.alert(number) for number in range(N_GOOD)]
    refused = {digest(payload) for payload in (*POISON_NOTICES, *poison_events, *REFUSED_ALERTS)}
    held = {digest(payload) for payload in HELD_ALERTS}
    kafka.produce(topics["notices"], [(None, payload) for payload in between(notices, POISON_NOTICES)])
    kafka.produce(topics["alerts"], [(None, payload) for payload in between(alerts, REFUSED_ALERTS + HELD_ALERTS)])
    books = Books(tmp_path / "data")
    with RunningHub(path, "hub") as hub:
        until(lambda: "listening for authors" in hub.log.read_text(), "no author can connect", [hub])
        for payload in between(events, poison_events):
            answer = answer_of(port, payload)
            if payload in poison_events:
                assert b'role="nak"' in answer, payload[:80]
                assert b"<Result>" in answer
                assert b"rejected" in answer, "an author must be told why"
            else:
                assert b'role="ack"' in answer, answer
        for topic in topics.values():
            ends = len(kafka.consume_all(topic))
            until(lambda topic=topic, ends=ends: kafka.committed(topic, topic) == {0: ends}, "not all is read", [hub])
        assert hub.stop() == 0
    assert books.has_all([digest(payload) for payload in notices + events])
    found = {one.source: (one.stored, one.dead_letters, one.duplicates) for one in books.counts()}
    assert found == {
        "notices": (N_GOOD, len(POISON_NOTICES), 0),
        "authors": (N_GOOD, len(POISON_NOTICES), 0),
        "alerts": (N_GOOD, len(REFUSED_ALERTS) + len(HELD_ALERTS), 0),
    }
    dead = letters(tmp_path / "data")
    assert {name for name, letter in dead.items() if letter.kind == "refused"} == refused
    assert {name for name, letter in dead.items() if letter.kind == "held"} == held
    assert all(letter.reason for letter in dead.values())

    schemas = tmp_path / "data" / "schemas"
    schemas.mkdir(exist_ok=True)
    (schemas / f"{NEW_SCHEMA}.avsc").write_text(json.dumps(lsst_packets.plain_schema("10.0")))
    capsys.readouterr()
    assert main(["--config", str(path), "deadletter", "replay", "--all"]) == 1, "most are still no good"
    assert set(letters(tmp_path / "data")) == refused
    assert books.stored("alerts") == N_GOOD + len(HELD_ALERTS)
    assert envelopes.law_holds(books.counts())
