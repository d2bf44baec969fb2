"""What was measured of the background, for the candidates that versions are written of: read for all of a batch at once.

A background is a row that was written beside the stream and is never edited, so what follows from it for a candidate is a
function of both. It is looked up for candidates that become or are coincidences, never for every alert.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from hub.model.background import BackgroundVersion
from hub.model.coincidence import Candidate, Score
from hub.model.event import Event
from hub.model.worth import LIVE_MAPS, PROBABILITY
from hub.science.chance import Background
from hub.science.ranking import DEFAULT, Ranking
from hub.science.worth import OTHER_MAP, OTHER_RANKING, UNMEASURED, Measured, backgrounds_of, chance_scores
from hub.storage import backgrounds, candidates, worths
from hub.storage.candidates import RowKey
from hub.storage.jsonable import load

WORTHS_JOB = "worths"
"""Kind of the job: its key is the id of an event of whose candidates something was measured anew."""

MAX_BACKGROUNDS = 100
"""Backgrounds kept in memory, each of some thousand numbers; those that were not asked for longest are forgotten."""

BackgroundKey = tuple[str, str, str, int]
"""Event id, hypothesis, survey, version."""


def background_in(version: BackgroundVersion) -> Background:
    """Return the background that a version holds."""
    return load(Background, version.content["background"])


def measured_of(version: BackgroundVersion | None, event: Event, ranking: Ranking, n_surveys: int = 1) -> Measured:
    """Return what a version says of an event as it is now; nothing where it was measured of another map, time or ranking."""
    if version is None:
        return UNMEASURED
    why = _stale(version, event, ranking)
    if why is not None:
        return Measured(background=Background(reason=why), version=version.version, n_surveys=n_surveys)
    return Measured(background=background_in(version), version=version.version, n_surveys=n_surveys)


def _stale(version: BackgroundVersion, event: Event, ranking: Ranking) -> str | None:
    content = version.content
    if content["localization_id"] != event.localization_id or event.t0 is None or content["t0"] != event.t0.tai_us:
        return OTHER_MAP
    return OTHER_RANKING if content.get("ranking", DEFAULT.identity) != ranking.identity else None


def stored_backgrounds(session: Session, scores: Iterable[Score]) -> dict[BackgroundKey, Background]:
    """Return the backgrounds that some scores follow from, those that are stored."""
    found = {key: backgrounds.get(session, *key) for key in backgrounds_of(scores)}
    return {key: background_in(version) for key, version in found.items() if version is not None}


class Expectations:
    """Says of candidates what the newest measurements make of them; shared by threads."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking
        self._known: OrderedDict[BackgroundKey, BackgroundVersion] = OrderedDict()
        self._made: dict[BackgroundKey, Background] = {}
        self._lock = threading.Lock()

    def scores_of(self, session: Session, asked: Sequence[tuple[Event, Candidate]]) -> dict[RowKey, tuple[Score, ...]]:
        """Return the scores of candidates of events, by key; of those of which nothing was measured, that and why."""
        if not asked:
            return {}
        event_ids = {event.event_id for event, _ in asked}
        numbers = backgrounds.newest_numbers(session, event_ids)
        rows = worths.of_objects(session, event_ids, [one.object_id for _, one in asked])
        found = {}
        for event, one in asked:
            key = candidates.row_key(one)
            mu, chance, expected = chance_scores(one, self._measured(session, numbers, event, one), self._ranking)
            stored = rows[key].scores if key in rows else ()
            beside = [score for score in stored if score.statistic in {LIVE_MAPS, PROBABILITY}]
            found[key] = (mu, *(() if chance.value is None else (chance,)), expected, *beside)
        return found

    def _measured(
        self, session: Session, numbers: dict[tuple[str, str, str], int], event: Event, candidate: Candidate
    ) -> Measured:
        key = candidate.event_id, candidate.hypothesis, candidate.survey
        number = numbers.get(key)
        if number is None:
            return UNMEASURED
        n_surveys = sum(other[:2] == key[:2] for other in numbers)
        version = self._version(session, (*key, number))
        if version is None:
            return UNMEASURED
        why = _stale(version, event, self._ranking)
        if why is not None:
            return Measured(background=Background(reason=why), version=number, n_surveys=n_surveys)
        return Measured(background=self._background((*key, number), version), version=number, n_surveys=n_surveys)

    def _version(self, session: Session, key: BackgroundKey) -> BackgroundVersion | None:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        version = backgrounds.get(session, *key)
        if version is not None:
            with self._lock:
                self._known[key] = version
                while len(self._known) > MAX_BACKGROUNDS:
                    self._made.pop(self._known.popitem(last=False)[0], None)
        return version

    def _background(self, key: BackgroundKey, version: BackgroundVersion) -> Background:
        with self._lock:
            if key not in self._made:
                self._made[key] = background_in(version)
            return self._made[key]
