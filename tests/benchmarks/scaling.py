"""What alerts cost as work grows: 1, 2, 4 workers and partitions, 10,000 to ten million packets, SQLite and PostgreSQL.

Workers are processes of ``mmhub run worker``. Where the packets do not fit into what the topic may be ahead, they are made while the workers
read, and making them uses the same processors. PostgreSQL runs without fsync, as in the tests.
"""

import argparse
import itertools
import math
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg

from hub.archive.history import ArchiveHistory
from hub.bootstrap import create_database, open_hub
from hub.config import load as load_settings
from hub.demo.survey.sending import TopicWriter
from hub.telemetry import configure
from tests.benchmarks import figures, fleet, load, mix
from tests.benchmarks.figures import Figure
from tests.support import kafka as brokers
from tests.support import postgres
from tests.support.packet_world import PacketBooks, write_settings

STATE_BYTES = 400
"""Of archive and database for each alert, while a night is merged."""

STEADY_PER_S = 10_000 / 37.0
"""Rubin's mean rate during a visit."""

SEGMENT_BYTES, SLACK_BYTES = 128 << 20, 512 << 20
"""Of the topic's files; what a partition keeps beyond what may be unread, since the distance is looked at now and then only."""

SHORT_S = 2.0
"""What took less says little."""

MAKER = "making packets and handing them to the Kafka client, whose own threads are not in it"
"""What is counted."""

READY_SHARE = 0.9
"""The topic counts as full when it is that far ahead."""


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a hub keeps what it knows, and what it was told."""

    name: str
    knows: Path
    """Data folder that is copied."""

    server: str = ""
    """URL of the PostgreSQL server's first database; empty for SQLite."""

    def prepare(self, folder: Path, kafka: brokers.Kafka, topic: str) -> Path:
        """Return the settings of a hub of its own that knows all that this one does."""
        database = ""
        if self.server:
            database = _database(self.server, topic.replace(".", "_"), template="told")
        shutil.copytree(self.knows, folder / "data")
        return write_settings(folder, kafka.bootstrap, topic, database=database)


def _database(server: str, name: str, template: str = "template1") -> str:
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.replace("/postgres?", f"/{name}?")


@contextmanager
def told_on_server(maps: load.Maps) -> Iterator[State]:
    """Give the state of a hub on PostgreSQL that knows the maps."""
    with postgres.server() as server, tempfile.TemporaryDirectory() as name:
        settings = load_settings(
            [write_settings(Path(name), "", "none", database=_database(server, "told"))], {"logging.level": "error"}
        ).settings
        with create_database(settings) as store, open_hub(settings, store) as hub:
            load.tell_of_maps(hub, maps, load.begin_of(load.last_night()))
        yield State(name="PostgreSQL", knows=settings.hub.data_dir, server=server)


class Filler:
    """Fills a topic with the mix of a night from a thread of its own, and keeps its distance to the group that reads it.

    Parameters
    ----------
    kafka, topic
        Where packets go; the group has the topic's name.
    n_packets
        How many.
    longest_s
        Where it takes longer, fewer are made: the visit that it is at is the last one.
    """

    def __init__(
        self, kafka: brokers.Kafka, topic: str, n_packets: int, *, with_cutouts: bool, ahead_bytes: int, longest_s: float
    ) -> None:
        self._writer = TopicWriter(kafka.bootstrap, topic, ahead_bytes=ahead_bytes, group=topic)
        self._ahead_bytes = ahead_bytes
        self._until = time.monotonic() + longest_s
        self.n_packets = n_packets
        """How many it will have been."""

        self._with_cutouts = with_cutouts
        self._broken: BaseException | None = None
        self.cpu_s = 0.0
        """Processor time of making and handing over, once all is sent: the threads of the Kafka client are not in it."""

        self.taken = mix.Taken()
        """What is sent, but for the visit that it is at."""

        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def n_sent(self) -> int:
        """Packets so far."""
        return self._writer.sent.n_packets

    def wait_until_full(self) -> bool:
        """Wait until all is sent, or as much as may be; return whether it is all."""
        while self.thread.is_alive() and self._writer.sent.n_bytes < READY_SHARE * self._ahead_bytes:
            time.sleep(0.05)
        self.check()
        return not self.thread.is_alive()

    def check(self) -> None:
        """Raise what ended the thread early."""
        if self._broken is not None:
            raise SystemExit(f"the topic was not filled: {self._broken}") from self._broken

    def _run(self) -> None:
        try:
            for packet in mix.packets(self.n_packets, with_cutouts=self._with_cutouts, taken=self.taken):
                if time.monotonic() > self._until and self.taken.n_packets == self.n_sent:
                    self.n_packets = self.n_sent
                    break
                self._writer.send(packet)
            self._writer.finish()
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            self._broken = error
        finally:
            self.cpu_s = time.thread_time()  # the thread does nothing else
            self._writer.close()


def steady_packets(n: int, *, with_cutouts: bool) -> list[bytes]:
    """Return packets that no topic is filled with: `mix.runs` leaves the last visit out."""
    night = mix.night_of(with_cutouts=with_cutouts)
    return list(itertools.islice(night.visit(len(night) - 1).packets(), n))


def one_run(kafka: brokers.Kafka, state: State, n_workers: int, n_packets: int, asked: argparse.Namespace) -> list[Figure]:
    """Return what one topic cost so many workers."""
    ahead = round(asked.ahead_gb * 1e9)
    keep = {
        "retention.bytes": str(ahead + SLACK_BYTES),  # all that is unread may lie in one partition
        "segment.bytes": str(SEGMENT_BYTES),
        "file.delete.delay.ms": "1000",
    }
    print(
        f"{n_packets:,} packets, {n_workers} workers, {state.name}, at most {ahead / 1e9:g} GB ahead", file=sys.stderr, flush=True
    )
    topic = kafka.create_topic(kafka.unique_topic("scaling"), n_workers, keep)
    with tempfile.TemporaryDirectory() as name, fleet.group_of(kafka, topic, n_workers) as group:
        config = state.prepare(Path(name), kafka, topic)
        filler = Filler(
            kafka,
            topic,
            n_packets,
            with_cutouts=not asked.no_cutouts,
            ahead_bytes=ahead,
            longest_s=60.0 * asked.longest_min,
        )
        is_filled = filler.wait_until_full()
        with fleet.workers(config, n_workers) as parent:
            looks = fleet.watch(
                group,
                parent,
                config,
                n_workers=n_workers,
                n_packets=lambda: filler.n_packets,
                filler=filler.thread,
                n_sent=lambda: filler.n_sent,
            )
            filler.check()
            n_packets = filler.n_packets
            steady = steady_packets(asked.steady, with_cutouts=not asked.no_cutouts)
            waits = fleet.latencies(kafka, topic, group, steady, STEADY_PER_S) if steady else np.array([])
        _check_rows(config, n_packets + len(steady))
    kafka.delete_topic(topic)
    found = _figures(looks, waits, filler.taken, state, n_workers, n_packets, is_filled=is_filled)
    what = f"{found[0].what}: processor time of the maker"
    return [*found, Figure(what=what, value=1e3 * filler.cpu_s / n_packets, unit="ms per alert", note=MAKER)]


def _check_rows(config: Path, n: int) -> None:
    """Hold archive and books against what was sent."""
    rows = ArchiveHistory(load_settings([config], {}).settings.archive_folder).count()
    stored = PacketBooks(config).stored()
    if (rows, stored) != (n, n):
        raise SystemExit(f"of {n} packets the archive has {rows} and the books count {stored}")


def _figures(
    looks: Sequence[fleet.Look],
    waits: np.ndarray,
    taken: mix.Taken,
    state: State,
    n_workers: int,
    n_packets: int,
    *,
    is_filled: bool,
) -> list[Figure]:
    first, last, all_at_work = fleet.busy_part(looks)
    n, seconds, used = last.n_done - first.n_done, last.at_s - first.at_s, last.used - first.used
    if not n:
        raise SystemExit(f"all {n_packets} packets were done between two looks: ask for more")
    what = f"{n_packets:,} packets, {n_workers} {'worker' if n_workers == 1 else 'workers'}, {state.name}"
    shared = f"; {n_workers} workers on {os.cpu_count()} cores" if n_workers >= (os.cpu_count() or 1) else ""
    beside = "" if is_filled else f"; packets made beside, {used.benchmark / seconds:.2f} cores"
    short = f"; less than {SHORT_S:.0f} s, so take it with care" if seconds < SHORT_S else ""
    load = f"load average {np.mean([one.load for one in looks]):.1f} meanwhile"
    window = short if all_at_work else "; over all, the begin included: they were never all at work at a time"
    each = {"workers": used.workers, "database": used.database, "broker": used.broker}
    found = [
        Figure(
            what=what,
            value=n / seconds,
            unit="alerts/s",
            note=f"{taken.note()}; {n} alerts in {seconds:.1f} s{shared}{beside}; {load}{window}; archive and books have each alert once",
        ),
        *[
            Figure(what=f"{what}: processor time of the {name}", value=1e3 * spent / n, unit="ms per alert")
            for name, spent in each.items()
            if spent
        ],
    ]
    if len(waits):
        p50, p98 = np.percentile(waits, [50, 98])
        note = f"{len(waits)} packets, {STEADY_PER_S:.0f} a second; their maker beside"
        found += [
            Figure(what=f"{what}: produced to acknowledged, p50", value=float(p50), unit="s", note=note),
            Figure(what=f"{what}: produced to acknowledged, p98", value=float(p98), unit="s"),
        ]
    return found


def check_disk(asked: argparse.Namespace) -> None:
    """Refuse what does not fit."""
    n = max(asked.packets)
    each = load.SMALL_PACKET_BYTES if asked.no_cutouts else load.PACKET_BYTES
    kept = max(asked.workers) * (1e9 * asked.ahead_gb + SLACK_BYTES + SEGMENT_BYTES)
    load.check_disk(min(n * each, kept) + n * STATE_BYTES)


def measure(asked: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of each run, SQLite first, and what more workers bring."""
    configure("error")
    check_disk(asked)
    maps = load.Maps(n=asked.maps)
    with ExitStack() as stack:
        kafka = stack.enter_context(load.broker(asked.bootstrap))
        sqlite = None if asked.no_sqlite else State(name="SQLite", knows=stack.enter_context(load.told(maps)))
        try:
            server = stack.enter_context(told_on_server(maps))
        except postgres.ServerMissing as reason:
            raise SystemExit(f"workers need PostgreSQL: {reason}") from reason
        for n_packets in asked.packets:
            if sqlite is not None:
                yield from one_run(kafka, sqlite, 1, n_packets, asked)
            rates: dict[int, float] = {}
            for n_workers in asked.workers:
                found = one_run(kafka, server, n_workers, n_packets, asked)
                rates[n_workers] = found[0].value
                yield from found
            least = min(rates)
            for n_workers, rate in rates.items():
                if n_workers != least:
                    what = f"{n_packets:,} packets, {n_workers} workers over {least}"
                    yield Figure(what=what, value=rate / rates[least], unit="x")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packets", type=int, nargs="+", default=[10_000], help="alerts in the topic (%(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="each with so many partitions (%(default)s)")
    parser.add_argument("--no-sqlite", action="store_true", help="leave out the single worker on SQLite")
    parser.add_argument("--no-cutouts", action="store_true", help="packets with empty cutouts")
    parser.add_argument(
        "--ahead-gb", type=float, default=9.9, help="how far the topic may be ahead, looked at each 64 MB (%(default)s)"
    )
    parser.add_argument(
        "--longest-min", type=float, default=math.inf, help="packets are made for so long at most, and what was made is measured"
    )
    parser.add_argument("--steady", type=int, default=1_500, help="packets sent one by one at Rubin's mean rate, for the latency")
    parser.add_argument("--maps", type=int, default=100, help="live maps that the hub knows")
    parser.add_argument("--bootstrap", help="a broker that is running; one is started where not given")
    figures.run(measure, parser)


if __name__ == "__main__":
    main()
