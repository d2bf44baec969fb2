"""What was taken out of the archive, as numbers: the books must still add up.

::

    removed/NIGHT-TOKEN/          a night that is being deleted
    removed/NIGHT-TOKEN.json      what it held; written before the files go

A number stands for a name that is never used again, so that whatever a crash interrupts is counted once.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from hub.archive.durable import make_folders, sync_folder
from hub.archive.layout import REMOVED
from hub.archive.space import translated


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was taken away."""

    rows: int = 0
    repeats: int = 0
    """As `hub.archive.counting.Count`."""


def new_token(night: int) -> str:
    """Return a name for what will be taken from a night."""
    return f"{night}-{secrets.token_hex(4)}"


def write_down(archive: Path, token: str, what: Removed) -> None:
    """Write down what was, or is about to be, taken away under a name; on the disk when this returns.

    Raises
    ------
    StorageError
        The disk is full or does not work.
    """
    path = archive / REMOVED / f"{token}.json"
    beside = path.with_name(f".{path.name}")
    with translated(path):
        make_folders(path.parent)
        with beside.open("w", encoding="utf-8") as file:
            json.dump(asdict(what), file)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        sync_folder(path.parent)


def is_written(archive: Path, token: str) -> bool:
    """Return whether something was written down under a name."""
    return (archive / REMOVED / f"{token}.json").is_file()


def removed(archive: Path) -> Removed:
    """Return everything that was ever taken away."""
    folder = archive / REMOVED
    if not folder.is_dir():
        return Removed()
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[!.]*.json"))]
    return Removed(rows=sum(one["rows"] for one in found), repeats=sum(one["repeats"] for one in found))


def nights(archive: Path) -> set[int]:
    """Return the nights of which anything was ever taken away."""
    folder = archive / REMOVED
    if not folder.is_dir():
        return set()
    names = (path.name.removesuffix(".json").rpartition("-")[0] for path in folder.glob("[!.]*"))
    return {int(name) for name in names if name.removeprefix("-").isdigit()}


def rows_of(archive: Path, night: int) -> int | None:
    """Return how many rows of a night were ever taken away; None where nothing was, or it is not counted yet."""
    folder = archive / REMOVED
    tokens = {path.name.removesuffix(".json") for path in folder.glob(f"{night}-*")} if folder.is_dir() else set()
    tokens = {token for token in tokens if token.rpartition("-")[0] == str(night)}
    files = [folder / f"{token}.json" for token in sorted(tokens)]
    if not files or not all(path.is_file() for path in files):
        return None
    return sum(int(json.loads(path.read_text(encoding="utf-8"))["rows"]) for path in files)
