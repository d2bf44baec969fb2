"""How much memory a worker takes over a million alerts: ``mmhub run worker --source`` on a topic that is filled while it reads.

``python -m tests.benchmarks.memory`` is the whole of it; ``--packets 5000 --cutouts`` has packets of full size.

The topic keeps a few gigabytes, and the producer waits for the worker: the disk stays small whatever the number of packets.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from confluent_kafka import KafkaException

from hub.demo.survey.night import SurveyNight
from hub.demo.survey.running import Rate, to_topic
from hub.demo.survey.sending import TopicWriter
from tests.benchmarks import load
from tests.benchmarks.figures import Figure, below, run
from tests.support.kafka import Kafka
from tests.support.packet_world import SOURCE, write_settings

GOAL_MB = 400.0

GOAL_GROWTH_PERCENT = 5.0
"""What is called flat: the mean resident set over the last fifth of the alerts against that over the first fifth. The source ids
alone, which have a bound of their own, are 6.4 MB of it in a million alerts."""

AHEAD_BYTES = 2 << 30
KEEP = {"retention.bytes": str(2 << 30), "segment.bytes": str(128 << 20)}
"""Of each partition: what the worker has not read yet is never deleted while the producer keeps its distance."""

SAMPLE_S = 1.0
QUIET_S = 120.0
"""So long without progress ends the run as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """The memory of a worker at one instant."""

    time_s: float
    """Since its start."""

    sent: int
    """Packets in the topic so far."""

    done: int
    """Packets that it has acknowledged."""

    rss_mb: float
    """Resident set: its own memory, and the pages of libraries and files that it has touched."""

    anonymous_mb: float
    """Its own memory."""

    beside_mb: float
    """Resident set of the process beside it, which looks after the archive; 0 before it is there."""


def _sample(process: psutil.Process, time_s: float, sent: int, done: int) -> _Sample:
    memory = process.memory_info()
    beside = 0
    for child in process.children():
        with suppress(psutil.NoSuchProcess):
            beside = max(beside, child.memory_info().rss)
    return _Sample(
        time_s=time_s,
        sent=sent,
        done=done,
        rss_mb=memory.rss / 2**20,
        anonymous_mb=(memory.rss - memory.shared) / 2**20,
        beside_mb=beside / 2**20,
    )


def growth_percent(done: Sequence[int], rss_mb: Sequence[float], first: tuple[float, float] = (0.0, 0.2)) -> float:
    """Return how much larger the mean resident set was over the last fifth of the alerts than over the first fifth.

    Parameters
    ----------
    done, rss_mb
        Alerts acknowledged and memory at each instant, in order; instants before the first alert do not count.
    first
        What is taken for the first fifth, shares of all alerts.
    """
    total = done[-1]
    early = [size for n, size in zip(done, rss_mb, strict=True) if max(first[0] * total, 1) <= n <= first[1] * total]
    late = [size for n, size in zip(done, rss_mb, strict=True) if n >= 0.8 * total]
    if not early:
        raise SystemExit("no sample falls into the first fifth of the alerts: ask for more packets")
    return (sum(late) / len(late) / (sum(early) / len(early)) - 1.0) * 100.0


@contextmanager
def worker(config: Path) -> Iterator[psutil.Process]:
    """Give a worker as a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
    command = [sys.executable, "-m", "hub", "--config", str(config), "run", "worker", "--source", SOURCE]
    with (
        (config.parent / "worker.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as it,
    ):
        try:
            yield psutil.Process(it.pid)
        finally:
            it.terminate()
            it.wait(60)


def _done(kafka: Kafka, topic: str) -> int:
    """Return how many packets the worker has acknowledged; the group has the topic's name."""
    try:
        return sum(offset for offset in kafka.committed(topic, topic).values() if offset > 0)
    except KafkaException:  # the group has no coordinator in the first second
        return 0


def measure(asked: argparse.Namespace) -> Sequence[Figure]:
    """Return the largest resident set of the worker itself, and how much it grew from the first fifth of the alerts to the last."""
    night = SurveyNight(load.SEED, load.last_night(), with_cutouts=asked.cutouts)
    with (
        load.broker(asked.bootstrap) as kafka,
        load.told(load.Maps(n=asked.maps)) as knows,
        tempfile.TemporaryDirectory() as name,
    ):
        topic = kafka.create_topic(kafka.unique_topic("memory"), asked.partitions, KEEP)
        config = write_settings(Path(name), kafka.bootstrap, topic)
        shutil.copytree(knows, Path(name) / "data")
        writer = TopicWriter(kafka.bootstrap, topic, ahead_bytes=AHEAD_BYTES, group=topic)
        sender = threading.Thread(
            target=lambda: to_topic(
                night, load.spread_visits(night, asked.packets), writer, lambda _: None, rate=Rate(), limit=asked.packets
            ),
            daemon=True,
        )
        samples: list[_Sample] = []
        with worker(config) as process:
            sender.start()
            begun = moved = time.monotonic()
            so_far = (0, 0)
            while sender.is_alive() or so_far[1] < writer.sent.n_packets:
                time.sleep(SAMPLE_S)
                now = (writer.sent.n_packets, _done(kafka, topic))
                samples.append(_sample(process, time.monotonic() - begun, *now))
                if now != so_far:
                    so_far, moved = now, time.monotonic()
                if time.monotonic() - moved > QUIET_S:
                    raise SystemExit(f"the worker stands still: {(Path(name) / 'worker.log').read_text()[-2000:]}")
            seconds = time.monotonic() - begun
        writer.close()
    if asked.samples:
        asked.samples.write_text("".join(json.dumps(asdict(one)) + "\n" for one in samples))
    peak = max(samples, key=lambda one: one.rss_mb)
    growth = growth_percent([one.done for one in samples], [one.rss_mb for one in samples])
    what = "with cutouts" if asked.cutouts else "without cutouts"
    note = f"{asked.packets} packets {what}, {asked.maps} live maps, {len(samples)} samples in {seconds:.0f} s"
    return [
        below("largest resident set of a worker", peak.rss_mb, "MB", GOAL_MB, note),
        Figure(
            what="of it memory of its own", value=peak.anonymous_mb, unit="MB", note="the rest is code, shared by all workers"
        ),
        below(
            "growth of its resident set",
            growth,
            "%",
            GOAL_GROWTH_PERCENT,
            "mean over the last fifth of the alerts against that over the first fifth",
        ),
        Figure(
            what="the same, once caches have filled",
            value=growth_percent([one.done for one in samples], [one.rss_mb for one in samples], first=(0.4, 0.6)),
            unit="%",
            note="against the mean over the third fifth: each cache has a bound, and the packets of a night grow with its deep fields",
        ),
        Figure(
            what="largest resident set of the process beside it",
            value=max(one.beside_mb for one in samples),
            unit="MB",
            note="it looks after the archive, and merges it here",
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--maps", type=int, default=100)
    parser.add_argument("--bootstrap", help="a broker that is running; one is started where not given")
    parser.add_argument("--samples", type=Path, help="file for every sample, JSON lines")
    parser.add_argument("--cutouts", action="store_true", help="packets of full size")
    run(measure, parser)


if __name__ == "__main__":
    main()
