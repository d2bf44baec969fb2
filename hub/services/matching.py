"""Which objects may belong to which events: a new batch against all events, an event against all past alerts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub.model.alert import AlertBatch
from hub.model.event import Event
from hub.model.instant import Instant
from hub.ports import AlertHistory
from hub.science.crossmatch import Target, first_detection_us, match, targets_of
from hub.science.healpix import merge, pixels29
from hub.science.rules import DAY_S, PriorActivity, Rules
from hub.services.maps import MapCache
from hub.storage import candidates, events


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectKey:
    """A survey's object."""

    survey: str
    object_id: str
    hpx29: int = field(compare=False)
    """Order-29 pixel of one of its detections."""


class Matching:
    """Finds pairs to evaluate; judges nothing itself."""

    def __init__(self, *, history: AlertHistory, rules: Rules, maps: MapCache) -> None:
        self._history = history
        self._rules = rules
        self._maps = maps

    def targets(self, session: Session, event: Event) -> list[Target]:
        """Return what an event can be matched with, all its versions included."""
        hypotheses = self._rules.hypotheses_for(tuple(event.classes))
        if not hypotheses or not event.localization_ids:
            return []
        return targets_of(event, hypotheses, self._maps.levels(session, event.localization_ids))

    def forward(self, session: Session, batch: AlertBatch) -> tuple[dict[str, set[ObjectKey]], NDArray[np.bool_]]:
        """Match new alerts with all events.

        Returns
        -------
        touched
            Event id to the objects whose candidates must be evaluated: those that match, those that are candidates already, and
            those whose past has only now become known.
        matched
            Mask of the rows that match any event.
        """
        touched: dict[str, set[ObjectKey]] = {}
        matched = np.zeros(len(batch), dtype=bool)
        if not len(batch):
            return touched, matched
        for event in self._events_near(session, batch):
            for target in self.targets(session, event):
                rows = match(batch, target)
                if rows.any():
                    matched |= rows
                    touched.setdefault(event.event_id, set()).update(_keys(batch, rows))
        objects = {key.object_id: key for key in _keys(batch, batch.object_id != b"")}
        for event_id, object_id in candidates.events_of_objects(session, batch.survey, sorted(objects)):
            touched.setdefault(event_id, set()).add(objects[object_id])
        for event_id, keys in self._with_late_past(session, batch, sorted(objects.values())).items():
            touched.setdefault(event_id, set()).update(keys)
        return touched, matched

    def _with_late_past(self, session: Session, batch: AlertBatch, objects: Sequence[ObjectKey]) -> dict[str, set[ObjectKey]]:
        """Return by event the objects that earlier alerts matched, where this batch tells of a past that was not known.

        A hypothesis may require a detection before the event. The alert that brings it may lie outside the window itself, and
        without it there was no candidate that would bring its object up.
        """
        found: dict[str, set[ObjectKey]] = {}
        if not any(hypothesis.prior_activity is PriorActivity.REQUIRE for hypothesis in self._rules.hypotheses):
            return found
        pixels = np.array([one.hpx29 for one in objects], dtype=np.int64)
        others = self._history.of_objects(batch.survey, [one.object_id for one in objects], pixels)
        others = others.take(~np.isin(others.source_id, batch.source_id))
        others = others.take(_first_of_object(others, others) > _first_of_object(others, batch))
        if len(others):
            for event in self._events_near(session, others):
                for target in self.targets(session, event):
                    if target.hypothesis.prior_activity is PriorActivity.REQUIRE:
                        found.setdefault(event.event_id, set()).update(_keys(others, match(others, target)))
        return found

    def backward(self, session: Session, event: Event) -> set[ObjectKey]:
        """Return the objects among all past alerts that match an event, and those that are its candidates already."""
        found: set[ObjectKey] = set()
        for target in self.targets(session, event):
            start, end = target.window
            for levels in target.maps.values():
                rows = levels.region(target.hypothesis.max_level)
                lo, hi = merge(levels.lo[rows], levels.hi[rows])
                for batch in self._history.in_region(lo, hi, start, end):
                    found.update(_keys(batch, match(batch, target)))
        for candidate in candidates.of_event(session, event.event_id):
            pixel = int(pixels29(candidate.ra_deg, candidate.dec_deg))
            found.add(ObjectKey(survey=candidate.survey, object_id=candidate.object_id, hpx29=pixel))
        return found

    def _events_near(self, session: Session, batch: AlertBatch) -> Iterable[Event]:
        """Return the events that some hypothesis looks at alerts of this time for, by id; each hypothesis has its own window."""
        first, last = Instant(int(batch.mid_tai_us.min())), Instant(int(batch.mid_tai_us.max()))
        found: dict[str, Event] = {}
        for hypothesis in self._rules.hypotheses:
            earliest, latest = hypothesis.window_d
            start, end = first.plus_s(-latest * DAY_S), last.plus_s(-earliest * DAY_S + 1e-6)
            for event in events.in_window(session, hypothesis.classes, start, end):
                found[event.event_id] = event
        return [found[event_id] for event_id in sorted(found)]


def _first_of_object(rows: AlertBatch, alerts: AlertBatch) -> NDArray[np.int64]:
    """Return for each row the first detection of its object that some alerts tell of, the largest number where they tell none."""
    names, place = np.unique(np.concatenate((rows.object_id, alerts.object_id)), return_inverse=True)
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, place[len(rows) :], first_detection_us(alerts))
    found: NDArray[np.int64] = first[place[: len(rows)]]
    return found


def _keys(batch: AlertBatch, rows: NDArray[np.bool_]) -> set[ObjectKey]:
    names, first = np.unique(batch.object_id[rows], return_index=True)
    pixels = batch.hpx29[rows][first].tolist()
    return {
        ObjectKey(survey=batch.survey, object_id=name.decode(), hpx29=pixel)
        for name, pixel in zip(names.tolist(), pixels, strict=True)
    }
