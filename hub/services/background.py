"""The background of events, measured in the archive: unrelated objects beside each map, never after the event inside it.

It takes seconds and reads much of the archive, so it is a job beside the stream. What it finds is a function of the archive, the
ledger of visits, the event and the policy alone; a version is written where that differs from the newest one.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, StorageError
from hub.model.alert import AlertBatch
from hub.model.background import BackgroundVersion
from hub.model.coincidence import Candidate, PairState
from hub.model.coverage import Coverage
from hub.model.event import Event as HubEvent
from hub.model.event import EventState
from hub.model.instant import Instant
from hub.model.sky import WHOLE_SKY_ID, Skymap
from hub.model.visit import DetectorVisits, FootprintKind
from hub.ports import AlertHistory, Clock, Health
from hub.science.candidates import Judgement, Question, evaluate_many
from hub.science.chance import OffMap, OffObject, estimate
from hub.science.counterpart_policy import CounterpartPolicy
from hub.science.crossmatch import Target, match
from hub.science.healpix import SR_TO_DEG2, Int64s, area_sr, find, merge, pixels29
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
from hub.science.point_visits import looks
from hub.science.ranking import DEFAULT, Ranking
from hub.science.rules import DAY_S, Rules
from hub.science.target_columns import TargetNumbers
from hub.science.worth import outside_of
from hub.services import coverage, searched
from hub.services.expectations import WORTHS_JOB
from hub.services.maps import MapCache
from hub.services.matching import SLICE_DEG2_D, Matching
from hub.services.queries import find_event
from hub.services.turn import Turn
from hub.storage import backgrounds, candidates, events, jobs
from hub.storage.engine import Store
from hub.storage.jsonable import dump
from hub.telemetry import get_logger

log = get_logger("background")

LEASE = "background"
"""Of the processes that may measure one does: it takes seconds of all, and they would all find the same."""


def comparable_score(candidate: Candidate, ranking: Ranking = DEFAULT) -> float:
    """Return a candidate's rank without terms from outside of its alerts: those of off objects are not looked up."""
    return candidate.score - outside_of(candidate, ranking)


def has_moved(old: Mapping[str, Any], new: Mapping[str, Any], step: float) -> bool:
    """Return whether what is stored of a background says something else, or its numbers changed by more than a share of them."""
    if any(old.get(name) != new.get(name) for name in _FACTS):
        return True
    before, after = old["background"], new["background"]
    if before.get("reason") != after.get("reason"):
        return True
    numbers = zip(_sizes(before), _sizes(after), strict=True)
    return any(abs(now - then) > step * max(now, then) for then, now in numbers)


_FACTS = ("localization_id", "t0", "begin", "seed", "n_points", "ranking")


def _sizes(background: Mapping[str, Any]) -> tuple[float, float]:
    return float(background.get("on_exposure", 0.0)), math.fsum(background.get("weights", ()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Asked:
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
        return f"{self.target.event.event_id} {self.target.event.localization_id} {self.target.hypothesis.name} {self.survey}"

    @property
    def region(self) -> tuple[Int64s, Int64s]:
        rows = self.levels.region(self.target.hypothesis.max_level)
        return merge(self.levels.lo[rows], self.levels.hi[rows])


class Backgrounds:
    """Measures backgrounds and keeps them.

    Any number of processes may take steps: one of them measures, and where two did the same would come out. A measurement that a
    person asks for waits for no turn.
    """

    def __init__(
        self,
        *,
        store: Store,
        history: AlertHistory,
        archive: Path,
        rules: Rules,
        policy: CounterpartPolicy,
        clock: Clock,
        ranking: Ranking = DEFAULT,
    ) -> None:
        self._store = store
        self._history = history
        self._archive = archive
        self._policy = policy
        self._ranking = ranking
        self._clock = clock
        self._maps = MapCache()
        self._matching = Matching(history=history, rules=rules, maps=self._maps)
        self._longest_d = max((one.window_d[1] for one in rules.hypotheses), default=0.0)
        self._asked: dict[tuple[str, str | None, Instant | None], Instant] = {}
        self._told_to_stop = Event()
        self._turn = Turn(store, LEASE, clock)
        self._is_mine = True
        self._n_done = 0
        self._fault = ""

    def step(self) -> int:
        """Measure one open live event whose turn it is; return 1 where there was one, else 0."""
        try:
            self._is_mine = self._turn.take()
            if not self._is_mine:
                self._fault = ""
                return 0
            event = self._due()
            if event is None:
                return 0
            name = event.event_id
            self._asked[_as_it_is(event)] = self._clock()
            self._n_done += len(self.measure(name, least_step=self._policy.worth.background_step))
        except (InvalidRequest, StorageError) as error:
            log.warning("background not measured", error=str(error))
            self._fault = str(error)
            return 0
        except Exception as error:  # one bad event must not stop the others: its turn comes again later
            log.exception("background not measured")
            self._fault = f"internal error ({type(error).__name__}), see the log"
            return 0
        self._fault = ""
        return 1

    def stop(self) -> None:
        """Let a measurement end at the next place where it can; callable from any thread."""
        self._told_to_stop.set()

    def release(self) -> None:
        """Let another process measure at once; to be called when no step is under way. Raises `StorageError`."""
        self._turn.release()

    def health(self) -> Health:
        """Return how it is; callable from any thread."""
        alarms = (f"the background is not measured: {self._fault}",) if self._fault else ()
        state = "faulty" if self._fault else "running" if self._is_mine else "another process does it"
        return Health(state=state, alarms=alarms, facts={"versions": self._n_done})

    def measure(
        self,
        name: str,
        *,
        hypothesis: str | None = None,
        tell: Callable[[str], None] = lambda _: None,
        least_step: float = 0.0,
    ) -> list[BackgroundVersion]:
        """Measure the background of an event and return the versions that are new.

        Parameters
        ----------
        name
            Of the event, any.
        hypothesis
            Only this one; all that the event admits where not given.
        tell
            Called with a sentence now and then.
        least_step
            What changed by a smaller share of itself is no new version.

        Raises
        ------
        NotFound
            There is no such event.
        InvalidRequest
            It has no time or map, or nothing that could be its counterpart.
        StorageError
            The archive or the database cannot be read.
        """
        found = []
        for asked in self._questions(name, hypothesis):
            if self._told_to_stop.is_set():
                break
            tell(f"{asked.target.hypothesis.name} in {asked.survey}")
            content = self._content(asked)
            version = BackgroundVersion(
                event_id=asked.target.event.event_id,
                hypothesis=asked.target.hypothesis.name,
                survey=asked.survey,
                version=0,
                computed_at=self._clock(),
                content=content,
            )
            if self._told_to_stop.is_set():  # what is half done is not kept
                break
            with self._store.transaction() as session:
                saved = self._save(session, version, least_step)
            if saved is not None:
                found.append(saved)
        return found

    @staticmethod
    def _save(session: Session, version: BackgroundVersion, least_step: float) -> BackgroundVersion | None:
        """Store a version where it says something new, and have the coincidences that it bears on written again."""
        newest = backgrounds.latest(session, version.event_id, version.hypothesis, version.survey)
        if newest is not None and least_step > 0.0 and not has_moved(newest.content, version.content, least_step):
            return None
        saved = backgrounds.save(session, version)
        if saved is not None:
            jobs.put(session, WORTHS_JOB, saved.event_id)
        return saved

    def _due(self) -> HubEvent | None:
        now = self._clock()
        with self._store.reading() as session:
            near = events.in_span(session, now.plus_s(-(self._longest_d + 1.0) * DAY_S), now)
            for event in near:
                if event.state is not EventState.ACTIVE or not event.is_live or event.localization_id in (None, WHOLE_SKY_ID):
                    continue  # beside the whole sky there is no place to measure a background in
                last = self._asked.get(_as_it_is(event))
                if last is not None and now.minus(last) < self._policy.chance.every_min * 60.0:
                    continue
                if candidates.of_event(session, event.event_id, state=PairState.OPEN, limit=1):
                    return event
        return None

    def _questions(self, name: str, hypothesis: str | None) -> list[_Asked]:
        policy, now = self._policy.chance, self._clock()
        with self._store.reading() as session:
            event = find_event(session, name)
            t0, localization_id = event.t0, event.localization_id
            if t0 is None or localization_id is None:
                lacks = "no time" if t0 is None else "no localization"
                raise InvalidRequest(f"the event {event.event_id} has {lacks}: nothing can be expected inside its map")
            question = self._matching.question(session, event)
            targets = question.targets if question is not None else ()
            chosen = [one for one in targets if hypothesis in (None, one.hypothesis.name)]
            if question is None or not chosen:
                raise InvalidRequest(
                    f"the event {event.event_id} admits "
                    + ("no hypothesis of a counterpart" if hypothesis is None else f"no counterpart of the kind {hypothesis!r}")
                )
            levels = self._maps.levels(session, [localization_id])[localization_id]
            skymap = self._maps.localization(session, localization_id).skymap
            hears = coverage.heard(session)
            heard = [candidate.survey for candidate in candidates.of_event(session, event.event_id)]
        surveys = sorted({*heard, *(one.survey for one in hears.streams)})
        found = []
        for target, survey in itertools.product(chosen, surveys):
            low, high = target.hypothesis.window_d
            begin = t0.plus_s(low * DAY_S)
            end = min(now, t0.plus_s(high * DAY_S), t0.plus_s(policy.max_window_d * DAY_S))
            own = replace(target, t0s=(t0,), maps={localization_id: target.maps[localization_id]}, too_large=frozenset())
            found.append(
                _Asked(
                    target=own,
                    question=question,
                    skymap=skymap,
                    levels=levels,
                    survey=survey,
                    coverage=hears,
                    t0=t0,
                    begin=begin,
                    end=max(begin, end),
                )
            )
        return found

    def _content(self, asked: _Asked) -> dict[str, Any]:
        """Return what is stored of a background: the numbers, and what they follow from."""
        policy = self._policy.chance
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

    def _offs(self, asked: _Asked, points: MapPoints, until: Instant) -> Iterator[OffMap]:
        policy = self._policy.chance
        before = time_shifts(asked.begin.tai_us, until.tai_us, asked.t0.tai_us, policy)
        n_beside = 0
        for shift in itertools.chain(before, place_shifts(points, policy, asked.key)):
            if self._told_to_stop.is_set() or n_beside >= policy.n_place_shifts:
                return
            self._turn.keep()
            made = self._off(asked, points, until, shift)
            if made is not None and made.total > 0.0:
                n_beside += shift.ra_deg != 0.0
                yield made

    def _off(self, asked: _Asked, points: MapPoints, until: Instant, shift: Shift) -> OffMap | None:
        policy, back = self._policy.chance, shift.days * DAY_US
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
        found, share = self._unrelated(asked, shift, until)
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

    def _unrelated(self, asked: _Asked, shift: Shift, until: Instant) -> tuple[list[Candidate], float]:
        """Return the open candidates that an off map's objects would be, and which share of the objects was looked at."""
        target, back = asked.target, shift.days * DAY_US
        places: dict[str, int] = {}
        for lo, hi, start, end in _slices(covering(*asked.region, shift.ra_deg), asked.begin, until):
            for batch in self._history.in_region(lo, hi, Instant(start.tai_us - back), Instant(end.tai_us - back)):
                if batch.survey == asked.survey:
                    allowed = self._allowed(asked, batch, shift, until)
                    fits = match(moved_back(allowed, shift), target)
                    pairs = zip(allowed.object_id[fits].tolist(), allowed.hpx29[fits].tolist(), strict=True)
                    places.update((name.decode(), pixel) for name, pixel in pairs)
        names, share = sample(sorted(places), self._policy.chance.max_objects, f"{self._policy.chance.seed} {asked.key} {shift}")
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
        made = evaluate_many([question], curves, Judgement(coverage=asked.coverage, ranking=self._ranking))[0]
        return [one for one in made if one.state is PairState.OPEN and one.level is not None], share

    def _allowed(self, asked: _Asked, alerts: AlertBatch, shift: Shift, until: Instant) -> AlertBatch:
        """Return the alerts of an off map that were there at the end of its window, without what may be the counterpart."""
        keep = alerts.mid_tai_us <= until.tai_us - shift.days * DAY_US
        keep &= ~forbidden(alerts, *asked.region, min(asked.t0, asked.begin).tai_us)
        return alerts.take(keep)

    def _visits(self, asked: _Asked, points: MapPoints, shift: Shift, until: Instant) -> tuple[DetectorVisits | None, str]:
        """Return the visits around some points in the window of an off map and before it, or why they are not known."""
        begin = asked.begin.plus_s(-(shift.days + self._policy.chance.look_back_d) * DAY_S)
        end = until.plus_s(-shift.days * DAY_S)
        with self._store.reading() as session:
            found, reason = searched.visits_around(session, self._archive, asked.coverage, asked.survey, (begin, end), points)
        if found is None:
            return None, reason
        is_outline = np.array([one == FootprintKind.OUTLINE.value for one in found.footprint.texts()], dtype=np.bool_)
        return found.take(is_outline | (found.n_alerts >= self._policy.chance.min_hull_alerts)), ""


def _as_it_is(event: HubEvent) -> tuple[str, str | None, Instant | None]:
    """Return what a background is measured of: after an update of map or time the event has its turn at once."""
    return event.event_id, event.localization_id, event.t0


def _outside(points: MapPoints, asked: _Asked) -> MapPoints:
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
