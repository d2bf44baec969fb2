"""``mmhub run``: the hub itself, all roles or one of them."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.invocation import EXIT_FAILED, invocation, start
from hub.cli.listing import AsJson
from hub.cli.output import complain
from hub.cli.run_archive import archive_keeper, run_archive
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.bootstrap import Hub
    from hub.config import Settings
    from hub.model.envelope import Envelope
    from hub.ports import Health, Sink
    from hub.runtime.board import Board
    from hub.runtime.supervisor import Loop, LoopBody
    from hub.services.intake import Outcome
    from hub.storage.engine import Store


class Part(StrEnum):
    """What a process does."""

    ALL = "all"
    INGEST = "ingest"
    WORKER = "worker"
    ARCHIVE = "archive"
    DISPATCH = "dispatch"
    API = "api"


JOBS_PAUSE_S = 5.0
"""Time between two looks for jobs that nobody does, seconds."""

MAPS_PAUSE_S = 5.0
"""Time between two looks for maps that are due, seconds."""

SCHEMAS_PAUSE_S = 5.0
"""Time between two looks for alerts that wait for their schema, seconds."""

CATALOGS_PAUSE_S = 20.0
"""Time between two looks at the catalogues, seconds."""

REGISTERS_PAUSE_S = 5.0
"""Time between two looks for events that registers are to be asked about, seconds."""

ESCALATION_PAUSE_S = 5.0
"""Time between two looks for what nobody acknowledges, seconds."""

FOLLOWUP_PAUSE_S = 1.0
"""Time between two looks at the follow-up requests, seconds."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(run)


def run(
    context: typer.Context,
    role: Annotated[Part, typer.Argument(help="One role, or all of them.")] = Part.ALL,
    *,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="TCP port of the API; overrides api.port.")] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="With the role worker: take in and match what this source brings.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-n", min=1, max=256, help="With --source: so many processes in one consumer group.")
    ] = 1,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Take in what the sources bring, match it, send what is due, answer the API, until SIGTERM or Ctrl-C."""
    if (source is not None or workers > 1) and role is not Part.WORKER:
        raise typer.BadParameter("--source and --workers belong to the role worker: mmhub run worker --source NAME -n 4")
    if workers > 1 and source is None:
        raise typer.BadParameter("--workers needs to know which source they share: name it with --source")
    if port is not None and role not in (Part.ALL, Part.API):
        raise typer.BadParameter(
            f"the role {role.value} answers no requests: it belongs to mmhub run and mmhub run api", param_hint="--port"
        )
    with _ends_early() as is_stopped:
        if role is Part.ARCHIVE:
            run_archive(context, parent, is_stopped)
        elif source is not None and workers > 1:
            _run_workers(context, source, workers, is_stopped)
        else:
            _run(context, _Task(role=role, source=source, port=port, parent=parent, as_json=as_json), is_stopped)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What one process is to do."""

    role: Part
    source: str | None
    """The only source, for a worker that has one."""

    port: int | None
    parent: int | None
    """Process that started this one, and without which it ends."""

    as_json: bool

    @property
    def takes_in(self) -> bool:
        """Whether it listens to sources."""
        return self.role in (Part.ALL, Part.INGEST) or self.source is not None

    @property
    def keeps_archive(self) -> bool:
        """Whether it has the archive looked after; of several workers their parent does."""
        return self.role in (Part.ALL, Part.INGEST, Part.WORKER) and self.parent is None


@contextmanager
def _ends_early() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM and Ctrl-C during the start end it with exit code 0; once the loops run, the supervisor answers them.

    Nothing is acknowledged before the loops run, and what is under way in the database is rolled back. Yields what tells whether
    the stop came: where it falls into a callback of a library, such as a weak reference's, the exception is lost, and Python
    would print it with its traceback.
    """
    was_told = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        was_told.set()
        raise SystemExit(0)

    def unless_leaving(lost: "sys.UnraisableHookArgs") -> None:
        if not (was_told.is_set() and isinstance(lost.exc_value, SystemExit)):
            former_hook(lost)

    if threading.current_thread() is not threading.main_thread():
        yield was_told.is_set
        return
    former_hook, sys.unraisablehook = sys.unraisablehook, unless_leaving
    former = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield was_told.is_set
    finally:
        sys.unraisablehook = former_hook
        for number, handler in former.items():
            signal.signal(number, handler)


def _run(context: typer.Context, task: _Task, is_stopped: Callable[[], bool]) -> None:
    settings = start(context, api__port=task.port)
    from hub.bootstrap import (
        DEMO_MARK,
        check_parts,
        create_database,
        load_kernels,
        make_data_dir,
        now,
        open_hub,
        open_skymap_reader,
    )
    from hub.runtime.board import Board
    from hub.runtime.memory import settle, spare
    from hub.runtime.supervisor import Supervisor

    check_parts(settings)
    sources = _sources(settings, task)
    spare()
    if task.parent is None:
        _caution(settings)
    else:
        from hub.runtime.workers import end_with

        end_with(task.parent)
    (make_data_dir(settings) / DEMO_MARK).unlink(missing_ok=True)
    with ExitStack() as stack:
        store = stack.enter_context(create_database(settings))
        _forget_old_parts(settings, store)
        sinks: dict[str, Sink] = {}
        skymaps = stack.enter_context(open_skymap_reader(settings))
        if task.role in (Part.ALL, Part.INGEST):
            skymaps.warm()
        hub = stack.enter_context(open_hub(settings, store, skymaps=skymaps, sinks=sinks))
        crew = _Crew()
        board = Board(store, now, crew.healths)
        if task.takes_in:
            load_kernels(settings)
            hub.flow.resume()
            _add_sources(crew, settings, hub, board, sources)
        _add_roles(crew, settings, hub, stack=stack, board=board, sinks=sinks, task=task)
        if task.keeps_archive:
            keeper = archive_keeper(context, settings)
            crew.add("archive-process", keeper.body, keeper.health, is_background=True)
        crew.add("board", board.body, is_background=True)
        supervisor = Supervisor(crew.loops, on_change=board.changed)
        board.watch(supervisor.status)
        settle()
        if is_stopped():
            return
        asyncio.run(supervisor.run())
        board.farewell()
    code = EXIT_FAILED if supervisor.has_failed else 0
    if supervisor.cancelled:  # their threads wait for servers that do not answer, and libraries would wait for them in turn
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    if code:
        raise typer.Exit(code)


def _sources(settings: "Settings", task: _Task) -> list[str]:
    """Return the names of the sources that a process listens to.

    Raises
    ------
    ConfigError
        It should listen, and there is nothing to listen to.
    """
    from hub.bootstrap import enabled_sources

    if not task.takes_in:
        return []
    names = list(enabled_sources(settings))
    if task.source is not None:
        if task.source not in names:
            known = f"the sources that are enabled are {', '.join(names)}" if names else "no source is enabled"
            raise ConfigError(f"there is no source {task.source!r} to listen to: {known}")
        return [task.source]
    if not names:
        nothing = "no table [sources.NAME] stands in the settings, so there is nothing to take in"
        if task.role is Part.INGEST:
            raise ConfigError(nothing)
        complain(nothing)
    return names


def _add_roles(
    crew: "_Crew",
    settings: "Settings",
    hub: "Hub",
    *,
    stack: ExitStack,
    board: "Board",
    sinks: "dict[str, Sink]",
    task: _Task,
) -> None:
    """Add what a process does beside listening."""
    if task.role in (Part.ALL, Part.INGEST) or (task.role is Part.WORKER and task.source is None):
        _add_worker(crew, settings, hub, board, alone=task.role is Part.WORKER)
    if task.role in (Part.ALL, Part.DISPATCH):
        _add_destinations(crew, settings, hub, sinks)
    if task.role in (Part.ALL, Part.API):
        _add_api(crew, settings, hub, stack, board, as_json=task.as_json)


def _run_workers(context: typer.Context, source: str, n_workers: int, is_stopped: Callable[[], bool]) -> None:
    """Start so many processes that share a source, and look after them."""
    settings = start(context)
    from hub.bootstrap import check_parts, check_shared, create_database
    from hub.runtime.workers import run_workers, this_program

    check_parts(settings)
    _sources(settings, _Task(role=Part.WORKER, source=source, port=None, parent=None, as_json=False))
    check_shared(settings, source)
    _caution(settings)
    with create_database(settings):
        pass  # made or brought up to date once, not by all of them at the same time
    words = [*invocation(context).words(), "run", "worker", "--source", source, "--parent", str(os.getpid())]
    if is_stopped():
        return
    if code := run_workers([this_program(words)] * n_workers, beside=archive_keeper(context, settings)):
        raise typer.Exit(code)


class _Crew:
    """The loops that were chosen, and what each says of itself."""

    def __init__(self) -> None:
        self.loops: list[Loop] = []
        self.healths: dict[str, Callable[[], Health]] = {}

    def add(
        self, name: str, body: "LoopBody", health: "Callable[[], Health] | None" = None, *, is_background: bool = False
    ) -> None:
        from hub.runtime.supervisor import Loop

        self.loops.append(Loop(name=name, body=body, is_background=is_background))
        if health is not None:
            self.healths[name] = health


def _caution(settings: "Settings") -> None:
    """Say what is allowed and will be regretted."""
    from hub.bootstrap import cautions

    for sentence in cautions(settings):
        complain(sentence)


def _forget_old_parts(settings: "Settings", store: "Store") -> None:
    """Let nobody wait for a report of what the settings no longer have."""
    from hub.bootstrap import enabled_destinations, enabled_sources
    from hub.services.status import DESTINATION, SOURCE
    from hub.storage import components

    with store.transaction() as session:
        for prefix, names in ((SOURCE, enabled_sources(settings)), (DESTINATION, enabled_destinations(settings))):
            components.forget_others(session, prefix, [prefix + name for name in names])


def _add_sources(crew: _Crew, settings: "Settings", hub: "Hub", board: "Board", names: "Iterable[str]") -> None:
    from hub.bootstrap import now, open_source
    from hub.runtime.sources import SourceLoop
    from hub.services.alert_meter import AlertMeter
    from hub.services.status import SOURCE

    for name in names:
        opened = partial(open_source, settings, hub.store, name)
        loop = SourceLoop(
            name,
            opened,
            hub.flow,
            hub.store,
            batch=settings.intake.alert_batch,
            meter=AlertMeter(now, hub.history.count),
            max_lag_s=settings.intake.alert_max_lag_s,
            on_change=board.changed,
        )
        crew.add(SOURCE + name, loop.body, loop.health)


def _add_worker(crew: _Crew, settings: "Settings", hub: "Hub", board: "Board", *, alone: bool) -> None:
    from hub.bootstrap import enabled_destinations, now
    from hub.runtime.chores import Chore
    from hub.runtime.watch import Watch
    from hub.services.status import SOURCE

    jobs = Chore("jobs", lambda: hub.flow.work().versions, pause_s=JOBS_PAUSE_S)
    crew.add("jobs", jobs.body, jobs.health, is_background=not alone)
    echoes = {name: one.echo_within_s for name, one in enabled_destinations(settings).items() if one.echo_within_s is not None}
    sources = {name.removeprefix(SOURCE): health for name, health in crew.healths.items() if name.startswith(SOURCE)}
    watch = Watch(hub.store, now, count_alerts=hub.history.count_ever, echoes=echoes, healths=sources, on_change=board.changed)
    crew.add("watch", watch.body, watch.health, is_background=True)
    schemas = Chore("schemas", hub.held.step, pause_s=SCHEMAS_PAUSE_S)
    crew.add("schemas", schemas.body, hub.held.health, is_background=True)
    catalogs = Chore("catalogs", hub.catalogs.step, pause_s=CATALOGS_PAUSE_S)
    crew.add("catalogs", catalogs.body, hub.catalogs.health, is_background=True)
    if hub.map_fetching is not None:
        maps = Chore("maps", hub.map_fetching.step, pause_s=MAPS_PAUSE_S)
        crew.add("maps", maps.body, hub.map_fetching.health, is_background=True)


def _add_destinations(crew: _Crew, settings: "Settings", hub: "Hub", sinks: "dict[str, Sink]") -> None:
    from hub.bootstrap import enabled_destinations, escalation_for, open_sink
    from hub.runtime.chores import Chore
    from hub.runtime.dispatch import DispatchLoop
    from hub.services.status import DESTINATION

    for name in enabled_destinations(settings):
        loop = DispatchLoop(name, partial(open_sink, settings, hub.store, name), sinks, hub.flow.send)
        crew.add(DESTINATION + name, loop.body, loop.health)
        hub.flow.wakes(loop.wake.call)
    followup = Chore("followup", hub.flow.follow_up, pause_s=FOLLOWUP_PAUSE_S)
    crew.add("followup", followup.body, followup.health)
    if settings.escalation.channels:
        escalation = Chore("escalation", escalation_for(settings, hub.store).step, pause_s=ESCALATION_PAUSE_S)
        crew.add("escalation", escalation.body, escalation.health)
    if hub.registers is not None:
        registers = Chore("registers", hub.registers.step, pause_s=REGISTERS_PAUSE_S)
        crew.add("registers", registers.body, hub.registers.health, is_background=True)
    if hub.register_reports is not None:
        reports = Chore("register-reports", hub.register_reports.step, pause_s=REGISTERS_PAUSE_S)
        crew.add("register-reports", reports.body, hub.register_reports.health, is_background=True)


def _add_api(crew: _Crew, settings: "Settings", hub: "Hub", stack: ExitStack, board: "Board", *, as_json: bool) -> None:
    from hub.api.oidc import OidcDoor
    from hub.bootstrap import ranking_for
    from hub.bootstrap.oidc import open_provider
    from hub.cli.serve import api_loop, listening
    from hub.services.push import submission

    def take(envelopes: "Sequence[Envelope]") -> "Sequence[Outcome]":
        return hub.flow.take(envelopes).outcomes

    provider = open_provider(settings)
    door = stack.enter_context(listening(settings.api, as_json=as_json))
    body = api_loop(
        hub.store,
        door,
        settings.api,
        submit=submission(hub.store, take),
        alarms=board.alarms,
        archive=settings.archive_folder,
        catalogs_folder=settings.catalogs_folder,
        catalogs_used=settings.catalogs.use,
        ranking=ranking_for(settings),
        followups=hub.followups,
        provider=None if provider is None else OidcDoor(provider=provider, landing=settings.oidc.landing),
    )
    crew.add("api", body)
