"""Objects as counterparts: their candidates evaluated from the archive, stored, and announced where they are worth it.

Pairs whose candidates a quieter pass changed are as good as changed to the next one that lets out everything
(`hub.storage.unsaid`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, Member, MemberKind, PairState, Score, coincidence_id
from hub.model.coverage import Coverage
from hub.model.event import Event
from hub.model.outgoing import Leaves
from hub.ports import AlertHistory
from hub.science.light_curves import LightCurves
from hub.science.rules import Hypothesis, Rules
from hub.services.judging import UNFIT, FactSource, Judged, judge, knows_nothing, with_unfit
from hub.services.matching import Matching, ObjectKey
from hub.services.versions import Versions
from hub.storage import candidates, coincidences, unsaid


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an evaluation changed."""

    candidates: int = 0
    """Candidates written."""

    versions: int = 0
    """Versions of coincidences written, or let out only now."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidacy:
    """Keeps candidates, and the coincidences of them, equal to the pure functions of what has arrived."""

    history: AlertHistory
    rules: Rules
    matching: Matching
    coverage: Callable[[Session], Coverage]
    versions: Versions
    facts: FactSource = knows_nothing
    """What is known of objects beside their alerts."""

    def of_event(self, session: Session, event: Event | None, keys: Collection[ObjectKey]) -> Done:
        """Evaluate some objects of an event whose notices may have changed."""
        if event is None or not keys:
            return Done()
        return self.evaluate(session, [(event, keys)], self.past(keys), only_changed=False)

    def past(self, keys: Collection[ObjectKey]) -> dict[str, LightCurves]:
        """Return the archived alerts of some objects, by survey; objects that have none are left out."""
        by_survey: dict[str, list[ObjectKey]] = {}
        for key in keys:
            by_survey.setdefault(key.survey, []).append(key)
        found = {}
        for survey, of_survey in by_survey.items():
            pixels = np.array([key.hpx29 for key in of_survey], dtype=np.int64)
            found[survey] = LightCurves.of(self.history.of_objects(survey, [key.object_id for key in of_survey], pixels))
        return found

    def evaluate(
        self,
        session: Session,
        pairs: Sequence[tuple[Event, Collection[ObjectKey]]],
        past: Mapping[str, LightCurves],
        *,
        only_changed: bool,
    ) -> Done:
        """Write the candidates that some objects are of events, and the coincidences of them.

        Parameters
        ----------
        session
            That holds the locks of the events.
        pairs
            Events, read under their locks, and the objects of each.
        past
            Their alerts, read under the locks.
        only_changed
            Whether to pass over the coincidences of candidates that did not change: where the event did not.
        """
        coverage = self.coverage(session)
        judged = judge(session, self.matching, pairs, past, coverage=coverage, facts=self.facts)
        stored = candidates.stored(session, {name for of_event in judged for name in of_event.names})
        judged = [with_unfit(of_event, past, stored) for of_event in judged]
        found = [one for of_event in judged for one in of_event.candidates]
        changed = candidates.save_all(session, found, stored)
        due = {(one.event_id, one.survey, one.object_id) for one in (changed if only_changed else found)}
        due |= self._unsaid(session, found, changed)
        return Done(candidates=len(changed), versions=self._announce(session, judged, due))

    def _unsaid(self, session: Session, found: Iterable[Candidate], changed: Iterable[Candidate]) -> set[unsaid.Pair]:
        """Return the pairs that quieter passes changed, of those that were evaluated; remember what this one does not let out."""
        if self.versions.leaves is not Leaves.ALL:
            unsaid.add(session, {(one.event_id, one.survey, one.object_id) for one in changed})
        if self.versions.leaves is Leaves.NOTHING:
            return set()
        pairs = {(one.event_id, one.survey, one.object_id) for one in found}
        known = unsaid.of_events(session, {event_id for event_id, _, _ in pairs}) & pairs
        if self.versions.leaves is Leaves.ALL:
            unsaid.forget(session, known)
        return known

    def _announce(self, session: Session, judged: Iterable[Judged], due: Collection[tuple[str, str, str]]) -> int:
        """Write the coincidences of objects with events; return how many versions were written.

        Parameters
        ----------
        session
            That holds the locks of the events.
        judged
            The candidates of each event.
        due
            Event id, survey and object id of those to look at.
        """
        rules = {one.name: one for one in self.rules.hypotheses}
        pairs: dict[str, tuple[Event, tuple[Member, Member], str, list[Candidate]]] = {}
        for of_event in judged:
            event = of_event.event
            for one in sorted(of_event.candidates, key=lambda one: (one.survey, one.object_id)):
                if (one.event_id, one.survey, one.object_id) not in due:
                    continue
                members = (
                    Member(kind=MemberKind.EVENT, id=event.event_id),
                    Member(kind=MemberKind.OBJECT, id=f"{one.survey}:{one.object_id}"),
                )
                for kind in (rules[one.hypothesis].kind,) if one.hypothesis in rules else self._former_kinds(session, one):
                    pairs.setdefault(coincidence_id(kind, members), (event, members, kind, []))[3].append(one)
        known = coincidences.newest_of(session, pairs)
        return sum(
            self._announce_best(session, event, rules, members, kind, of_kind, known.get(name))
            for name, (event, members, kind, of_kind) in pairs.items()
        )

    def _former_kinds(self, session: Session, candidate: Candidate) -> tuple[str, ...]:
        """Return of which kinds of coincidence a candidate is whose hypothesis is in the rules no more."""
        object_id = f"{candidate.survey}:{candidate.object_id}"
        pairs = coincidences.search(session, event_id=candidate.event_id, object_id=object_id, limit=None)
        return tuple(sorted({pair.kind for pair in pairs if pair.hypothesis == candidate.hypothesis}))

    def _announce_best(  # noqa: PLR0917 - all that a version says
        self,
        session: Session,
        event: Event,
        rules: Mapping[str, Hypothesis],
        members: tuple[Member, Member],
        kind: str,
        of_kind: Sequence[Candidate],
        newest: coincidences.Newest | None,
    ) -> int:
        """Write the coincidence of an object with an event: under the best hypothesis worth announcing, or its withdrawal."""
        worthy = [
            one
            for one in of_kind
            if one.state is PairState.OPEN and one.confirmed and one.score >= rules[one.hypothesis].min_announce_score
        ]
        if not worthy and newest is None:
            return 0
        best = max(worthy or of_kind, key=lambda one: (one.score, one.hypothesis))
        version = self.versions.version(
            kind=kind,
            hypothesis=best.hypothesis,
            members=members,
            state=PairState.OPEN if worthy else PairState.WITHDRAWN,
            scores=(_rank_score(best), _level_score(best), *best.scores),
            reasons=best.reasons if worthy else (_why_withdrawn(event, best), *(one for one in best.reasons if one != UNFIT)),
            localization_ids=(event.localization_id,) if event.localization_id else (),
            events_of_pair=(event,),
        )
        hypothesis = rules.get(best.hypothesis)
        return self.versions.write(session, version, newest, events_of_pair=(event,), candidate=best, hypothesis=hypothesis)


def _rank_score(candidate: Candidate) -> Score:
    return Score(
        statistic="rank",
        version=1,
        value=candidate.score,
        unit="1",
        inputs={"sum_of": [one.statistic for one in candidate.scores]},
    )


def _level_score(candidate: Candidate) -> Score:
    return Score(
        statistic="level_2d",
        version=1,
        value=candidate.level,
        unit="1",
        inputs={"ra_deg": candidate.ra_deg, "dec_deg": candidate.dec_deg},
    )


def _why_withdrawn(event: Event, candidate: Candidate) -> str:
    if event.state.value == "retracted":
        return f"withdrawn: {event.event_id} was retracted"
    if event.vetoes:
        return f"withdrawn: {event.event_id}: {'; '.join(event.vetoes)}"
    if UNFIT in candidate.reasons:
        return UNFIT
    if candidate.state is PairState.WITHDRAWN:
        return "withdrawn: it no longer fits the current version of the event"
    return "withdrawn: its score fell below the threshold for announcements"
