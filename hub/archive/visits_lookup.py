"""When places were last looked at before some times, and deep enough: for many places at once, from the ledgers of the nights.

Row groups of the files are kept in memory, those that were not asked for longest are forgotten; so are answers, which hold as
long as the ledgers of their nights do not change.
"""

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hub.archive import visits_file
from hub.archive.layout import night_of
from hub.archive.places import cone_ranges
from hub.archive.visits_file import Groups, State
from hub.model.alert import NO_TIME
from hub.model.visit import DetectorVisits
from hub.science.healpix import MAX_ORDER, centres, pixels29
from hub.science.onset import FirstSeen, LastVisits
from hub.science.point_visits import looks

KEPT_ROWS = 150_000
"""Rows of ledgers that are kept in memory, some 300 bytes each: a night of the survey."""

KEPT_ANSWERS = 60_000
"""Answers that are kept in memory, some 350 bytes each."""

SAME_VISIT_US = 10_000_000
"""A visit whose middle is this near to a first detection is the one that made it, microseconds."""

_DAY_US = 86_400_000_000

_Question = tuple[str, float, bytes]
"""Survey, days back, and as bytes time, flux, position and band."""


@dataclass(frozen=True, slots=True)
class Times:
    """Times of which nothing is in doubt."""

    spans: tuple[tuple[int, int], ...]
    """First and last microsecond of each, `Instant.tai_us`, ascending, disjoint."""

    def within(self, begin_us: int, end_us: int) -> Self:
        """Return what lies between two times, both included."""
        first = bisect_left(self.spans, begin_us, key=lambda one: one[1])
        last = bisect_right(self.spans, end_us, key=lambda one: one[0])
        return type(self)(tuple((max(low, begin_us), min(high, end_us)) for low, high in self.spans[first:last]))

    def hold(self, begin_us: int, end_us: int) -> bool:
        """Return whether all from a time to another is in them."""
        return self.within(begin_us, end_us).spans == ((begin_us, end_us),)

    def holds(self, at_us: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which times are in them."""
        ends = np.array(self.spans, dtype=np.int64).reshape(-1, 2)
        first = np.searchsorted(ends[:, 1], at_us)
        return np.asarray(first < np.searchsorted(ends[:, 0], at_us, side="right"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    states: tuple[State, ...]
    """Of the ledgers that it was found in."""

    sure: Times | None
    """The times of which nothing was in doubt, within those that were asked for."""

    time_us: int
    is_known: bool


class VisitLookup:
    """Looks up last visits; shared by threads.

    Parameters
    ----------
    archive
        Folder of the archive, whose ledgers are read.
    kept_rows
        As `KEPT_ROWS`.
    """

    def __init__(self, archive: Path, *, kept_rows: int = KEPT_ROWS) -> None:
        self._archive = archive
        self._kept_rows = kept_rows
        self._lock = threading.Lock()
        """Held for reads of files and arithmetic only."""
        self._groups: OrderedDict[int, tuple[State, Groups]] = OrderedDict()
        """By night, what its file has where."""
        self._rows: OrderedDict[tuple[int, State, int], DetectorVisits] = OrderedDict()
        self._n_rows = 0
        self._answers: OrderedDict[_Question, _Answer] = OrderedDict()

    def before(self, first: FirstSeen, look_back_d: float, sure: Times | None = None) -> LastVisits:
        """Return the last visit of each place and band before a time, no longer before than some days, that went deeper.

        Parameters
        ----------
        first
            Places, bands, times and fluxes; a flux that is not a number is deeper than no visit.
        look_back_d
            Days.
        sure
            Visits count that were made in these times, and an answer is known where they hold all of the days before and the
            ledgers tell where, in which band and how deep each visit of them looked. Where not given, all in the ledgers counts.

        Raises
        ------
        StorageError
            A ledger cannot be read.
        """
        with self._lock:
            return self._before(first, look_back_d, sure)

    def _before(self, first: FirstSeen, look_back_d: float, sure: Times | None) -> LastVisits:
        n = len(first.time_us)
        times, known = np.full(n, NO_TIME), np.zeros(n, dtype=np.bool_)
        states = dict(visits_file.states(self._archive))
        if not states:
            return LastVisits(time_us=times, is_known=known)
        keys = _questions(first, look_back_d)
        new: list[int] = []
        back_us = int(look_back_d * _DAY_US)
        at_us = first.time_us.tolist()
        nights_at = {at: self._nights(states, at, look_back_d) for at in set(at_us)}
        # What is the same of many answers is one object: there are few times, those of visits.
        states_at = {at: tuple(states[night] for night in own) for at, own in nights_at.items()}
        sure_at = {at: sure.within(at - back_us, at) if sure is not None else None for at in nights_at}
        nights = [nights_at[at] for at in at_us]
        for index, (key, at) in enumerate(zip(keys, at_us, strict=True)):
            answer = self._answers.get(key)
            if answer is not None and answer.states == states_at[at] and answer.sure == sure_at[at]:
                times[index], known[index] = answer.time_us, answer.is_known
                self._answers.move_to_end(key)
            else:
                new.append(index)
        if new:
            self._find(first, np.array(new), [nights[index] for index in new], states, look_back_d, times, known, sure)
            for index in new:
                at = at_us[index]
                self._answers[keys[index]] = _Answer(
                    states=states_at[at], sure=sure_at[at], time_us=int(times[index]), is_known=bool(known[index])
                )
            while len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return LastVisits(time_us=times, is_known=known)

    @staticmethod
    def _nights(states: dict[int, State], time_us: int, look_back_d: float) -> tuple[int, ...]:
        """Return the nights with a ledger that a look back passes, the latest first."""
        last, earliest = night_of(time_us), night_of(time_us - int(look_back_d * _DAY_US))
        return tuple(night for night in range(last, earliest - 1, -1) if night in states)

    def _find(  # noqa: PLR0917 - the columns that it fills
        self,
        first: FirstSeen,
        new: NDArray[np.int64],
        nights: list[tuple[int, ...]],
        states: dict[int, State],
        look_back_d: float,
        times: NDArray[np.int64],
        known: NDArray[np.bool_],
        sure: Times | None,
    ) -> None:
        """Write down the answers of some questions, one night after the other, the latest first: most are answered by few."""
        ranges: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        cells = (pixels29(first.ra_deg, first.dec_deg) >> _CELL_SHIFT).tolist()
        unsure: set[int] = set()
        for night in sorted({night for own in nights for night in own}, reverse=True):
            groups = self._groups_of(night, states[night])
            told = np.array([index for index, own in zip(new.tolist(), nights, strict=True) if night in own], dtype=np.int64)
            if sure is None and first.survey in groups.surveys:
                known[told] = True
            if first.survey in groups.unsure:
                unsure.update(told.tolist())
            asked = told[times[told] == NO_TIME]
            wanted: set[int] = set()
            for index in asked.tolist():
                if index not in ranges:
                    ranges[index] = _ranges_around(cells[index], max(groups.max_radius_deg, _LEAST_RADIUS_DEG) + 1e-6)
                wanted.update(groups.near(*ranges[index]).tolist())
            for number in sorted(wanted):
                rows = self._rows_of(night, states[night], number)
                _latest(first, asked, rows, look_back_d, times, sure)
        if sure is not None:
            for index in new.tolist():
                at = int(first.time_us[index])
                known[index] = index not in unsure and sure.hold(at - int(look_back_d * _DAY_US), at)

    def _groups_of(self, night: int, state: State) -> Groups:
        kept = self._groups.get(night)
        if kept is None or kept[0] != state:
            kept = state, visits_file.groups_of(self._archive, night)
            self._groups[night] = kept
        return kept[1]

    def _rows_of(self, night: int, state: State, group: int) -> DetectorVisits:
        key = night, state, group
        if key not in self._rows:
            self._rows[key] = visits_file.read_group(self._archive, night, group)
            self._n_rows += len(self._rows[key])
            while self._n_rows > self._kept_rows and len(self._rows) > 1:
                self._n_rows -= len(self._rows.popitem(last=False)[1])
        self._rows.move_to_end(key)
        return self._rows[key]


def _questions(first: FirstSeen, look_back_d: float) -> list[_Question]:
    """Return what is asked of each place; as bytes they take a third of the memory that numbers take."""
    columns = {
        "time_us": first.time_us,
        "flux_njy": first.flux_njy,
        "ra_deg": first.ra_deg,
        "dec_deg": first.dec_deg,
        "band": first.band,
    }
    rows = np.empty(len(first.time_us), dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    raw, size = rows.tobytes(), rows.dtype.itemsize
    return [(first.survey, look_back_d, raw[begin : begin + size]) for begin in range(0, len(raw), size)]


_LEAST_RADIUS_DEG = 0.5
"""Footprints are looked for at least so near, degrees: so the ranges of a place serve all nights of one camera."""


_CELL_ORDER = 8
"""HEALPix order of the cells whose surroundings are remembered: 0.23 degrees."""

_CELL_SHIFT = 2 * (MAX_ORDER - _CELL_ORDER)

_CELL_RADIUS_DEG = 0.35
"""No place of a cell is farther from its centre, degrees: 1.45 times the square root of its area beside the poles."""


@lru_cache(maxsize=4_096)
def _ranges_around(cell: int, radius_deg: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ranges that cover all within a radius of any place of a cell: they choose what is read, not what is found."""
    ra, dec = centres(np.array([cell << _CELL_SHIFT]), np.array([(cell + 1) << _CELL_SHIFT]))
    return cone_ranges(float(ra[0]), float(dec[0]), radius_deg + _CELL_RADIUS_DEG)


def _latest(  # noqa: PLR0917 - the column that it fills
    first: FirstSeen,
    asked: NDArray[np.int64],
    rows: DetectorVisits,
    look_back_d: float,
    times: NDArray[np.int64],
    sure: Times | None,
) -> None:
    """Write down the latest visit of some rows that would have seen each place, where it is later than what was found."""
    own = rows.take(np.isin(rows.survey.codes, [code for code, name in enumerate(rows.survey.values) if name == first.survey]))
    if not len(own) or not len(asked):
        return
    found = looks(first.ra_deg[asked], first.dec_deg[asked], own)
    index, mid = asked[found.point], found.mid_us
    bands = np.array([[name.decode() in one.split(",") for one in own.band.values] for name in first.band[asked].tolist()])
    keep = bands[found.point, own.band.codes[found.visit]]
    keep &= (mid < first.time_us[index] - SAME_VISIT_US) & (mid >= first.time_us[index] - int(look_back_d * _DAY_US))
    keep &= own.has_depth[found.visit] & (own.depth_njy[found.visit] < first.flux_njy[index])
    if sure is not None:
        keep &= sure.holds(mid)
    np.maximum.at(times, index[keep], mid[keep])
