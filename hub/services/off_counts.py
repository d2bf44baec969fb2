"""What the off maps of an event hold, counted in an archive of alerts with a ledger of visits, and the background that follows.

Where alerts and visits come from is handed in: the hub's archive, or nights that were simulated.
"""

import itertools
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hub.model.alert import AlertBatch
from hub.model.coincidence import Candidate, PairState
from hub.model.coverage import Coverage
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.model.visit import DetectorVisits, FootprintKind
from hub.ports import AlertHistory
from hub.science.candidates import Judgement, Question, evaluate_many
from hub.science.chance import OffMap, OffObject, estimate
from hub.science.counterpart_policy import CounterpartPolicy
from hub.science.crossmatch import Target, match
from hub.science.healpix import SR_TO_DEG2, Int64s, area_sr, find, merge, pixels29
from hub.science.last_looks import visits_before
from hub.science.levels import Levels2D
from hub.science.light_curves import LightCurves
from hub.science.map_points import MapPoints, by_area, shifted
from hub.science.off_maps import (
    DAY_US,
    Shift,
    covering,
    exposure,
    first_looks,
    forbidden,
    moved_back,
    place_shifts,
    sample,
    strata,
    time_shifts,
)
from hub.science.onset import onsets
from hub.science.point_visits import looks
from hub.science.ranking import DEFAULT, Ranking
from hub.science.rules import DAY_S
from hub.science.target_columns import TargetNumbers
from hub.science.worth import outside_of
from hub.services.matching import SLICE_DEG2_D
from hub.storage.jsonable import dump

VisitsAround = Callable[[Coverage, str, tuple[Instant, Instant], MapPoints], tuple[DetectorVisits | None, str]]
"""Visits of a survey in a window that looked at or near some points; None and the reason where they are not known."""


def comparable_score(candidate: Candidate, ranking: Ranking = DEFAULT) -> float:
    """Return a candidate's rank without terms from outside of its alerts: those of off objects are not looked up."""
    return candidate.score - outside_of(candidate, ranking)


def evidence_of(candidate: Candidate, left_out: Collection[str], ranking: Ranking = DEFAULT) -> float:
    """Return the logarithm of the likelihood ratio of what was seen of a candidate, its place and some terms left out."""
    return math.fsum(
        value
        for name, value in ranking.shares(candidate.scores).items()
        if name != "sky" and name not in left_out and not ranking.is_outside(name)
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """One event under one hypothesis in one survey."""

    target: Target
    question: Question
    skymap: Skymap
    levels: Levels2D
    survey: str
    coverage: Coverage
    t0: Instant
    begin: Instant
    """Of the window that is looked at."""

    end: Instant

    @property
    def key(self) -> str:
        """What chooses the shifts, beside the seed."""
        return f"{self.target.event.event_id} {self.target.event.localization_id} {self.target.hypothesis.name} {self.survey}"

    @property
    def region(self) -> tuple[Int64s, Int64s]:
        """Ranges of order-29 pixels that the hypothesis looks at."""
        rows = self.levels.region(self.target.hypothesis.max_level)
        return merge(self.levels.lo[rows], self.levels.hi[rows])


class OffCounts:
    """Counts what off maps hold.

    Parameters
    ----------
    history
        The alerts.
    visits
        Tells of the visits.
    policy
        Which off maps, how they are divided, and what is no evidence.
    ranking
        By which objects are judged.
    goes_on
        Asked before each off map; False where the count shall end.
    """

    def __init__(
        self,
        *,
        history: AlertHistory,
        visits: VisitsAround,
        policy: CounterpartPolicy,
        ranking: Ranking = DEFAULT,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._history = history
        self._looked = visits
        self._policy = policy.chance
        self._left_out = frozenset((*policy.posterior.selected_by, *policy.posterior.in_measured_density))
        self._ranking = ranking
        self._goes_on = goes_on

    def content(self, asked: Asked) -> dict[str, Any]:
        """Return what is stored of a background: the numbers, and what they follow from."""
        policy = self._policy
        points = by_area(asked.skymap, asked.levels, asked.target.hypothesis.max_level, policy.n_points)
        visits, reason = self._visits(asked, points, Shift(ra_deg=0.0, days=0), asked.end)
        facts: dict[str, Any] = {
            "localization_id": asked.target.event.localization_id,
            "t0": asked.t0.tai_us,
            "begin": asked.begin.tai_us,
            "seed": policy.seed,
            "n_points": len(points),
            "ranking": self._ranking.identity,
        }
        if visits is None:
            return {**facts, "until": None, "off_maps": [], "background": {"reason": f"coverage unknown: {reason}"}}
        own = looks(points.ra_deg, points.dec_deg, visits)
        in_window = own.mid_us[own.mid_us >= asked.begin.tai_us]
        until = Instant(int(in_window.max())) if len(in_window) else asked.begin
        on, area = exposure(points, own, visits, asked.begin.tai_us, until.tai_us, policy)
        offs = list(self._offs(asked, points, until)) if on else []
        background = estimate(on, offs, policy, on_area_deg2=area)
        return {
            **facts,
            "until": until.tai_us,
            "off_maps": [
                {
                    "ra_shift_deg": one.ra_shift_deg,
                    "shift_d": one.shift_d,
                    "exposure_deg2_looks": one.total,
                    "n_objects": len(one.objects),
                    "n_confirmed": sum(thing.confirmed for thing in one.objects),
                    "share_evaluated": one.share_evaluated,
                    "n_unplaced": one.n_unplaced,
                }
                for one in offs
            ],
            "background": dump(background),
        }

    def _offs(self, asked: Asked, points: MapPoints, until: Instant) -> Iterator[OffMap]:
        policy = self._policy
        before = time_shifts(asked.begin.tai_us, until.tai_us, asked.t0.tai_us, policy)
        n_beside = 0
        for shift in itertools.chain(before, place_shifts(points, policy, asked.key)):
            if n_beside >= policy.n_place_shifts or not self._goes_on():
                return
            made = self._off(asked, points, until, shift)
            if made is not None and made.total > 0.0:
                n_beside += shift.ra_deg != 0.0
                yield made

    def _off(self, asked: Asked, points: MapPoints, until: Instant, shift: Shift) -> OffMap | None:
        policy, back = self._policy, shift.days * DAY_US
        there = shifted(points, shift.ra_deg)
        if shift.ra_deg != 0.0:  # what lies in the map itself is left out, for after the event it may hold the counterpart
            there = _outside(there, asked)
        visits, _ = self._visits(asked, there, shift, until)
        if visits is None or not len(visits):
            return None
        begin_us, until_us = asked.begin.tai_us - back, until.tai_us - back
        searched_there, _ = exposure(there, looks(there.ra_deg, there.dec_deg, visits), visits, begin_us, until_us, policy)
        if not searched_there:
            return None
        found, share = self._unrelated(asked, shift, until, visits)
        ra = np.array([(one.ra_deg + shift.ra_deg) % 360.0 for one in found])
        dec = np.array([one.dec_deg for one in found])
        seen = looks(ra, dec, visits)
        began = np.array([max(one.first_detection.tai_us - back, begin_us) for one in found], dtype=np.int64)
        first = first_looks(seen, len(found), began, until_us)
        placed = np.flatnonzero(first >= 0)
        level = np.array([found[index].level for index in placed.tolist()], dtype=np.float64)
        names = strata(seen, first[placed], level, visits, policy)
        objects = [
            OffObject(
                stratum=name,
                level=float(found[index].level or 0.0),
                score=comparable_score(found[index], self._ranking),
                evidence=evidence_of(found[index], self._left_out, self._ranking),
                confirmed=found[index].confirmed,
            )
            for index, name in zip(placed.tolist(), names, strict=True)
        ]
        return OffMap(
            ra_shift_deg=shift.ra_deg,
            shift_d=float(shift.days),
            exposure=searched_there,
            objects=tuple(objects),
            share_evaluated=share,
            n_unplaced=len(found) - len(objects),
        )

    def _unrelated(self, asked: Asked, shift: Shift, until: Instant, visits: DetectorVisits) -> tuple[list[Candidate], float]:
        """Return the open candidates that an off map's objects would be, and which share of the objects was looked at.

        They are judged with their onsets, as candidates are: else what began long after the event would count among them.
        """
        target, back = asked.target, shift.days * DAY_US
        places: dict[str, int] = {}
        for lo, hi, start, end in _slices(covering(*asked.region, shift.ra_deg), asked.begin, until):
            for batch in self._history.in_region(lo, hi, Instant(start.tai_us - back), Instant(end.tai_us - back)):
                if batch.survey == asked.survey:
                    allowed = self._allowed(asked, batch, shift, until)
                    fits = match(moved_back(allowed, shift), target)
                    pairs = zip(allowed.object_id[fits].tolist(), allowed.hpx29[fits].tolist(), strict=True)
                    places.update((name.decode(), pixel) for name, pixel in pairs)
        names, share = sample(sorted(places), self._policy.max_objects, f"{self._policy.seed} {asked.key} {shift}")
        if not names:
            return [], 1.0
        chosen = sorted(names)
        pixels = np.array([places[name] for name in chosen], dtype=np.int64)
        past = self._allowed(asked, self._history.of_objects(asked.survey, chosen, pixels), shift, until)
        curves = LightCurves.of(moved_back(past, shift))
        question = replace(
            asked.question,
            targets=[target],
            numbers=[TargetNumbers.of(target)],
            objects=np.arange(len(curves), dtype=np.int64),
        )
        before = visits_before(visits, ra_shift_deg=shift.ra_deg, shift_us=back)
        judgement = Judgement(
            coverage=asked.coverage, onsets=onsets(curves, before, self._policy.look_back_d), ranking=self._ranking
        )
        made = evaluate_many([question], curves, judgement)[0]
        return [one for one in made if one.state is PairState.OPEN and one.level is not None], share

    def _allowed(self, asked: Asked, alerts: AlertBatch, shift: Shift, until: Instant) -> AlertBatch:
        """Return the alerts of an off map that were there at the end of its window, without what may be the counterpart."""
        keep = alerts.mid_tai_us <= until.tai_us - shift.days * DAY_US
        keep &= ~forbidden(alerts, *asked.region, min(asked.t0, asked.begin).tai_us)
        return alerts.take(keep)

    def _visits(self, asked: Asked, points: MapPoints, shift: Shift, until: Instant) -> tuple[DetectorVisits | None, str]:
        """Return the visits around some points in the window of an off map and before it, or why they are not known."""
        begin = asked.begin.plus_s(-(shift.days + self._policy.look_back_d) * DAY_S)
        end = until.plus_s(-shift.days * DAY_S)
        found, reason = self._looked(asked.coverage, asked.survey, (begin, end), points)
        if found is None:
            return None, reason
        is_outline = np.array([one == FootprintKind.OUTLINE.value for one in found.footprint.values], dtype=np.bool_)
        return found.take(is_outline[found.footprint.codes] | (found.n_alerts >= self._policy.min_hull_alerts)), ""


def _outside(points: MapPoints, asked: Asked) -> MapPoints:
    """Return the points of a turned map that lie outside of the map itself."""
    keep = find(*asked.region, pixels29(points.ra_deg, points.dec_deg)) < 0
    return MapPoints(**{name: getattr(points, name)[keep] for name in MapPoints.__slots__})


def _slices(region: tuple[Int64s, Int64s], begin: Instant, until: Instant) -> Iterator[tuple[Int64s, Int64s, Instant, Instant]]:
    """Yield parts of a region and a time, each small enough to be held in memory."""
    lo, hi = region
    area = np.cumsum(area_sr(lo, hi)) * SR_TO_DEG2
    if not len(lo):
        return
    edges = [0, *(np.flatnonzero(np.diff(area // SLICE_DEG2_D)) + 1).tolist(), len(lo)]
    stop = Instant(until.tai_us + 1)
    for first, last in itertools.pairwise(edges):
        start = begin
        while start < stop:
            end = min(start.plus_s(DAY_S), stop)
            yield lo[first:last], hi[first:last], start, end
            start = end
