"""Groups of events, written in the transaction of the pairs that they follow from.

Which pair counts is found before any pair is written, so that of two superevents near one burst only the winner's pair leaves
the hub. Where the winner's is withdrawn, the other takes its place in the same transaction, by the same versions and messages.

All this happens under the lock of pairs (`hub.services.rates.hold_rates`): whatever hangs together is seen whole. What objects
are counterparts is written by others, who leave a job for the group (`GROUP_JOB`); an object belongs to the event that it is the
best counterpart of, so to one group at most.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score
from hub.model.event import Event
from hub.model.group import Group, GroupMember, GroupPair, group_id
from hub.model.instant import Instant
from hub.model.joint_rates import CHANCE, CHANCE_BY_TIME, NOISE, NOISE_BY_TIME
from hub.model.notice import EventClass
from hub.science.group_account import Place, Several, account, rate_inputs, several_of, with_object
from hub.science.groups import Gathered, Part, gather
from hub.science.joint import detectors, rates_again
from hub.science.overlap import overlap_of_all
from hub.science.rules import Rules
from hub.science.spatial import NO_INFORMATION, no_place
from hub.services import promotion, succession
from hub.services.announcement import stands
from hub.services.found_pairs import Found
from hub.services.group_jobs import GROUP_JOB
from hub.services.group_net import Net, net
from hub.services.maps import MapCache
from hub.services.versions import Versions
from hub.storage import coincidences, groups, jobs, ties
from hub.storage.ties import Claim
from hub.telemetry import get_logger

log = get_logger(__name__)

WORDS = {
    EventClass.CBC: "gw",
    EventClass.BURST: "gw",
    EventClass.GRB: "grb",
    EventClass.SUB_GRB: "grb",
    EventClass.SUB_GRB_TARGETED: "grb",
    EventClass.FRB: "frb",
    EventClass.XRAY_TRANSIENT: "x-ray",
    EventClass.HIGH_ENERGY_NEUTRINO: "neutrino",
    EventClass.SUPERNOVA_NEUTRINO: "mev-neutrino",
    EventClass.OPTICAL_TRANSIENT: "optical",
    EventClass.OTHER: "other",
}
"""What events of a class are called in the kind of a group."""

OPTICAL = "optical"
"""What objects are called there."""

_OVERLAPS_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grouping:
    """Keeps groups, and which pairs count, equal to the pure function of all open pairs."""

    rules: Rules
    maps: MapCache
    versions: Versions
    overlaps: dict[tuple[str, ...], float] = field(default_factory=dict)
    """Memory: overlap integrals of several maps by their ids."""

    def write(self, session: Session, found: Sequence[Found], event_ids: Collection[str], locked: Collection[str] = ()) -> int:
        """Write pairs, each with whether it counts, and the groups and promotions that follow.

        Parameters
        ----------
        session
            That holds the lock of pairs.
        found
            Pairs as they are now; all others are as they are stored.
        event_ids
            Events whose pairs these are.
        locked
            Events that nobody else writes about until the session ends.

        Returns
        -------
        int
            How many versions of coincidences were written, or let out only now.
        """
        alike = (one for one in found if len({event.is_live for event in one.events}) == 1)  # tests have no part in what is real
        start = {*event_ids, *(event.event_id for one in alike for event in one.events)}
        around = net(session, start, [one.version for one in found])
        parts = around.parts(self.rules.feeds)
        gathering = gather(parts, around.ties())
        shared = {one.version.coincidence_id: one for part in parts if (one := self._of_several(part, around)) is not None}
        elsewhere = dict(gathering.elsewhere)
        for one in shared.values():
            inside = {member.id for member in one.version.members}
            for name, pair in around.pairs.items():
                if {member.id for member in pair.members} <= inside:
                    elsewhere[name] = f"coincidence {one.version.coincidence_id} counts all {len(inside)} detectors"
        due = [*shared.values(), *found, *self._others(session, around, parts, elsewhere, found), *self._ended(around, shared)]
        stand = {one.id for one in due if stands(self.versions.judged(one.version, elsewhere.get(one.id, "")))}
        due = succession.with_heirs(session, due, stand)
        final = self._judged(around, shared, elsewhere)
        written = 0
        for one in sorted(due, key=lambda one: _turn(one, elsewhere)):
            newest = coincidences.newest_of(session, [one.id]).get(one.id)
            written += self.versions.write(
                session,
                one.version,
                newest,
                events_of_pair=one.events,
                candidate=None,
                hypothesis=None,
                stands_for=one.stands_for,
                elsewhere=elsewhere.get(one.id, ""),
            )
        promotion.settle(session, self.rules.low_significance, around.events, final.values())
        self._settle(session, around, gathering.groups, elsewhere, final, locked)
        return written

    # ------------------------------------------------------------------------------------------------------------------ pairs

    def _others(
        self, session: Session, around: Net, parts: Sequence[Part], elsewhere: Mapping[str, str], found: Sequence[Found]
    ) -> list[Found]:
        """Return the stored pairs of which it changed whether they count."""
        done = {one.version.coincidence_id for one in found}
        changed = []
        for name, pair in sorted(around.pairs.items()):
            if name in done:
                continue
            now = self.versions.judged(pair, elsewhere.get(name, ""))
            if (now.held_back, now.reasons) != (pair.held_back, pair.reasons):
                again = replace(pair, created_at=self.versions.clock())
                events = self._in_order(pair, _events(around, pair))
                changed.append(Found(version=again, events=events, stands_for=_instead(pair, around, elsewhere)))
        return changed

    def _in_order(self, pair: Coincidence, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Return the events of a pair as its rule has them, first and second: its messages are about the first."""
        rule = next((one for one in self.rules.pairs if one.name == pair.hypothesis), None)
        if rule is None or rule.first == rule.second or events[0].event_class in rule.first:
            return events
        return events[::-1]

    def _judged(self, around: Net, shared: Mapping[str, Found], elsewhere: Mapping[str, str]) -> dict[str, Coincidence]:
        """Return all open coincidences as they are written, by id."""
        of_several = {name: one.version for name, one in shared.items()}
        return {
            name: self.versions.judged(one, elsewhere.get(name, ""))
            for name, one in sorted({**around.pairs, **of_several}.items())
        }

    def _of_several(self, part: Part, around: Net) -> Found | None:
        """Return the coincidence of three or more detectors that saw one burst of neutrinos; None where there are fewer."""
        if not part.several or len(part.event_ids) < 3:
            return None
        of_part = tuple(around.events[name] for name in part.event_ids)
        pairs = [one for one in around.pairs.values() if {member.id for member in one.members} <= set(part.event_ids)]
        like = min(pairs, key=lambda one: one.coincidence_id)
        several = self._several(part, around)
        inputs = {"rule": like.hypothesis, "first_far_hz": None, "second_far_hz": None, **rate_inputs(several)}
        rates = rates_again(inputs)
        times = sorted(event.t0 for event in of_part if event.t0 is not None)
        span = times[-1].minus(times[0])
        scores = (
            Score(statistic="span", version=1, value=span, unit="s", inputs={"window_s": list(several.window_s)}),
            Score(
                statistic="overlap", version=1, value=1.0, unit="1", inputs={"reason": f"{NO_INFORMATION} of neutrino detectors"}
            ),
            *(
                Score(statistic=name, version=2, value=far.value_hz, unit="Hz", inputs={**inputs, "reason": far.reason})
                for name, far in (
                    (NOISE_BY_TIME, rates.time_only),
                    (NOISE, rates.spacetime),
                    (CHANCE_BY_TIME, rates.random_association_time_only),
                    (CHANCE, rates.random_association),
                )
            ),
        )
        reasons = (
            f"{len(of_part)} detectors within {span:.3f} s: {', '.join(part.event_ids)}",
            f"noise alone: {rates.time_only.value_hz:.3g} Hz ({rates.time_only.reason})",
            f"unrelated real events: {rates.random_association.value_hz:.3g} Hz ({rates.random_association.reason})",
        )
        version = self.versions.version(
            kind=like.kind,
            hypothesis=like.hypothesis,
            members=tuple(Member(kind=MemberKind.EVENT, id=name) for name in part.event_ids),
            state=PairState.OPEN,
            scores=scores,
            reasons=reasons,
            localization_ids=(),
            events_of_pair=of_part,
        )
        former = [name for name, one in around.several.items() if {member.id for member in one.members} & set(part.event_ids)]
        instead_of = sorted({*(one.coincidence_id for one in pairs), *former} - {version.coincidence_id})
        return Found(version=version, events=of_part, stands_for=tuple(instead_of))

    def _ended(self, around: Net, shared: Mapping[str, Found]) -> list[Found]:
        """Return the coincidences of several detectors that are no more, withdrawn."""
        reason = "withdrawn: its detectors do not all agree any more, or more of them do"
        return [
            Found(
                version=replace(one, state=PairState.WITHDRAWN, reasons=(reason, *one.reasons), created_at=self.versions.clock()),
                events=_events(around, one),
            )
            for name, one in sorted(around.several.items())
            if name not in shared
        ]

    def _several(self, part: Part, around: Net) -> Several:
        assert self.rules.feeds is not None
        of_part = [around.events[name] for name in part.event_ids]
        windows = [
            score.inputs["window_s"]
            for pair in around.pairs.values()
            if {member.id for member in pair.members} <= set(part.event_ids)
            for score in pair.scores
            if score.statistic == "delay"
        ]
        widest = max(windows, key=lambda one: (one[1] - one[0], one))
        return several_of(
            {event.event_id: detectors(event) for event in of_part},
            {event.event_id: event.far_hz for event in of_part},
            (widest[0], widest[1]),
            self.rules.feeds,
        )

    # ----------------------------------------------------------------------------------------------------------------- groups

    def _settle(  # noqa: PLR0917 - what groups follow from
        self,
        session: Session,
        around: Net,
        wanted: Sequence[Gathered],
        elsewhere: Mapping[str, str],
        final: Mapping[str, Coincidence],
        locked: Collection[str],
    ) -> None:
        """Write the groups that changed."""
        claims = self._claims(session, wanted)
        made = {one.group_id: one for group in wanted for one in (self._group(session, group, around, elsewhere, final, claims),)}
        stored = groups.latest_of(session, {*around.stored, *made})
        for name in sorted(set(stored) - set(made)):
            if stored[name].state is PairState.OPEN:
                self._write(session, _ended(stored[name], made.values(), self.versions.clock()), stored[name])
        disowned = self._disowned(session, claims, made)
        for name, one in sorted(made.items()):
            self._write(session, one, stored.get(name))
        joined = {member.id for one in made.values() for member in one.members if member.kind is MemberKind.EVENT}
        before = {member.id for one in stored.values() if one.state is PairState.OPEN for member in one.members}
        for event_id in sorted((joined - before - set(locked)) | disowned):
            jobs.put(session, GROUP_JOB, event_id)

    @staticmethod
    def _claims(session: Session, wanted: Sequence[Gathered]) -> dict[str, Claim]:
        """Return the event that has each object of some groups, and perhaps is in another one."""
        event_ids = {name for group in wanted for part in group.parts for name in part.event_ids}
        objects = ties.objects_of(session, event_ids) if event_ids else set()
        best: dict[str, Claim] = {}
        for claim in ties.claims_on(session, objects):
            known = best.get(claim.object_id)
            if known is None or (-claim.score, claim.event_id) < (-known.score, known.event_id):
                best[claim.object_id] = claim
        return best

    @staticmethod
    def _disowned(session: Session, claims: Mapping[str, Claim], made: Mapping[str, Group]) -> set[str]:
        """Return an event of each other group that lists an object which belongs to one of these now."""
        ours = {member.id for one in made.values() for member in one.members if member.kind is MemberKind.OBJECT}
        others = {
            home for name, home in groups.homes(session, claims, MemberKind.OBJECT).items() if name in ours and home not in made
        }
        return {min(groups.events_in(session, [home])) for home in others}

    def _group(  # noqa: PLR0917 - the same
        self,
        session: Session,
        group: Gathered,
        around: Net,
        elsewhere: Mapping[str, str],
        final: Mapping[str, Coincidence],
        claims: Mapping[str, Claim],
    ) -> Group:
        places, used = self._places(session, group, around)
        links = {name: final[tie.coincidence_id] for name, tie in group.links.items()}
        several = self._several(group.parts[0], around) if len(group.parts) == 1 else None
        scores = account(places, links, lambda names: self._overlap(session, names), several)
        event_ids = {name: part for part in group.parts for name in part.event_ids}
        objects = {claim.object_id: claim for claim in claims.values() if claim.event_id in event_ids}
        pairs_with_objects = ties.of_ids(session, [claim.coincidence_id for claim in objects.values()]) if objects else {}
        maps = {name: one.skymap for name, one in self.maps.localizations(session, used).items()} if objects else {}
        with_objects = [
            score
            for name, claim in sorted(objects.items())
            if claim.coincidence_id in pairs_with_objects
            and (score := with_object(pairs_with_objects[claim.coincidence_id], name, maps)) is not None
        ]
        members = (*_event_members(group, around), *_object_members(objects))
        touching = {name: one for name, one in final.items() if any(member.id in event_ids for member in one.members)}
        pairs = tuple(
            GroupPair(
                coincidence_id=name,
                kind=one.kind,
                members=tuple(member.id for member in one.members),
                rates=one.joint_rates,
                held_back=one.held_back,
                elsewhere=elsewhere.get(name, ""),
            )
            for name, one in sorted(touching.items(), key=lambda item: (item[0] in elsewhere, item[0]))
        )
        times = [around.events[name].t0 for name in event_ids]
        return Group(
            group_id=group_id(group.centre.name),
            centre=group.centre.name,
            kind="+".join(sorted({member.what for member in members}, key=_order)),
            members=members,
            pairs=pairs,
            state=PairState.OPEN,
            version=1,
            scores=(*scores, *with_objects),
            reasons=tuple(_reasons(group, links, scores)),
            localization_ids=tuple(used),
            is_live=all(around.events[name].is_live for name in event_ids),
            t0=min((time for time in times if time is not None), default=None),
            created_at=self.versions.clock(),
        )

    def _places(self, session: Session, group: Gathered, around: Net) -> tuple[dict[str, Place], list[str]]:
        """Return where each part lies, and the localizations that say something, each once."""
        found = {part.name: self._place(session, part, around) for part in group.parts}
        return found, sorted(
            {one.localization_id for one in found.values() if one.localization_id is not None and not one.reason}
        )

    def _place(self, session: Session, part: Part, around: Net) -> Place:
        event = around.events.get(part.name) or around.events[part.event_ids[0]]
        source = around.sources.get(part.name)
        if source is not None and source.localization_id not in (None, event.localization_id):
            event = replace(event, localization_id=source.localization_id)
        names = [] if event.localization_id is None else [event.localization_id]
        reason = no_place(event, self.maps.localizations(session, names), self.rules.spatial)
        return Place(localization_id=event.localization_id, reason=reason or "")

    def _overlap(self, session: Session, names: tuple[str, ...]) -> float:
        if names not in self.overlaps:
            maps = self.maps.localizations(session, names)
            while len(self.overlaps) >= _OVERLAPS_KEPT:
                self.overlaps.pop(next(iter(self.overlaps)), None)
            self.overlaps[names] = overlap_of_all([maps[name].skymap for name in names])
        return self.overlaps[names]

    def _write(self, session: Session, group: Group, stored: Group | None) -> None:
        if stored is not None and _content(stored) == _content(group):
            return
        version = replace(group, version=1 if stored is None else stored.version + 1)
        groups.add(session, version)
        log.info("group", id=version.group_id, centre=version.centre, state=version.state.value, version=version.version)


def _turn(one: Found, elsewhere: Mapping[str, str]) -> int:
    """Return when a coincidence is written: first what takes the place of others, then what leaves, then what comes."""
    if one.stands_for:
        return 0
    return 1 if one.version.state is PairState.WITHDRAWN or one.version.coincidence_id in elsewhere else 2


def _instead(pair: Coincidence, around: Net, elsewhere: Mapping[str, str]) -> tuple[str, ...]:
    """Return the coincidences of several detectors of which a pair is what is left."""
    if pair.coincidence_id in elsewhere:
        return ()
    members = {member.id for member in pair.members}
    return tuple(sorted(name for name, one in around.several.items() if members < {member.id for member in one.members}))


def _events(around: Net, one: Coincidence) -> tuple[Event, ...]:
    return tuple(around.events[member.id] for member in one.members if member.id in around.events)


def _event_members(group: Gathered, around: Net) -> Iterable[GroupMember]:
    """Return the events of a group, those of the centre first."""
    found = [
        GroupMember(
            kind=MemberKind.EVENT,
            id=name,
            part=part.name,
            what=WORDS[around.events[name].event_class],
            via=group.links[part.name].coincidence_id if part.name in group.links else None,
            t0=around.events[name].t0,
            localization_id=around.events[name].localization_id,
        )
        for part in group.parts
        for name in part.event_ids
    ]
    return sorted(found, key=lambda one: (one.part != group.centre.name, one.t0.tai_us if one.t0 else 1 << 62, one.id))


def _object_members(objects: Mapping[str, Claim]) -> Iterable[GroupMember]:
    return [
        GroupMember(
            kind=MemberKind.OBJECT, id=name, part=name, what=OPTICAL, via=claim.coincidence_id, t0=None, localization_id=None
        )
        for name, claim in sorted(objects.items())
    ]


def _reasons(group: Gathered, links: Mapping[str, Coincidence], scores: Sequence[Score]) -> Iterable[str]:
    for name, pair in sorted(links.items()):
        yield f"{name} belongs here by coincidence {pair.coincidence_id} ({pair.kind})"
    for score in scores:
        if score.value is None:
            yield f"{score.statistic.replace('_', ' ')}: {score.inputs['reason']}"


def _ended(former: Group, made: Iterable[Group], at: Instant) -> Group:
    """Return a group that is no more."""
    events = {member.id for member in former.members if member.kind is MemberKind.EVENT}
    into = sorted(one.group_id for one in made if events & {member.id for member in one.members})
    became = (
        f"withdrawn: part of group {', '.join(into)} now" if into else "withdrawn: nothing ties its members together any more"
    )
    return replace(former, state=PairState.WITHDRAWN, reasons=(became, *former.reasons), created_at=at)


def _content(group: Group) -> Group:
    return replace(group, version=0, created_at=Instant(0))


def _order(word: str) -> int:
    words = list(dict.fromkeys(WORDS.values()))
    return words.index(word)
