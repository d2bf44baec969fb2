"""How many rows there are, from the footers of the files."""

from pathlib import Path

from hub.archive import layout
from hub.archive.searching import repeated
from hub.archive.segments import Footers


class Counts:
    """Counts rows night by night; what a file that is replaced still holds does not count."""

    def __init__(self, archive: Path, footers: Footers) -> None:
        self._archive = archive
        self._footers = footers

    def count(self) -> int:
        """Return how many rows are stored."""
        return sum(self.of_night(night) for night in layout.nights(self._archive))

    def of_night(self, night: int) -> int:
        """Return how many rows a night has."""
        return repeated(lambda: self._of_night(night), self._archive)

    def _of_night(self, night: int) -> int:
        files = layout.list_night(self._archive, night)
        total = sum(one.n_rows for one in files.closed)
        replaced_in: dict[str, set[int]] = {}
        for cell, paths in files.cells.items():
            notes = {path: self._footers.get(path) for path in paths}
            gone = {name for footer in notes.values() for name in footer.note.replaces}
            total += sum(footer.n_rows for path, footer in notes.items() if layout.name_of(self._archive, path) not in gone)
            for name in gone:
                replaced_in.setdefault(name, set()).add(cell)
        for path in files.fresh:
            gone_cells = replaced_in.get(layout.name_of(self._archive, path), set())
            total += sum(n for cell, n in self._footers.get(path).note.cells.items() if cell not in gone_cells)
        return total
