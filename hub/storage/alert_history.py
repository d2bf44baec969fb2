"""The memory of past alerts in the state database: the plain implementation of `hub.ports.AlertHistory`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, Select, and_, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.alert import COLUMN_DTYPES, AlertBatch
from hub.model.instant import Instant
from hub.storage.engine import Store
from hub.storage.tables import AlertRow
from hub.storage.writing import CHUNK, insert, table

CELL_ORDER = 5
"""HEALPix order of the cells in the index: 12288 cells of 1.8 degrees."""

INTERVALS = 100
"""Runs of cells in one query: two bound parameters each, and a short statement."""

_CELL_SHIFT = 2 * (29 - CELL_ORDER)
_NULLABLE = frozenset({"flux_njy", "flux_err_njy", "snr", "reliability"})
_COLUMNS = [table(AlertRow).c[name] for name in COLUMN_DTYPES]


class SqlAlertHistory:
    """Past alerts in the table ``alerts``; each call is a transaction of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Store the rows that are not there yet, keyed by (survey, source_id), durably; return for each whether it was new."""
        is_new = np.zeros(len(batch), dtype=bool)
        if len(batch) == 0:
            return is_new
        with self._store.transaction() as session:
            is_new[np.unique(batch.source_id, return_index=True)[1]] = True
            is_new &= ~_known(session, batch.survey, batch.source_id)
            statement = insert(session, AlertRow).on_conflict_do_nothing(
                index_elements=[table(AlertRow).c.survey, table(AlertRow).c.source_id]
            )
            if is_new.any():
                session.execute(statement, list(_rows(batch.take(is_new))))
        return is_new

    def in_region(self, lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant) -> list[AlertBatch]:
        """Return all alerts inside ascending disjoint order-29 ranges and the time window, one batch per survey.

        The index finds the coarse cells that the ranges touch; the exact cut is a binary search over the ranges. Rows are
        ordered by time and source id, surveys by name.
        """
        if len(lo) == 0:
            return []
        with self._store.reading() as session:
            batches = _batches(row for statement in _of_cells(lo, hi, start, end) for row in session.execute(statement))
        inside = [batch.take(_inside(batch.hpx29, lo, hi)) for batch in batches]
        return [batch for batch in inside if len(batch)]

    def of_objects(self, survey: str, object_ids: Sequence[str], hpx29: NDArray[np.int64]) -> AlertBatch:
        """Return all alerts of some objects, ordered by time; their places are not needed."""
        wanted = sorted(set(object_ids))
        with self._store.reading() as session:
            batches = _batches(_of_objects(session, survey, wanted))
        return batches[0] if batches else AlertBatch.empty(survey)

    def count(self) -> int:
        """Return how many alerts are stored."""
        with self._store.reading() as session:
            return session.scalars(select(func.count()).select_from(AlertRow)).one()


def _known(session: Session, survey: str, source_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    wanted = np.unique(source_ids).tolist()
    found: list[int] = []
    for start in range(0, len(wanted), CHUNK):
        statement = select(col(AlertRow.source_id)).where(
            col(AlertRow.survey) == survey, col(AlertRow.source_id).in_(wanted[start : start + CHUNK])
        )
        found += session.scalars(statement)
    return np.isin(source_ids, np.array(found, dtype=np.int64))


def _rows(batch: AlertBatch) -> Iterator[dict[str, Any]]:
    """Yield rows as plain values, NaN as None: SQLite has no NaN."""
    columns: dict[str, list[Any]] = {}
    for name in COLUMN_DTYPES:
        values = getattr(batch, name)
        listed = values.tolist()
        if values.dtype.kind == "S":
            listed = [value.decode() for value in listed]
        elif name in _NULLABLE:
            listed = [value if value == value else None for value in listed]  # noqa: PLR0124 - NaN is not itself
        columns[name] = listed
    columns["cell"] = (batch.hpx29 >> _CELL_SHIFT).tolist()
    names = ("survey", *columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, (batch.survey, *values), strict=True))


def _of_cells(lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant) -> Iterator[Select[tuple[Any, ...]]]:
    """Yield queries for the cells that ascending ranges touch; no row is in two of them."""
    first, last = lo >> _CELL_SHIFT, (hi - 1) >> _CELL_SHIFT
    begins = np.flatnonzero(np.concatenate(([True], first[1:] > last[:-1] + 1)))
    run_first, run_last = first[begins], last[np.concatenate((begins[1:] - 1, [len(last) - 1]))]
    cell = col(AlertRow.cell)
    for at in range(0, len(run_first), INTERVALS):
        runs = zip(run_first[at : at + INTERVALS].tolist(), run_last[at : at + INTERVALS].tolist(), strict=True)
        yield (
            select(col(AlertRow.survey), *_COLUMNS)
            .where(col(AlertRow.mid_tai_us) >= start.tai_us, col(AlertRow.mid_tai_us) < end.tai_us)
            .where(or_(*(and_(cell >= a, cell <= b) for a, b in runs)))
        )


def _of_objects(session: Session, survey: str, wanted: Sequence[str]) -> Iterator[Row[tuple[Any, ...]]]:
    for start in range(0, len(wanted), CHUNK):
        statement = select(col(AlertRow.survey), *_COLUMNS).where(
            col(AlertRow.survey) == survey, col(AlertRow.object_id).in_(wanted[start : start + CHUNK])
        )
        yield from session.execute(statement)


def _batches(rows: Iterable[Row[tuple[Any, ...]]]) -> list[AlertBatch]:
    """Return one batch per survey, by name; rows by time and source id."""
    by_survey: dict[str, list[Any]] = {}
    for row in rows:
        survey: Any = row[0]
        by_survey.setdefault(survey, []).append(row)
    batches = []
    for name in sorted(by_survey):
        columns = dict(zip(COLUMN_DTYPES, list(zip(*by_survey[name], strict=True))[1:], strict=True))
        batch = AlertBatch.from_columns(name, **columns)
        batches.append(batch.take(np.lexsort((batch.source_id, batch.mid_tai_us))))
    return batches


def _inside(hpx29: NDArray[np.int64], lo: NDArray[np.int64], hi: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each pixel whether one of the ascending disjoint ranges holds it."""
    index = np.searchsorted(lo, hpx29, side="right") - 1
    inside: NDArray[np.bool_] = (index >= 0) & (hpx29 < hi[np.maximum(index, 0)])
    return inside
