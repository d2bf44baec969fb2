"""Files and folders: a place messages come from, and a place they go to."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from hub.errors import Transient
from hub.model.envelope import Envelope, Trust
from hub.model.outgoing import Outgoing
from hub.ports import Clock

MAX_FILE_BYTES = 512 * 1024 * 1024
"""Larger files are not read; the largest message that exists is a flat sky map of 0.4 GB, expanded."""


def paths_of(names: Iterable[str]) -> Iterator[Path]:
    """Yield the files that names stand for: each file itself, each folder's files in sorted order, hidden ones left out."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and not any(part.startswith(".") for part in inner.relative_to(path).parts):
                    yield inner
        else:
            yield path


def read_envelopes(
    names: Iterable[str], *, clock: Clock, trust: Trust = Trust.TRUSTED, source: str = "file"
) -> Iterator[Envelope]:
    """Yield one envelope per file; the operator who names a file vouches for it.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    for path in paths_of(names):
        if path.stat().st_size > MAX_FILE_BYTES:
            continue
        yield Envelope(payload=path.read_bytes(), source=source, position=str(path), received_at=clock(), trust=trust)


class FolderSink:
    """Writes each message as a file, whole or not at all; writing it again changes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, outgoing: Outgoing) -> None:
        """Write ``<local part of the ivorn>.xml``.

        Raises
        ------
        Transient
            The folder cannot be written; it may be later (full disk).
        """
        target = self._folder / file_name(outgoing.ivorn)
        partial = target.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as stream:
                stream.write(outgoing.payload)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(target)
        except OSError as error:
            raise Transient(f"cannot write {target}: {error.strerror}") from error


def file_name(ivorn: str) -> str:
    """Return a safe file name for an ivorn: its part behind ``#`` with anything unusual replaced."""
    local = ivorn.rpartition("#")[2] or ivorn
    return re.sub(r"[^A-Za-z0-9._-]", "_", local)[:120] + ".xml"
