"""What candidates are worth, measured beside the stream: all of an event at once, and stored where it changed by enough.

The probabilities of an event's candidates depend on each other, on the ledger of visits and on the background, so they are worked
out for an event as a whole, after its candidates or its background changed, never for an alert. A row says when, and of what. The
numbers are a function of the candidates, the events, the newest backgrounds, the ledger and the policy.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, StorageError
from hub.model.coincidence import Score
from hub.model.instant import Instant
from hub.model.worth import PROBABILITY
from hub.ports import Clock, Health
from hub.science.rules import DAY_S
from hub.science.worth import UNMEASURED, chance_scores, live_maps_score, probability_scores
from hub.services import counterparts
from hub.services.counterparts import Answer, Book, Interval, Tried
from hub.services.expectations import WORTHS_JOB
from hub.services.queries import find_event
from hub.services.turn import Turn
from hub.storage import backgrounds, candidates, events, jobs, worths
from hub.storage.engine import Store
from hub.storage.worths import Key, Worth
from hub.storage.writing import hold
from hub.telemetry import get_logger

log = get_logger("worths")

LEASE = "worths"
"""Of the processes that may do it one does."""


class Worths:
    """Keeps what is stored of the worth of candidates up to date; any number of processes may, the same comes out."""

    def __init__(self, *, store: Store, archive: Path, book: Book, clock: Clock) -> None:
        self._store = store
        self._archive = archive
        self._book = book
        self._clock = clock
        self._longest_d = max((one.window_d[1] for one in book.rules.hypotheses), default=0.0)
        self._seen: dict[str, tuple[Any, Instant]] = {}
        """Of each event what it was looked at with, and when."""
        self._turn = Turn(store, LEASE, clock)
        self._is_mine = True
        self._n_done = 0
        self._fault = ""

    def step(self) -> int:
        """Look at one open live event whose turn it is; return 1 where there was one, else 0."""
        try:
            self._is_mine = self._turn.take()
            due = self._due() if self._is_mine else None
            if due is None:
                self._fault = ""
                return 0
            name, state = due
            self._seen[name] = state, self._clock()
            self._n_done += self.measure(name)
        except (InvalidRequest, StorageError) as error:
            log.warning("worth of candidates not measured", error=str(error))
            self._fault = str(error)
            return 0
        except Exception as error:  # one bad event must not stop the others: its turn comes again later
            log.exception("worth of candidates not measured")
            self._fault = f"internal error ({type(error).__name__}), see the log"
            return 0
        self._fault = ""
        return 1

    def release(self) -> None:
        """Let another process do it at once; to be called when no step is under way. Raises `StorageError`."""
        self._turn.release()

    def health(self) -> Health:
        """Return how it is; callable from any thread."""
        alarms = (f"what candidates are worth is not measured: {self._fault}",) if self._fault else ()
        state = "faulty" if self._fault else "running" if self._is_mine else "another process does it"
        return Health(state=state, alarms=alarms, facts={"written": self._n_done})

    def measure(self, name: str) -> int:
        """Work out what the candidates of an event are worth; return of how many something new was written.

        Raises
        ------
        NotFound
            There is no such event.
        InvalidRequest
            It has no time or map.
        StorageError
            A ledger or the database cannot be read.
        """
        now = self._clock()
        with self._store.reading() as session:
            event = find_event(session, name)
            answers = counterparts.answers_of(session, self._archive, event, now=now, book=self._book)
            fresh = self._scores(session, event.event_id, answers)
        with self._store.transaction() as session:
            hold(session, f"worths {event.event_id}")
            stored = worths.of_event(session, event.event_id)
            changed = {
                key: Worth(version=stored[key].version + 1 if key in stored else 1, computed_at=now, scores=scores)
                for key, scores in fresh.items()
                if key not in stored or self._differ(stored[key].scores, scores)
            }
            gone = set(stored) - set(fresh)
            worths.save_all(session, changed)
            worths.forget(session, gone)
            if changed or gone:
                jobs.put(session, WORTHS_JOB, event.event_id)
        return len(changed)

    def _scores(self, session: Session, event_id: str, answers: Sequence[Answer]) -> dict[Key, tuple[Score, ...]]:
        measured = {answer.hypothesis.name: answer.measured for answer in answers}
        best: dict[Key, tuple[Interval, tuple[Score, ...]]] = {}
        for one in candidates.best_of_event(session, event_id, self._book.policy.worth.max_candidates):
            background = measured.get(one.hypothesis, {}).get(one.survey, UNMEASURED)
            best[candidates.row_key(one)] = (
                (one.first_detection, one.last_detection),
                chance_scores(one, background, self._book.ranking),
            )
        tried = Tried.of(session, self._book.rules, [interval for interval, _ in best.values()])
        inside = candidates.n_events(session, {(survey, object_id) for _, survey, object_id, _ in best})
        probabilities = self._probabilities(answers, best)
        fresh: dict[Key, tuple[Score, ...]] = {}
        for key, (interval, of_chance) in best.items():
            live_maps = live_maps_score(tried.by(interval), inside[key[1], key[2]])
            probability = (probabilities[key],) if key in probabilities else ()
            fresh[key] = (*of_chance, live_maps, *probability)
        return fresh

    def _probabilities(self, answers: Sequence[Answer], asked: Collection[Key]) -> dict[Key, Score]:
        """Return the probability of each candidate that is asked for; all objects of one transient have that of the transient."""
        found: dict[Key, Score] = {}
        for answer in answers:
            own = {key[1:3]: key for key in asked if key[3] == answer.hypothesis.name}
            keys_of: dict[tuple[str, str], list[Key]] = {}
            for one in answer.own if own else ():
                others = (name.partition(":")[::2] for name in answer.aliases.get(one.name, ()))
                if keys := [own[name] for name in ((one.survey, one.object_id), *others) if name in own]:
                    keys_of[one.survey, one.object_id] = keys
            scores = probability_scores(answer.posterior, self._book.policy.posterior.veto_loss, asked=keys_of)
            found |= {key: score for name, score in scores.items() for key in keys_of[name]}
        return found

    def _differ(self, old: Sequence[Score], new: Sequence[Score]) -> bool:
        before, after = ({one.statistic: one for one in scores} for scores in (old, new))
        if {name: one for name, one in before.items() if name != PROBABILITY} != {
            name: one for name, one in after.items() if name != PROBABILITY
        }:
            return True
        then, now = before.get(PROBABILITY), after.get(PROBABILITY)
        if then is None or now is None or then.value is None or now.value is None:
            return _reason(then) != _reason(now) or _value(then) != _value(now)
        return abs(now.value - then.value) >= self._book.policy.worth.probability_step

    def _due(self) -> tuple[str, Any] | None:
        now, policy = self._clock(), self._book.policy
        with self._store.reading() as session:
            for name in events.open_in_span(session, now.plus_s(-(self._longest_d + 1.0) * DAY_S), now):
                former, at = self._seen.get(name, (None, None))
                since_min = None if at is None else now.minus(at) / 60.0
                if since_min is not None and since_min < policy.worth.every_min:
                    continue
                state = _state(session, name)
                if state is not None and (state != former or since_min is None or since_min >= policy.chance.every_min):
                    return name, state
        return None


def _state(session: Session, name: str) -> tuple[object, ...] | None:
    """Return what the worth of candidates follows from, the ledger aside, in short; None where an event has none, or no map."""
    sums = candidates.sums(session, name)
    event = events.get(session, name) if sums[0] else None
    if event is None or event.localization_id is None:
        return None
    numbers = backgrounds.newest_numbers(session, [name])
    return event.localization_id, event.t0, len(event.versions), sums, tuple(sorted(numbers.items()))


def _reason(score: Score | None) -> object:
    return None if score is None else score.inputs.get("reason")


def _value(score: Score | None) -> float | None:
    return None if score is None else score.value
