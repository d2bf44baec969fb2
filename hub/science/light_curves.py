"""The alerts of many objects in one table, object by object and each in order of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import COLUMN_DTYPES, AlertBatch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LightCurves:
    """Alerts by object of one survey; those of other objects at the same place may be among them (`hub.science.kin`)."""

    names: tuple[str, ...]
    """Id of each object, ascending, shape ``(m,)``."""

    alerts: AlertBatch
    """Ordered by object, time, source id; shape ``(n,)``."""

    owner: NDArray[np.int64]
    """Index into `names` of each alert, ascending; an object may have none."""

    origin: NDArray[np.int8] | None = None
    """Whose alert each is: 0 the object's own, 1 that of another object of the survey, more those of other surveys; None where
    all are their own."""

    surveys: tuple[str, ...] = ()
    """Of each origin; empty where all are their own."""

    kin: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By object the others, ``SURVEY:ID``, whose alerts are among its own."""

    @classmethod
    def of(cls, alerts: AlertBatch) -> Self:
        """Return the light curves of alerts in any order."""
        order = np.lexsort((alerts.source_id, alerts.mid_tai_us, alerts.object_id))
        ids = alerts.object_id[order]
        is_first = np.ones(len(ids), dtype=bool)
        is_first[1:] = ids[1:] != ids[:-1]
        names = tuple(name.decode() for name in ids[is_first].tolist())
        return cls(names=names, alerts=rows_of(alerts, order), owner=np.cumsum(is_first) - 1)

    def __len__(self) -> int:
        return len(self.names)

    def among(self, names: Sequence[str]) -> Self:
        """Return the light curves of those of some objects that are here."""
        wanted = set(names)
        chosen = np.array([name in wanted for name in self.names], dtype=bool)
        if chosen.all():
            return self
        rows = chosen[self.owner]
        number = np.cumsum(chosen) - 1
        return type(self)(
            names=tuple(name for name in self.names if name in wanted),
            alerts=self.alerts.take(rows),
            owner=number[self.owner[rows]],
            origin=None if self.origin is None else self.origin[rows],
            surveys=self.surveys,
            kin={name: others for name, others in self.kin.items() if name in wanted},
        )

    def own(self) -> Self:
        """Return the same without the alerts of other objects."""
        if self.origin is None:
            return self
        return replace(self.only(self.origin == 0), origin=None, surveys=(), kin={})

    def only(self, rows: NDArray[np.bool_]) -> Self:
        """Return the light curves of the same objects without the alerts that a mask leaves out."""
        if rows.all():
            return self
        return replace(
            self,
            alerts=self.alerts.take(rows),
            owner=self.owner[rows],
            origin=None if self.origin is None else self.origin[rows],
        )

    def any_of(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell of each object whether a mask has any of its alerts, shape ``(m,)``."""
        return self.count(rows) > 0

    def count(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many alerts of each object a mask has, shape ``(m,)``."""
        return np.bincount(self.owner[rows], minlength=len(self.names)).astype(np.int64)

    def least(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the least value of each object, shape ``(m,)``; the greatest number there is for one without alerts."""
        found = np.full(len(self.names), np.iinfo(np.int64).max)
        np.minimum.at(found, self.owner, values)
        return found

    def greatest(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the greatest value of each object, shape ``(m,)``; the least number there is for one without alerts."""
        found = np.full(len(self.names), np.iinfo(np.int64).min)
        np.maximum.at(found, self.owner, values)
        return found


def part(alerts: AlertBatch, start: int, stop: int) -> AlertBatch:
    """Return adjacent rows without a copy, each column only once somebody asks for it; their provenance is left out."""
    chosen = object.__new__(_Part)  # as the constructor makes it, for its columns are read-only as those of the whole are
    _set(chosen, "_whole", alerts)
    _set(chosen, "_rows", slice(start, stop))
    _set(chosen, "survey", alerts.survey)
    _set(chosen, "provenance", None)
    return chosen


_set = object.__setattr__


class _Part(AlertBatch):
    """Adjacent rows of a batch: to cut out all columns takes longer than what is done with the few alerts of an object."""

    __slots__ = ("_rows", "_whole")

    _rows: slice
    _whole: AlertBatch

    def __getattr__(self, name: str) -> Any:  # asked only where the column was not cut out yet
        if name not in COLUMN_DTYPES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        column = getattr(self._whole, name)[self._rows]
        _set(self, name, column)
        return column


def rows_of(alerts: AlertBatch, rows: NDArray[np.intp]) -> AlertBatch:
    """Return the rows of an index; their provenance is left out."""
    return AlertBatch(survey=alerts.survey, **{name: getattr(alerts, name)[rows] for name in COLUMN_DTYPES})
