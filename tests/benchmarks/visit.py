"""Times each alert of a visit from produced to matched: once spread over 37 s, and as bursts beside a bare consumer.

A visit is of one programme: the wide survey, or with ``--programme deep`` a deep field, whose packets have the longest histories.
The time of production is the message's own, milliseconds; an alert counts as matched when the flow has taken its batch in, so archive, books
and candidates are durable. Producer, broker and hub share the machine.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from confluent_kafka import Message

from hub.telemetry import configure
from tests.benchmarks import figures, load, mix
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
        load.Visit(kafka, asked.packets, with_cutouts=not asked.no_cutouts, programme=asked.programme) as visit,
        load.told(maps) as knows,
    ):
        ra, dec, programme = load.visit_places(asked.packets, asked.programme)
        n_hits = load.hits_per_alert(maps, ra, dec)
        visit.wait()  # it makes its packets beside
        warm_up = min(WARM_UP, asked.packets)
        _hub_run(kafka, knows, visit, asked, maps, warm_up, over_s=0.0)  # machine code is loaded, and the page cache warm
        spread = _hub_run(kafka, knows, visit, asked, maps, asked.packets, over_s=asked.over_s)
        bursts, sent, bare = [], [], []
        for _ in range(asked.bursts):  # by turns, and medians are compared: one burst is short
            burst = _hub_run(kafka, knows, visit, asked, maps, asked.packets, over_s=0.0)
            bursts.append(burst.seconds)
            sent.append(burst.sent_s)
            bare.append(_bare_run(kafka, visit, asked))
    p98 = float(np.percentile(spread.seconds, 98))
    large = f", {asked.single_detector} of them of 24,000 deg2" if asked.single_detector else ""
    note = (
        f"{asked.packets} packets, mean {spread.mean_bytes:.0f} B, {programme}; {asked.maps} live maps{large}, "
        f"{asked.partitions} partitions, broker {kafka.kind}"
    )
    lines = [*_percentiles(f"spread over {asked.over_s:.0f} s", spread.seconds, note)]
    lines[1] = below(lines[1].what, p98, "s", GOAL_P98_S)
    lasts, lasts_bare = [float(one.max()) for one in bursts], [float(one.max()) for one in bare]
    last, last_bare = statistics.median(lasts), statistics.median(lasts_bare)
    middle = bursts[int(np.argsort(lasts)[len(lasts) // 2])]
    lines += _percentiles("one burst", middle, note)
    return [
        *lines,
        Figure(what="one burst: last match after the first was produced", value=last, unit="s", note=_all(lasts)),
        Figure(
            what="one burst: the broker had its last packet",
            value=statistics.median(sent),
            unit="s",
            note="after the first was produced, in the hub's bursts; nobody can have all of them sooner",
        ),
        Figure(what="one burst: last message at the bare consumer", value=last_bare, unit="s", note=_all(lasts_bare)),
        below("one burst: hub over bare consumer", last / last_bare, "x", GOAL_BURST),
        *load.hits_figures(
            f"in 90 % areas, of all {len(ra)} alerts, by mocpy", maps, n_hits, spread.drained, spread.stored, asked.packets + 1
        ),
    ]


def _all(seconds: Sequence[float]) -> str:
    return f"median of {', '.join(f'{one:.2f}' for one in seconds)}" if len(seconds) > 1 else ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Timed:
    """What a hub did with a visit."""

    seconds: np.ndarray
    """For each packet from produced to matched, of a burst from the first one produced."""

    sent_s: float
    """From the first one produced until the broker had the last."""

    drained: load.Drained
    stored: load.Stored
    mean_bytes: float


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
    kafka: brokers.Kafka,
    knows: Path,
    visit: load.Visit,
    asked: argparse.Namespace,
    maps: load.Maps,
    n: int,
    *,
    over_s: float,
) -> Timed:
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
        sent_at = visit.finish()
        stored = load.stored(hub, maps)
    produced, mean_bytes = _produced(kafka, topic, n + 1)
    first = min(produced[int(p), int(o)] for partitions, offsets, _ in matched for p, o in zip(partitions, offsets, strict=True))
    seconds = np.array(
        [
            moment - (produced[int(partition), int(offset)] if over_s else first)
            for partitions, offsets, moment in matched
            for partition, offset in zip(partitions, offsets, strict=True)
        ]
    )
    return Timed(seconds=seconds, sent_s=sent_at - first, drained=drained, stored=stored, mean_bytes=mean_bytes)


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


def _produced(kafka: brokers.Kafka, topic: str, n: int) -> tuple[dict[tuple[int, int], float], float]:
    """Return when each message was produced, by partition and offset, and their mean size."""
    stamps: dict[tuple[int, int], float] = {}
    sizes: list[int] = []

    def note(found: Sequence[Message]) -> None:
        stamps.update({(one.partition(), one.offset()): one.timestamp()[1] / 1e3 for one in found})
        sizes.extend(len(one) for one in found)

    load.drain_bare(kafka, topic, n, note)
    return stamps, sum(sizes) / len(sizes)


def main() -> None:
    options = load.parser(__doc__, 10_000)
    options.add_argument("--over-s", type=float, default=CADENCE_S, help="time over which a visit is spread")
    options.add_argument("--programme", choices=list(mix.PROGRAMMES), default="wide", help="of the visit (%(default)s)")
    options.add_argument("--bursts", type=int, default=3, help="medians of so many (%(default)s)")
    figures.run(measure, options)


if __name__ == "__main__":
    main()
