"""Pairs of events: which others an event can be one with, and what they make of each other, written as versions.

A burst that several missions saw is one source, and makes one pair with another event: windows are tried with each member's own
time. Of the members that fit now, the earliest of those that the first rule in the file's order takes stands for all, with the
source's localization. The pairs of the others are withdrawn, with that reason.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score, coincidence_id
from hub.model.event import Event
from hub.model.notice import Messenger
from hub.model.source import Source
from hub.science import pairs as pair_science
from hub.science.pairs import PairResult
from hub.science.rules import Rules
from hub.science.trigger_columns import Triggers
from hub.science.windows import reach_s
from hub.services import rates, succession
from hub.services.found_pairs import Found
from hub.services.groups import Grouping
from hub.services.judging import UNFIT
from hub.services.maps import MapCache
from hub.services.versions import Versions
from hub.storage import coincidences, events, groups, pair_questions, sources
from hub.storage.pair_questions import PairQuestions

CENTRAL_MARGIN_S = 60.0
"""Partners are looked up this much beyond the window, because targeted searches count from the middle of their interval."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairing:
    """Keeps pairs of events equal to the pure function of both, and of the sources that they belong to."""

    rules: Rules
    maps: MapCache
    versions: Versions
    overlaps: dict[tuple[str, ...], float] = field(default_factory=dict)
    """Memory of `Grouping`."""

    def reach(self, session: Session, event: Event | None) -> set[str]:
        """Return the ids of all events that a pair of an event, of its source or of its kin, is evaluated with."""
        if event is None:
            return set()
        ours = self._source_of(session, event)
        partners = self._partners_of(session, ours)
        members = {one.event_id for one in ours.members}
        for burst in self._kin(session, ours, partners):
            partners |= self._partners_of(session, burst)
            members |= {one.event_id for one in burst.members}
        light = [name for name, one in partners.items() if one.messenger is Messenger.EM]
        theirs = sources.members(session, sources.source_ids(session, light).values()) if light else {}
        return {*members, *partners, *(name for names in theirs.values() for name in names)}

    def of_event(self, session: Session, event: Event | None, locked: Collection[str]) -> int:
        """Evaluate an event with its partners; one that came after the locks were taken has a job of its own, which does it.

        Returns how many versions were written.
        """
        if event is None:
            return 0
        results = list(self._fitting_pairs(session, event, locked))
        pair_questions.save(session, [_questions(result) for result in results])
        return self._write(session, [self._found(result) for result in results], event, locked)

    def of_objects(self, session: Session, event: Event | None) -> None:
        """Compute the group of an event again because its counterparts changed."""
        if event is not None:
            self._write(session, (), event, [event.event_id])

    def _write(self, session: Session, found: Sequence[Found], event: Event, locked: Collection[str]) -> int:
        """Write pairs of an event, with whether they count, and the groups that follow."""
        if not found and not groups.homes(session, [event.event_id]):
            return 0
        grouping = Grouping(rules=self.rules, maps=self.maps, versions=self.versions, overlaps=self.overlaps)
        return grouping.write(session, found, [event.event_id], locked)

    def _fitting_pairs(self, session: Session, event: Event, locked: Collection[str]) -> Iterable[PairResult]:
        held = {*locked, event.event_id}
        ours = self._source_of(session, event)
        partners = self._partners_of(session, ours)
        found = {_coincidence_id(one): one for one in self._pairs_of(session, ours, partners, held)}
        for burst in self._kin(session, ours, partners):
            others = self._pairs_of(session, burst, self._partners_of(session, burst), held)
            found = {_coincidence_id(one): one for one in others} | found
        return found.values()

    def _pairs_of(self, session: Session, ours: "_Burst", partners: Mapping[str, Event], held: set[str]) -> Iterable[PairResult]:
        """Yield the pairs that a source makes with those of its partners that nobody else writes about."""
        if not held.issuperset(one.event_id for one in ours.members):
            return
        fitting = [
            theirs
            for theirs in self._sources_of(session, partners.values())
            if held.issuperset(one.event_id for one in theirs.members) and not ours.shares(theirs)
        ]
        if fitting:
            members = [one for burst in (ours, *fitting) for one in burst.members]
            counted = rates.before(session, self.rules, members)
            for theirs in fitting:
                yield from self._between(session, ours, theirs, counted)

    def _between(self, session: Session, ours: "_Burst", theirs: "_Burst", counted: Triggers | None) -> Iterable[PairResult]:
        """Return the pairs that the members of two sources make; where one has several members, only one of the pairs is open."""
        found: list[PairResult] = []
        others = counted.without({ours.name, theirs.name}) if counted is not None else None  # no pair counts itself
        for a in ours.members:
            for b in theirs.members:
                one, other = ours.seen_as(a), theirs.seen_as(b)
                ids = {*a.localization_ids, *b.localization_ids, one.localization_id, other.localization_id} - {None}
                maps = self.maps.localizations(session, sorted(name for name in ids if name is not None))
                sky = pair_science.Sky(maps=maps, overlap=self.maps.overlap, min_overlap=self.rules.min_overlap)
                made = pair_science.evaluate(one, other, self.rules, sky, others)
                found += [replace(pair, bursts=(ours.name, theirs.name)) for pair in made]
        if ours.source is None and theirs.source is None:
            return found
        return self._one_for_all(found, [one.source for one in (ours, theirs) if one.source is not None])

    def _one_for_all(self, found: Sequence[PairResult], of: Sequence[Source]) -> list[PairResult]:
        """Leave one of the open pairs open, and have it tell whom it stands for."""
        places = {rule.name: place for place, rule in enumerate(self.rules.pairs)}
        fitting = [one for one in found if one.state is PairState.OPEN]
        chosen = min(fitting, key=lambda one: (places[one.rule.name], _time(one)), default=None)
        if chosen is None:
            return list(found)
        others = [
            one if one.state is PairState.WITHDRAWN else _counted_elsewhere(one, chosen) for one in found if one is not chosen
        ]
        instead_of = tuple(_coincidence_id(one) for one in others)
        return [replace(_standing_for(chosen, of), stands_for=instead_of), *others]  # it is written before they are

    def _partners_of(self, session: Session, ours: "_Burst") -> dict[str, Event]:
        return {other.event_id: other for member in ours.members for other in self.partners(session, member)}

    def _kin(self, session: Session, ours: "_Burst", partners: Collection[str]) -> "tuple[_Burst, ...]":
        """Return the other sources that the world was told of as the same: one may carry on what was said of another."""
        if not ours.is_light or not partners:
            return ()
        told = succession.kin(session, {one.event_id for one in ours.members}, partners)
        return tuple(self._sources_of(session, events.of_ids(session, sorted(told)))) if told else ()

    def _source_of(self, session: Session, event: Event) -> "_Burst":
        return next(self._sources_of(session, [event]))

    def _sources_of(self, session: Session, found: Iterable[Event]) -> "Iterator[_Burst]":
        """Yield the sources of some events with all their members, by the smallest id among these events."""
        known = {event.event_id: event for event in found}
        seen_by_light = [name for name, event in known.items() if event.messenger is Messenger.EM]
        homes = sources.source_ids(session, seen_by_light) if seen_by_light else {}
        stored = sources.latest_of(session, set(homes.values())) if homes else {}
        missing = [name for one in stored.values() for name in one.source.event_ids if name not in known]
        known |= {event.event_id: event for event in events.of_ids(session, missing)}
        done: set[str] = set()
        for name in sorted(known):
            home = homes.get(name)
            if home is None or home not in stored:
                if name not in missing:
                    yield _Burst(source=None, members=(known[name],))
            elif home not in done:
                done.add(home)
                source = stored[home].source
                yield _Burst(source=source, members=tuple(known[one] for one in source.event_ids if one in known))

    def withdraw_unfit(self, session: Session, event: Event | None, locked: Collection[str]) -> int:
        """Withdraw the open pairs of an event with others that the present rules do not make."""
        if event is None:
            return 0
        fitting = {_coincidence_id(result) for result in self._fitting_pairs(session, event, locked)}
        unfit = []
        for former in coincidences.of_events(session, event.event_id):
            others = [member.id for member in former.members if member.id != event.event_id]
            if former.coincidence_id in fitting or len(others) > 1 or not set(others) <= set(locked):
                continue  # of several detectors: it follows from its pairs
            reasons = former.reasons if former.state is PairState.WITHDRAWN else (UNFIT, *former.reasons)
            withdrawn = replace(former, state=PairState.WITHDRAWN, reasons=reasons, created_at=self.versions.clock())
            of_pair = tuple(events.of_ids(session, [member.id for member in former.members]))
            pair_questions.save(session, [_no_questions(former)])
            unfit.append(Found(version=withdrawn, events=of_pair))
        return self._write(session, unfit, event, locked) if unfit else 0

    def _found(self, result: PairResult) -> Found:
        events_of_pair = (result.first, result.second)
        version = self.versions.version(
            kind=result.rule.kind,
            hypothesis=result.rule.name,
            members=_members(events_of_pair),
            state=result.state,
            scores=result.scores,
            reasons=result.reasons,
            localization_ids=result.localization_ids,
            events_of_pair=events_of_pair,
        )
        return Found(version=version, events=events_of_pair, stands_for=result.stands_for)

    def partners(self, session: Session, event: Event) -> Iterable[Event]:
        """Return the events whose times lie in a window of any rule around any time of an event."""
        windows = []
        for rule, is_first in pair_science.partners(self.rules, event):
            low, high = reach_s(rule, self.rules.clocks)
            low, high = (low, high) if is_first else (-high, -low)
            classes = frozenset(rule.second if is_first else rule.first)
            for t0 in event.t0s:
                start, end = t0.plus_s(low - CENTRAL_MARGIN_S), t0.plus_s(high + CENTRAL_MARGIN_S)
                windows.append(events.Window(classes=classes, start=start, end=end))
        return [other for other in events.in_windows(session, windows) if other.event_id != event.event_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Burst:
    """A source with its events; of one event alone there is no more to know."""

    source: Source | None
    members: tuple[Event, ...]

    @property
    def name(self) -> str:
        """Its id: that of the source, or of the one event that it is."""
        return self.members[0].event_id if self.source is None else self.source.source_id

    @property
    def is_light(self) -> bool:
        """Whether other missions may have seen the same."""
        return self.members[0].messenger is Messenger.EM

    def shares(self, other: "_Burst") -> bool:
        """Return whether both are one source."""
        return bool({one.event_id for one in self.members} & {one.event_id for one in other.members})

    def seen_as(self, member: Event) -> Event:
        """Return a member with the place of the whole source, by whichever mission that is."""
        if self.source is None or self.source.localization_id in (None, member.localization_id):
            return member
        own = next((one for one in self.members if one.localization_id == self.source.localization_id), None)
        place = own.position if own is not None else None  # a combined map is of no stated position
        return replace(member, localization_id=self.source.localization_id, position=place)


def _members(events_of_pair: Iterable[Event]) -> tuple[Member, ...]:
    return tuple(Member(kind=MemberKind.EVENT, id=one.event_id) for one in events_of_pair)


def _coincidence_id(result: PairResult) -> str:
    return coincidence_id(result.rule.kind, _members((result.first, result.second)))


def _questions(result: PairResult) -> PairQuestions:
    """Return what a pair asked of the triggers, as it is stored."""
    first, second = sorted((result.first.event_id, result.second.event_id))
    return PairQuestions(
        coincidence_id=_coincidence_id(result), event_ids=(first, second), without=result.bursts, asked=result.asked
    )


def _no_questions(former: Coincidence) -> PairQuestions:
    """Return that a pair which the present rules do not make asks nothing."""
    first, second = sorted(member.id for member in former.members)
    return PairQuestions(coincidence_id=former.coincidence_id, event_ids=(first, second), without=(), asked=())


def _time(result: PairResult) -> tuple[tuple[int, str], ...]:
    """Return the sort key of a pair by the triggers in it: the earliest decides, of two at once the one whose id is first."""
    light = [one for one in (result.first, result.second) if one.messenger is Messenger.EM]
    return tuple(sorted((one.t0.tai_us if one.t0 is not None else 1 << 62, one.event_id) for one in light))


def _standing_for(result: PairResult, of: Sequence[Source]) -> PairResult:
    """Return a pair that tells of all members of the sources in it."""
    scores = tuple(
        Score(
            statistic=succession.MEMBERS,
            version=1,
            value=float(len(source.members)),
            unit="1",
            inputs={
                "source_id": source.source_id,
                "members": list(source.event_ids),
                "links": [one.reason for one in source.links],
                "localization_id": source.localization_id,
            },
        )
        for source in of
    )
    reasons = tuple(_whom(source) for source in of)
    return replace(result, scores=(*result.scores, *scores), reasons=(*result.reasons, *reasons))


def _whom(source: Source) -> str:
    why = "; ".join(one.reason for one in source.links)
    return f"one burst seen by {', '.join(source.missions)}: {', '.join(source.event_ids)} ({why})"


def _counted_elsewhere(result: PairResult, chosen: PairResult) -> PairResult:
    """Return a pair that another one stands for."""
    ours, theirs = ({one.first.event_id, one.second.event_id} for one in (result, chosen))
    name = _coincidence_id(chosen)
    same = (
        f"{', '.join(sorted(ours - theirs))} is the same burst as {', '.join(sorted(theirs - ours))}, and"
        if ours != theirs
        else ""
    )
    reason = " ".join(["withdrawn:", *same.split(), f"coincidence {name} counts it once"])
    return replace(result, state=PairState.WITHDRAWN, reasons=(reason, *result.reasons))
