"""Which events of several missions are one burst: a pure function of the events and of what persons said of them.

Reasons are taken in order of their strength. What persons said comes first, the newest word before older ones; then names and
citations; then time and place, the closest in time first. A reason that would bring together what a stronger one keeps apart is
passed over, so the answer depends on the set of events only. By time, two triggers of one mission never come into one source, nor
do two events whose places exclude each other, however many others lie between them.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hub.model.event import Event, EventState
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Role
from hub.model.source import Link, LinkKind, Source, SourceMember, Word, WordKind
from hub.science.association_policy import AssociationPolicy
from hub.science.event_names import keys_of
from hub.science.source_place import Overlap, Placed, place_of_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What counts of one mission's event."""

    event_id: str
    mission: str
    event_class: EventClass
    t0: Instant | None
    """Its time; the middle of the interval of a targeted search."""

    duration_s: float | None
    clock_s: float
    """Error of its time, seconds: the mission's, or a larger one that the notice states."""

    reach_s: float
    """How far from its time the burst may have begun or still go on, seconds."""

    localization_id: str | None
    area90_deg2: float | None
    """Of its localization; None where it has none."""

    designations: frozenset[str]
    """Names of this one burst, as keys: its own, and those that texts give it."""

    cites: frozenset[str]
    """Ids of events that it cites or depends on."""

    aliases: tuple[str, ...]
    is_real: bool
    """Live and no test: tests never share a source with real events."""

    is_void: bool
    """Retracted, or found to be no burst: it takes no part."""

    @property
    def order(self) -> tuple[int, str]:
        """Sort key: by time, then by id; without a time last."""
        return (self.t0.tai_us if self.t0 is not None else 1 << 62, self.event_id)


def sighting(
    event: Event,
    policy: AssociationPolicy,
    *,
    area90_deg2: float | None = None,
    stated_names: Iterable[str] = (),
    cites: Iterable[str] = (),
) -> Sighting:
    """Return what counts of an event.

    Parameters
    ----------
    event
        An electromagnetic one.
    policy
        Clocks of missions, and which names are of one burst.
    area90_deg2
        Of its current localization, square degrees.
    stated_names
        Keys of names that texts give it.
    cites
        Ids of events that it cites.
    """
    clock = policy.clock(event.mission)
    stated = _number(event, "t0_error_s", "time_error_s")
    duration = _number(event, "duration_s", "t90_s")
    offset = _number(event, "central_offset_s")
    t0 = event.t0.plus_s(offset) if event.t0 is not None and offset is not None else event.t0
    is_place = area90_deg2 is not None and area90_deg2 <= policy.max_area_deg2
    named = {*keys_of([event.event_id, *event.aliases]), *stated_names}
    return Sighting(
        event_id=event.event_id,
        mission=event.mission,
        event_class=event.event_class,
        t0=t0,
        duration_s=duration,
        clock_s=max(clock.clock_s, min(stated or 0.0, policy.max_clock_s)),
        reach_s=max(clock.reach_s, min(duration or 0.0, policy.max_reach_s)),
        localization_id=event.localization_id if is_place else None,
        area90_deg2=area90_deg2 if is_place else None,
        designations=frozenset(filter(policy.is_designation, named)),
        cites=frozenset(cites) - {event.event_id},
        aliases=event.aliases,
        is_real=event.is_live and event.role is not Role.TEST,
        is_void=event.state is EventState.RETRACTED or bool(event.vetoes) or event.messenger is not Messenger.EM,
    )


def link(a: Sighting, b: Sighting, policy: AssociationPolicy, overlap: Overlap) -> Link | None:
    """Return why two events may be one burst, the strongest of the reasons that need no person; None where nothing says so."""
    first, second = sorted((a, b), key=lambda one: one.event_id)
    if first.event_id == second.event_id or first.is_void or second.is_void or first.is_real != second.is_real:
        return None
    return _by_name(first, second, policy) or _by_time(first, second, policy, overlap)


def _by_name(first: Sighting, second: Sighting, policy: AssociationPolicy) -> Link | None:
    if first.t0 is not None and second.t0 is not None and abs(second.t0.minus(first.t0)) > policy.named_within_s:
        return None
    shared = sorted(first.designations & second.designations)
    if shared:
        kind, reason = LinkKind.NAME, f"{first.event_id} and {second.event_id} are both called {', '.join(shared)}"
    elif second.event_id in first.cites:
        kind, reason = LinkKind.CITATION, f"{first.event_id} cites {second.event_id}"
    elif first.event_id in second.cites:
        kind, reason = LinkKind.CITATION, f"{second.event_id} cites {first.event_id}"
    else:
        return None
    return Link(first=first.event_id, second=second.event_id, kind=kind, reason=reason)


def _by_time(first: Sighting, second: Sighting, policy: AssociationPolicy, overlap: Overlap) -> Link | None:
    if first.mission == second.mission or not policy.are_akin(first.event_class, second.event_class):
        return None
    if first.t0 is None or second.t0 is None:
        return None
    delay = second.t0.minus(first.t0)
    limit = _window_s(first, second, policy)
    if abs(delay) > limit:
        return None
    said = f"{second.event_id} came {delay:+.3f} s after {first.event_id}, within {limit:g} s"
    if first.localization_id is None or second.localization_id is None:
        placeless = first if first.localization_id is None else second
        reason = f"{said} of both clocks, and {placeless.event_id} has no place"
        return Link(first=first.event_id, second=second.event_id, kind=LinkKind.TIME, reason=reason)
    shared = overlap(first.localization_id, second.localization_id)
    if shared < policy.min_overlap:
        return None
    reason = f"{said} of both clocks and durations, overlap of their places {shared:.3g}"
    return Link(first=first.event_id, second=second.event_id, kind=LinkKind.TIME_AND_PLACE, reason=reason)


def _window_s(first: Sighting, second: Sighting, policy: AssociationPolicy) -> float:
    """Return the longest time between two triggers of one burst, seconds."""
    clocks = first.clock_s + second.clock_s
    if first.localization_id is None or second.localization_id is None:
        return clocks + policy.time_only_s
    return clocks + max(first.reach_s, second.reach_s)


def are_apart(a: Sighting, b: Sighting, policy: AssociationPolicy, overlap: Overlap) -> bool:
    """Return whether time may not bring two events into one source: those of one mission, or whose places exclude each other."""
    if a.mission == b.mission:
        return True
    if a.localization_id is None or b.localization_id is None:
        return False
    return overlap(a.localization_id, b.localization_id) < policy.min_overlap


def associate(
    sightings: Collection[Sighting], words: Iterable[Word], policy: AssociationPolicy, overlap: Overlap
) -> tuple[Source, ...]:
    """Return the sources of some events, by id; each event is in one of them.

    Parameters
    ----------
    sightings
        All events that anything links with one of them, directly or through others.
    words
        What persons said about them; what was taken back does not count.
    policy
        Windows and thresholds.
    overlap
        How well places agree.
    """
    by_id = {one.event_id: one for one in sightings}
    groups = _Groups(by_id)
    _heed(groups, words)
    pairs = itertools.combinations(sorted(by_id.values(), key=lambda one: one.event_id), 2)
    found = [one for a, b in pairs if (one := link(a, b, policy, overlap)) is not None]
    for one in sorted(found, key=lambda one: _strength(one, by_id, policy)):
        is_hard = one.kind in (LinkKind.NAME, LinkKind.CITATION)
        if is_hard or groups.may_meet(one, lambda a, b: not are_apart(a, b, policy, overlap)):
            groups.unite(one)
    return groups.sources(policy, overlap)


_KINDS = tuple(LinkKind)


def _strength(one: Link, by_id: Mapping[str, Sighting], policy: AssociationPolicy) -> tuple[int, float, str, str]:
    """Return the sort key of a link: by its kind, of one kind the closest in time for their clocks first."""
    a, b = by_id[one.first], by_id[one.second]
    share = 0.0
    if one.kind in (LinkKind.TIME_AND_PLACE, LinkKind.TIME) and a.t0 is not None and b.t0 is not None:
        share = abs(b.t0.minus(a.t0)) / max(_window_s(a, b, policy), 1e-6)
    return _KINDS.index(one.kind), share, one.first, one.second


def _heed(groups: "_Groups", words: Iterable[Word]) -> None:
    """Do what persons said, the newest word first: an older one that contradicts it is passed over."""
    for word in sorted((one for one in words if one.holds), key=lambda one: -one.number):
        if not groups.can_hear(word):
            continue
        if word.kind is WordKind.SPLIT:
            groups.keep_apart(word.first, word.second)
            continue
        reason = f"{word.said_by} said on {word.said_at.to_utc_iso()[:19]}Z: {word.reason}"
        groups.unite(Link(first=word.first, second=word.second, kind=LinkKind.PERSON, reason=reason, word=word.number))


class _Groups:
    """Events in groups that grow by links."""

    def __init__(self, by_id: Mapping[str, Sighting]) -> None:
        self._by_id = by_id
        self._group: dict[str, set[str]] = {name: {name} for name in by_id}
        self._links: dict[str, list[Link]] = {name: [] for name in by_id}
        self._apart: set[frozenset[str]] = set()

    def can_hear(self, word: Word) -> bool:
        """Return whether a word can be done: both events are here and stand, and both are real or neither is."""
        a, b = self._by_id.get(word.first), self._by_id.get(word.second)
        return a is not None and b is not None and not (a.is_void or b.is_void) and a.is_real == b.is_real

    def keep_apart(self, first: str, second: str) -> None:
        """Let nothing bring two events together that are not together yet."""
        if second not in self._group[first]:
            self._apart.add(frozenset((first, second)))

    def may_meet(self, one: Link, are_together: Callable[[Sighting, Sighting], bool]) -> bool:
        """Return whether all of one group may be with all of another."""
        ours, theirs = self._group[one.first], self._group[one.second]
        if theirs is ours:
            return False
        return all(are_together(self._by_id[a], self._by_id[b]) for a in ours for b in theirs)

    def unite(self, one: Link) -> None:
        """Make one group of those of two events, unless they are one, or somebody keeps two of their members apart."""
        ours, theirs = self._group[one.first], self._group[one.second]
        if theirs is ours or any(frozenset((a, b)) in self._apart for a in ours for b in theirs):
            return
        links = [*self._links[one.first], *self._links[one.second], one]
        ours |= theirs
        for name in ours:
            self._group[name] = ours
            self._links[name] = links

    def sources(self, policy: AssociationPolicy, overlap: Overlap) -> tuple[Source, ...]:
        """Return the groups as sources, by id."""
        groups = {id(group): group for group in self._group.values()}
        found = [
            source_of([self._by_id[name] for name in group], self._links[min(group)], policy, overlap)
            for group in groups.values()
        ]
        return tuple(sorted(found, key=lambda one: one.source_id))


def source_of(members: Sequence[Sighting], links: Sequence[Link], policy: AssociationPolicy, overlap: Overlap) -> Source:
    """Return the source that some events are, held together by some links.

    Where several localizations are to be combined, its own is the smallest of them until somebody has done so.
    """
    ordered = sorted(members, key=lambda one: one.order)
    ids = {one.event_id for one in ordered}
    durations = [one.duration_s for one in ordered if one.duration_s is not None]
    place = place_of_source(_placed(ordered), policy.combine, overlap)
    return Source(
        source_id=ordered[0].event_id,
        members=tuple(
            SourceMember(
                event_id=one.event_id,
                mission=one.mission,
                event_class=one.event_class,
                t0=one.t0,
                duration_s=one.duration_s,
                localization_id=one.localization_id,
            )
            for one in ordered
        ),
        links=tuple(sorted(links, key=lambda one: (_KINDS.index(one.kind), one.first, one.second))),
        aliases=tuple(sorted({alias for one in ordered for alias in one.aliases} - ids)),
        t0=ordered[0].t0,
        duration_s=max(durations, default=None),
        localization_id=place.localization_ids[0] if place.localization_ids else None,
        combined_ids=place.localization_ids if len(place.localization_ids) > 1 else (),
        localization_origin=place.origin,
        is_live=all(one.is_real for one in ordered),
    )


def _placed(members: Iterable[Sighting]) -> Iterator[Placed]:
    for one in members:
        if one.localization_id is not None and one.area90_deg2 is not None:
            yield Placed(
                event_id=one.event_id,
                mission=one.mission,
                localization_id=one.localization_id,
                area90_deg2=one.area90_deg2,
                cites=one.cites,
            )


def _number(event: Event, *names: str) -> float | None:
    """Return the first of some properties that is a number >= 0."""
    for name in names:
        value = event.properties.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0.0:
            return float(value)
    return None
