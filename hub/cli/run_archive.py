"""``mmhub run archive``: the archive is looked after by a process of its own, whose memory and time are nobody else's."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from hub.cli.invocation import EXIT_FAILED, invocation, start
from hub.errors import StorageError

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.runtime.workers import Worker

PAUSE_S = 20.0
"""Time between two looks at what the archive needs, seconds."""

NICENESS = 10
"""Whoever takes in and matches alerts goes first (nice(2))."""

GRACE_S = 3.0
"""Time to end in when asked to, seconds; whatever is under way then may be broken off."""

KILLED_AFTER_S = 10.0
"""Whoever started it ends it so long after having asked it to end, seconds; less than its own loops have."""


def archive_keeper(context: typer.Context, settings: "Settings") -> "Worker":
    """Return the process that looks after the archive beside this one; it is started once there are alerts."""
    from hub.runtime.workers import Worker, this_program
    from hub.services.archive_care import has_rows

    words = [*invocation(context).words(), "run", "archive", "--parent", str(os.getpid())]
    folder = settings.archive_folder
    return Worker("archive", this_program(words), is_needed=lambda: has_rows(folder), killed_after_s=KILLED_AFTER_S)


def run_archive(context: typer.Context, parent: int | None, is_stopped: Callable[[], bool]) -> None:
    """Look after the archive until SIGTERM or Ctrl-C, or until the process that started this one is gone.

    Any number of these may run, on any machines: one at a time does the work (leases ``archive``, ``background`` and ``worths``).
    """
    settings = start(context)
    from hub.bootstrap import DEMO_MARK, create_database, make_data_dir, now, open_history, ranking_for
    from hub.runtime.board import Board
    from hub.runtime.chores import Chore
    from hub.runtime.memory import settle, spare
    from hub.runtime.supervisor import Loop, Patience, Supervisor
    from hub.runtime.workers import die_with
    from hub.services.archive_care import ArchiveCare
    from hub.services.counterparts import book_of, measuring
    from hub.services.worths import Worths

    os.nice(NICENESS)
    spare()
    if parent is not None:
        die_with(parent)
    (make_data_dir(settings) / DEMO_MARK).unlink(missing_ok=True)
    with create_database(settings) as store:
        history = open_history(settings)
        care = ArchiveCare(store, history, now)
        book = book_of(ranking_for(settings))
        background = measuring(store, history, settings.archive_folder, now, book)
        worths = Worths(store=store, archive=settings.archive_folder, book=book, clock=now)
        chores = {
            "archive": Chore("archive", care.step, pause_s=PAUSE_S, on_stop=care.stop),
            "background": Chore("background", background.step, pause_s=PAUSE_S, on_stop=background.stop),
            "worths": Chore("worths", worths.step, pause_s=PAUSE_S),
        }
        board = Board(store, now, {"archive": care.health, "background": background.health, "worths": worths.health})
        loops = [Loop(name=name, body=chore.body) for name, chore in chores.items()]
        loops.append(Loop(name="board", body=board.body, is_background=True))
        supervisor = Supervisor(loops, Patience(grace_s=GRACE_S), on_change=board.changed)
        board.watch(supervisor.status)
        settle()
        if is_stopped():
            return
        asyncio.run(supervisor.run())
        board.farewell()
        if not supervisor.cancelled:
            with suppress(StorageError):  # then the next one sees that this process is gone, or waits for the lease to end
                care.release()
                background.release()
                worths.release()
    code = EXIT_FAILED if supervisor.has_failed else 0
    if supervisor.cancelled:  # a step that cannot be asked to stop at once: the archive does not mind
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    if code:
        raise typer.Exit(code)
