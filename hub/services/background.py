"""The background of events, measured in the archive: unrelated objects beside each map, never after the event inside it.

It takes seconds and reads much of the archive, so it is a job beside the stream. What it finds is a function of the archive, the
ledger of visits, the event and the policy alone; a version is written where that differs from the newest one.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, StorageError
from hub.model.background import BackgroundVersion
from hub.model.coincidence import PairState
from hub.model.coverage import Coverage
from hub.model.event import Event as HubEvent
from hub.model.event import EventState
from hub.model.instant import Instant
from hub.model.sky import WHOLE_SKY_ID
from hub.model.visit import DetectorVisits
from hub.ports import AlertHistory, Clock, Health
from hub.science.counterpart_policy import CounterpartPolicy
from hub.science.map_points import MapPoints
from hub.science.ranking import DEFAULT, Ranking
from hub.science.rules import DAY_S, Rules
from hub.services import coverage, promotion, searched
from hub.services.expectations import WORTHS_JOB
from hub.services.maps import MapCache
from hub.services.matching import Matching
from hub.services.off_counts import Asked, OffCounts
from hub.services.queries import find_event
from hub.services.turn import Turn
from hub.storage import backgrounds, candidates, events, jobs
from hub.storage.engine import Store
from hub.telemetry import get_logger

log = get_logger("background")

LEASE = "background"
"""Of the processes that may measure one does: it takes seconds of all, and they would all find the same."""


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
        self._low_significance = rules.low_significance
        self._longest_d = max((one.window_d[1] for one in rules.hypotheses), default=0.0)
        self._asked: dict[tuple[str, str | None, Instant | None], Instant] = {}
        self._told_to_stop = Event()
        self._turn = Turn(store, LEASE, clock)
        self._is_mine = True
        self._n_done = 0
        self._fault = ""
        self._counts = OffCounts(history=history, visits=self._visits, policy=policy, ranking=ranking, goes_on=self._goes_on)

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

    def _questions(self, name: str, hypothesis: str | None) -> list[Asked]:
        policy, now = self._policy.chance, self._clock()
        with self._store.reading() as session:
            event = find_event(session, name)
            t0, localization_id = event.t0, event.localization_id
            if t0 is None or localization_id is None:
                lacks = "no time" if t0 is None else "no localization"
                raise InvalidRequest(f"the event {event.event_id} has {lacks}: nothing can be expected inside its map")
            if (why := promotion.why_not_searched(session, self._low_significance, event)) is not None:
                raise InvalidRequest(f"the event {event.event_id} is {why}")
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
            met = candidates.surveys_of(session, event.event_id)
        surveys = sorted({*met, *(one.survey for one in hears.streams)})
        found = []
        for target, survey in itertools.product(chosen, surveys):
            low, high = target.hypothesis.window_d
            begin = t0.plus_s(low * DAY_S)
            end = min(now, t0.plus_s(high * DAY_S), t0.plus_s(policy.max_window_d * DAY_S))
            own = replace(target, t0s=(t0,), maps={localization_id: target.maps[localization_id]}, too_large=frozenset())
            found.append(
                Asked(
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

    def _content(self, asked: Asked) -> dict[str, Any]:
        """Return what is stored of a background: the numbers, and what they follow from."""
        return self._counts.content(asked)

    def _goes_on(self) -> bool:
        self._turn.keep()
        return not self._told_to_stop.is_set()

    def _visits(
        self, hears: Coverage, survey: str, window: tuple[Instant, Instant], points: MapPoints
    ) -> tuple[DetectorVisits | None, str]:
        with self._store.reading() as session:
            return searched.visits_around(session, self._archive, hears, survey, window, points)


def _as_it_is(event: HubEvent) -> tuple[str, str | None, Instant | None]:
    """Return what a background is measured of: after an update of map or time the event has its turn at once."""
    return event.event_id, event.localization_id, event.t0
