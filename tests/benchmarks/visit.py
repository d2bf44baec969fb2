"""Times each alert of a visit from produced to matched: once spread over 37 s, once as one burst beside a bare consumer.

The time of production is the message's own, milliseconds; an alert counts as matched when the flow has taken its batch in, so archive, books
and candidates are durable. Producer, broker and hub share the machine.
"""

import argparse
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hub.telemetry import configure
from tests.benchmarks import figures, load
from tests.benchmarks.figures import Figure, below
from tests.support import kafka as brokers

CADENCE_S = 37.0
GOAL_P98_S, GOAL_BURST = 0.5, 1.25
WARM_UP = 1_000


def measure(asked: argparse.Namespace) -> Sequence[Figure]:
    """Return percentiles of the latency both ways, and the burst's ratio."""
    configure("error")
    maps = load.Maps(n=asked.maps, n_single_detector=asked.single_detector)
    with (
        load.broker(asked.bootstrap) as kafka,
        load.Visit(kafka, asked.packets, with_cutouts=not asked.no_cutouts) as visit,  # makes its packets beside
        load.told(maps) as knows,
    ):
        visit.wait()
        warm_up = min(WARM_UP, asked.packets)
        _hub_run(kafka, knows, visit, asked, warm_up, over_s=0.0)  # machine code is loaded, and the page cache warm
        spread, drained = _hub_run(kafka, knows, visit, asked, asked.packets, over_s=asked.over_s)
        burst, _ = _hub_run(kafka, knows, visit, asked, asked.packets, over_s=0.0)
        bare = _bare_run(kafka, visit, asked)
    p98 = float(np.percentile(spread, 98))
    large = f", {asked.single_detector} of them of 24,000 deg2" if asked.single_detector else ""
    note = f"{asked.packets} packets, {asked.maps} live maps{large}, {asked.partitions} partitions, broker {kafka.kind}"
    lines = [*_percentiles(f"spread over {asked.over_s:.0f} s", spread, note)]
    lines[1] = below(lines[1].what, p98, "s", GOAL_P98_S)
    lines += _percentiles("one burst", burst, note)
    last, last_bare = float(burst.max()), float(bare.max())
    return [
        *lines,
        Figure(what="one burst: last match after the first was produced", value=last, unit="s"),
        Figure(what="one burst: last message at the bare consumer", value=last_bare, unit="s"),
        below("one burst: hub over bare consumer", last / last_bare, "x", GOAL_BURST),
        Figure(
            what="alerts that matched", value=drained.n_matched / drained.n, unit="per alert", note="of the visit that was spread"
        ),
        Figure(what="candidates written", value=drained.n_candidates / drained.n, unit="per alert"),
        Figure(what="would match but for a map that is too large", value=drained.n_in_large / drained.n, unit="per alert"),
    ]


def _percentiles(what: str, latency: np.ndarray, note: str) -> list[Figure]:
    found = np.percentile(latency, [50, 98, 99.9, 100])
    names = ("p50", "p98", "p99.9", "longest")
    return [
        Figure(what=f"{what}: {name}", value=float(value), unit="s", note=note if name == "p50" else "")
        for name, value in zip(names, found, strict=True)
    ]


def _topic(kafka: brokers.Kafka, asked: argparse.Namespace) -> str:
    return kafka.create_topic(kafka.unique_topic("visit"), asked.partitions)


def _hub_run(
    kafka: brokers.Kafka, knows: Path, visit: load.Visit, asked: argparse.Namespace, n: int, *, over_s: float
) -> tuple[np.ndarray, load.Drained]:
    """Return for each packet the seconds from produced to matched, of a burst from the first one produced; and what was matched."""
    topic = _topic(kafka, asked)
    matched: list[tuple[np.ndarray, np.ndarray, float]] = []
    with load.hub_on(kafka, topic, knows) as (hub, source, settings):
        kafka.produce(topic, [(None, load.first_packet())])
        load.drain_hub(hub, source, 1, settings.intake.alert_batch)  # it joins, and makes its index of the maps
        visit.go(topic, n, over_s)
        drained = load.drain_hub(
            hub,
            source,
            n,
            settings.intake.alert_batch,
            lambda batch, moment: matched.append((batch.partition, batch.offset, moment)),
        )
        visit.finish()
    produced = _produced(kafka, topic, n + 1)
    first = min(produced[int(p), int(o)] for partitions, offsets, _ in matched for p, o in zip(partitions, offsets, strict=True))
    seconds = np.array(
        [
            moment - (produced[int(partition), int(offset)] if over_s else first)
            for partitions, offsets, moment in matched
            for partition, offset in zip(partitions, offsets, strict=True)
        ]
    )
    return seconds, drained


def _bare_run(kafka: brokers.Kafka, visit: load.Visit, asked: argparse.Namespace) -> np.ndarray:
    topic = _topic(kafka, asked)
    seen: list[tuple[float, int]] = []
    produced: list[float] = []

    def note(found) -> None:
        seen.append((time.time(), len(found)))
        produced.append(min(one.timestamp()[1] for one in found) / 1e3)

    starter = threading.Timer(3.0, lambda: visit.go(topic, asked.packets, 0.0))  # by then it has joined
    starter.start()
    load.drain_bare(kafka, topic, asked.packets, note)
    visit.finish()
    return np.repeat([moment for moment, _ in seen], [n for _, n in seen]) - min(produced)


def _produced(kafka: brokers.Kafka, topic: str, n: int) -> dict[tuple[int, int], float]:
    """Return when each message was produced, by partition and offset."""
    stamps: dict[tuple[int, int], float] = {}
    load.drain_bare(
        kafka,
        topic,
        n,
        lambda found: stamps.update({(one.partition(), one.offset()): one.timestamp()[1] / 1e3 for one in found}),
    )
    return stamps


def main() -> None:
    options = load.parser(__doc__, 10_000)
    options.add_argument("--over-s", type=float, default=CADENCE_S, help="time over which a visit is spread")
    figures.run(measure, options)


if __name__ == "__main__":
    main()
