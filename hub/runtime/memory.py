"""How the memory of a long-running process stays small, and is kept from making it wait."""

import ctypes
import gc
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import NamedTuple

ARENAS = 2
"""Heaps of the C library, which makes eight for each processor: threads then keep what others need."""

LARGE_BYTES = 1 << 20
"""An allocation of more goes back to the system when it is freed."""

UNUSED_BYTES = 4 << 20
"""So much that is free at the end of a heap goes back to the system."""

GIVE_BACK_S = 1.0
"""Time between two looks for free memory in the middle of the heaps, seconds."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of mallopt(3), glibc's malloc.h."""

_MADV_DONTNEED = 4
"""Of madvise(2)."""

_UNCHANGEABLE = ("r-xp", "r--p")
"""Rights of code and constants. Constants that hold addresses are changed when a library is loaded, and are told by that."""


def spare() -> None:
    """Let this process keep little memory that it does not use; to be called once, before its threads start.

    What the C library and Arrow hold back for the next large table would be a hundred megabytes after the archive is merged.
    """
    _spare_heaps()
    import pyarrow as pa  # noqa: PLC0415 - not for those who do without

    pa.set_memory_pool(pa.system_memory_pool())
    _spare_pandas()


def _spare_heaps() -> None:
    """Bound the heaps of glibc; other C libraries have none of this, and are left as they are."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    for option, value in ((_M_ARENA_MAX, ARENAS), (_M_MMAP_THRESHOLD, LARGE_BYTES), (_M_TRIM_THRESHOLD, UNUSED_BYTES)):
        if mallopt is not None:
            mallopt(option, value)


def _spare_pandas() -> None:
    """Make Arrow believe that pandas is not installed.

    Else it imports pandas, 60 MB, with the first array that it makes, to know the objects of pandas, of which the hub has none.
    It looks once in a process, so nothing is hidden from others who import pandas.
    """
    import pyarrow as pa  # noqa: PLC0415 - as above

    if "pandas" in sys.modules:
        return
    refusal = _NoPandas()
    sys.meta_path.insert(0, refusal)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(refusal)


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Refuse pandas; raises `ModuleNotFoundError`."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out", name=fullname)


def settle() -> None:
    """Let go of what only the start needed, and take what is left out of the garbage collector's sight.

    To be called once, before the loops start. Libraries leave a few hundred thousand objects that live as long as the process. A
    full collection looks at all of them, with every thread standing still for 50 to 200 ms: more than a notice takes on its whole
    way.
    """
    gc.collect()
    gc.freeze()
    forget_code()


def forget_code() -> int:
    """Let go of the pages of libraries that lie in memory as they are in their files; return how many bytes that were.

    What is used again comes back by itself, from the file or from what the system keeps of it. Most does not: of the compiler's
    70 MB only that was needed which loads compiled loops. On systems without ``/proc`` nothing happens.
    """
    madvise = getattr(ctypes.CDLL(None), "madvise", None) if sys.platform == "linux" else None
    if madvise is None:
        return 0
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return sum(one.resident for one in _code() if madvise(one.begin, one.end - one.begin, _MADV_DONTNEED) == 0)


class GivesBack:
    """Gives the system what is free in the middle of the heaps, now and then: batches of all sizes leave holes there.

    `UNUSED_BYTES` concerns their ends only. Used by one thread at a time.

    Parameters
    ----------
    every_s
        Least time between two looks, seconds: each takes some milliseconds.
    """

    def __init__(self, every_s: float = GIVE_BACK_S) -> None:
        self._every_s = every_s
        self._last = time.monotonic()
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

    def now_and_then(self) -> bool:
        """Do it where it was not done for a while; return whether it was done. Only glibc is told to."""
        if self._trim is None or time.monotonic() - self._last < self._every_s:
            return False
        self._trim(ctypes.c_size_t(UNUSED_BYTES))
        self._last = time.monotonic()
        return True


class _Piece(NamedTuple):
    """A part of the address space that shows a file."""

    begin: int
    end: int
    resident: int
    """Bytes of it in memory."""


def _code() -> list[_Piece]:
    """Return the parts of libraries that can be read and not written, and of which no page was changed (proc_pid_smaps(5))."""
    try:
        lines = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: list[_Piece] = []
    begin = end = resident = 0
    is_code = False
    for line in lines:
        word, *rest = line.split()
        if not word.endswith(":"):  # the first line of a part: addresses, rights, offset, device, inode, name
            begin, end = (int(edge, 16) for edge in word.split("-"))
            is_code = rest[0] in _UNCHANGEABLE and rest[3] != "0" and ".so" in line.rpartition("/")[2]
        elif word == "Rss:":
            resident = int(rest[0]) * 1024
        elif word == "Anonymous:" and rest[0] == "0" and is_code and resident:
            found.append(_Piece(begin, end, resident))
    return found
