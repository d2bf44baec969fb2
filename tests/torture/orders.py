"""The same messages in random orders and batches, by one hub or two at once, must end in the same state.

``python -m tests.torture.orders --orders 1000 --seed 1 [--postgresql]``. Each order has a seed of its own, which it names, so that one that
fails can be had alone, with fewer alerts for a smaller reproduction (``--alerts 60``); whether one or two hubs bring it follows from its
place among the others, unless ``--two-every`` says 0 or 1.
"""

import argparse
import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any

from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.orm import Session

from hub import telemetry
from hub.bootstrap import Hub, open_hub
from hub.catalogs.recipes import recipes
from hub.catalogs.writing import add
from hub.config import DestinationSection, FollowupSection, HubSection, Settings
from hub.errors import NotFound
from hub.model.coincidence import Coincidence, MemberKind
from hub.model.notice import CiteKind
from hub.ports import SkymapReader
from hub.resources import read_text
from hub.science.rules import load_rules
from hub.science.skymap_fits import SkymapWorker
from hub.services import sources
from hub.services.announcement import stands
from hub.services.association import Association
from hub.services.maps import MapCache
from hub.services.rematch import Rematch
from hub.services.state import final_state
from hub.storage import candidates, coincidences, events, outbox, tables
from hub.storage.engine import Store, make_engine, upgrade
from hub.storage.outbox import OutboxEntry, OutboxState
from tests.benchmarks.report import machine
from tests.support import small_world
from tests.support.flow_checks import check_books, superseded_by_others
from tests.support.postgres import server
from tests.torture import wide_world as world
from tests.torture.wide_world import Installed, Said, Step

PAIRS_ONLY = "pairs"
"""A destination that wants to know of pairs of events only, and of what is taken back."""

DESTINATIONS = ("voevents", PAIRS_ONLY)

ROOM_BYTES = 1 << 30
"""What all orders of a run take at most, many times over: each is deleted before the next."""

END_S = 30.0
"""How long a process may take to end that has said all."""

NEVER_EQUAL = ("version", "created_at", "first_created_at", "created_tai_us", "is_latest", "first_created_tai_us")
"""Of a version: when it was written, and after how many others."""


def settings_in(folder: Path) -> Settings:
    """Return the settings of a hub with two destinations."""
    voevents = DestinationSection.model_validate({"kind": "folder", "path": "voevents"})
    pairs = DestinationSection.model_validate(
        {"kind": "folder", "path": "pairs", "format": "hub-json", "subjects": ["coincidence", "retraction"]}
    )
    return Settings(
        hub=HubSection(data_dir=folder),
        followup=FollowupSection(enabled=False),
        destinations={"voevents": voevents, PAIRS_ONLY: pairs},
    )


class Player:
    """Lets things happen to a hub: one process, which may be started anew."""

    def __init__(self, settings: Settings, store: Store, skymaps: SkymapReader) -> None:
        self._settings = settings
        self._store = store
        self._skymaps = skymaps
        self._clock = small_world.Ticking()
        self._unsaid: list[Said] = []
        self._open = ExitStack()
        self.hub = self._start()

    def _start(self) -> Hub:
        return self._open.enter_context(open_hub(self._settings, self._store, clock=self._clock, skymaps=self._skymaps))

    def close(self) -> None:
        """End the process."""
        self._open.close()

    def play(self, batch: Sequence[Step]) -> None:
        """Let some things happen; messages without anything else between them come together."""
        for is_message, some in itertools.groupby(batch, key=lambda one: isinstance(one, small_world.Sent)):
            if is_message:
                self.hub.flow.take([one.envelope for one in some if isinstance(one, small_world.Sent)])
                continue
            for one in some:
                if isinstance(one, Installed):
                    self._install()
                elif isinstance(one, Said):
                    self._unsaid.append(one)
        self._unsaid = [one for one in self._unsaid if not self._say(one)]

    def finish(self) -> None:
        """Do what is left to do, and send."""
        self.hub.flow.work()
        while self.hub.flow.step():
            pass

    def left_unsaid(self) -> list[Said]:
        """Return what could not be said, for want of the events."""
        return self._unsaid

    def _install(self) -> None:
        install(self._settings)
        self._open.close()
        self.hub = self._start()
        rematch = Rematch(store=self._store, correlation=self.hub.correlation)
        for done in rematch.run(rematch.chosen(None, None)):
            assert not done.report.broken

    def _say(self, one: Said) -> bool:
        association = Association(policy=_policy(), maps=MapCache(), clock=self._clock)
        say = sources.join if one.joins else sources.split
        try:
            with self._store.transaction() as session:
                say(session, association, one.first, one.second, by="A. Person", because="so it is", at=world.NOW)
        except NotFound:
            return False
        self.hub.flow.work()
        return True


def _policy() -> Any:
    return load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml")).association


def install(settings: Settings) -> None:
    """Add the catalogue."""
    settings.catalogs_folder.mkdir(parents=True, exist_ok=True)
    file = settings.hub.data_dir / "catalogue.csv"
    file.write_text(world.CATALOGUE)
    add(file, recipes()["generic"], settings.catalogs_folder, "mine")


def truth(session: Session) -> dict[str, Any]:
    """Return all that must not depend on the order: the final state with all scores and their inputs, groups, and what was spent."""
    latest = _latest(session)
    state = final_state(session)
    for name in state["coincidences"]:
        state["coincidences"][name]["all scores"] = _scores(latest[name].scores)
        state["coincidences"][name]["localizations"] = list(latest[name].localization_ids)
    for one in (one for event_id in state["events"] for one in candidates.of_event(session, event_id)):
        key = f"{one.event_id}|{one.survey}|{one.object_id}|{one.hypothesis}"
        if key in state["candidates"]:
            state["candidates"][key]["all scores"] = _scores(one.scores)
    open_ones = tables.GroupRow.is_latest, tables.GroupRow.state == "open"  # what ended tells of what was shown on the way
    groups = session.scalars(select(tables.GroupRow).where(*open_ones))
    homes = session.scalars(select(tables.GroupMemberRow))
    spent = session.scalars(select(tables.AnnouncedRow).where(tables.AnnouncedRow.withdrawn_tai_us.is_(None)))
    state |= {
        "groups": {
            one.group_id: {"state": one.state, "is_live": one.is_live, "document": _timeless(one.document)} for one in groups
        },
        "group members": {f"{one.kind} {one.member_id}": one.group_id for one in homes},
        "announced": {one.coincidence_id: [one.rule, one.kind, one.spends_per_month] for one in spent},
        "promoted": sorted(one.event_id for one in session.scalars(select(tables.PromotedRow))),
    }
    plain: dict[str, Any] = json.loads(json.dumps(state, sort_keys=True, default=str))
    return plain


def _scores(scores: Sequence[Any]) -> dict[str, Any]:
    return {one.statistic: {"value": one.value, "version": one.version, "inputs": dict(one.inputs)} for one in scores}


def _timeless(document: Any) -> Any:
    if isinstance(document, Mapping):
        return {key: _timeless(value) for key, value in document.items() if key not in NEVER_EQUAL}
    return [_timeless(one) for one in document] if isinstance(document, list) else document


def _latest(session: Session) -> dict[str, Coincidence]:
    return {one.coincidence_id: one for event_id in events.all_ids(session) for one in coincidences.of_event(session, event_id)}


def last_messages(session: Session) -> list[str]:
    """Return what is wrong with the last message about each pair at each destination, in sentences."""
    said: dict[tuple[str, str], tuple[int, OutboxEntry]] = {}
    entries = outbox.search(session, limit=None)
    superseded = {name: superseded_by_others(one for one in entries if one.outgoing.destination == name) for name in DESTINATIONS}
    for entry in entries:
        assert entry.state is not OutboxState.FAILED
        name, _, version = entry.outgoing.ivorn.rpartition("#")[2].rpartition(".v")
        key = (name, entry.outgoing.destination)
        if key not in said or said[key][0] < int(version):
            said[key] = (int(version), entry)
    wrong = []
    for name, one in _latest(session).items():
        is_pair = all(member.kind is MemberKind.EVENT for member in one.members)
        for destination in DESTINATIONS:
            number, entry = said.get((name, destination), (0, None))
            retracts = entry is not None and any(cite.kind is CiteKind.RETRACTION for cite in entry.outgoing.cites)
            if stands(one) and (is_pair or destination != PAIRS_ONLY):
                if entry is None or retracts or number != one.version:
                    wrong.append(
                        f"{destination}: {name} v{one.version} stands, and v{number} was said last, retracted: {retracts}"
                    )
            elif entry is not None and not retracts and entry.outgoing.ivorn not in superseded[destination]:
                wrong.append(f"{destination}: {name} v{one.version} does not stand, and v{number} was the last word")
    return wrong


def cut(random: Random, steps: Sequence[Step]) -> list[list[Step]]:
    """Return steps in batches: now many, now few."""
    n_cuts = random.choice((0, 3, 12, 40, 80))
    edges = [0, *sorted(random.sample(range(1, len(steps)), min(n_cuts, len(steps) - 1))), len(steps)]
    return [list(steps[start:stop]) for start, stop in itertools.pairwise(edges)]


def shuffled(random: Random, steps: Sequence[Step]) -> list[Step]:
    """Return steps in a random order: all mixed, or each sort together, or nearly as they happen."""
    mixed = random.sample(list(steps), len(steps))
    how = random.randrange(4)
    if how == 0:
        return sorted(mixed, key=lambda one: one.name.startswith(("LSST", "ZTF")))
    if how == 1:
        return sorted(mixed, key=lambda one: not one.name.startswith(("LSST", "ZTF")))
    return mixed


def one_hub(settings: Settings, store: Store, skymaps: SkymapReader, batches: Sequence[Sequence[Step]]) -> dict[str, Any]:
    """Let one hub take everything in, and return the truth."""
    player = Player(settings, store, skymaps)
    try:
        for batch in batches:
            player.play(batch)
        player.finish()
        assert player.left_unsaid() == []
        return _closed(player.hub, [one for batch in batches for one in batch])
    finally:
        player.close()


def two_hubs(settings: Settings, store: Store, skymaps: SkymapReader, batches: Sequence[Sequence[Step]]) -> dict[str, Any]:
    """Let two hubs on one database take half of the batches each at the same time, and return the truth; the catalogue is there."""
    install(settings)
    start = Barrier(2)

    def work(half: Sequence[Sequence[Step]]) -> list[Said]:
        player = Player(settings, store, skymaps)
        try:
            start.wait()
            for batch in half:
                player.play([one for one in batch if not isinstance(one, Installed)])
            return player.left_unsaid()
        finally:
            player.close()

    with ThreadPoolExecutor(2) as pool:
        left = [said for done in [pool.submit(work, batches[number::2]) for number in range(2)] for said in done.result()]
    player = Player(settings, store, skymaps)
    try:
        player.play(left)
        player.finish()
        assert player.left_unsaid() == []
        return _closed(player.hub, [one for batch in batches for one in batch])
    finally:
        player.close()


def _closed(hub: Hub, steps: Sequence[Step]) -> dict[str, Any]:
    check_books(hub, sum(one.n_messages for one in steps if isinstance(one, small_world.Sent)))
    with hub.store.reading() as session:
        assert last_messages(session) == []
        return truth(session)


def differences(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Yield where two states differ, and how."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            yield from differences(expected.get(key, "nothing"), found.get(key, "nothing"), f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif expected != found:
        yield f"{path}: {str(expected)[:300]} became {str(found)[:300]}"


class Orders:
    """Runs random orders of one world against the state after the first one."""

    def __init__(self, folder: Path, skymaps: SkymapReader, *, n_alerts: int = world.N_ALERTS, root: str | None = None) -> None:
        self._folder = folder
        self._skymaps = skymaps
        self._steps = world.everything(n_alerts)
        self._root = root
        self._numbers = itertools.count(1)
        self.expected = self._run(one_hub, [list(self._steps)], root=None)

    def differs(self, seed: int, *, workers: int = 1, without: str = "") -> list[str]:
        """Return what differs after a random order, in sentences; none where nothing does. One step by name may be left out."""
        random = Random(seed)
        batches = cut(random, [one for one in shuffled(random, self._steps) if one.name != without])
        try:
            found = self._run(one_hub if workers == 1 else two_hubs, batches, root=self._root)
        except AssertionError as error:
            return [f"what must hold of every hub does not: {error}"]
        return list(differences(self.expected, found))

    def _run(self, way: Callable[..., dict[str, Any]], batches: Sequence[Sequence[Step]], *, root: str | None) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=self._folder) as name, self._store(Path(name), root) as store:
            return way(settings_in(Path(name)), store, self._skymaps, batches)

    @contextmanager
    def _store(self, folder: Path, root: str | None) -> Iterator[Store]:
        if root is None:
            with small_world.fresh_sqlite(folder, self._folder) as store:
                yield store
            return
        name = f"orders_{next(self._numbers)}"
        engine = create_engine(root, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        url = make_url(root).set(database=name).render_as_string(hide_password=False)
        upgrade(url)
        store = Store(make_engine(url))
        try:
            yield store
        finally:
            store.close()
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name}"))
            engine.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which orders are run."""

    seed: int
    """Of the first one; each has the next."""

    n_alerts: int
    two_every: int
    """Of so many orders one is brought by two hubs at once; 0 for none."""

    without: str = ""
    """Name of a step that is left out."""

    postgresql: bool = False

    def workers_of(self, number: int) -> int:
        """Return how many hubs bring an order at once."""
        return 2 if self.two_every and number % self.two_every == self.two_every - 1 else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one order ended."""

    number: int
    seed: int
    workers: int
    differences: list[str]
    cpu_s: float
    """Of this process and all its threads."""


def run(asked: Asked, numbers: Sequence[int], say: Callable[[Ended | str], None]) -> None:
    """Run some orders one after the other in this process, and say how each ended; before them, what all must end in."""
    telemetry.configure("error")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mmhub-orders-", dir=in_memory())))
        root = stack.enter_context(server()) if asked.postgresql else None
        skymaps = stack.enter_context(SkymapWorker())
        orders = Orders(folder, skymaps, n_alerts=asked.n_alerts, root=root)
        say(json.dumps(orders.expected, sort_keys=True))
        for number in numbers:
            cpu, workers = time.process_time(), asked.workers_of(number)
            found = orders.differs(asked.seed + number, workers=workers, without=asked.without)
            say(
                Ended(
                    number=number,
                    seed=asked.seed + number,
                    workers=workers,
                    differences=found,
                    cpu_s=time.process_time() - cpu,
                )
            )


def in_memory() -> str | None:
    """Return a folder that no disk keeps, where there is one with room: what is tried here is no loss of power."""
    shared = Path("/dev/shm")
    return str(shared) if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM_BYTES else None


def _part(asked: Asked, numbers: Sequence[int], told: "Connection[Ended | str, None]") -> None:
    with told:
        run(asked, numbers, told.send)


def in_processes(asked: Asked, n_orders: int, n_processes: int) -> Iterator[Ended | str]:
    """Yield what `run` says, of several processes that share the orders; what one that dies has not said is missing."""
    context = get_context("spawn")
    ends: list[Connection[None, Ended | str]] = []
    children = []
    for first in range(min(n_processes, n_orders)):
        hears, tells = context.Pipe(duplex=False)
        child = context.Process(target=_part, args=(asked, range(first, n_orders, n_processes), tells))
        child.start()
        tells.close()
        ends.append(hears)
        children.append(child)
    try:
        while ends:
            for one in wait(ends):
                assert isinstance(one, Connection)
                try:
                    yield one.recv()
                except EOFError:
                    ends.remove(one)
    finally:
        for child in children:
            child.join(END_S)
            child.terminate()


def main() -> int:
    """Run orders as the command line says; return whether all ended alike."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="that share the orders")
    parser.add_argument("--two-every", type=int, default=5, help="of so many orders one is brought by two hubs at once; 0: none")
    parser.add_argument("--alerts", type=int, default=world.N_ALERTS, help="fewer, for a smaller reproduction")
    parser.add_argument(
        "--without", default="", metavar="STEP", help="leave one thing out, which must show: `late trigger`, `split`"
    )
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--page", type=Path, help="add a line to the table of this page, e.g. docs/reliability.md")
    options = parser.parse_args()
    asked = Asked(
        seed=options.seed,
        n_alerts=options.alerts,
        two_every=options.two_every,
        without=options.without,
        postgresql=options.postgresql,
    )
    begun, ended, ends = time.monotonic(), list[Ended](), set[str]()
    for one in in_processes(asked, options.orders, options.processes):
        if isinstance(one, str):
            ends.add(one)
            continue
        ended.append(one)
        verdict = "differs" if one.differences else "equal"
        how = ", by two hubs at once" if one.workers == 2 else ""
        print(f"{len(ended)} of {options.orders}, seed {one.seed}{how}: {verdict} ({one.cpu_s:.1f} s CPU)", flush=True)
        for sentence in one.differences[:12]:
            print(f"  {sentence}", flush=True)
    bad = [one for one in ended if one.differences]
    is_whole = len(ended) == options.orders and len(ends) == 1
    print(f"{len(ended)} orders from seed {options.seed}: {len(bad)} ended otherwise", flush=True)
    if len(ends) > 1:
        print("the processes themselves disagree about the first order", flush=True)
    if options.page is not None:
        add_line(options.page, asked, ended, (time.monotonic() - begun) / 60.0)
    return 0 if is_whole and not bad else 1


def add_line(page: Path, asked: Asked, ended: Sequence[Ended], minutes: float) -> None:
    """Add how a run ended to the table at the end of a page."""
    two = sum(one.workers == 2 for one in ended)
    cells = (
        f"{datetime.now(UTC):%Y-%m-%d}",
        machine(),
        f"{len(ended)} from seed {asked.seed}, {two} of them by two hubs at once",
        f"{asked.n_alerts} alerts, {len(world.notices())} notices" + (f", without `{asked.without}`" if asked.without else ""),
        "PostgreSQL" if asked.postgresql else "SQLite",
        f"{statistics.mean(one.cpu_s for one in ended):.1f} s" if ended else "-",
        f"{minutes:.0f} min",
        str(sum(bool(one.differences) for one in ended)),
    )
    page.write_text(page.read_text().rstrip("\n") + "\n| " + " | ".join(cells) + " |\n")


if __name__ == "__main__":
    sys.exit(main())
