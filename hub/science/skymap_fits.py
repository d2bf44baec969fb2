"""Sky maps in files: bytes to validated maps in a limited child process, and maps to FITS and MOC."""

import io
import json
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import hub
from hub.errors import SkymapRefused
from hub.model.sky import Skymap
from hub.science.healpix import MAX_ORDER, merge, order_of_ranges, pixels_of_ranges, uniq_of_ranges
from hub.science.levels import Levels2D
from hub.science.skymap_rules import validate

MAX_COMPRESSED_BYTES = 8 << 20
"""Largest gzipped file."""

MAX_PLAIN_BYTES = 64 << 20
"""Largest file that is not gzipped."""

MAPS_PER_CHILD = 200
"""A child is replaced after this many maps, so that whatever leaks in it leaks little."""

START_S = 120.0
"""Time for a child to import what it needs; 2 s on an idle machine."""

MAP_S = 60.0
"""Wall-clock time for one map; its processor time is limited to 20 s by the child itself."""

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables of the environment that a child sees; no secret is among them."""


class SkymapWorker:
    """Reads sky maps in a warm child process with limits; safe to call from several threads, one map at a time.

    The child starts with `warm` or the first map, and is replaced after `MAPS_PER_CHILD` maps and after any failure.
    """

    def __init__(self, *, maps_per_child: int = MAPS_PER_CHILD, map_s: float = MAP_S) -> None:
        self._maps_per_child = maps_per_child
        self._map_s = map_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._n_read = 0
        self._keeps_warm = False
        self._is_awaited = False
        """Whether the child has not said yet that it is ready."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    @property
    def child_pid(self) -> int | None:
        """Process id of the child, None where there is none now."""
        child = self._child
        return None if child is None else child.pid

    def warm(self) -> None:
        """Start the child now and each successor at once, without waiting until they are ready: no map then waits for a start."""
        with self._lock:
            self._keeps_warm = True
            if self._child is None:
                self._spawn()

    def read(self, data: bytes) -> tuple[Skymap, tuple[str, ...]]:
        """Return the map of a FITS file, gzipped or not, and remarks.

        Raises
        ------
        SkymapRefused
            The file breaks a limit, the format or a rule, with the reason as one sentence.
        """
        if not data:
            raise SkymapRefused("the file of the map is empty")
        limit = MAX_COMPRESSED_BYTES if data.startswith(b"\x1f\x8b") else MAX_PLAIN_BYTES
        if len(data) > limit:
            raise SkymapRefused(f"the file of the map is larger than {limit >> 20} MB")
        with self._lock:
            try:
                columns = self._ask(data)
            finally:
                if self._keeps_warm and self._child is None:
                    self._spawn()
        return validate(columns)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._keeps_warm = False
            self._drop()

    def _ask(self, data: bytes) -> dict[str, NDArray[Any]]:
        child = self._child or self._spawn()
        if self._is_awaited:
            self._greet(child)
        # The timer ends a child that hangs; its pipes then break, whatever we are waiting for.
        watchdog = threading.Timer(self._map_s, child.kill)
        watchdog.start()
        try:
            assert child.stdin is not None
            child.stdin.write(struct.pack(">Q", len(data)))
            child.stdin.write(data)
            child.stdin.flush()
            status, body = _receive(child)
        except (OSError, EOFError) as error:
            self._drop()
            raise SkymapRefused("reading the map took too much time or memory") from error
        finally:
            watchdog.cancel()
        self._n_read += 1
        if status == b"F" or self._n_read >= self._maps_per_child:
            self._drop()
        if status != b"K":
            raise SkymapRefused(body.decode("utf-8", "replace"))
        return _columns(body)

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        # The same packages as here, wherever this process found them; one thread, for threads of a linear algebra library cost
        # memory.
        paths = [str(Path(hub.__file__).parent.parent), *(path for path in sys.path if path)]
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "hub.science.skymap_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._child, self._n_read, self._is_awaited = child, 0, True
        return child

    def _greet(self, child: subprocess.Popen[bytes]) -> None:
        """Wait until a child is ready."""
        watchdog = threading.Timer(START_S, child.kill)
        watchdog.start()
        try:
            _receive(child)
        except (OSError, EOFError) as error:
            self._drop()
            raise SkymapRefused("the process that reads maps does not start") from error
        finally:
            watchdog.cancel()
        self._is_awaited = False

    def _drop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was still to be written has no reader any more


def to_fits(skymap: Skymap, *, object_id: str | None = None, creator: str = "multimessenger-hub") -> bytes:
    """Return a multi-order FITS file of the map, as ligo.skymap writes them; the same map gives the same bytes.

    Parameters
    ----------
    skymap
        The map; rows are written in ascending UNIQ order, distances where it has them.
    object_id
        Name of the event for the OBJECT card.
    creator
        Name of the program for the CREATOR card.
    """
    uniq = uniq_of_ranges(skymap.lo, skymap.hi)
    by_uniq = np.argsort(uniq)
    columns = [
        {"name": "UNIQ", "format": "K", "array": uniq[by_uniq]},
        {"name": "PROBDENSITY", "format": "D", "unit": "sr-1", "array": skymap.probdensity[by_uniq]},
    ]
    layers = (("DISTMU", "Mpc", skymap.distmu), ("DISTSIGMA", "Mpc", skymap.distsigma), ("DISTNORM", "Mpc-2", skymap.distnorm))
    columns.extend(
        {"name": name, "format": "D", "unit": unit, "array": layer[by_uniq]} for name, unit, layer in layers if layer is not None
    )
    cards: dict[str, Any] = {
        "PIXTYPE": "HEALPIX",
        "ORDERING": "NUNIQ",
        "COORDSYS": "C",
        "MOCORDER": int(order_of_ranges(skymap.lo, skymap.hi).max()),
        "INDXSCHM": "EXPLICIT",
        "CREATOR": _card_text(creator),
    }
    if object_id is not None:
        cards["OBJECT"] = _card_text(object_id)
    return _fits_bytes(columns, cards)


def to_moc(skymap: Skymap, level: float) -> dict[str, list[int]]:
    """Return the smallest region that reaches a probability as an IVOA MOC 2.0 in JSON form: order to ascending NESTED pixels."""
    lo, hi = _region_pixels(skymap, level)
    orders = order_of_ranges(lo, hi)
    return {str(order): (lo[orders == order] >> (2 * (MAX_ORDER - order))).tolist() for order in sorted(set(orders.tolist()))}


def to_moc_fits(skymap: Skymap, level: float) -> bytes:
    """Return the same region as an IVOA MOC in a FITS file of UNIQ numbers; the same map gives the same bytes."""
    lo, hi = _region_pixels(skymap, level)
    uniq = np.sort(uniq_of_ranges(lo, hi))
    cards = {
        "PIXTYPE": "HEALPIX",
        "ORDERING": "NUNIQ",
        "COORDSYS": "C",
        "MOCVERS": "2.0",
        "MOCDIM": "SPACE",
        "MOCORD_S": int(order_of_ranges(lo, hi).max()),
        "MOCORDER": int(order_of_ranges(lo, hi).max()),
        "INDXSCHM": "EXPLICIT",
    }
    return _fits_bytes([{"name": "UNIQ", "format": "K", "array": uniq}], cards)


def moc_json(skymap: Skymap, level: float) -> str:
    """Return `to_moc` as JSON text."""
    return json.dumps(to_moc(skymap, level), separators=(",", ":"))


def _region_pixels(skymap: Skymap, level: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    inside = Levels2D.of(skymap).region(level)
    return pixels_of_ranges(*merge(skymap.lo[inside], skymap.hi[inside]))


def _fits_bytes(columns: list[dict[str, Any]], cards: dict[str, Any]) -> bytes:
    from astropy.io import fits  # noqa: PLC0415 - a quarter of a second that only those who write maps pay

    table = fits.BinTableHDU.from_columns([fits.Column(**column) for column in columns])
    for key, value in cards.items():
        table.header[key] = value
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()


def _card_text(text: str) -> str:
    """Return what a FITS card can hold: printable ASCII, at most 60 characters."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:60]


def _receive(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Return status and body of one answer; `EOFError` where the child is gone."""
    assert child.stdout is not None
    head = child.stdout.read(9)
    if len(head) < 9:
        raise EOFError
    (size,) = struct.unpack(">Q", head[1:])
    body = child.stdout.read(size)
    if len(body) < size:
        raise EOFError
    return head[:1], body


def _columns(body: bytes) -> dict[str, NDArray[Any]]:
    (size,) = struct.unpack(">I", body[:4])
    at = 4 + size
    columns: dict[str, NDArray[Any]] = {}
    for name, kind, count in json.loads(body[4:at]):
        columns[name] = np.frombuffer(body, dtype=kind, count=count, offset=at)
        at += columns[name].nbytes
    return columns
