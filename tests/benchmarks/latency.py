"""Times a notice through a whole hub: from an author's socket or a Kafka topic to the VOEvent at a VTP subscriber and in a topic.

Every trial is a pair of its own: a first notice that the hub has already, and the second one that makes it a coincidence; the time runs
from the moment before the second one is sent. Goals are goals: nothing fails here. Run by ``make bench``, or alone:
``python -m tests.benchmarks.latency --trials 100``.

Last comes a backlog: a topic of bursts with cones that the hub finds full when it starts.
"""

import argparse
import base64
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer

from hub.model.instant import Instant
from hub.runtime.memory import settle
from hub.science import healpix
from hub.telemetry import configure
from tests.support import kafka as brokers
from tests.support.json_notices import as_bytes, igwn_alert
from tests.support.kafka_server import KafkaMissing
from tests.support.skymaps import NUNIQ_HEADER, fits_bytes, flat_map, gaussian_density
from tests.support.voevents import voevent
from tests.support.vtp_hubs import RunningHub, running_hub
from tests.support.vtp_peers import RawPeer, wait_until

PLACES = ((150.0, -20.0), (151.3, -21.2), (148.9, -17.4), (152.2, -19.1), (147.5, -22.8))
"""Where bursts are, degrees: one after the other, so that nothing gains from having seen a place before."""

PLACE = PLACES[0]
"""Centre of all maps, degrees; their standard deviation is 5."""

T0 = Instant.from_utc_iso("2026-03-01T00:00:00Z")
CONE_GOAL_MS, MAP_GOAL_MS = 50.0, 500.0
"""Goals for the 99th percentile, milliseconds."""

LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class Way:
    """One way through the hub, and how long each message took on it, seconds."""

    name: str
    goal_ms: float
    seconds: list[float]

    def line(self) -> str:
        ordered = sorted(self.seconds)
        p50, p99 = 1e3 * statistics.median(ordered), 1e3 * ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
        verdict = "met" if p99 < self.goal_ms else "missed"
        goal = f"goal p99 < {self.goal_ms:.0f} ms: {verdict}"
        return f"{self.name:<34}  p50 {p50:7.1f} ms  p99 {p99:7.1f} ms  {len(ordered)} trials, {goal}"


def burst(number: int) -> bytes:
    """Return a burst with a cone, on a day of its own."""
    moment = T0.plus_s(86_400.0 * number + 1.0)
    return voevent(
        ivorn=f"ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_{2_000_000 + number}-001",
        params={"Packet_Type": 61, "TrigID": 2_000_000 + number},
        time=moment.to_utc_iso()[:23],
        date=moment.plus_s(20).to_utc_iso()[:19],
        position=(*PLACES[number % len(PLACES)], 0.05 + 1e-5 * number),
    )


def merger(number: int, skymap: bytes) -> bytes:
    """Return a merger with a map, a second before the burst of the same number."""
    moment = T0.plus_s(86_400.0 * number)
    event = igwn_alert()["event"] | {"time": moment.to_utc_iso()[:23] + "Z", "skymap": base64.b64encode(skymap).decode()}
    name = f"S{moment.to_utc_iso()[2:10].replace('-', '')}a"
    return as_bytes(igwn_alert(superevent_id=name, time_created=moment.plus_s(60).to_utc_iso()[:19] + "Z", event=event))


def map_of(order: int) -> bytes:
    made = flat_map(gaussian_density(*PLACE, 5.0), order)
    columns = {"UNIQ": healpix.uniq_of_ranges(made.lo, made.hi), "PROBDENSITY": made.probdensity}
    return fits_bytes(columns, NUNIQ_HEADER)


class Arrivals:
    """When what came out was seen, by what it is about."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._at = 0.0

    def note(self) -> None:
        with self._condition:
            self._count += 1
            self._at = time.perf_counter()
            self._condition.notify_all()

    @property
    def count(self) -> int:
        return self._count

    def after(self, count: int) -> float:
        """Return when the next one after so many came."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._count > count, LONGEST_WAIT_S):
                raise SystemExit("no VOEvent came out")
            return self._at


@contextmanager
def subscribed(port: int) -> Iterator[Arrivals]:
    """Count the VOEvents that a VTP subscriber gets."""
    arrivals = Arrivals()
    with RawPeer.connect(port) as peer:

        def listen() -> None:
            with suppress(OSError):  # the end of the measurement
                while (payload := peer.next_event()) is not None:
                    arrivals.note()
                    peer.ack(payload)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield arrivals


@contextmanager
def consumed(bootstrap: str, topic: str) -> Iterator[Arrivals]:
    """Count the messages of a topic."""
    arrivals, stop = Arrivals(), threading.Event()
    options = {
        "bootstrap.servers": bootstrap,
        "group.id": f"latency-{time.time_ns()}",
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
        "allow.auto.create.topics": True,
        "topic.metadata.refresh.interval.ms": 1000,
    }
    consumer = Consumer(options)
    consumer.subscribe([topic])

    def listen() -> None:
        while not stop.is_set():
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                arrivals.note()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield arrivals
    stop.set()
    thread.join()
    consumer.close()


class Bench:
    """A hub with all its ways in and out."""

    def __init__(self, hub: RunningHub, outs: dict[str, Arrivals], kafka: brokers.Kafka | None, topic: str) -> None:
        self._hub = hub
        self._outs = outs
        self._topic = topic
        self._producer = (
            None
            if kafka is None
            else Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0, "message.max.bytes": 8 << 20})
        )
        self._number = 0

    def send_vtp(self, payload: bytes) -> None:
        port = wait_until(lambda: self._hub.sources["authors"].health().facts.get("port"), "the receiver listens")
        with RawPeer.connect(port) as author:
            author.send(payload)
            author.next_answer()

    def send_kafka(self, payload: bytes) -> None:
        assert self._producer is not None
        self._producer.produce(self._topic, payload)
        self._producer.flush(LONGEST_WAIT_S)

    def ways(
        self, name: str, goal_ms: float, trials: int, send: Callable[[bytes], None], pair: Callable[[int], tuple[bytes, bytes]]
    ) -> list[Way]:
        """Time some trials on one way in, to every way out."""
        found = {out: Way(f"{name} -> {out}", goal_ms, []) for out in self._outs}
        for trial in range(trials + 3):
            self._number += 1
            first, second = pair(self._number)
            stored = self._stored()
            (self.send_kafka if self._producer is not None else self.send_vtp)(first)
            wait_until(lambda stored=stored: self._stored() > stored, "the first notice is stored")
            before = {out: arrivals.count for out, arrivals in self._outs.items()}
            begun = time.perf_counter()
            send(second)
            for out, arrivals in self._outs.items():
                taken = arrivals.after(before[out]) - begun
                if trial >= 3:  # the first ones warm caches and connections
                    found[out].seconds.append(taken)
        return list(found.values())

    def _stored(self) -> int:
        return sum(one.stored for one in self._hub.counts().values())


def measure(trials: int) -> list[Way]:
    """Return every way that this machine has: without a broker only those over VTP."""
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(brokers.broker())
        except KafkaMissing:
            kafka = None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sources: dict[str, Any] = {
            "authors": {"kind": "vtp-receiver", "port": 0, "allow": ["127.0.0.1"], "trust": "trusted", "events_per_minute": 1e6}
        }
        destinations: dict[str, Any] = {"vtp": {"kind": "vtp", "port": 0, "allow": ["127.0.0.1"]}}
        topic, prefix = "", f"latency-{time.time_ns()}"
        if kafka is not None:
            topic = kafka.create_topic(kafka.unique_topic("latency"), config={"max.message.bytes": str(8 << 20)})
            kafka.create_topic(f"{prefix}.coincidences")
            broker = {"bootstrap_servers": kafka.bootstrap, "security": "plaintext"}
            sources["stream"] = {"kind": "kafka", "topics": [topic], "group_id": topic, "trust": "trusted", **broker}
            destinations["kafka"] = {"kind": "kafka", "prefix": prefix, "format": "voevent", **broker}
        hub = stack.enter_context(running_hub(folder, authority="hub.example", sources=sources, destinations=destinations))
        port = wait_until(lambda: hub.port("vtp"), "the broadcaster listens")
        outs = {"VTP": stack.enter_context(subscribed(port))}
        if kafka is not None:
            outs["Kafka"] = stack.enter_context(consumed(kafka.bootstrap, f"{prefix}.coincidences"))
            wait_until(lambda: hub.sources["stream"].health().state == "listening", "the source listens")
        wait_until(lambda: hub.n_peers("vtp"), "the subscriber is there")
        small, large = map_of(3), map_of(6)
        bench = Bench(hub, outs, kafka, topic)
        if kafka is None:
            return []
        cone_in = lambda n: (merger(n, small), burst(n))  # noqa: E731 - a pair in two words
        found = bench.ways("cone, VTP", CONE_GOAL_MS, trials, bench.send_vtp, cone_in)
        found += bench.ways("cone, Kafka", CONE_GOAL_MS, trials, bench.send_kafka, cone_in)
        size = len(merger(1, large)) / 2**20
        found += bench.ways(
            f"{size:.1f} MB map, Kafka", MAP_GOAL_MS, trials, bench.send_kafka, lambda n: (burst(n), merger(n, large))
        )
        return found


def drain(number: int) -> str | None:
    """Return how fast a hub empties a topic of cones, as one line; None without a broker."""
    try:
        with brokers.broker() as kafka, tempfile.TemporaryDirectory() as folder:
            topic = kafka.create_topic(kafka.unique_topic("backlog"))
            producer = Producer({"bootstrap.servers": kafka.bootstrap})
            for one in range(1, number + 1):
                producer.produce(topic, burst(one))
            producer.flush(LONGEST_WAIT_S)
            source = {
                "kind": "kafka",
                "topics": [topic],
                "group_id": topic,
                "trust": "trusted",
                "bootstrap_servers": kafka.bootstrap,
                "security": "plaintext",
            }
            with running_hub(Path(folder), authority="hub.example", sources={"stream": source}, destinations={}) as hub:

                def stored() -> int:
                    return sum(one.stored for one in hub.counts().values())

                wait_until(lambda: stored() > 0, "the first one is stored")
                first, begun, used = stored(), time.perf_counter(), time.process_time()
                while stored() < number:
                    time.sleep(0.05)
                taken, used = time.perf_counter() - begun, time.process_time() - used
    except KafkaMissing:
        return None
    rest = number - first
    return f"{rest} cones from Kafka, taken in and correlated: {rest / taken:.0f} a second, {1e3 * used / rest:.1f} ms CPU each"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--backlog", type=int, default=1000, help="cones that wait in the topic; 0 leaves this out")
    asked = parser.parse_args()
    configure("error")
    settle()  # as `mmhub run` does
    found = measure(asked.trials) if asked.trials else []
    if asked.trials and not found:
        print("latency: no Kafka broker, not measured")
    for way in found:
        print(way.line())
    if asked.backlog and (line := drain(asked.backlog)) is not None:
        print(line)
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
