"""The running hub from socket to socket: notices and alerts from Kafka and VTP in, announcements to VTP and Kafka out, and back."""

import io
import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import fastavro
import httpx2 as httpx
import pytest
import voeventparse

from tests.conftest import REPOSITORY
from tests.hub.cli.test_run import PLACE, T0, Running, address, afterglow, burst, until
from tests.support.ports import free_ports
from tests.support.voevents import voevent
from tests.support.vtp_peers import RawPeer

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

BURST = burst(T0)

RETRACTION = voevent(
    ivorn="ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1234567-002",
    params={"Packet_Type": 62, "TrigID": 1234567},
    time=T0.to_utc_iso()[:23],
    date=T0.plus_s(7200).to_utc_iso()[:19],
    position=(*PLACE, 0.05),
    cites=[("ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1234567-001", "retraction")],
)
"""The burst was none."""


class World:
    """Names and ports of one test."""

    def __init__(self, kafka, folder: Path) -> None:
        self.kafka = kafka
        self.folder = folder
        self.notices, self.alerts, self.out = (kafka.unique_topic(name) for name in ("notices", "alerts", "out"))
        for topic in (self.notices, self.alerts):
            kafka.create_topic(topic)
        self.author_port, self.vtp_port = free_ports(2)

    def settings(self) -> str:
        connection = f'bootstrap_servers = "{self.kafka.bootstrap}"\nsecurity = "plaintext"\n'
        incoming = f'kind = "kafka"\n{connection}session_timeout_s = 6\n'
        outgoing = f'kind = "kafka"\n{connection}'
        return f"""
[sources.notices]
{incoming}group_id = "{self.notices}"
topics = ["{self.notices}"]
trust = "trusted"
[sources.alerts]
{incoming}group_id = "{self.alerts}"
topics = ["{self.alerts}"]
stream = "lsst"
[sources.authors]
kind = "vtp-receiver"
port = {self.author_port}
allow = ["127.0.0.1/32"]
trust = "trusted"
[sources.echo]
{incoming}group_id = "{self.out}-echo"
topics = ["{self.out}.*"]
echo_of = "json"
discovery_s = 1
[destinations.json]
{outgoing}format = "hub-json"
prefix = "{self.out}"
echo_within_s = 120
[destinations.avro]
{outgoing}format = "hub-avro"
prefix = "{self.out}-avro"
[destinations.gcn]
{outgoing}format = "gcn-unified"
prefix = "{self.out}-gcn"
[destinations.vtp]
kind = "vtp"
port = {self.vtp_port}
allow = ["127.0.0.1/32"]
relay = true
"""


@contextmanager
def running(world: World):
    (world.folder / "mmhub.toml").write_text(world.settings())
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "MMHUB_API__PORT": "0", "HOME": str(world.folder)}
    environment["MMHUB_ARCHIVE__KEEP_DAYS"] = "100000"  # its alerts have fixed dates, and the hub has the clock of this machine
    command = [sys.executable, "-m", "hub", "--data-dir", str(world.folder / "data"), "run"]
    with subprocess.Popen(command, cwd=world.folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def send(port: int, payload: bytes) -> None:
    """Send as an author does."""
    with RawPeer.connect(port) as author:
        author.send(payload)
        assert author.next_answer().role.value == "ack"


def test_what_comes_in_on_kafka_and_vtp_leaves_on_both_and_is_heard_back(kafka, tmp_path):
    world = World(kafka, tmp_path)
    with running(world) as hub, httpx.Client(base_url=address(hub), timeout=60) as client:

        def data(path: str):
            return client.get(path).json()["data"]

        def records(topic: str):
            return kafka.consume_all(topic)

        subscriber = until(lambda: connected(world.vtp_port), hub)
        subscriber.answer_from_now_on()
        try:
            kafka.produce(world.notices, [(None, BURST), (None, BURST)])
            relayed = subscriber.events.get(timeout=240)
            assert relayed == BURST  # another author's packet passes byte for byte, once
            kafka.produce(world.alerts, [(None, afterglow(1, 0.1, 20_000.0)), (None, afterglow(2, 0.6, 8_000.0))])
            announced = subscriber.events.get(timeout=240)
            packet = voeventparse.loads(announced)
            voeventparse.assert_valid_as_v2_0(packet)
            until(lambda: records(f"{world.out}.candidates"), hub)
            send(world.author_port, RETRACTION)
            wanted = {RETRACTION}
            withdrawn = b""
            while wanted or not withdrawn:
                event = subscriber.events.get(timeout=240)
                wanted -= {event}
                if b'cite="retraction"' in event and event != RETRACTION:
                    withdrawn = event
            assert packet.attrib["ivorn"].encode() in withdrawn
            (retraction,) = until(lambda: records(f"{world.out}.retractions"), hub)
        finally:
            subscriber.close()

        said = json.loads(retraction.value)
        ivorn = voeventparse.loads(withdrawn).attrib["ivorn"]
        assert said["ivorn"] == ivorn
        assert retraction.key == b"Swift-1234567"
        (in_avro,) = until(lambda: records(f"{world.out}-avro.retractions"), hub)
        body = io.BytesIO(in_avro.value[5:])
        schema = client.get(f"schemas/ids/{int.from_bytes(in_avro.value[1:5], 'big')}").json()["schema"]
        assert fastavro.schemaless_reader(body, fastavro.parse_schema(json.loads(schema)), None)["ivorn"] == ivorn
        (in_gcn,) = until(lambda: records(f"{world.out}-gcn.retractions"), hub)
        assert json.loads(in_gcn.value)["alert_type"] == "retraction"

        def all_came_back():
            books = {one["source"]: one for one in data("sources")}
            return "echo" in books and books["echo"]["duplicates"] >= 2 and data("health")["law_holds"]

        until(all_came_back, hub)
        books = {one["source"]: one for one in data("sources")}
        assert books["notices"]["duplicates"] == 1
        assert books["echo"]["stored"] == 0
        assert books["echo"]["dead_letters"] == 0
        until(lambda: client.get("ready").status_code == 200, hub)
        metrics = httpx.get(str(client.base_url).removesuffix("/api/v1/") + "/metrics", timeout=60).text
        assert "mmhub_conservation_ok 1.0" in metrics
        hub.stop()


def connected(port: int) -> RawPeer | None:
    try:
        return RawPeer(socket.create_connection(("127.0.0.1", port), timeout=60))
    except OSError:
        return None
