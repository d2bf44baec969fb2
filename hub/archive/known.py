"""Which source ids a night's cells hold: kept in memory as sorted numbers, read from the files when they are first asked for."""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub.archive import layout
from hub.archive.columns import PIXEL, ints_of, words_of
from hub.archive.segments import Footer, Footers, read_rows

Ids = NDArray[np.int64]
"""Source ids."""

Key = tuple[int, int, str]
"""Night, cell and survey."""


@dataclass(slots=True)
class _Cell:
    runs: list[Ids] = field(default_factory=list)
    """Each ascending; each at least twice as long as the next, so that there are few and joining them is cheap."""

    seen: set[Path] = field(default_factory=set)
    """Files whose ids are here."""

    def add(self, ids: Ids) -> None:
        """Add ids, in any order."""
        if len(ids):
            self.runs.append(np.sort(ids))
        while len(self.runs) > 1 and len(self.runs[-2]) < 2 * len(self.runs[-1]):
            last = self.runs.pop()
            self.runs[-1] = np.unique(np.concatenate([self.runs[-1], last]))

    def holds(self, ids: Ids) -> NDArray[np.bool_]:
        found = np.zeros(len(ids), dtype=bool)
        for run in self.runs:
            place = np.minimum(np.searchsorted(run, ids), len(run) - 1)
            found |= run[place] == ids
        return found

    @property
    def n_bytes(self) -> int:
        return sum(run.nbytes for run in self.runs) + _BYTES_PER_FILE * len(self.seen)


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

    def which(self, night: int, survey: str, cells: NDArray[np.int64], ids: Ids) -> NDArray[np.bool_]:
        """Return for each source id whether a file of the night holds it in its cell, whoever wrote the file."""
        wanted = np.unique(cells).tolist()
        self._refresh(night, survey, wanted)
        found = np.zeros(len(ids), dtype=bool)
        for cell in wanted:
            rows = np.flatnonzero(cells == cell)
            found[rows] = self._cells[night, cell, survey].holds(ids[rows])
        return found

    def add(self, night: int, survey: str, cells: NDArray[np.int64], ids: Ids, path: Path) -> None:
        """Remember what was written to a file; its cells were just asked for."""
        for cell in np.unique(cells).tolist():
            known = self._cells[night, cell, survey]
            known.add(ids[cells == cell])
            known.seen.add(path)
        self._forget()

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
        new: list[Ids] = []
        for path in unseen:
            footer = self._footers.get(path)
            replaces = footer.note.replaces
            if not replaces or not {layout.name_of(self._archive, one) for one in known.seen}.issuperset(replaces):
                new.append(_ids_in(path, footer, cell, survey))
        known.seen.update(unseen)
        # Files that are gone were replaced by others with the same rows: their ids stay, their names need not.
        known.seen.intersection_update(present)
        if new:
            known.add(np.unique(np.concatenate(new)))

    def _forget(self) -> None:
        total = self.n_bytes
        while total > self._limit_bytes and len(self._cells) > 1:
            _, old = self._cells.popitem(last=False)
            total -= old.n_bytes


def _ids_in(path: Path, footer: Footer, cell: int, survey: str) -> Ids:
    """Return the source ids of a survey that a file has in a cell."""
    note = footer.note
    if (note.cells and cell not in note.cells) or note.survey not in {"", survey}:
        return _NONE
    lo, hi = cell << layout.CELL_SHIFT, (cell + 1) << layout.CELL_SHIFT
    groups = np.flatnonzero((footer.pixel_lo < hi) & (footer.pixel_hi > lo)).tolist()
    if not groups:
        return _NONE
    table = read_rows(path, footer, groups, (PIXEL, "source_id", *(() if note.survey else ("survey",))))
    pixels, ids = ints_of(table[PIXEL]), ints_of(table["source_id"])
    wanted = (pixels >= lo) & (pixels < hi)
    if not note.survey:
        words = words_of(table["survey"])
        wanted &= np.isin(words.codes, [code for code, text in enumerate(words.values) if text == survey])
    return np.asarray(ids[wanted])


_NONE: Ids = np.zeros(0, dtype=np.int64)
