"""A folder as a place that messages go to."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict, Field

from hub.errors import Transient
from hub.model.outgoing import Outgoing, Subject
from hub.ports import Health, PartContext

KIND = "folder"
"""Name in the settings."""

_SUFFIXES = {"application/xml": ".xml", "application/json": ".json", "application/avro": ".avro"}
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]")


class Options(BaseModel):
    """A folder that gets a file for each message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="Folder to write to; a relative one lies in data_dir. Made where it is missing")


@contextmanager
def open_sink(options: Options, context: PartContext) -> "Iterator[FolderSink]":
    """Give the folder; it is made with the first message."""
    yield FolderSink(context.data_dir / options.path)


def check(options: Options, context: PartContext) -> list[str]:
    """Try whether the folder can be written, and return what is wrong, in sentences; nothing stays behind."""
    return complaints(context.data_dir / options.path)


def complaints(folder: Path) -> list[str]:
    """Return why a folder cannot be made or written, in sentences; none where it can. Nothing stays behind."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink())
    if not there.is_dir():
        return [f"{there} is no folder: name a folder in path."]
    try:
        with TemporaryDirectory(prefix=".mmhub-check-", dir=there):
            pass
    except OSError as error:
        needed = f"let the hub's user write into {there}, or name another folder in path"
        return [f"The hub cannot write into {folder}: {error.strerror}; {needed}."]
    return []


class FolderSink:
    """Writes each message as a file, whole or not at all; writing it again changes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, outgoing: Outgoing) -> None:
        """Write ``<local part of the ivorn>.xml``, or ``.json``, ``.avro``, ``.bin`` by the media type; see `file_name`.

        Raises
        ------
        Transient
            The folder cannot be written; it may be later (full disk).
        """
        is_own = outgoing.subject != Subject.NOTICE
        target = self._folder / file_name(outgoing.ivorn, outgoing.media_type, is_own=is_own)
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

    def health(self) -> Health:
        """Return where it writes to."""
        return Health(state="writing", facts={"folder": str(self._folder)})


def file_name(ivorn: str, media_type: str = "application/xml", *, is_own: bool = True) -> str:
    """Return a safe file name for an ivorn: its part behind ``#`` with anything unusual replaced, different for any two ivorns.

    The hub's own messages are told apart by that part alone. Others, and what had to be changed, also get eight digits of a hash:
    another hub gives the same pair the same local name.
    """
    local = ivorn.rpartition("#")[2]
    safe = _UNUSUAL.sub("_", local or ivorn)[:120]
    if not is_own or safe != local:
        safe = f"{safe}-{hashlib.sha256(ivorn.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return safe + _SUFFIXES.get(media_type, ".bin")
