"""Objects as counterparts: their candidates evaluated from the archive, stored, and announced where they are worth it.

Pairs whose candidates a quieter pass changed are as good as changed to the next one that lets out everything
(`hub.storage.unsaid`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, Member, MemberKind, PairState, Score, coincidence_id
from hub.model.coverage import Coverage
from hub.model.event import Event
from hub.model.outgoing import Leaves
from hub.ports import AlertHistory
from hub.science.candidates import Judgement
from hub.science.healpix import pixels29
from hub.science.light_curves import LightCurves
from hub.science.onset import VisitsBefore
from hub.science.ranking import DEFAULT, Ranking
from hub.science.rules import Hypothesis, Rules
from hub.services import rescoring, twins
from hub.services.expectations import Expectations
from hub.services.judging import (
    NOTHING_SHRUNK,
    REATTRIBUTED,
    UNFIT,
    FactSource,
    Judged,
    Shrunk,
    is_record,
    judge,
    knows_nothing,
    with_unfit,
)
from hub.services.matching import Matching, ObjectKey
from hub.services.pasts import past_of
from hub.services.twins import Twins
from hub.services.versions import Versions
from hub.storage import candidates, coincidences, ties, unsaid
from hub.storage.candidates import RowKey


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

    visits: VisitsBefore | None = None
    """The ledger of visits, which bounds when objects began."""

    ranking: Ranking = DEFAULT
    """Which statistics count, and how much."""

    expectations: Expectations = field(default_factory=lambda: Expectations(DEFAULT))
    """What was measured beside the stream of the chance that unrelated objects do as well."""

    def of_event(self, session: Session, event: Event | None, keys: Collection[ObjectKey]) -> Done:
        """Evaluate some objects of an event whose notices may have changed."""
        if event is None or not keys:
            return Done()
        return self.evaluate(session, [(event, keys)], self.past(keys), only_changed=False)

    def measured_anew(self, session: Session, event: Event | None) -> Done:
        """Write the coincidences of an event's candidates as they are stored: something was measured of what they are worth."""
        if event is None or not self.rules.hypotheses:
            return Done()
        least = min(one.min_announce_score for one in self.rules.hypotheses)
        found = candidates.search(
            session, event_id=event.event_id, state=PairState.OPEN, confirmed_only=True, min_score=least, limit=None
        )
        if not found:
            return Done()
        keys = {ObjectKey(survey=one.survey, object_id=one.object_id, hpx29=0) for one in found}
        judged, due, same = _with_twins(
            session,
            [Judged(event=event, keys=keys, targets=(), candidates=found)],
            {(one.event_id, one.survey, one.object_id) for one in found},
        )
        return Done(versions=self._announce(session, judged, due, same))

    def past(self, keys: Collection[ObjectKey]) -> dict[str, LightCurves]:
        """Return the archived alerts of some objects, by survey; objects that have none are left out."""
        return past_of(self.history, keys)

    def evaluate(
        self,
        session: Session,
        pairs: Sequence[tuple[Event, Collection[ObjectKey]]],
        past: Mapping[str, LightCurves],
        *,
        only_changed: bool,
        shrunk: Shrunk = NOTHING_SHRUNK,
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
        shrunk
            Objects that may have lost detections to other versions of them.
        """
        pairs, past = self._with_kin(session, pairs, past)
        by = Judgement(coverage=self.coverage(session), ranking=self.ranking, confirmation=self.rules.confirmation)
        judged = judge(
            session, self.matching, pairs, past, by=by, facts=self.facts, visits=self.visits, look_back_d=self.rules.look_back_d
        )
        stored = candidates.stored(session, {name for of_event in judged for name in of_event.names})
        judged = [with_unfit(of_event, past, stored, shrunk) for of_event in judged]
        found = [one for of_event in judged for one in of_event.candidates]
        changed = candidates.save_all(session, found, stored)
        twins.place_all(session, found, past)
        rescoring.look_again(session, [one for one in found if candidates.row_key(one) not in stored])
        due = {(one.event_id, one.survey, one.object_id) for one in (changed if only_changed else found)}
        due |= self._unsaid(session, found, changed)
        judged, due, same = _with_twins(session, judged, due)
        return Done(candidates=len(changed), versions=self._announce(session, judged, due, same))

    def _with_kin(
        self, session: Session, pairs: Sequence[tuple[Event, Collection[ObjectKey]]], past: Mapping[str, LightCurves]
    ) -> tuple[Sequence[tuple[Event, Collection[ObjectKey]]], Mapping[str, LightCurves]]:
        """Return the same with the candidates of the events that are one transient with objects to be evaluated.

        Their light curves are united: what changes one changes all.
        """
        kin = {f"{survey}:{name}": others for survey, curves in past.items() for name, others in curves.kin.items()}
        if not kin:
            return pairs, past
        wanted: set[tuple[str, str, str]] = set()
        for event, keys in pairs:
            here = {f"{key.survey}:{key.object_id}" for key in keys}
            others = {other for name in here for other in kin.get(name, ())} - here
            wanted |= {(event.event_id, *other.partition(":")[::2]) for other in others}
        found = [candidates.read(one) for one in candidates.stored(session, wanted).values()] if wanted else []
        if not found:
            return pairs, past
        pixels = pixels29([one.ra_deg for one in found], [one.dec_deg for one in found]).tolist()
        added: dict[str, set[ObjectKey]] = {}
        for one, pixel in zip(found, pixels, strict=True):
            key = ObjectKey(survey=one.survey, object_id=one.object_id, hpx29=pixel)
            added.setdefault(one.event_id, set()).add(key)
        whole = [(event, {*keys, *added.get(event.event_id, ())}) for event, keys in pairs]
        return whole, self.past({key for _, keys in whole for key in keys})

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

    def _announce(
        self, session: Session, judged: Sequence[Judged], due: Collection[tuple[str, str, str]], same: Mapping[str, Twins]
    ) -> int:
        """Write the coincidences of objects with events; return how many versions were written.

        Parameters
        ----------
        session
            That holds the locks of the events.
        judged
            The candidates of each event.
        due
            Event id, survey and object id of those to look at.
        same
            By event which of its candidates are one: of those that are worth announcing only the first one is.
        """
        rules = {one.name: one for one in self.rules.hypotheses}
        due = _speaking(session, judged, due, rules)
        grouped: dict[tuple[str, str, str], tuple[Event, list[Candidate]]] = {}
        for of_event in judged:
            event = of_event.event
            speaking = [one for one in of_event.candidates if (one.event_id, one.survey, one.object_id) in due] if due else []
            for one in sorted(speaking, key=lambda one: (one.survey, one.object_id)):
                name = f"{one.survey}:{one.object_id}"
                for kind in (rules[one.hypothesis].kind,) if one.hypothesis in rules else self._former_kinds(session, one):
                    grouped.setdefault((event.event_id, name, kind), (event, []))[1].append(one)
        pairs: dict[str, tuple[Event, tuple[Member, Member], str, list[Candidate]]] = {}
        for (event_id, name, kind), (event, of_kind) in grouped.items():
            members = Member(kind=MemberKind.EVENT, id=event_id), Member(kind=MemberKind.OBJECT, id=name)
            pairs[coincidence_id(kind, members)] = event, members, kind, of_kind
        known = coincidences.newest_of(session, pairs)
        worthy: dict[tuple[str, str], set[str]] = {}
        for event, members, kind, of_kind in pairs.values():
            if _worthy(of_kind, rules):
                worthy.setdefault((event.event_id, kind), set()).add(members[1].id)
        worth = self.expectations.scores_of(
            session, [(event, one) for event, _, _, of_kind in pairs.values() for one in _worthy(of_kind, rules)]
        )
        behind = {  # of each pair the object that stands in the place of its own
            name: same.get(event.event_id, twins.NO_TWINS).stands_behind(members[1].id, worthy.get((event.event_id, kind), ()))
            for name, (event, members, kind, _) in pairs.items()
            if name in known or members[1].id in worthy.get((event.event_id, kind), ())
        }
        stand = {name for name, other in behind.items() if other is None and _worthy(pairs[name][3], rules)}
        written = 0
        for name in sorted(behind, key=lambda name: name not in stand):  # what takes the place of others comes before them
            event, members, kind, of_kind = pairs[name]
            transients = same.get(event.event_id, twins.NO_TWINS)
            written += self._announce_best(
                session,
                event,
                rules,
                members,
                kind,
                of_kind,
                known.get(name),
                worth,
                others=transients.others(members[1].id),
                taken_over=transients.taken_over(members[1].id),
                instead=behind[name],
            )
        return written

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
        worth: Mapping[RowKey, tuple[Score, ...]],
        *,
        others: Sequence[str],
        taken_over: Sequence[str],
        instead: str | None,
    ) -> int:
        """Write the coincidence of an object with an event: under the best hypothesis worth announcing, or its withdrawal.

        Where another object of the same transient stands for it, it is withdrawn, or not made; the message about the one that
        stands takes the place of theirs.
        """
        worthy = _worthy(of_kind, rules) if instead is None else []
        if not worthy and newest is None:
            return 0
        best = max(worthy or of_kind, key=lambda one: (one.score, one.hypothesis))
        version = self.versions.version(
            kind=kind,
            hypothesis=best.hypothesis,
            members=members,
            state=PairState.OPEN if worthy else PairState.WITHDRAWN,
            scores=(
                _rank_score(best, self.ranking),
                _level_score(best),
                *best.scores,
                *(worth.get(candidates.row_key(best), ()) if worthy else ()),
            ),
            reasons=(*best.reasons, *_same_as(others))
            if worthy
            else (
                _why_withdrawn(event, best, instead, is_searched=self.matching.is_searched(session, event)),
                *(one for one in best.reasons if one not in _WHY),
            ),
            localization_ids=(event.localization_id,) if event.localization_id else (),
            events_of_pair=(event,),
        )
        return self.versions.write(
            session,
            version,
            newest,
            events_of_pair=(event,),
            candidate=best,
            hypothesis=rules.get(best.hypothesis),
            stands_for=[coincidence_id(kind, (members[0], Member(kind=MemberKind.OBJECT, id=other))) for other in taken_over]
            if worthy
            else (),
        )


def _worthy(of_kind: Iterable[Candidate], rules: Mapping[str, Hypothesis]) -> list[Candidate]:
    return [
        one
        for one in of_kind
        if one.confirmed
        and one.state is PairState.OPEN
        and one.hypothesis in rules
        and one.score >= rules[one.hypothesis].min_announce_score
    ]


def _speaking(
    session: Session, judged: Iterable[Judged], due: Collection[tuple[str, str, str]], rules: Mapping[str, Hypothesis]
) -> set[tuple[str, str, str]]:
    """Return those of some pairs of which anything is to be said: the object is worth it, or something was said of it before."""
    told = ties.told_of(session, {f"{survey}:{object_id}" for _, survey, object_id in due})
    found = {(one.event_id, one.survey, one.object_id) for of_event in judged for one in _worthy(of_event.candidates, rules)}
    return {one for one in due if one in found or f"{one[1]}:{one[2]}" in told}


def _with_twins(
    session: Session, judged: Sequence[Judged], due: set[tuple[str, str, str]]
) -> tuple[list[Judged], set[tuple[str, str, str]], dict[str, Twins]]:
    """Return the same with the other objects of the transients that are due, as they are stored, and which are one by event.

    Which of them stands for a transient may change with any of them. Only candidates of the same event count.
    """
    places = twins.near(session, {f"{survey}:{object_id}" for _, survey, object_id in due}) if due else {}
    if not places:
        return list(judged), due, {}
    event_ids = {event_id for event_id, _, _ in due}
    here = {name for of_event in judged for name in of_event.names}
    missing = {(event_id, one.survey, one.object_id) for event_id in event_ids for one in places.values()} - here
    stored: dict[str, list[Candidate]] = {}
    for one in map(candidates.read, candidates.stored(session, missing).values()) if missing else ():
        stored.setdefault(one.event_id, []).append(one)
    added: list[Judged] = []
    same: dict[str, Twins] = {}
    for of_event in judged:
        event_id = of_event.event.event_id
        whole = replace(of_event, candidates=[*of_event.candidates, *stored.get(event_id, ())])
        added.append(whole)
        ever = {f"{each.survey}:{each.object_id}" for each in whole.candidates} & set(places)
        records = {f"{each.survey}:{each.object_id}" for each in whole.candidates if is_record(each)}
        among = twins.twins_of([places[name] for name in sorted(ever)])
        now = twins.twins_of([places[name] for name in sorted(ever - records)]) if records & ever else among
        same[event_id] = replace(now, ever=among.ever)
    wanted = {
        (event_id, *other.partition(":")[::2])
        for event_id, survey, object_id in due
        for other in (same[event_id].taken_over(f"{survey}:{object_id}") if event_id in same else ())
    }
    return added, due | wanted, same


def _same_as(others: Sequence[str]) -> tuple[str, ...]:
    return (f"the same transient as {', '.join(others)}",) if others else ()


def _rank_score(candidate: Candidate, ranking: Ranking) -> Score:
    names = [one.statistic for one in candidate.scores]
    weights = {name: ranking.weight(name) for name in names if ranking.weight(name) != 1.0}
    return Score(
        statistic="rank",
        version=1,
        value=candidate.score,
        unit="1",
        inputs={"sum_of": names, **({"weights": weights} if weights else {})},
    )


def _level_score(candidate: Candidate) -> Score:
    return Score(
        statistic="level_2d",
        version=1,
        value=candidate.level,
        unit="1",
        inputs={"ra_deg": candidate.ra_deg, "dec_deg": candidate.dec_deg},
    )


_WHY = (REATTRIBUTED, UNFIT)


def _why_withdrawn(event: Event, candidate: Candidate, instead: str | None, *, is_searched: bool) -> str:
    if event.state.value == "retracted":
        return f"withdrawn: {event.event_id} was retracted"
    if event.vetoes:
        return f"withdrawn: {event.event_id}: {'; '.join(event.vetoes)}"
    if not is_searched:
        return f"withdrawn: {event.event_id} is of low significance, and no pair of it is under the budget any more"
    if (why := next((one for one in _WHY if one in candidate.reasons), None)) is not None:
        return why
    if instead is not None:
        return f"withdrawn: it is the same transient as {instead}, which stands for both"
    if candidate.state is PairState.WITHDRAWN:
        return "withdrawn: it no longer fits the current version of the event"
    return "withdrawn: its score fell below the threshold for announcements"
