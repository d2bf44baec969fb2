"""Times the whole path of alerts, Kafka to acknowledgement, against a consumer that throws the same messages away and the peers' shape.

Ratios are of one run: topic, broker, machine and packets are the same. The peers' shape, our imitation, decodes each packet in full with
fastavro and asks mocpy for each alert and map; a few hundred alerts are timed and the rest is reckoned from them.
"""

import argparse
import cProfile
import io
import json
import pstats
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import astropy.units as u
import fastavro
import numpy as np
from astropy.coordinates import Latitude, Longitude
from mocpy import MOC

from hub import resources
from hub.model.sky import Skymap
from hub.telemetry import configure
from tests.benchmarks import figures, load
from tests.benchmarks.figures import Figure, at_least
from tests.support import kafka as brokers

GOAL_OF_BARE, GOAL_OF_PEER = 0.8, 50.0
PEER_ALERTS = 300
WARM_UP = 3_000


def measure(asked: argparse.Namespace) -> Sequence[Figure]:
    """Return rates and ratios; rounds alternate, and medians are compared."""
    configure("error")
    maps = load.Maps(n=asked.maps, n_single_detector=asked.single_detector)
    with load.broker(asked.bootstrap) as kafka, load.told(maps) as knows:
        topic, made, seconds = load.fill(kafka, asked.packets, partitions=asked.partitions, with_cutouts=not asked.no_cutouts)
        bare, ours = [], []
        # What is paid once, by broker and hub, is not what this is about: files that are read first, machine code that is loaded.
        load.drain_bare(kafka, topic, made.n_packets)
        _ours(kafka, topic, min(WARM_UP, made.n_packets), knows, None)
        for _ in range(asked.rounds):
            bare.append(load.drain_bare(kafka, topic, made.n_packets))
            ours.append(_ours(kafka, topic, made.n_packets, knows, None))
        if asked.profile is not None:  # a round of its own, which is not counted: watching costs
            _ours(kafka, topic, made.n_packets, knows, asked.profile)
        peer, n_hits = _peer_rate(kafka, topic, maps, min(asked.peer_alerts, made.n_packets))
    bare_rate, our_rate = (statistics.median(one.rate for one in many) for many in (bare, ours))
    last = ours[-1]
    mean = made.n_bytes / made.n_packets
    note = f"{made.n_packets} packets, mean {mean:.0f} B, {asked.partitions} partitions, {asked.rounds} rounds, timed after the first batch, broker {kafka.kind}"
    return [
        Figure(what="packets made and sent", value=made.n_packets / seconds, unit="/s", note="into the topic, beforehand"),
        Figure(what="bare confluent-kafka consumer", value=bare_rate, unit="/s", note=note),
        Figure(
            what="the hub's whole path",
            value=our_rate,
            unit="/s",
            note=f"{asked.maps} live maps of {maps.tiles}, {asked.single_detector} of them of 24,000 deg2; "
            f"{last.waiting_s / last.seconds:.0%} of the time waiting for Kafka",
        ),
        at_least("hub over bare consumer", our_rate / bare_rate, "x", GOAL_OF_BARE),
        Figure(
            what="hits in space", value=n_hits, unit="per alert", note=f"in 90 % areas, of {asked.peer_alerts} alerts, by mocpy"
        ),
        Figure(what="alerts that matched", value=last.n_matched / last.n, unit="per alert", note="in space, time and cuts"),
        Figure(what="candidates written", value=last.n_candidates / last.n, unit="per alert"),
        Figure(
            what="would match but for a map that is too large",
            value=last.n_in_large / last.n,
            unit="per alert",
            note="pairs of alert and event; they are counted and make no candidates",
        ),
        Figure(
            what="the peers' shape",
            value=peer,
            unit="/s",
            note=f"{asked.peer_alerts} alerts timed, the rest reckoned; our imitation",
        ),
        at_least("hub over the peers' shape", our_rate / peer, "x", GOAL_OF_PEER),
    ]


def _ours(kafka: brokers.Kafka, topic: str, n: int, knows: Path, profile: Path | None) -> load.Drained:
    # A database, an archive and a group of its own for each round: the group is named like the topic, so the place is put back.
    with load.hub_on(kafka, topic, knows, group=kafka.unique_topic("hub")) as (hub, source, settings):
        batch = settings.intake.alert_batch
        if profile is None:
            return load.drain_hub(hub, source, n, batch)
        watch = cProfile.Profile(time.perf_counter)
        watch.enable()
        done = load.drain_hub(hub, source, n, batch)
        watch.disable()
        text = io.StringIO()
        pstats.Stats(watch, stream=text).sort_stats("tottime").print_stats(35)
        pstats.Stats(watch, stream=text).sort_stats("cumtime").print_stats(45)
        profile.write_text(text.getvalue())
        print(f"where the time of one more round went is in {profile}", file=sys.stderr)
        return done


def _peer_rate(kafka: brokers.Kafka, topic: str, maps: load.Maps, n: int) -> tuple[float, float]:
    """Return alerts per second of full decoding and one containment test for each alert and map, and hits per alert."""
    payloads: list[bytes] = []
    load.drain_bare(kafka, topic, n, lambda found: payloads.extend(one.value() for one in found))
    schema = fastavro.parse_schema(json.loads(resources.read_text("schemas/lsst/10.0.avsc")))
    mocs = [_moc(one.skymap) for one in load.mergers(maps)]
    chosen = [payloads[i] for i in np.linspace(0, len(payloads) - 1, n).astype(int)]
    begun, n_hits = time.perf_counter(), 0
    for payload in chosen:
        source = fastavro.schemaless_reader(io.BytesIO(payload[5:]), schema, None)["diaSource"]
        place = Longitude(source["ra"] * u.deg), Latitude(source["dec"] * u.deg)
        n_hits += sum(bool(moc.contains_lonlat(*place)[0]) for moc in mocs)
    return n / (time.perf_counter() - begun), n_hits / n


def _moc(found: Skymap) -> MOC:
    mass = found.probdensity * (found.hi - found.lo)
    order = np.argsort(-found.probdensity)
    inside = np.zeros(len(order), dtype=bool)
    inside[order[: int(np.searchsorted(np.cumsum(mass[order]) / mass.sum(), 0.9)) + 1]] = True
    return MOC.from_depth29_ranges(29, np.stack([found.lo[inside], found.hi[inside]], axis=1).astype(np.uint64))


def main() -> None:
    options = load.parser(__doc__, 20_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peer-alerts", type=int, default=PEER_ALERTS)
    options.add_argument("--profile", type=Path, help="write where the time of one more round goes")
    figures.run(measure, options)


if __name__ == "__main__":
    main()
