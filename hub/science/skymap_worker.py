"""The child process that reads sky maps (``python -m``), spoken to by `hub.science.skymap_fits.SkymapWorker`.

A sky map comes from outside and its reader is a large library, so it is read here, under limits of memory, processor time and
file size. What reaches ligo.skymap is a clean file: an empty primary header and the first binary table, of which only the cards
that describe columns and pixels are kept. So no odd date, object name or history can refuse a map, and nothing is expanded that
the header does not account for.

Frames on stdin: 8 bytes of length, then the file. Frames on stdout: one status byte, 8 bytes of length, then the body: ``R``
ready, ``K`` columns (4 bytes of length, a JSON list of name, dtype and size, then the raw arrays), ``E`` refused with a
sentence, ``F`` refused and the process is no longer to be trusted.
"""

import gzip
import io
import json
import os
import re
import resource
import struct
import sys
import tempfile
import warnings
import zlib
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from hub.errors import sentence_of

MEMORY_BYTES = 2 << 30
"""Address space of the child; a flat map of nside 1024 with distances needs 1.7 GB of it while it is read."""

CPU_S = 20
"""Processor time for one map, seconds."""

MAX_EXPANDED_BYTES = 64 << 20
"""Largest multi-order table."""

MAX_FLAT_BYTES = 512 << 20
"""Largest table of a flat map that declares its resolution: nside 1024 with distances is 403 MB and compresses 263-fold."""

MAX_FLAT_NSIDE = 2048
"""Finest flat map."""

MAX_RATIO = 200
"""Largest compression of a multi-order table above one megabyte."""

MAX_HEADER_BYTES = 1 << 20
"""Largest sum of headers."""

MAX_ROWS = 5_000_000
"""Most pixels of a map, after equal neighbours of a flat map have been joined."""

MAX_COLUMNS = 64
"""Most columns of the table."""

_BLOCK = 2880
_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_KEPT = re.compile(r"(XTENSION|BITPIX|NAXIS[12]?|[PG]COUNT|TFIELDS|(TTYPE|TFORM|TSCAL|TZERO|TNULL)\d{1,2})$")
_DISTANCE = ("DISTMU", "DISTSIGMA", "DISTNORM")
_COLUMNS = ("UNIQ", "PROBDENSITY", *_DISTANCE)
_EQUATORIAL = {"C", "ICRS", "EQUATORIAL", "CELESTIAL"}

Columns = dict[str, NDArray[Any]]
"""UNIQ (int64), PROBDENSITY (float64) and perhaps the distance layers."""


class Refused(Exception):
    """The map breaks a rule; the text is the sentence for a person, whatever foreign words are in it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence_of(sentence))


@dataclass(frozen=True, slots=True)
class _Table:
    """The header of the table that holds the map, and how large its data are."""

    cards: dict[str, str]
    n_bytes: int
    is_flat: bool
    has_distance: bool

    def text(self, key: str) -> str:
        return _text(self.cards.get(key, ""))


def read_columns(data: bytes) -> Columns:
    """Return the columns of a FITS sky map, gzipped or not, multi-order or flat.

    Raises
    ------
    Refused
        The file breaks a limit or a rule of the format, with the reason.
    """
    is_compressed = data.startswith(_GZIP_MAGIC)
    try:
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=io.BytesIO(data)) if is_compressed else io.BytesIO(data))
        table = _find_table(stream)
        ratio = table.n_bytes / max(len(data), 1)
        if is_compressed and not table.is_flat and table.n_bytes > _CHUNK and ratio > MAX_RATIO:
            raise Refused(f"the compressed map expands {ratio:.0f}-fold, more than a map can")
        with tempfile.TemporaryFile() as clean:
            _copy(stream, clean, table)
            clean.seek(0)
            # The same file under a handle that says it is for reading, which astropy insists on.
            return _read(io.BufferedReader(io.FileIO(clean.fileno(), "rb", closefd=False)), table)
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(f"the map cannot be read: {error}") from error


def main() -> None:
    """Serve frames from stdin until it closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MAX_FLAT_BYTES, 2 * MAX_FLAT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not reach the answers
    _import_reader()
    _answer(answers, b"R", b"")
    while (frame := _frame(sys.stdin.buffer)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + CPU_S + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        try:
            columns = read_columns(frame)
        except Refused as refusal:
            _answer(answers, b"E", str(refusal).encode())
        except MemoryError:
            _answer(answers, b"F", b"the map needs more memory than a map may")
        except Exception as error:  # noqa: BLE001 - the loop that must survive a bad message
            _answer(answers, b"F", str(Refused(f"the map cannot be read: {type(error).__name__}: {error}")).encode())
        else:
            head = json.dumps([[name, column.dtype.str, len(column)] for name, column in columns.items()]).encode()
            body = b"".join([struct.pack(">I", len(head)), head, *(column.tobytes() for column in columns.values())])
            _answer(answers, b"K", body)


def _import_reader() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ligo.skymap.io.fits import read_sky_map  # noqa: PLC0415 - two seconds and 190 MB, wanted only in the child

        return read_sky_map


def _read(file: IO[bytes], table: _Table) -> Columns:
    """Return the columns as ligo.skymap reads them, in NESTED order whatever the file has."""
    read_sky_map = _import_reader()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if table.is_flat:
            # Joined by ourselves: its own joining takes 20 s for the three million distinct pixels of nside 512.
            layers, _ = read_sky_map(file, nest=True, distances=table.has_distance, mask_invalid=False)
            named = zip(_COLUMNS[1:], layers, strict=True) if table.has_distance else [("PROBDENSITY", layers)]
            return _joined({name: np.asarray(layer) for name, layer in named})
        read = read_sky_map(file, moc=True, mask_invalid=False)
    return {
        name: np.ascontiguousarray(read[name], dtype="<i8" if name == "UNIQ" else "<f8")
        for name in _COLUMNS
        if name in read.colnames
    }


def _joined(layers: Columns) -> Columns:
    """Return a flat map of probabilities (under the name PROBDENSITY) as the fewest pixels.

    Four equal neighbours become their parent, from the finest order upwards.
    """
    n_pixels = len(layers["PROBDENSITY"])
    order = (n_pixels // 12).bit_length() // 2
    # In the file's own precision, as ligo.skymap does, so that its levels are ours to the last digit.
    layers = layers | {"PROBDENSITY": layers["PROBDENSITY"] * (n_pixels / (4.0 * np.pi))}
    present: NDArray[np.bool_] = np.ones(n_pixels, dtype=np.bool_)
    equal: NDArray[np.bool_]
    uniq: list[NDArray[np.int64]] = []
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in layers}
    n_rows = 0
    for level in range(order, -1, -1):
        if level:
            equal = np.asarray(present.reshape(-1, 4).all(axis=1))
            for layer in layers.values():
                groups = layer.reshape(-1, 4)
                for sibling in (1, 2, 3):
                    np.logical_and(equal, groups[:, sibling] == groups[:, 0], out=equal)
        else:
            equal = np.zeros(0, dtype=np.bool_)
        staying = np.flatnonzero(present & ~np.repeat(equal, 4)) if level else np.flatnonzero(present)
        n_rows += len(staying)
        if n_rows > MAX_ROWS:
            raise Refused(f"the map has more than {MAX_ROWS} pixels of different probability")
        uniq.append(staying + (4 << (2 * level)))
        for name, layer in layers.items():
            parts[name].append(layer[staying])
        present, layers = equal, {name: layer[::4] for name, layer in layers.items()}
        if not equal.any():
            break
    return {"UNIQ": np.concatenate(uniq), **{name: np.concatenate(part).astype("<f8") for name, part in parts.items()}}


def _find_table(stream: IO[bytes]) -> _Table:
    """Read headers up to the data of the first binary table."""
    budget = MAX_HEADER_BYTES
    cards, used = _header(stream, budget)
    if _text(cards.get("SIMPLE", "")) != "T":
        raise Refused("this is no FITS file")
    for _ in range(16):
        budget -= used
        if _text(cards.get("XTENSION", "")) == "BINTABLE":
            return _checked(cards)
        _skip(stream, _data_bytes(cards))
        cards, used = _header(stream, budget)
    raise Refused("the file has too many parts before its first table")


def _header(stream: IO[bytes], budget: int) -> tuple[dict[str, str], int]:
    """Return the cards of one header, value and comment as text, and its size in bytes."""
    cards: dict[str, str] = {}
    used = 0
    while True:
        block = stream.read(_BLOCK)
        if len(block) < _BLOCK:
            raise Refused("this is no FITS file" if not cards else "the file ends before it has a table of a sky map")
        if not used and not block.startswith((b"SIMPLE  =", b"XTENSION=")):
            raise Refused("this is no FITS file")
        used += _BLOCK
        if used > budget:
            raise Refused("the header is larger than one megabyte")
        for start in range(0, _BLOCK, 80):
            card = block[start : start + 80].decode("ascii", "replace")
            key = card[:8].rstrip()
            if key == "END":
                return cards, used
            if card[8:10] == "= ":
                cards.setdefault(key, card[10:])


def _text(value: str) -> str:
    """Return the value of a card without quotes and comment."""
    stripped = value.strip()
    if stripped.startswith("'"):
        return stripped[1:].split("'", 1)[0].strip()
    return stripped.split("/", 1)[0].strip()


def _integer(cards: dict[str, str], key: str, default: int | None = None) -> int:
    text = _text(cards.get(key, ""))
    if not text and default is not None:
        return default
    try:
        number = int(text[:20])
    except ValueError:
        raise Refused(f"the header's {key} is no number") from None
    if number < 0:
        raise Refused(f"the header's {key} is negative")
    return number


def _data_bytes(cards: dict[str, str]) -> int:
    """Return the size of an HDU's data without padding."""
    axes = _integer(cards, "NAXIS", 0)
    if axes == 0:
        return 0
    if axes > 9:
        raise Refused("the header has too many axes")
    elements = 1
    for axis in range(1, axes + 1):
        elements *= _integer(cards, f"NAXIS{axis}")
    bits = abs(int(_text(cards.get("BITPIX", "")) or 8))
    return bits // 8 * _integer(cards, "GCOUNT", 1) * (_integer(cards, "PCOUNT", 0) + elements)


def _skip(stream: IO[bytes], n_bytes: int) -> None:
    left = -(-n_bytes // _BLOCK) * _BLOCK
    if left > MAX_EXPANDED_BYTES:
        raise Refused("the file has too much data before its first table")
    while left > 0:
        chunk = stream.read(min(left, _CHUNK))
        if not chunk:
            raise Refused("the file ends before it has a table of a sky map")
        left -= len(chunk)


def _checked(cards: dict[str, str]) -> _Table:
    """Return the table if its header is that of a sky map of bearable size."""
    n_bytes = _data_bytes(cards)
    rows, fields = _integer(cards, "NAXIS2"), _integer(cards, "TFIELDS")
    if _integer(cards, "NAXIS") != 2 or _integer(cards, "PCOUNT", 0) != 0 or not 1 <= fields <= MAX_COLUMNS:
        raise Refused("the table is not a plain table of pixels")
    if rows == 0:
        raise Refused("the table of the map is empty")
    names = [_text(cards.get(f"TTYPE{i}", "")).upper() for i in range(1, fields + 1)]
    frame = _text(cards.get("COORDSYS", "C")).upper()
    if frame not in _EQUATORIAL:
        raise Refused(f"the map is in the coordinate system {frame[:20]}, not in equatorial coordinates")
    has_distance = set(_DISTANCE) <= set(names)
    if "UNIQ" in names:
        if "PROBDENSITY" not in names:
            raise Refused("the table has pixels but no PROBDENSITY: a coverage map is no sky map")
        if rows > MAX_ROWS:
            raise Refused(f"the map has {rows} pixels, more than {MAX_ROWS}")
        if n_bytes > MAX_EXPANDED_BYTES:
            raise Refused("the table of the map is larger than 64 MB")
        return _Table(cards, n_bytes, is_flat=False, has_distance=has_distance)
    _check_flat(cards, names, rows, n_bytes)
    return _Table(cards, n_bytes, is_flat=True, has_distance=has_distance)


def _check_flat(cards: dict[str, str], names: list[str], rows: int, n_bytes: int) -> None:
    if not {"PROB", "PROBABILITY"} & set(names):
        raise Refused("the table has neither UNIQ and PROBDENSITY nor PROB columns")
    if _text(cards.get("ORDERING", "")).upper() not in {"RING", "NESTED"}:
        raise Refused("the map does not say whether its pixels are in RING or NESTED order")
    column = names.index("PROB" if "PROB" in names else "PROBABILITY") + 1
    form = re.match(r"(\d{0,9})[DE]", _text(cards.get(f"TFORM{column}", "")))
    if form is None:
        raise Refused("the probabilities are not floating-point numbers")
    pixels = rows * int(form.group(1) or 1)
    nside = round((pixels / 12) ** 0.5)
    if 12 * nside**2 != pixels or nside & (nside - 1) or nside == 0:
        raise Refused(f"{pixels} pixels are not a whole sphere of HEALPix pixels")
    if nside > MAX_FLAT_NSIDE or n_bytes > MAX_FLAT_BYTES:
        raise Refused(f"the flat map of nside {nside} is larger than a map may be")
    if _integer(cards, "NSIDE", nside) != nside:
        raise Refused("the header's NSIDE does not agree with the number of pixels")


def _copy(stream: IO[bytes], clean: IO[bytes], table: _Table) -> None:
    """Write a file of the table alone: our primary header, the cards that matter, exactly the declared data."""
    primary = [f"{key:<8}= {value:>20}" for key, value in (("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0"), ("EXTEND", "T"))]
    kept = [f"{key:<8}= {value}" for key, value in table.cards.items() if _KEPT.match(key)]
    if table.is_flat:
        kept.append(f"ORDERING= '{table.text('ORDERING').upper():<8}'")
    for cards in (primary, kept):
        block = "".join(f"{card:<80}"[:80] for card in [*cards, "END"]).encode("ascii", "replace")
        clean.write(block + b" " * (-len(block) % _BLOCK))
    left = table.n_bytes
    while left > 0:
        chunk = stream.read(min(left, _CHUNK))
        if not chunk:
            raise Refused("the table of the map is cut short")
        clean.write(chunk)
        left -= len(chunk)
    clean.write(b"\0" * (-table.n_bytes % _BLOCK))


def _frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(8)
    if len(head) < 8:
        return None
    (size,) = struct.unpack(">Q", head)
    return stream.read(size)


def _answer(stream: BinaryIO, status: bytes, body: bytes) -> None:
    stream.write(status + struct.pack(">Q", len(body)))
    stream.write(body)
    stream.flush()


if __name__ == "__main__":
    main()
