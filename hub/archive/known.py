"""Which versions of detections a night's cells hold: kept in memory as numbers, read from the files when first asked for."""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub.archive import layout
from hub.archive.columns import PIXEL, ints_of, words_of
from hub.archive.segments import Footer, Footers, read_rows
from hub.model.revision import UNKNOWN

Ids = NDArray[np.int64]
"""Source ids, or revisions."""

Key = tuple[int, int, str]
"""Night, cell and survey."""


@dataclass(frozen=True, slots=True, eq=False)
class Versions:
    """Versions of detections, shape ``(n,)``."""

    ids: Ids
    revisions: Ids
    """As `hub.model.revision`."""

    def __len__(self) -> int:
        return len(self.ids)

    def sorted(self) -> "Versions":
        """Return them by id and then by revision, each once."""
        order = np.lexsort((self.revisions, self.ids))
        ids, revisions = self.ids[order], self.revisions[order]
        again = (ids[1:] == ids[:-1]) & (revisions[1:] == revisions[:-1])
        if not again.any():
            return Versions(ids, revisions)
        kept = np.concatenate(([True], ~again))
        return Versions(ids[kept], revisions[kept])

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Versions":
        """Return those of an index or mask."""
        return Versions(self.ids[index], self.revisions[index])


def together(parts: list[Versions]) -> Versions:
    """Return all of some versions."""
    return Versions(np.concatenate([one.ids for one in parts]), np.concatenate([one.revisions for one in parts]))


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What is known of some versions, shape ``(n,)``."""

    is_known: NDArray[np.bool_]
    """A version that holds as well or better is there."""

    outranks: NDArray[np.bool_]
    """Other versions of the detection are there, and none that holds better."""


@dataclass(slots=True)
class _Cell:
    runs: list[Versions] = field(default_factory=list)
    """Each sorted; each at least twice as long as the next, so that there are few and joining them is cheap."""

    seen: set[Path] = field(default_factory=set)
    """Files whose ids are here."""

    def add(self, more: Versions) -> None:
        """Add versions, in any order."""
        if len(more):
            self.runs.append(more.sorted())
        while len(self.runs) > 1 and len(self.runs[-2]) < 2 * len(self.runs[-1]):
            last = self.runs.pop()
            self.runs[-1] = together([self.runs[-1], last]).sorted()

    def look_up(self, asked: Versions) -> Held:
        least, greatest = np.full(len(asked), _GREATEST), np.full(len(asked), -1)
        for run in self.runs:
            first = np.searchsorted(run.ids, asked.ids)
            rows = np.flatnonzero(run.ids[np.minimum(first, len(run) - 1)] == asked.ids)
            if len(rows):
                last = np.searchsorted(run.ids, asked.ids[rows], side="right") - 1
                least[rows] = np.minimum(least[rows], run.revisions[first[rows]])
                greatest[rows] = np.maximum(greatest[rows], run.revisions[last])
        is_old = least == UNKNOWN  # stored before versions were told apart: holds as it did then
        return Held(
            is_known=is_old | (greatest >= asked.revisions),
            outranks=~is_old & (greatest <= asked.revisions) & (least < asked.revisions),
        )

    @property
    def n_bytes(self) -> int:
        return sum(run.ids.nbytes + run.revisions.nbytes for run in self.runs) + _BYTES_PER_FILE * len(self.seen)


_BYTES_PER_FILE = 300
"""What the name of a file costs in memory, about."""


class KnownIds:
    """The source ids of the cells that were asked for lately; used by one thread at a time.

    Parameters
    ----------
    archive
        Its folder.
    footers
        Of its files.
    limit_bytes
        Cells that were not asked for longest are forgotten beyond this.
    """

    def __init__(self, archive: Path, footers: Footers, limit_bytes: int) -> None:
        self._archive = archive
        self._footers = footers
        self._limit_bytes = limit_bytes
        self._cells: OrderedDict[Key, _Cell] = OrderedDict()

    @property
    def n_bytes(self) -> int:
        """Memory that the ids take."""
        return sum(cell.n_bytes for cell in self._cells.values())

    def look_up(self, night: int, survey: str, cells: NDArray[np.int64], asked: Versions) -> Held:
        """Return for each version what the files of the night hold in its cell, whoever wrote them."""
        wanted = np.unique(cells).tolist()
        self._refresh(night, survey, wanted)
        found = Held(np.zeros(len(asked), dtype=bool), np.zeros(len(asked), dtype=bool))
        for cell in wanted:
            rows = np.flatnonzero(cells == cell)
            held = self._cells[night, cell, survey].look_up(asked.take(rows))
            found.is_known[rows], found.outranks[rows] = held.is_known, held.outranks
        return found

    def add(self, night: int, survey: str, cells: NDArray[np.int64], new: Versions, path: Path) -> None:
        """Remember what was written to a file; its cells were just asked for."""
        for cell in np.unique(cells).tolist():
            known = self._cells[night, cell, survey]
            known.add(new.take(cells == cell))
            known.seen.add(path)

    def _refresh(self, night: int, survey: str, wanted: list[int]) -> None:
        for _ in range(layout.TRIES):
            files = layout.list_night(self._archive, night, set(wanted).__contains__)
            try:
                for cell in wanted:
                    self._refresh_cell((night, cell, survey), files)
            except FileNotFoundError:  # merged meanwhile
                continue
            return
        raise FileNotFoundError(self._archive)

    def _refresh_cell(self, key: Key, files: layout.NightFiles) -> None:
        _, cell, survey = key
        known = self._cells.setdefault(key, _Cell())
        self._cells.move_to_end(key)
        lo, hi = cell << layout.CELL_SHIFT, (cell + 1) << layout.CELL_SHIFT
        closed = [one.path for one in files.closed if one.lo < hi and one.hi > lo]
        present = [*files.fresh, *files.cells.get(cell, ()), *closed]
        if known.seen.isdisjoint(present):  # all was merged, or the night was deleted: only the files can tell
            known = self._cells[key] = _Cell()
        unseen = [path for path in reversed(present) if path not in known.seen]
        new: list[Versions] = []
        for path in unseen:
            footer = self._footers.get(path)
            replaces = footer.note.replaces
            if not replaces or not {layout.name_of(self._archive, one) for one in known.seen}.issuperset(replaces):
                new.append(_versions_in(path, footer, cell, survey))
        known.seen.update(unseen)
        # Files that are gone were replaced by others with the same rows: their ids stay, their names need not.
        known.seen.intersection_update(present)
        if new:
            known.add(together(new))

    def forget(self) -> None:
        """Forget the cells that were not asked for longest where they take too much memory."""
        total = self.n_bytes
        while total > self._limit_bytes and len(self._cells) > 1:
            _, old = self._cells.popitem(last=False)
            total -= old.n_bytes


def _versions_in(path: Path, footer: Footer, cell: int, survey: str) -> Versions:
    """Return the versions of a survey's detections that a file has in a cell."""
    note = footer.note
    if (note.cells and cell not in note.cells) or note.survey not in {"", survey}:
        return _NONE
    lo, hi = cell << layout.CELL_SHIFT, (cell + 1) << layout.CELL_SHIFT
    groups = np.flatnonzero((footer.pixel_lo < hi) & (footer.pixel_hi > lo)).tolist()
    if not groups:
        return _NONE
    table = read_rows(path, footer, groups, (PIXEL, "source_id", "revision", *(() if note.survey else ("survey",))))
    pixels = ints_of(table[PIXEL])
    wanted = (pixels >= lo) & (pixels < hi)
    if not note.survey:
        words = words_of(table["survey"])
        wanted &= np.isin(words.codes, [code for code, text in enumerate(words.values) if text == survey])
    return Versions(ints_of(table["source_id"]), ints_of(table["revision"])).take(wanted)


_GREATEST = np.iinfo(np.int64).max
_NONE = Versions(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
