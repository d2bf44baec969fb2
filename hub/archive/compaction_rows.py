"""The rows of a night as its files hold them: which repeat others, and all of one pixel."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hub.archive import layout
from hub.archive.columns import DICTIONARY_COLUMNS, PIXEL, SCHEMA, completed, concatenated, ints_of, take_rows, words_of
from hub.archive.hats import Pixel
from hub.archive.hats_writing import Counts, count
from hub.archive.segments import Footer, Footers, Note, replaced
from hub.archive.space import translated
from hub.model.revision import UNKNOWN

Ids = NDArray[np.int64]
"""Source ids, order-29 pixels or revisions."""

_NO_PLACES = np.zeros(0, dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What is known of a survey's rows in a night before they are read whole."""

    n_rows: int
    n_distinct: int
    """Different source ids."""

    repeated: Ids
    """Source ids of several rows, ascending."""

    best: Ids
    """For each of `repeated` the revision that holds."""

    taken: NDArray[np.bool_]
    """For each of `repeated` whether its row is in the catalog already."""

    def places(self, ids: Ids) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which of some rows are of several, as indices into `repeated` and into the rows."""
        if not len(self.repeated):
            return _NO_PLACES, _NO_PLACES
        place = np.minimum(np.searchsorted(self.repeated, ids), len(self.repeated) - 1)
        several = np.flatnonzero(self.repeated[place] == ids)
        return place[several], several


@dataclass(frozen=True, slots=True, eq=False)
class _File:
    path: Path
    footer: Footer
    without: NDArray[np.int64]
    """Cells whose rows are in another file as well, and do not count here."""


class Rows:
    """All files of a night, to be gone through pixel by pixel.

    Parameters
    ----------
    archive
        Its folder.
    files
        Of the night: of versions the one that holds is kept, of its repeats the row in the catalog, else in a merged file.
    footers
        Of the files.
    """

    def __init__(self, archive: Path, files: layout.NightFiles, footers: Footers) -> None:
        closed = {layout.name_of(archive, one.path): one.path for one in files.closed}
        merged = {layout.name_of(archive, path): path for _, paths in sorted(files.cells.items()) for path in paths}
        fresh = {layout.name_of(archive, path): path for path in files.fresh}
        found = {name: (path, footers.get(path)) for name, path in (closed | merged | fresh).items()}
        gone = replaced(footer.note for _, footer in found.values())
        self._files = [
            _File(path, footer, np.array(sorted(gone.get(name, ())), dtype=np.int64)) for name, (path, footer) in found.items()
        ]
        # a file that replaces another has its number too
        self.repeats_before = files.closed_repeats + sum(
            footer.note.repeats for name, (_, footer) in found.items() if name not in gone
        )
        """What merging and former compactions left out."""

    def survey_all(self, keep: Callable[[], None]) -> tuple[dict[str, Survey], Counts]:
        """Return what there is of each survey, and how many rows each small pixel has, repeats included.

        Reads three columns of every file. Memory: 9 bytes a row, twice for a moment.
        """
        most = sum(file.footer.n_rows for file in self._files)
        names: dict[str, int] = {}
        ids, codes = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int8)
        counts, n = count(np.empty(0, dtype=np.int64)), 0
        for file in self._files:
            table = _read(file, list(range(len(file.footer.rows))), (PIXEL, "survey", "source_id"))
            words = words_of(table["survey"])
            mapped = np.array([names.setdefault(name, len(names)) for name in words.values] or [0], dtype=np.int8)
            end = n + table.num_rows
            ids[n:end], codes[n:end] = ints_of(table["source_id"]), mapped[words.codes]
            counts += count(ints_of(table[PIXEL]))
            n = end
            keep()
        ids, codes = ids[:n], codes[:n]
        found = {}
        for name, code in names.items():
            own = ids if len(names) == 1 else ids[codes == code]
            if len(own):
                found[name] = _survey(own)
        if any(len(one.repeated) for one in found.values()):
            self._find_best(found, keep)
        return found, counts

    def _find_best(self, surveys: dict[str, Survey], keep: Callable[[], None]) -> None:
        """Find out which revision holds of each detection that has several rows."""
        for file in self._files:
            table = _read(file, list(range(len(file.footer.rows))), ("survey", "source_id", "revision"))
            words, ids, revisions = words_of(table["survey"]), ints_of(table["source_id"]), ints_of(table["revision"])
            for code in np.unique(words.codes).tolist():
                one = surveys[words.values[code]]
                own = np.flatnonzero(words.codes == code)
                place, several = one.places(ids[own])
                np.maximum.at(one.best, place, revisions[own[several]])
            keep()

    def of(self, pixel: Pixel, surveys: dict[str, Survey]) -> pa.Table:
        """Return the rows of a pixel, ascending in `PIXEL`, those left out that repeat one of this or a former call.

        The table's metadata names the survey where all rows are of one.
        """
        parts = [part for file in self._files if (part := _between(file, pixel)) is not None]
        table = concatenated(parts)
        del parts
        pixels = ints_of(table[PIXEL])
        order = np.argsort(pixels, kind="stable")
        words, ids, revisions = words_of(table["survey"]), ints_of(table["source_id"]), ints_of(table["revision"])
        is_first = np.ones(len(ids), dtype=bool)
        present = np.unique(words.codes).tolist()
        for code in present:
            own = np.flatnonzero(words.codes == code)
            is_first[own] = _first(ids[own], revisions[own], surveys[words.values[code]])
        order = order[is_first[order]]
        name = words.values[present[0]] if len(present) == 1 else ""
        return take_rows(table, order).replace_schema_metadata(Note(survey=name).metadata())


def _survey(ids: Ids) -> Survey:
    """Return what is known of a survey; the ids are sorted in their place."""
    ids.sort()
    is_again = ids[1:] == ids[:-1]
    repeated = np.unique(ids[1:][is_again])
    n_again = int(np.count_nonzero(is_again))
    best = np.full(len(repeated), UNKNOWN, dtype=np.int64)
    return Survey(len(ids), len(ids) - n_again, repeated, best, np.zeros(len(repeated), dtype=bool))


def _first(ids: Ids, revisions: Ids, survey: Survey) -> NDArray[np.bool_]:
    """Return for each row whether it is the first that holds, in this and former calls; remember which were there."""
    first = np.ones(len(ids), dtype=bool)
    place, several = survey.places(ids)
    if not len(several):
        return first
    first[several] = False
    holds = revisions[several] == survey.best[place]
    which, at = np.unique(place[holds], return_index=True)
    new = ~survey.taken[which]
    first[several[holds][at[new]]] = True
    survey.taken[which] = True
    return first


def _between(file: _File, pixel: Pixel) -> pa.Table | None:
    groups = np.flatnonzero((file.footer.pixel_lo < pixel.hi) & (file.footer.pixel_hi > pixel.lo))
    if not len(groups):
        return None
    table = _read(file, groups.tolist(), tuple(SCHEMA.names))
    first, last = np.searchsorted(ints_of(table[PIXEL]), [pixel.lo, pixel.hi])
    if last <= first:
        return None
    # a slice would hold all that was read in memory
    return table if last - first == table.num_rows else take_rows(table, np.arange(first, last))


def _read(file: _File, groups: list[int], columns: tuple[str, ...]) -> pa.Table:
    """Return rows of a file, texts coded, those left out that another file has too; ascending in `PIXEL` as they are there."""
    coded = list(DICTIONARY_COLUMNS)
    with translated(file.path), pq.ParquetFile(file.path, metadata=file.footer.metadata, read_dictionary=coded) as opened:
        read = opened.read_row_groups(groups, columns=list(columns), use_threads=False).replace_schema_metadata(None)
    table = completed(read, columns)
    if not len(file.without):
        return table
    return take_rows(table, ~np.isin(layout.cells_of(ints_of(table[PIXEL])), file.without))
