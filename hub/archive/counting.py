"""How many rows there are, and were, from the footers of the files."""

from dataclasses import dataclass
from pathlib import Path

from hub.archive import layout
from hub.archive.removed import removed
from hub.archive.searching import repeated
from hub.archive.segments import Footers, replaced


@dataclass(frozen=True, slots=True)
class Count:
    """Of a night or more."""

    rows: int = 0
    repeats: int = 0
    """Rows that two processes stored at the same instant, both as new, and of which one was left out since."""

    def __add__(self, other: "Count") -> "Count":
        return Count(self.rows + other.rows, self.repeats + other.repeats)


class Counts:
    """Counts rows night by night; what a file that is replaced still holds does not count."""

    def __init__(self, archive: Path, footers: Footers) -> None:
        self._archive = archive
        self._footers = footers

    def stored(self) -> int:
        """Return how many rows are stored."""
        return self._all().rows

    def ever(self) -> int:
        """Return how many rows were ever told to be new: those stored, those deleted, and repeats."""
        found, gone = self._all(), removed(self._archive)
        return found.rows + found.repeats + gone.rows + gone.repeats

    def of_night(self, night: int) -> Count:
        """Return how many rows a night has."""
        return repeated(lambda: self._of_night(night), self._archive)

    def _all(self) -> Count:
        return sum((self.of_night(night) for night in layout.nights(self._archive)), Count())

    def _of_night(self, night: int) -> Count:
        files = layout.list_night(self._archive, night)
        paths = [*files.fresh, *(path for paths in files.cells.values() for path in paths)]
        found = {layout.name_of(self._archive, path): self._footers.get(path) for path in paths}
        gone = replaced(footer.note for footer in found.values())
        total = Count(sum(one.n_rows for one in files.closed), files.closed_repeats)
        for name, footer in found.items():
            cells = {cell: n for cell, n in footer.note.cells.items() if cell not in gone.get(name, ())}
            # A file that replaces another has its number of repeats too.
            total += Count(sum(cells.values()), 0 if name in gone else footer.note.repeats)
        return total
