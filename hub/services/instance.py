"""Which process this is, told so that another process of the same machine can see whether it still lives."""

import os
import socket
from pathlib import Path

_SEPARATOR = "/"
_STARTED = 19
"""Index of ``starttime`` among the fields behind the command's name in ``/proc/PID/stat`` (proc_pid_stat(5), field 22)."""


def this_process() -> str:
    """Return the name of this process: host, name space, process id and start; empty parts where the system does not say."""
    pid = os.getpid()
    return _SEPARATOR.join([socket.gethostname(), _name_space(), str(pid), _started(pid) or ""])


def is_gone(process: str) -> bool:
    """Return whether a process has certainly ended; False where that cannot be told from here.

    Only a process of the same host and the same name space of process ids is looked for; one that has its id but started at
    another time is another one.
    """
    host, *rest = process.split(_SEPARATOR)
    if len(rest) < 3 or host != socket.gethostname() or not rest[0] or rest[0] != _name_space():
        return False
    return rest[1].isdigit() and bool(rest[2]) and _started(int(rest[1])) != rest[2]


def is_here(process: str) -> bool:
    """Return whether a process is or was one of this host."""
    return process.partition(_SEPARATOR)[0] == socket.gethostname()


def _name_space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink()).replace(_SEPARATOR, "")
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Return when a process started, in the kernel's ticks since boot; None where there is none or the system does not say."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return status.rpartition(")")[2].split()[_STARTED]
