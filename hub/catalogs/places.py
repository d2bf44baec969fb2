"""The order-29 pixels of a catalogue beside it, mapped into memory: all processes of a machine share them."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from hub.science.healpix import Int64s

_ENDING = ".pixels.npy"


def pixels_of(path: Path, file: pq.ParquetFile) -> Int64s:
    """Return the pixels of all rows, ascending, read-only; written beside the catalogue where that can be."""
    beside = path.with_name(f".{path.name}-{path.stat().st_size}-{path.stat().st_mtime_ns}{_ENDING}")
    if not beside.is_file():
        pixels = _read(file)
        try:
            _write(beside, pixels)
        except OSError:  # a folder that only others may write into: then each process has its own
            return pixels
        forget(path, but=beside)
    return np.load(beside, mmap_mode="r")  # type: ignore[no-any-return] # numpy says Any


def forget(path: Path, but: Path | None = None) -> None:
    """Remove what lies beside a catalogue; whoever has it open keeps it."""
    for one in path.parent.glob(f".{path.name}-*{_ENDING}"):
        if one != but:
            with suppress(OSError):
                one.unlink()


def _read(file: pq.ParquetFile) -> Int64s:
    pixels = np.empty(file.metadata.num_rows, dtype=np.int64)
    start = 0
    for batch in file.iter_batches(columns=["_healpix_29"], batch_size=1 << 18):
        pixels[start : start + len(batch)] = batch.column(0).to_numpy()
        start += len(batch)
    pixels.setflags(write=False)
    return pixels


def _write(target: Path, pixels: Int64s) -> None:
    number, name = tempfile.mkstemp(prefix=".pixels-", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as file:
            np.save(file, pixels)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
