"""N processes of one loop: started, started again when they die, asked to end, watched for their parent.

The parent does nothing else. Each worker is a loop of the supervisor: one that dies comes back after a pause that grows with each
death in a row, while the others go on with its share of the partitions.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from hub.errors import Transient
from hub.runtime.supervisor import Loop, Patience, Supervisor
from hub.telemetry import get_logger

log = get_logger("workers")

PATIENCE = Patience(grace_s=45.0)
"""A worker has its own 20 s to finish a batch and then closes what it has open."""

PARENT_LOOK_S = 1.0
"""Time between two looks whether the parent is still there, seconds."""

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
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self._name = name
        self._command = tuple(command)
        self.exit_code = 0
        """Of the latest process; 0 while none has ended."""

    async def body(self, stop: asyncio.Event) -> None:
        """Run the process until told to stop; a loop body for the supervisor.

        Raises
        ------
        Transient
            It ended by itself.
        """
        # A session of its own: Ctrl-C in a terminal reaches the parent alone, which then asks each worker once.
        process = await asyncio.create_subprocess_exec(*self._command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True)
        log.info("worker started", worker=self._name, pid=process.pid)
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                with suppress(ProcessLookupError):
                    process.terminate()
            code = await ended
        finally:
            stopping.cancel()
            if process.returncode is None:  # cancelled: it had its time
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                self.exit_code = _code(process.returncode)
        self.exit_code = _code(code)
        if not stop.is_set():
            raise Transient(f"{self._name} (process {process.pid}) ended by itself with {_said(code)}")


def run_workers(commands: Sequence[Sequence[str]], patience: Patience = PATIENCE) -> int:
    """Run one process for each command until SIGTERM or SIGINT; return the worst of their exit codes.

    The code of a worker that died and came back is that of its last process.
    """
    workers = {f"worker {number}": Worker(f"worker {number}", one) for number, one in enumerate(commands, 1)}
    supervisor = Supervisor([Loop(name=name, body=worker.body) for name, worker in workers.items()], patience)
    asyncio.run(supervisor.run())
    return max(int(supervisor.has_failed), *(worker.exit_code for worker in workers.values()))


def end_with(parent: int) -> None:
    """Let this process end, as if asked to, once its parent is gone.

    Else the workers of a parent that was killed would go on beside those of the next one.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_LOOK_S)
        log.warning("the process that started this worker is gone", parent=parent)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


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
