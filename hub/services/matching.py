"""Which objects may belong to which events: a new batch against all events, an event against all past alerts."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub.model.alert import AlertBatch
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.sky import SkymapSummary
from hub.ports import NEIGHBOUR_ARCSEC, AlertHistory
from hub.science.candidates import NO_OBJECTS, Question
from hub.science.crossmatch import Target, match, targets_of
from hub.science.healpix import SR_TO_DEG2, Int64s, area_sr, centres, merge
from hub.science.kin import pairs_within
from hub.science.levels import Levels2D
from hub.science.place_levels import PlaceLevels
from hub.science.rules import DAY_S, Hypothesis, Rules
from hub.science.small_cone import CELL_SHIFT
from hub.science.target_columns import TargetNumbers
from hub.services.event_memory import MAX_EVENTS
from hub.services.live_sky import LiveSky
from hub.services.maps import MapCache
from hub.storage import candidates, promoted, watched

SLICE_DEG2_D = 400.0
"""Square degrees times days that the archive is searched for at once: a deep survey finds at most a million alerts there."""

SLICE_ALERTS = 1_000_000
"""Where the archive has no more alerts in a whole region than in such a slice, it is searched in one go."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectKey:
    """A survey's object."""

    survey: str
    object_id: str
    hpx29: int = field(compare=False)
    """Order-29 pixel of one of its detections."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Touched:
    """What a batch of alerts may change."""

    events: dict[str, set[ObjectKey]]
    """Event id to the objects whose candidates must be evaluated: those that match, those that matched once, and those of any
    survey that matched once and lie so close to an alert that it may be of the same transient."""

    unwatched: set[tuple[str, str, int]]
    """Event id, object id and pixel of those among them that match for the first time."""

    matched: NDArray[np.bool_]
    """Mask of the rows that match any event."""

    revised: NDArray[np.bool_]
    """Mask of the rows that hold instead of other versions of the detection."""

    shrunk: frozenset[str]
    """Object ids that may have lost detections to these rows: theirs, and those of the other versions."""

    n_in_large: int
    """Pairs of alert and event that would match but for the map, which is too large to make candidates."""


@runtime_checkable
class RemembersVersions(Protocol):
    """A history that knows of several versions of a detection."""

    def outranking(self, batch: AlertBatch) -> NDArray[np.bool_]:
        """Return which rows of a batch that was appended hold instead of other versions of the detection."""
        ...

    def versions(self, batch: AlertBatch) -> AlertBatch:
        """Return all versions that are stored of some detections, those of the batch included."""
        ...


@runtime_checkable
class KnowsSize(Protocol):
    """A history that tells how much it would have to read."""

    def at_most(self, lo: Int64s, hi: Int64s, start: Instant, end: Instant, limit: int) -> int:
        """Return a number that the alerts inside a region do not exceed; one beyond the limit says only that they may be more.

        Parameters
        ----------
        lo, hi, start, end
            As in `AlertHistory.in_region`.
        limit
            Counting ends beyond it.
        """
        ...


class Matching:
    """Finds pairs to evaluate; judges nothing itself."""

    def __init__(self, *, history: AlertHistory, rules: Rules, maps: MapCache, live_sky: LiveSky | None = None) -> None:
        self._history = history
        self._rules = rules
        self._maps = maps
        self._live_sky = live_sky or LiveSky(rules)
        self._numbers: dict[str, tuple[Event, tuple[Hypothesis, ...], tuple[TargetNumbers, ...]]] = {}
        """By event id: the event, the hypotheses that it admits, and the numbers of each."""
        self._latest_s = max((one.window_d[1] for one in rules.hypotheses), default=0.0) * DAY_S

    def is_searched(self, session: Session, event: Event) -> bool:
        """Tell whether counterparts of an event are searched: one of low significance needs a pair that lifts it."""
        return not self._rules.low_significance.is_low(event) or bool(promoted.of_ids(session, [event.event_id]))

    def targets(self, session: Session, event: Event) -> list[Target]:
        """Return what an event can be matched with, all its versions included; nothing where it is not searched."""
        hypotheses = self._rules.hypotheses_for(tuple(event.classes))
        if not hypotheses or not event.localization_ids or not self.is_searched(session, event):
            return []
        summaries, maps = self._maps.places(session, event.localization_ids)
        targets = targets_of(event, hypotheses, maps)
        return [replace(one, too_large=self._too_large(summaries, one.hypothesis)) for one in targets]

    def question(self, session: Session, event: Event, pixels: NDArray[np.int64] | None = None) -> Question | None:
        """Return what to ask about an event, of no objects yet; None where nothing can be matched with it.

        What follows from the event alone is worked out once for each of its states.

        Parameters
        ----------
        session, event
            The event as it is now.
        pixels
            Order-29 pixels of all alerts that it will be asked of, so that maps that live matching has at hand need not be read;
            None for any place.
        """
        known = self._numbers.get(event.event_id)
        if known is None or known[0] is not event:
            hypotheses = self._rules.hypotheses_for(tuple(event.classes))
            is_asked = hypotheses and event.localization_ids and self.is_searched(session, event)
            targets = targets_of(event, hypotheses, dict.fromkeys(event.localization_ids, _NOWHERE)) if is_asked else []
            known = event, tuple(one.hypothesis for one in targets), tuple(map(TargetNumbers.of, targets))
            self._numbers[event.event_id] = known
            while len(self._numbers) > MAX_EVENTS:
                self._numbers.pop(next(iter(self._numbers)), None)  # what was asked first
        _, hypotheses, numbers = known
        if not hypotheses:
            return None
        summaries, maps = self._places(session, event.localization_ids, pixels)
        return Question(
            targets=[
                Target(event=event, hypothesis=one, t0s=event.t0s, maps=maps, too_large=self._too_large(summaries, one))
                for one in hypotheses
            ],
            numbers=numbers,
            summaries=summaries,
            objects=NO_OBJECTS,
        )

    def _places(
        self, session: Session, localization_ids: Iterable[str], pixels: NDArray[np.int64] | None
    ) -> tuple[dict[str, SkymapSummary], dict[str, PlaceLevels]]:
        """Return the few numbers of some maps, and of their rows at least those that hold some pixels."""
        summaries: dict[str, SkymapSummary] = {}
        maps: dict[str, PlaceLevels] = {}
        for name in localization_ids:
            found = None if pixels is None else self._live_sky.place(name, pixels)
            summaries[name], maps[name] = found or self._maps.place(session, name)
        return summaries, maps

    def _too_large(self, summaries: Mapping[str, SkymapSummary], hypothesis: Hypothesis) -> frozenset[str]:
        limit = self._rules.max_area_of(hypothesis)
        return frozenset(name for name, one in summaries.items() if one.area90_deg2 > limit)

    def is_ready(self, batch: AlertBatch) -> bool:
        """Tell whether matching a batch takes no longer than its size."""
        return self._live_sky.is_ready(batch)

    def forward(self, session: Session, batch: AlertBatch) -> Touched:
        """Match new alerts with all events; the session was opened after they were archived."""
        matched = np.zeros(len(batch), dtype=bool)
        touched: dict[str, set[ObjectKey]] = {}
        if not len(batch):
            return Touched(events=touched, unwatched=set(), matched=matched, revised=matched, shrunk=frozenset(), n_in_large=0)
        revised, others = self._versions(batch)
        fits = self._live_sky.matches(session, batch)
        matched[fits.rows] = True
        place = _pixels_of(others) | _pixels_of(batch)
        of_fits = batch.object_id[fits.rows].tolist()
        found = {(event_id, name.decode()) for event_id, name in zip(fits.event_ids.tolist(), of_fits, strict=True)}
        since = Instant(int(batch.mid_tai_us.min())).plus_s(-self._latest_s)
        known = watched.of_alerts(session, batch.survey, place, _cells_of(batch) | _cells_of(others), since)
        again = {(one.event_id, one.object_id) for one in known if one.hpx29 is None}
        for event_id, object_id in found | again:
            key = ObjectKey(survey=batch.survey, object_id=object_id, hpx29=place[object_id])
            touched.setdefault(event_id, set()).add(key)
        close = [
            (one.event_id, ObjectKey(survey=one.survey, object_id=one.object_id, hpx29=one.hpx29))
            for one in known
            if one.hpx29 is not None and not (one.survey == batch.survey and one.object_id in place)
        ]
        for event_id, key in _close_to(close, batch, others) if close else ():
            touched.setdefault(event_id, set()).add(key)
        return Touched(
            events=touched,
            unwatched={(event_id, object_id, place[object_id]) for event_id, object_id in found - again},
            matched=matched,
            revised=revised,
            shrunk=frozenset(_pixels_of(others)),
            n_in_large=fits.n_in_large,
        )

    def _versions(self, batch: AlertBatch) -> tuple[NDArray[np.bool_], AlertBatch]:
        """Return which rows hold instead of other versions, and all versions of these.

        Whoever evaluates the others watches the pairs first and reads their alerts then: either these rows are among what is
        read, or the pairs are seen here.
        """
        none = AlertBatch.empty(batch.survey)
        if not isinstance(self._history, RemembersVersions):
            return np.zeros(len(batch), dtype=bool), none
        revised = self._history.outranking(batch)
        return revised, self._history.versions(batch.take(revised)) if revised.any() else none

    def backward(self, session: Session, event: Event) -> set[ObjectKey]:
        """Return the objects among all past alerts that match an event, and those that are its candidates already."""
        found: set[ObjectKey] = set()
        if self._rules.hypotheses_for(tuple(event.classes)) and self.is_searched(session, event):
            self._maps.levels(session, event.localization_ids)  # read once: what else is needed of them is made of these
        for alike in _alike(self.targets(session, event)):
            for lo, hi, start, end in self._slices(alike, self._maps.levels(session, event.localization_ids)):
                fitting = [one for one in alike if one.window[0] < end and one.window[1] >= start]
                for batch in self._history.in_region(lo, hi, start, end) if fitting else ():
                    found |= _keys(batch, np.logical_or.reduce([match(batch, one) for one in fitting]))
        return found | self.known(session, event.event_id)

    def _slices(
        self, targets: Sequence[Target], maps: Mapping[str, Levels2D]
    ) -> Iterator[tuple[Int64s, Int64s, Instant, Instant]]:
        """Yield regions and times that together are all where alerts can match any of some targets, each as large as may be.

        The targets are alike: they look at the same region.
        """
        fitting = [levels for name, levels in maps.items() if name not in targets[0].too_large]
        regions = [(levels, levels.region(targets[0].hypothesis.max_level)) for levels in fitting]
        if not regions:
            return
        lo, hi = merge(
            np.concatenate([levels.lo[rows] for levels, rows in regions]),
            np.concatenate([levels.hi[rows] for levels, rows in regions]),
        )
        start, end = min(one.window[0] for one in targets), max(one.window[1] for one in targets)
        history = self._history
        if isinstance(history, KnowsSize) and history.at_most(lo, hi, start, end, SLICE_ALERTS) <= SLICE_ALERTS:
            yield lo, hi, start, end
        else:
            yield from _cut(lo, hi, start, end)

    def known(self, session: Session, event_id: str) -> set[ObjectKey]:
        """Return the objects that are candidates of an event already, in whatever state."""
        known = candidates.objects_of(session, event_id)
        return {ObjectKey(survey=survey, object_id=object_id, hpx29=pixel) for survey, object_id, pixel in known}


_NOTHING = np.empty(0)
_NOWHERE = PlaceLevels(
    lo=np.empty(0, dtype=np.int64), hi=np.empty(0, dtype=np.int64), probdensity=_NOTHING, searched_prob=_NOTHING
)
"""Stands for a map where only its name matters."""


def _pixels_of(batch: AlertBatch) -> dict[str, int]:
    """Return the objects of some alerts, and for each the pixel of one of them."""
    names, rows = np.unique(batch.object_id, return_index=True)
    pixels = batch.hpx29[rows].tolist()
    return {name.decode(): pixel for name, pixel in zip(names.tolist(), pixels, strict=True) if name}


def _cells_of(batch: AlertBatch) -> set[int]:
    """Return the cells in which the alerts of objects lie."""
    return set(np.unique(batch.hpx29[batch.object_id != b""] >> CELL_SHIFT).tolist())


def _close_to(keys: Sequence[tuple[str, ObjectKey]], *batches: AlertBatch) -> list[tuple[str, ObjectKey]]:
    """Return those of some objects that lie within `NEIGHBOUR_ARCSEC` of any object's alert."""
    pixels = np.array([key.hpx29 for _, key in keys], dtype=np.int64)
    alerts = np.concatenate([one.hpx29[one.object_id != b""] for one in batches])
    near, _ = pairs_within(*centres(pixels, pixels + 1), *centres(alerts, alerts + 1), NEIGHBOUR_ARCSEC)
    return [keys[number] for number in np.unique(near).tolist()]


def _alike(targets: Iterable[Target]) -> list[list[Target]]:
    """Return the targets in groups that look at the same region, so that the archive is read once for each."""
    found: dict[tuple[float, frozenset[str]], list[Target]] = {}
    for one in targets:
        found.setdefault((one.hypothesis.max_level, one.too_large), []).append(one)
    return list(found.values())


def _cut(lo: Int64s, hi: Int64s, start: Instant, end: Instant) -> Iterator[tuple[Int64s, Int64s, Instant, Instant]]:
    """Yield a region and a time in parts of at most so much sky and time as `SLICE_DEG2_D`."""
    area = np.cumsum(area_sr(lo, hi)) * SR_TO_DEG2
    edges = [0, *(np.flatnonzero(np.diff(area // SLICE_DEG2_D)) + 1).tolist(), len(lo)]
    for first, last in itertools.pairwise(edges):
        step_s = max(SLICE_DEG2_D / max(float(area[last - 1] - area[first]), 1e-6), 1.0) * DAY_S
        begin = start
        while begin < end:
            until = min(begin.plus_s(min(step_s, end.minus(begin) + 1.0)), end)
            yield lo[first:last], hi[first:last], begin, until
            begin = until


def _keys(batch: AlertBatch, rows: NDArray[np.bool_]) -> set[ObjectKey]:
    names, first = np.unique(batch.object_id[rows], return_index=True)
    pixels = batch.hpx29[rows][first].tolist()
    return {
        ObjectKey(survey=batch.survey, object_id=name.decode(), hpx29=pixel)
        for name, pixel in zip(names.tolist(), pixels, strict=True)
    }
