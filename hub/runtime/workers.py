"""Processes that another one looks after: started, started again when they die, asked to end, watched for their parent.

Each is a loop of the supervisor: one that dies comes back after a pause that grows with each death in a row. Of N workers of one
loop the others go on with its share of the partitions meanwhile, and their parent does nothing else.
"""

import asyncio
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from hub.errors import Transient
from hub.ports import Health
from hub.runtime.supervisor import Loop, Patience, Supervisor
from hub.runtime.threads import in_thread
from hub.telemetry import get_logger

log = get_logger("workers")

PATIENCE = Patience(grace_s=45.0)
"""A worker has its own 20 s to finish a batch and then closes what it has open."""

PARENT_LOOK_S = 1.0
"""Time between two looks whether the parent is still there, seconds."""

NEEDED_LOOK_S = 5.0
"""Time between two looks whether a process has anything to do, seconds."""

_PR_SET_PDEATHSIG = 1
"""Of prctl(2), linux/prctl.h."""

BY_SIGNAL = 128
"""Added to the number of the signal that ended a process, as shells do."""


class Worker:
    """One place among the workers: a process, and after its death another one.

    Parameters
    ----------
    name
        For the log.
    command
        What is run.
    is_needed
        Whether there is anything to do for it; it is not started before.
    look_s
        Time between two looks at that, seconds.
    killed_after_s
        Time that it has to end when asked to, seconds; where not given it has as long as the supervisor gives.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        is_needed: Callable[[], bool] = lambda: True,
        look_s: float = NEEDED_LOOK_S,
        killed_after_s: float | None = None,
    ) -> None:
        self._name = name
        self._command = tuple(command)
        self._is_needed = is_needed
        self._look_s = look_s
        self._killed_after_s = killed_after_s
        self._pid: int | None = None
        self.exit_code = 0
        """Of the latest process; 0 while none has ended."""

    def health(self) -> Health:
        """Return whether the process is there, and which it is; callable from any thread."""
        pid = self._pid
        return Health(state="not needed yet") if pid is None else Health(state="running", facts={"process": pid})

    async def body(self, stop: asyncio.Event) -> None:
        """Run the process until told to stop, from when it is needed; a loop body for the supervisor.

        Raises
        ------
        Transient
            It ended by itself.
        """
        while not await in_thread(self._name, self._is_needed):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await stop.wait()
            if stop.is_set():
                return
        await self._run(stop)

    async def _run(self, stop: asyncio.Event) -> None:
        # A session of its own: Ctrl-C in a terminal reaches the parent alone, which then asks each worker once.
        process = await asyncio.create_subprocess_exec(*self._command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True)
        log.info("process started", name=self._name, pid=process.pid)
        self._pid = process.pid
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                with suppress(ProcessLookupError):
                    process.terminate()
                await asyncio.wait({ended}, timeout=self._killed_after_s)
                if not ended.done():
                    with suppress(ProcessLookupError):
                        process.kill()
            code = await ended
        finally:
            self._pid = None
            stopping.cancel()
            if process.returncode is None:  # cancelled: it had its time
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                self.exit_code = _code(process.returncode)
        self.exit_code = _code(code)
        if not stop.is_set():
            raise Transient(f"{self._name} (process {process.pid}) ended by itself with {_said(code)}")


def run_workers(commands: Sequence[Sequence[str]], patience: Patience = PATIENCE, *, beside: Worker | None = None) -> int:
    """Run one process for each command until SIGTERM or SIGINT; return the worst of their exit codes.

    The code of a worker that died and came back is that of its last process.

    Parameters
    ----------
    commands
        Of the workers.
    patience
        How their deaths are met.
    beside
        A process that serves them; its exit code does not matter.
    """
    workers = {f"worker {number}": Worker(f"worker {number}", one) for number, one in enumerate(commands, 1)}
    loops = [Loop(name=name, body=worker.body) for name, worker in workers.items()]
    if beside is not None:
        loops.append(Loop(name="beside", body=beside.body, is_background=True))
    supervisor = Supervisor(loops, patience)
    asyncio.run(supervisor.run())
    return max(int(supervisor.has_failed), *(worker.exit_code for worker in workers.values()))


def end_with(parent: int) -> None:
    """Let this process end, as if asked to, once its parent is gone.

    Else the workers of a parent that was killed would go on beside those of the next one.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_LOOK_S)
        log.warning("the process that started this one is gone", parent=parent)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def die_with(parent: int) -> None:
    """Let this process end at once when its parent is gone, whatever it is at; only for one that may be killed anywhere.

    Linux sees to it, also where a thread stands still in a call of a file system; elsewhere it is as `end_with`.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    end_with(parent)  # also where the parent was gone before


def this_program(words: Sequence[str]) -> list[str]:
    """Return the command that runs ``mmhub`` with some words, by the interpreter of this process."""
    return [sys.executable, "-P", "-m", "hub", *words]


def _code(returned: int | None) -> int:
    """Return an exit code as shells tell it."""
    if returned is None:
        return 0
    return returned if returned >= 0 else BY_SIGNAL - returned


def _said(returned: int) -> str:
    return f"exit code {returned}" if returned >= 0 else f"signal {-returned}"
