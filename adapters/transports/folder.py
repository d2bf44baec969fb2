"""A folder as a place that messages go to."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hub.errors import Transient
from hub.model.outgoing import Outgoing
from hub.ports import Health, PartContext


KIND = "folder"
"""Name in the settings."""

_SUFFIXES = {"application/xml": ".xml", "application/json": ".json"}


class Options(BaseModel):
    """A folder that gets a file for each message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="Folder to write to; a relative one lies in data_dir. Made where it is missing")


@contextmanager
def open_sink(options: Options, context: PartContext) -> "Iterator[FolderSink]":
    """Give the folder; it is made with the first message."""
    yield FolderSink(context.data_dir / options.path)


class FolderSink:
    """Writes each message as a file, whole or not at all; writing it again changes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, outgoing: Outgoing) -> None:
        """Write ``<local part of the ivorn>.xml``, or ``.json``, ``.bin`` by the media type.

        Raises
        ------
        Transient
            The folder cannot be written; it may be later (full disk).
        """
        target = self._folder / file_name(outgoing.ivorn, outgoing.media_type)
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


def file_name(ivorn: str, media_type: str = "application/xml") -> str:
    """Return a safe file name for an ivorn: its part behind ``#`` with anything unusual replaced."""
    local = ivorn.rpartition("#")[2] or ivorn
    return re.sub(r"[^A-Za-z0-9._-]", "_", local)[:120] + _SUFFIXES.get(media_type, ".bin")
