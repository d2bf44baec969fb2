"""Apache Kafka itself, one node, on loopback: fetched from Maven Central once, started in two seconds.

Listeners: one without any protection, and one with TLS and every SASL mechanism that observatories use (PLAIN, SCRAM, OAUTHBEARER with
tokens that the `token_endpoint` of the tests signs). Whoever is let in may do everything until a test writes an access rule.
"""

import hashlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from hub.errors import HubError
from tests.support import caches, certificates
from tests.support.ports import free_ports
from tests.support.token_endpoint import AUDIENCE, SigningKey

RECIPE = Path(__file__).parent / "apache_kafka"
VERSION = "4.3.1"
"""The version in pom.xml."""

CLUSTER = "mmhubTestsMmhubTestsA0"
"""A cluster id: 22 characters of base64."""

USER = "observatory"
PASSWORD = "correct-horse"
"""Of PLAIN and of SCRAM."""

MAX_MESSAGE_BYTES = 8 * 2**20
"""What a topic takes: IGWN alerts are up to 2.1 MB."""

START_S = 90
"""How long a broker may take to answer on a machine that is busy with other tests."""

JAVA = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""A heap for some hundred megabytes of messages; one collector thread; compiled fast rather than well."""

_SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secured},BEHIND://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secured},BEHIND://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,BEHIND:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
log.dirs={home}/data
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
message.max.bytes={max_message}
replica.fetch.max.bytes={max_message}
socket.request.max.bytes=104857600
log.cleaner.enable=false
log.retention.check.interval.ms=5000
num.network.threads=2
num.io.threads=2
controlled.shutdown.enable=false
broker.session.timeout.ms=9000
broker.heartbeat.interval.ms=500
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
ssl.keystore.type=PEM
ssl.keystore.location={home}/server.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={jwks}
listener.name.sasl_ssl.oauthbearer.sasl.oauthbearer.expected.audience={audience}
"""


class KafkaMissing(HubError):
    """No Apache Kafka can be had or started here."""


class ApacheServer:
    """A running broker that can be killed and started again with all it had stored."""

    def __init__(self, home: Path, ports: dict[str, int], process: "subprocess.Popen[bytes]", key: SigningKey) -> None:
        self.home = home
        self.ports = ports
        self.bootstrap = f"127.0.0.1:{ports['plain']}"
        self.secured_bootstrap = f"127.0.0.1:{ports['secured']}"
        self.authority = home / "authority.pem"
        """The certificate to trust on the secured listener."""
        self.key = key
        """What signs the tokens that the broker believes."""
        self._process = process

    def kill(self) -> None:
        """End the broker as a power cut would."""
        _end(self._process)

    def restart(self) -> None:
        """Start it again on the same ports with the same data, and wait until it answers.

        Raises
        ------
        KafkaMissing
            It does not start.
        """
        self._process = _launch(self.home, self.ports, self.key)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid


@contextmanager
def server(*, advertised_port: int | None = None) -> Iterator[ApacheServer]:
    """Give a fresh broker; starts it with other ports where the first ones were taken in between.

    Parameters
    ----------
    advertised_port
        Where the clients of a third listener, ``ports["behind"]``, are sent to: a proxy in front of it.

    Raises
    ------
    KafkaMissing
        There is no Java, nothing can be fetched, or it does not start.
    """
    parts = prepare()
    folder = Path(tempfile.mkdtemp(prefix="mmhub-kafka-"))
    try:
        started = None
        for attempt in ("first", "second"):
            home = folder / attempt
            home.mkdir()
            ports = dict(zip(("plain", "secured", "behind", "controller"), free_ports(4), strict=True))
            ports["advertised"] = advertised_port or ports["behind"]
            key = _furnish(home, parts, ports)
            try:
                started = ApacheServer(home, ports, _launch(home, ports, key), key)
                break
            except KafkaMissing:
                if attempt == "second":
                    raise
        assert started is not None
        try:
            yield started
        finally:
            started.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cache() -> Path:
    """Return the folder that Kafka's parts have, whether they are there or not."""
    return caches.place(
        "apache-kafka", [*(path.read_bytes() for path in sorted(RECIPE.iterdir())), USER.encode(), PASSWORD.encode()]
    )


def prepare() -> Path:
    """Return the folder of Kafka's parts (``lib``, ``formatted``), fetched where they are not there.

    Raises
    ------
    KafkaMissing
        Java or Maven is not here, Maven fetched nothing or not what is locked.
    """
    if shutil.which("java") is None:
        raise KafkaMissing("Apache Kafka needs java, which is not installed")
    return caches.built(cache(), _build)


def _build(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise KafkaMissing("Apache Kafka is fetched with mvn, which is not installed")
    lib = folder / "lib"
    _run(["mvn", "-q", "-B", "-f", str(RECIPE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={lib}"], "mvn")
    locked = dict(reversed(line.split()) for line in (RECIPE / "jars.sha256").read_text().splitlines())
    arrived = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in lib.glob("*.jar")}
    if arrived != locked:
        other = sorted(name for name in {*arrived, *locked} if arrived.get(name) != locked.get(name))
        raise KafkaMissing(f"Maven brought other files than jars.sha256 locks: {', '.join(other)}")
    # What formatting writes depends on no port and no path: done once here, copied at each start.
    settings = folder / "format.properties"
    home = folder / "home"
    settings.write_text(_settings(home, {"plain": 1, "secured": 2, "behind": 3, "controller": 4, "advertised": 3}))
    users = [
        option
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for option in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD},iterations=4096]")
    ]
    _run([*_java(folder), "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings), *users], "StorageTool")
    (home / "data").rename(folder / "formatted")
    shutil.rmtree(home)
    settings.unlink()


def _furnish(home: Path, parts: Path, ports: dict[str, int]) -> SigningKey:
    shutil.copytree(parts / "formatted", home / "data")
    authority = certificates.authority()
    authority.write(home / "authority.pem")
    authority.sign_server(home / "server.pem")
    key = SigningKey.generate()
    (home / "jwks.json").write_text(key.public_set())
    (home / "server.properties").write_text(_settings(home, ports))
    return key


def _settings(home: Path, ports: dict[str, int]) -> str:
    return _SETTINGS.format(
        home=home,
        **ports,
        user=USER,
        password=PASSWORD,
        jwks=(home / "jwks.json").as_uri(),
        audience=AUDIENCE,
        max_message=MAX_MESSAGE_BYTES,
    )


def _java(parts: Path) -> list[str]:
    return ["java", *JAVA, "-Dorg.apache.logging.log4j.level=WARN", "-cp", f"{parts / 'lib'}/*"]


def _launch(home: Path, ports: dict[str, int], key: SigningKey) -> "subprocess.Popen[bytes]":
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={(home / 'jwks.json').as_uri()}"
    *java, flag, path = _java(prepare())
    command = [*java, allowed, flag, path, "kafka.Kafka", str(home / "server.properties")]
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "KILL", *command]  # a killed test run leaves no broker behind
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(f"127.0.0.1:{ports['plain']}", process, home / "log")
    except BaseException:
        _end(process)
        raise
    return process


def _wait(bootstrap: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    quick = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}
    admin = AdminClient({"bootstrap.servers": bootstrap, **quick}, logger=logging.getLogger("tests.kafka"))
    deadline = time.monotonic() + START_S
    while True:
        try:
            if admin.list_topics(timeout=5).brokers:
                return
        except KafkaException:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace")[-1500:]
            raise KafkaMissing(f"Apache Kafka does not start: {words}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _run(command: list[str], name: str) -> None:
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise KafkaMissing(f"{name} failed with code {ran.returncode}: {(ran.stdout + ran.stderr)[-600:]}")
