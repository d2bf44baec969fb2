"""Processor time of the hub's own flow by stage, of its threads, and of the broker beside it.

Watches sit around methods and functions that the hub is made of, so what is timed is the flow itself; a watch looks at the clock of its
thread twice a batch. Stages lie inside one another, and each is told without those inside it.
"""

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.engine.default import DefaultDialect

from adapters.codecs.decoder import WireDecoder
from adapters.transports.kafka.consumer import KafkaPacketSource
from hub.archive.history import ArchiveHistory
from hub.services import candidacy, twins
from hub.services.alert_intake import AlertIntake
from hub.services.candidacy import Candidacy
from hub.services.correlation import Correlation
from hub.services.event_memory import EventMemory
from hub.services.flow import Flow
from hub.services.matching import Matching
from hub.storage import candidates, packets
from hub.storage import watched as watched_pairs

CLIENT_THREADS = "rdk:"
"""Begin of the names that librdkafka gives to its threads."""

TAKING, FLOW = "take from the Kafka client", "the rest of the flow"
COLUMNS, ARCHIVE = "project to columns", "append to the archive"
EVALUATING, COMMIT = "the rest of evaluating", "commit what was evaluated"
STAGES: Mapping[str, tuple[Any, str]] = {
    TAKING: (KafkaPacketSource, "take_packets"),
    COLUMNS: (WireDecoder, "decode_packets"),
    ARCHIVE: (ArchiveHistory, "append"),
    "books, places, dead letters": (AlertIntake, "accept"),
    "match": (Matching, "forward"),
    "look up what is watched": (watched_pairs, "of_alerts"),
    "watch what matched": (watched_pairs, "watch"),
    "read events": (EventMemory, "of_ids"),
    "read past alerts of objects": (ArchiveHistory, "with_neighbours"),
    "judge candidates": (candidacy, "judge"),
    "write candidates": (candidates, "save_all"),
    "place objects": (twins, "place_all"),
    "what follows from candidates": (Candidacy, "evaluate"),
    "keep packets of matches": (packets, "save_all"),
    COMMIT: (DefaultDialect, "do_commit"),
    EVALUATING: (Correlation, "on_alerts"),
    FLOW: (Flow, "take_packets"),
    "commit": (KafkaPacketSource, "acknowledge"),
}
"""Name of a stage to what it is, a method of a class or a function of a module as others call it there, in the order of the road."""

ONLY_IN = {COMMIT: EVALUATING}
"""Stages that count right inside another one only, and belong elsewhere to what they are in: each transaction is committed."""


@dataclass
class StageClock:
    """Seconds of processor time in each stage, those of stages inside it left out."""

    spent: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    _open: threading.local = field(default_factory=threading.local)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what this thread does inside to a stage."""
        inner: list[float] = getattr(self._open, "inner", [])
        self._open.inner = inner
        names: list[str] = getattr(self._open, "names", [])
        self._open.names = names
        inner.append(0.0)
        names.append(name)
        begun = time.thread_time()
        try:
            yield
        finally:
            whole = time.thread_time() - begun
            names.pop()
            self.spent[name] += whole - inner.pop()
            self.calls[name] += 1
            if inner:
                inner[-1] += whole

    def is_open(self, name: str) -> bool:
        """Tell whether this thread is in a stage, and in none inside it."""
        return getattr(self._open, "names", [])[-1:] == [name]

    def add(self, other: "StageClock") -> None:
        """Count what another one counted as well."""
        self.spent.update(other.spent)
        self.calls.update(other.calls)

    def reset(self) -> None:
        """Forget what was counted."""
        self.spent.clear()
        self.calls.clear()


def _watched(clock: StageClock, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        if name in ONLY_IN and not clock.is_open(ONLY_IN[name]):
            return method(*args, **kwargs)
        with clock.stage(name):
            return method(*args, **kwargs)

    return call


@contextmanager
def watched() -> Iterator[StageClock]:
    """Give a clock of everything that hubs of this process do meanwhile."""
    clock = StageClock()
    with ExitStack() as stack:
        for name, (owner, method) in STAGES.items():
            former = getattr(owner, method)
            inherited = method not in vars(owner)
            setattr(owner, method, _watched(clock, name, former))
            stack.callback(delattr, owner, method) if inherited else stack.callback(setattr, owner, method, former)
        yield clock


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """Processor time, seconds, user and system."""

    process: float = 0.0
    """Of this process, all threads."""

    threads: Mapping[int, tuple[str, float]] = field(default_factory=dict)
    """Thread id to name and time."""

    broker: float = 0.0
    """Of the broker that this process started; 0 where it started none."""

    database: float = 0.0
    """Of the PostgreSQL server that it started."""

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(
            process=self.process - other.process,
            threads={
                number: (name, spent - other.threads.get(number, ("", 0.0))[1]) for number, (name, spent) in self.threads.items()
            },
            broker=self.broker - other.broker,
            database=self.database - other.database,
        )

    @property
    def client(self) -> float:
        """Of the Kafka client's own threads."""
        return sum(spent for name, spent in self.threads.values() if name.startswith(CLIENT_THREADS))

    @property
    def busiest(self) -> float:
        """Of the thread that did most: with processors enough, a consumer is as fast as this one."""
        return max((spent for _, spent in self.threads.values()), default=0.0)


def cpu() -> Cpu:
    """Return what was used until now."""
    servers = used_by_servers()
    return Cpu(
        process=time.process_time(),
        threads=dict(_threads()),
        broker=servers.get("java", 0.0),
        database=servers.get("postgres", 0.0),
    )


def _threads() -> Iterator[tuple[int, tuple[str, float]]]:
    for folder in Path("/proc/self/task").iterdir():
        try:
            name = (folder / "comm").read_text().strip()
            spent = int((folder / "schedstat").read_text().split()[0]) / 1e9
        except OSError:  # it has just ended, or the system does not tell
            continue
        yield int(folder.name), (name, spent)


def used_by_servers(*, but_for: int | None = None) -> dict[str, float]:
    """Return the processor time of servers that this process started, by the name of the program.

    Parameters
    ----------
    but_for
        Number of a child that is no server.
    """
    servers: dict[str, float] = {}
    for child in psutil.Process().children():
        try:
            name = child.name()
            if child.pid != but_for and name in ("java", "postgres"):
                servers[name] = servers.get(name, 0.0) + of_tree(child)
        except psutil.NoSuchProcess:
            continue
    return servers


def of_tree(root: psutil.Process) -> float:
    """Return the time of a process, of the children that it buried and of those that live."""
    times = root.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in root.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return float(total)
