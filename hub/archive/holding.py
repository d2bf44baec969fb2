"""Rows of some objects out of all that lie around them: a detection that another version gave to something else is not theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.archive.columns import PIXEL, batches_of, ints_of, take_rows, words_of
from hub.archive.region import Region
from hub.model.alert import COLUMN_DTYPES, AlertBatch, best_of, concatenate

_ID_BYTES = np.dtype(COLUMN_DTYPES["object_id"]).itemsize
"""Longest object id: one that was asked for and is longer has no rows."""


@dataclass(slots=True, eq=False)
class _OfSurvey:
    batches: list[AlertBatch] = field(default_factory=list)
    """Rows that were asked for."""

    ids: list[NDArray[np.int64]] = field(default_factory=list)
    """Source ids of all rows that were looked at."""

    revisions: list[NDArray[np.int64]] = field(default_factory=list)

    def holding(self) -> AlertBatch:
        """Return the rows that hold, each detection once, ordered by time and then by source id."""
        rows = concatenate(self.batches)
        ids, revisions = np.concatenate(self.ids), np.concatenate(self.revisions)
        best = best_of(ids, revisions)
        best = best[np.argsort(ids[best])]
        rows = rows.take(rows.revision == revisions[best[np.searchsorted(ids[best], rows.source_id)]])
        rows = rows.take(np.unique(rows.source_id, return_index=True)[1])
        return rows.take(np.argsort(rows.mid_tai_us, kind="stable"))


@dataclass(slots=True, kw_only=True, eq=False)
class Found:
    """What is found of some objects of a survey, file by file."""

    survey: str
    object_ids: Sequence[str]
    near: Region | None = None
    """Where the rows of all other objects are wanted too, of whatever survey."""

    of_survey: dict[str, _OfSurvey] = field(default_factory=dict)

    def add(self, rows: AlertBatch) -> None:
        """Add rows of one survey, whatever objects they are of, ascending in ``hpx29``."""
        if not len(rows):
            return
        names = [raw for name in self.object_ids if len(raw := name.encode()) <= _ID_BYTES]
        if rows.survey == self.survey:
            wanted = np.isin(rows.object_id, np.array(names or [b""], dtype=f"S{_ID_BYTES}"))
        else:
            wanted = np.zeros(len(rows), dtype=bool)
        if self.near is not None:
            wanted |= self.near.rows(rows.hpx29)
        self._look_at(rows.survey, rows.source_id, rows.revision)
        if wanted.any():
            self.of_survey[rows.survey].batches.append(rows.take(wanted))

    def add_table(self, rows: pa.Table) -> None:
        """Add rows of a file, of whatever surveys and objects, with the columns of alerts and in their order."""
        import pyarrow.compute as pc  # noqa: PLC0415

        words, ids, revisions = words_of(rows["survey"]), ints_of(rows["source_id"]), ints_of(rows["revision"])
        for code in np.unique(words.codes).tolist():
            own = words.codes == code
            self._look_at(words.values[code], ids[own], revisions[own])
        wanted = np.isin(words.codes, [code for code, name in enumerate(words.values) if name == self.survey])
        wanted &= pc.is_in(rows["object_id"], value_set=pa.array(self.object_ids, pa.string())).to_numpy()
        if self.near is not None:
            wanted |= self.near.rows(ints_of(rows[PIXEL]))
        for batch in batches_of(take_rows(rows, wanted)):
            self.of_survey[batch.survey].batches.append(batch)

    def extend(self, other: "Found") -> None:
        """Add all that another search for the same found."""
        for survey, theirs in other.of_survey.items():
            own = self.of_survey.setdefault(survey, _OfSurvey())
            own.batches += theirs.batches
            own.ids += theirs.ids
            own.revisions += theirs.revisions

    def holding(self) -> list[AlertBatch]:
        """Return the rows that hold, each detection once, one batch for each survey, by name, ordered by time."""
        return [found.holding() for _, found in sorted(self.of_survey.items()) if found.batches]

    def _look_at(self, survey: str, ids: NDArray[np.int64], revisions: NDArray[np.int64]) -> None:
        own = self.of_survey.setdefault(survey, _OfSurvey())
        own.ids.append(ids)
        own.revisions.append(revisions)
