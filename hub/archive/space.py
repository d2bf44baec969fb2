"""What the disk has to say: whether there is room, and its faults as sentences."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from hub.errors import StorageError

MB = 1_000_000
"""Bytes in a megabyte."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def free_bytes(folder: Path) -> int:
    """Return how much room there is where a folder lies or would lie, bytes; raises `StorageError` as `translated`."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    with translated(folder):
        found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def shortage(folder: Path, min_free_bytes: int) -> str | None:
    """Return the sentence that there is too little room, None where there is enough."""
    free = free_bytes(folder)
    if free >= min_free_bytes:
        return None
    return (
        f"the disk of the archive {folder} has {free / MB:.0f} MB free, less than the {min_free_bytes / MB:.0f} MB of"
        " archive.min_free_mb: no alert is taken in until there is room"
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the faults of the disk into ours; a file that is gone stays `FileNotFoundError`.

    Raises
    ------
    StorageError
        With a sentence.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except pa.ArrowInvalid as error:
        raise StorageError(f"the archive's file {path} is damaged: {str(error).splitlines()[0]}") from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(f"the disk of the archive is full: {path.name} cannot be written in {path.parent}") from error
        raise StorageError(f"the archive cannot be used: {path}: {error.strerror or error}") from error
