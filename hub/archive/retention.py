"""Old nights go: by age, and where the archive is too large.

A night leaves in one step for each of its folders, into ``removed/``, is counted there, and only then deleted: a crash in between
is made good at the next call.

The ledger of its visits stays, for as long as `hub.archive.visits_ledger` keeps it: it is small, and says what was searched.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from hub.archive import hats, layout
from hub.archive.compaction import tidy
from hub.archive.counting import Counts
from hub.archive.durable import make_folders, sync_folder
from hub.archive.merging import alone
from hub.archive.removed import Removed, is_written, new_token, write_down
from hub.archive.segments import Footers
from hub.archive.space import translated
from hub.model.instant import Instant

DAY_S = 86_400.0
"""Seconds in a day."""

NEEDED_DAYS = 250.0
"""How far the longest hypothesis looks back, days."""

KEPT_NIGHTS = 2
"""The latest nights stay whatever their size: they are being written."""

_KINDS = (layout.FRESH, layout.CELLS, hats.NIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A night that was deleted."""

    night: int
    rows: int
    n_bytes: int
    text: str
    """Why, as a sentence."""

    is_early: bool
    """Whether a hypothesis may still have asked for it."""


def retire(archive: Path, *, now: Instant, keep_days: float, max_bytes: int) -> list[Retired]:
    """Delete the nights that are too old, then the oldest ones while the archive is too large; return which.

    Parameters
    ----------
    archive
        Its folder.
    now
        The present.
    keep_days
        Nights that ended longer ago are deleted, days.
    max_bytes
        Largest size; 0 for no limit.

    Raises
    ------
    StorageError
        The disk does not work.
    """
    with alone(archive) as is_mine:
        if not is_mine:
            return []
        _finish(archive)
        nights = layout.nights(archive)
        gone = [
            _delete(archive, night, f"is older than archive.keep_days, {keep_days:g} days", now)
            for night in nights
            if _age_days(night, now) > keep_days
        ]
        return [*gone, *_shrink(archive, now, max_bytes)]


def _shrink(archive: Path, now: Instant, max_bytes: int) -> list[Retired]:
    if not max_bytes:
        return []
    sizes = {night: size_of(archive, night) for night in layout.nights(archive)}
    total = sum(sizes.values())
    gone = []
    for night in sorted(sizes)[:-KEPT_NIGHTS]:
        if total <= max_bytes:
            break
        reason = f"was the oldest while the archive took {total / 1e9:.3g} GB, more than archive.max_gb, {max_bytes / 1e9:.3g} GB"
        gone.append(_delete(archive, night, reason, now))
        total -= sizes[night]
    return gone


def size_of(archive: Path, night: int) -> int:
    """Return what the files of a night take, bytes."""
    return sum(_size(archive / kind / str(night)) for kind in _KINDS)


def _age_days(night: int, now: Instant) -> float:
    """Return how long ago a night ended, days."""
    return now.mjd_tai - (night + 1.5)


def _delete(archive: Path, night: int, reason: str, now: Instant) -> Retired:
    with translated(archive / hats.NIGHTS):
        tidy(archive, night)  # a catalog that a crash left under its former name goes too
    n_bytes = size_of(archive, night)
    token = new_token(night)
    grave = archive / layout.REMOVED / token
    with translated(grave):
        make_folders(grave)
        for kind in _KINDS:
            place = archive / kind / str(night)
            if place.is_dir():
                make_folders(grave / kind)
                place.rename(grave / kind / str(night))
                sync_folder(place.parent)
    rows = _bury(archive, token)
    age = _age_days(night, now)
    early = age < NEEDED_DAYS
    text = f"the night {night} ({layout.night_name(night)}) with {rows} alerts {reason}, and was deleted"
    text += f", although events may look back {NEEDED_DAYS:g} days" if early else ""
    return Retired(night=night, rows=rows, n_bytes=n_bytes, text=text, is_early=early)


def _finish(archive: Path) -> None:
    """End what a crash interrupted."""
    folder = archive / layout.REMOVED
    if not folder.is_dir():
        return
    for grave in sorted(path for path in folder.iterdir() if path.is_dir()):
        _bury(archive, grave.name)


def _bury(archive: Path, token: str) -> int:
    """Count what lies in a grave, write it down, delete it; return how many rows were counted."""
    grave = archive / layout.REMOVED / token
    rows = 0
    if not is_written(archive, token):
        # A grave is laid out as an archive is, and its files name each other by the same names.
        counts = Counts(grave, Footers())
        found = counts.of_night(int(token.rpartition("-")[0]))
        rows = found.rows
        write_down(archive, token, Removed(rows=found.rows, repeats=found.repeats))
    with translated(grave):
        shutil.rmtree(grave)
    return rows


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # merged meanwhile
            continue
    return total
