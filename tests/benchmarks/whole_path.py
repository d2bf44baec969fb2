"""Times the whole path of alerts, Kafka to acknowledgement, against a consumer that throws the same messages away and the peers' shape.

Ratios are of one run: topic, broker, machine and packets are the same. Where the hub's processor time goes is watched in the rounds that
are timed: see `stages`. What is called reckoned follows from the others.
"""

import argparse
import cProfile
import io
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from hub.telemetry import configure
from tests.benchmarks import figures, load, peer
from tests.benchmarks.figures import Figure, at_least
from tests.benchmarks.load import Drained
from tests.benchmarks.stages import STAGES, StageClock, watched
from tests.support import kafka as brokers

GOAL_OF_BARE, GOAL_OF_PEER = 0.8, 50.0
PEER_ALERTS = 1_000
WARM_UP = 3_000
LEAST_PACKETS = 10
"""Of fewer, too little is left after the first batch."""


def measure(asked: argparse.Namespace) -> Sequence[Figure]:
    """Return rates and ratios; rounds alternate, and medians are compared."""
    configure("error")
    if asked.packets < LEAST_PACKETS:
        raise SystemExit(f"at least {LEAST_PACKETS} packets are needed: the first batch is not timed")
    maps = load.Maps(n=asked.maps, n_single_detector=asked.single_detector)
    with load.broker(asked.bootstrap) as kafka, load.told(maps) as knows:
        filled = load.fill(kafka, asked.packets, partitions=asked.partitions, with_cutouts=not asked.no_cutouts)
        topic, taken = filled.topic, filled.taken
        n = taken.n_packets
        bare: list[Drained] = []
        ours: list[Drained] = []
        # What is paid once, by broker and hub, is not what this is about: files that are read first, machine code that is loaded.
        load.drain_bare(kafka, topic, n)
        _ours(kafka, topic, min(WARM_UP, n), knows, maps)
        spent = StageClock()
        for _ in range(asked.rounds):
            bare.append(load.drain_bare(kafka, topic, n))
            with watched() as clock:
                done, found = _ours(kafka, topic, n, knows, maps, clock=clock)
            ours.append(done)
            spent.add(clock)
        if asked.profile is not None:  # a round of its own, which is not counted: watching costs
            _ours(kafka, topic, n, knows, maps, profile=asked.profile)
        payloads: list[bytes] = []
        load.drain_bare(kafka, topic, n, lambda some: payloads.extend(one.value() for one in some))
    peers = peer.timed(payloads, [load.moc_of(one.skymap) for one in load.mergers(maps)], asked.peer_alerts)
    bare_rate, our_rate = (statistics.median(one.rate for one in many) for many in (bare, ours))
    last = ours[-1]
    note = (
        f"{taken.note()}; {asked.partitions} partitions, {asked.rounds} rounds, timed after the first batch, broker {kafka.kind}"
    )
    return [
        *filled.figures("packets made and sent", "into the topic, beforehand, the tables of the night included"),
        Figure(what="bare confluent-kafka consumer", value=bare_rate, unit="/s", note=note),
        Figure(
            what="the hub's whole path",
            value=our_rate,
            unit="/s",
            note=f"{asked.maps} live maps of {maps.tiles}, {asked.single_detector} of them of 24,000 deg2; "
            f"{last.waiting_s / last.seconds:.0%} of the time waiting for Kafka",
        ),
        at_least("hub over bare consumer", our_rate / bare_rate, "x", GOAL_OF_BARE),
        *load.hits_figures(f"in 90 % areas, of {peers.n_timed} alerts, by mocpy", maps, peers.hits, last, found, n),
        *_against_peer(peers, our_rate, bare_rate),
        *_limits(bare, ours),
        *_by_stage(spent, ours),
    ]


def _against_peer(peers: peer.Peer, our_rate: float, bare_rate: float) -> Iterator[Figure]:
    whole = peers.decode_s + peers.contain_s
    yield Figure(
        what="the peers' shape",
        value=peers.rate,
        unit="/s",
        note=f"our imitation; {peers.n_timed} alerts timed, in classes of size, standard error {peers.error:.1%}",
    )
    shares = {"full decoding with fastavro": peers.decode_s, "containment with mocpy, map by map": peers.contain_s}
    for name, seconds in shares.items():
        yield Figure(
            what=f"the peers' shape: {name}", value=1e6 * seconds, unit="us per alert", note=f"{seconds / whole:.0%} of it"
        )
    limit = bare_rate / peers.rate
    said = f"no more than {limit:.0f} x is possible here: that is what the bare consumer has, which does nothing"
    yield at_least("hub over the peers' shape", our_rate / peers.rate, "x", GOAL_OF_PEER, said if limit < GOAL_OF_PEER else "")
    yield Figure(
        what="bare consumer over the peers' shape",
        value=limit,
        unit="x",
        note=f"{GOAL_OF_PEER:.0f} x are {GOAL_OF_PEER * peers.rate:,.0f} alerts/s, {GOAL_OF_PEER / limit:.1f} x the bare consumer",
    )


def _limits(bare: Sequence[Drained], ours: Sequence[Drained]) -> Iterator[Figure]:
    """Yield what the ratio to the bare consumer is limited by: processor time of both and of the broker, for each packet."""

    def each(many: Sequence[Drained], seconds: Callable[[Drained], float]) -> float:
        return 1e6 * statistics.median(seconds(one) / one.n for one in many)

    unit = "us per packet"
    bare_all, our_all = each(bare, lambda one: one.used.process), each(ours, lambda one: one.used.process)
    yield Figure(what="processor time of the bare consumer", value=bare_all, unit=unit, note="all its threads")
    yield Figure(what="processor time of the hub", value=our_all, unit=unit, note="all its threads; by stage below")
    brokers_us = each(bare, lambda one: one.used.broker), each(ours, lambda one: one.used.broker)
    if min(brokers_us) > 0:
        for name, value in zip(("bare consumer", "hub"), brokers_us, strict=True):
            yield Figure(what=f"processor time of the broker beside the {name}", value=value, unit=unit)
        cores = os.cpu_count() or 1
        yield Figure(
            what="hub over bare consumer, all cores always busy (reckoned)",
            value=(bare_all + brokers_us[0]) / (our_all + brokers_us[1]),
            unit="x",
            note=f"processor time of consumer and broker together, one over the other: {cores} cores are shared by both",
        )
    bare_most, our_most = each(bare, lambda one: one.used.busiest), each(ours, lambda one: one.used.busiest)
    yield Figure(
        what="hub over bare consumer, broker and consumer on cores of their own (reckoned)",
        value=bare_most / our_most,
        unit="x",
        note=f"the busiest thread needs {bare_most:.0f} us of the bare consumer and {our_most:.0f} us of the hub for a packet",
    )


def _by_stage(spent: StageClock, ours: Sequence[Drained]) -> Iterator[Figure]:
    """Yield where the hub's processor time goes: the stages of the thread that takes packets in, and its other threads."""
    n, whole = sum(one.n for one in ours), sum(one.used.process for one in ours)
    client, stages = sum(one.used.client for one in ours), sum(spent.spent.values())
    parts = {
        "threads of the Kafka client": (client, "fetching, beside the other stages"),
        **{name: (spent.spent[name], f"{spent.calls[name]} calls") for name in STAGES},
        "anything else": (whole - client - stages, "other threads, and what lies between the stages"),
    }
    for name, (seconds, note) in parts.items():
        yield Figure(
            what=f"the hub: {name}",
            value=1e6 * seconds / n,
            unit="us per alert",
            note=f"{seconds / whole:.0%} of its processor time; {note}",
        )


def _ours(
    kafka: brokers.Kafka,
    topic: str,
    n: int,
    knows: Path,
    maps: load.Maps,
    *,
    clock: StageClock | None = None,
    profile: Path | None = None,
) -> tuple[Drained, load.Stored]:
    # A database, an archive and a group of its own for each round: the group is named like the topic, so the place is put back.
    with ExitStack() as stack:
        hub, source, settings = stack.enter_context(load.hub_on(kafka, topic, knows, group=kafka.unique_topic("hub")))
        watch = None if profile is None else stack.enter_context(cProfile.Profile(time.perf_counter))
        done = load.drain_hub(hub, source, n, settings.intake.alert_batch, clock=clock)
        if watch is not None and profile is not None:
            watch.disable()
            text = io.StringIO()
            pstats.Stats(watch, stream=text).sort_stats("tottime").print_stats(35)
            pstats.Stats(watch, stream=text).sort_stats("cumtime").print_stats(45)
            profile.write_text(text.getvalue())
            print(f"where the time of one more round went is in {profile}", file=sys.stderr)
        return done, load.stored(hub, maps)


def main() -> None:
    options = load.parser(__doc__, 20_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peer-alerts", type=int, default=PEER_ALERTS, help="alerts that the peers' shape is timed with")
    options.add_argument("--profile", type=Path, help="write where the time of one more round goes")
    figures.run(measure, options)


if __name__ == "__main__":
    main()
