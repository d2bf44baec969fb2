"""Which events are one occurrence: pairs gathered into groups, each around one superevent. The same whatever the order.

A group is what open pairs tie together around one superevent, or around one neutrino or one burst where there is none. What is
tied to several superevents belongs to the one with the lowest false-alarm rate of its own, as `preferred_superevent` of gwcelery
has it; its other pairs are listed, and do not leave the hub. First every part is given to its superevent, then the pairs without
one are taken from the lowest joint rate on, and one that would bring two superevents together is passed over. Without a
superevent a group is a star: many bursts around one neutrino, or many neutrinos around one burst, and no chain of them.

Joint rates are compared like with like, in the order of gwcelery (`keyfunc`): pairs with a rate in time and place come first, by
that rate, then those with one in time only, by that one, then those without any. Each is the larger of the two numbers, of
noise and of unrelated real events.

Detectors that saw one burst of MeV neutrinos are one part: the largest set of which every two agree in time, no detector twice.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from hub.model.instant import Instant


class PartKind(IntEnum):
    """What a part of a group can be, the one that becomes its centre first."""

    SUPEREVENT = 0
    NEUTRINO = 1
    LIGHT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One occurrence in one messenger, by whichever missions."""

    name: str
    kind: PartKind
    event_ids: tuple[str, ...]
    """By id."""

    several: bool = False
    """Whether its events are of several detectors of one burst of neutrinos, which are a group by themselves."""

    far_hz: float | None = None
    """Lowest false-alarm rate of its events, by themselves; None where none is stated. That of superevents counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """An open pair of events, as far as grouping needs it."""

    coincidence_id: str
    event_ids: tuple[str, str]
    far_hz: float | None
    """How often it would be wrong by time and place, the larger of both numbers; None where a place is missing, or the number."""

    by_time_hz: float | None = None
    """The same by time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The parts of one group."""

    centre: Part
    parts: tuple[Part, ...]
    """The centre included, by name."""

    links: Mapping[str, Tie]
    """For each part but the centre the pair by which it belongs here, by name."""

    ties: tuple[Tie, ...]
    """All pairs between its parts, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """What pairs make of events."""

    groups: tuple[Gathered, ...]
    """By the name of their centre."""

    elsewhere: Mapping[str, str]
    """Pairs that do not count, by id, each with the sentence why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event of one detector of MeV neutrinos."""

    event_id: str
    t0: Instant | None
    detectors: frozenset[str]


@dataclass(slots=True)
class _Heap:
    """Parts that hang together so far."""

    parts: list[Part]
    ties: list[Tie] = field(default_factory=list)
    """Those that brought them together, in that order."""

    @property
    def is_group(self) -> bool:
        """Whether there is anything together."""
        return len(self.parts) > 1 or self.parts[0].several

    def may_join(self, other: "_Heap") -> bool:
        """Tell whether both can be one occurrence."""
        kinds = [part.kind for part in (*self.parts, *other.parts)]
        if PartKind.SUPEREVENT in kinds:
            return kinds.count(PartKind.SUPEREVENT) == 1
        return 1 in (kinds.count(PartKind.NEUTRINO), kinds.count(PartKind.LIGHT))


def bursts_of(heard: Collection[Heard], agree: Collection[frozenset[str]]) -> list[tuple[str, ...]]:
    """Return which detectors saw one burst: sets of at least two events by id, of which every two agree and no detector is twice.

    The largest set is taken first, of equal ones the shortest, then the earliest; an event is in one of them at most.

    Parameters
    ----------
    heard
        Events of single detectors.
    agree
        Pairs of their ids that agree in time: clock errors are in that already.
    """
    left = sorted(heard, key=lambda one: (one.t0.tai_us if one.t0 is not None else 1 << 62, one.event_id))
    found: list[tuple[str, ...]] = []
    while True:
        best: list[Heard] = []
        for start in range(len(left)):
            together = [left[start]]
            for other in left[start + 1 :]:
                if all(
                    frozenset((one.event_id, other.event_id)) in agree and not one.detectors & other.detectors for one in together
                ):
                    together.append(other)
            if (len(together), -_span_s(together)) > (len(best), -_span_s(best)):
                best = together
        if len(best) < 2:
            return sorted(found)
        found.append(tuple(sorted(one.event_id for one in best)))
        left = [one for one in left if one not in best]


def _span_s(together: Sequence[Heard]) -> float:
    """Return the time between the first and the last of some events in order of time, seconds."""
    times = [one.t0 for one in together if one.t0 is not None]
    return times[-1].minus(times[0]) if times else 0.0


def gather(parts: Iterable[Part], ties: Sequence[Tie]) -> Gathering:
    """Return the groups that pairs make of some parts, and the pairs that do not count; neither order matters.

    Parameters
    ----------
    parts
        Disjoint sets of events; every event of a tie is in one of them.
    ties
        Open pairs. Those within one part say nothing of groups.
    """
    listed = sorted(parts, key=lambda part: part.name)
    home = {event_id: part for part in listed for event_id in part.event_ids}
    ordered = sorted((tie for tie in ties if _ends(tie, home) is not None), key=lambda tie: _place(tie, home))
    heaps = {part.name: _Heap(parts=[part]) for part in listed}
    first: dict[frozenset[str], Tie] = {}
    doubles: dict[str, str] = {}
    for tie in ordered:
        names = sorted(home[event_id].name for event_id in tie.event_ids)
        chosen = first.setdefault(frozenset(names), tie)
        if chosen is not tie:
            doubles[tie.coincidence_id] = f"coincidence {chosen.coincidence_id} counts {' and '.join(names)} once"
            continue
        one, other = (heaps[name] for name in names)
        if one is other or not one.may_join(other):
            continue
        together = _Heap(parts=[*one.parts, *other.parts], ties=[*one.ties, *other.ties, tie])
        for part in together.parts:
            heaps[part.name] = together
    groups = {id(heap): _group(heap, ordered, home) for heap in heaps.values() if heap.is_group}
    centre_of = {part.name: group for group in groups.values() for part in group.parts}
    elsewhere = dict(doubles)
    for tie in ordered:
        a, b = (home[event_id] for event_id in tie.event_ids)
        if heaps[a.name] is not heaps[b.name]:
            elsewhere[tie.coincidence_id] = _why_not(a, b, centre_of)
    return Gathering(groups=tuple(sorted(groups.values(), key=lambda one: one.centre.name)), elsewhere=elsewhere)


def _ends(tie: Tie, home: Mapping[str, Part]) -> tuple[Part, Part] | None:
    a, b = (home.get(event_id) for event_id in tie.event_ids)
    return None if a is None or b is None or a.name == b.name else (a, b)


def _place(tie: Tie, home: Mapping[str, Part]) -> tuple[bool, bool, float, float, float, str, str, str]:
    """Return the sort key of a pair.

    Those with a superevent come first. Of these, what its search gives no number (outside its thresholds, say) is no rival of one
    that has one; then the superevent with the lowest rate of its own counts; then, and for pairs without a superevent, the joint
    rates, one kind after the other; then ids, the superevent's first.
    """
    a, b = sorted((home[event_id] for event_id in tie.event_ids), key=lambda part: (part.kind, part.name))
    is_superevent = a.kind is PartKind.SUPEREVENT
    own = a.far_hz if is_superevent else None
    has_none = tie.far_hz is None and tie.by_time_hz is None
    return (
        not is_superevent,
        has_none,
        _or_last(own),
        _or_last(tie.far_hz),
        _or_last(tie.by_time_hz),
        a.name,
        b.name,
        tie.coincidence_id,
    )


def _or_last(hz: float | None) -> float:
    return math.inf if hz is None else hz


def _group(heap: _Heap, ordered: Sequence[Tie], home: Mapping[str, Part]) -> Gathered:
    parts = tuple(sorted(heap.parts, key=lambda part: part.name))
    centre = _centre(parts)
    names = {part.name for part in parts}
    links: dict[str, Tie] = {}
    reached = {centre.name}
    while len(reached) < len(parts):  # outwards from the centre, so that each part is reached by one pair
        for tie in heap.ties:
            ends = {home[event_id].name for event_id in tie.event_ids}
            if len(ends & reached) == 1:
                (new,) = ends - reached
                links[new] = tie
                reached.add(new)
    inside = [tie for tie in ordered if all(home[event_id].name in names for event_id in tie.event_ids)]
    return Gathered(centre=centre, parts=parts, links=links, ties=tuple(sorted(inside, key=lambda tie: tie.coincidence_id)))


def _centre(parts: Sequence[Part]) -> Part:
    """Return the superevent; else the only neutrino, else the only burst."""
    for kind in PartKind:
        of_kind = [part for part in parts if part.kind is kind]
        if len(of_kind) == 1:
            return of_kind[0]
    raise AssertionError("a group has one superevent, or is a star")


def _why_it(loser: Part, winner: Part) -> str:
    """Return by what a superevent has what another one is tied to as well."""
    if winner.far_hz is not None and (loser.far_hz is None or winner.far_hz < loser.far_hz):
        return "the superevent with the lowest false-alarm rate"
    if winner.far_hz == loser.far_hz:
        return "of equally significant superevents the one with the lowest joint rate"
    return "with which its pair has a joint rate"


def _why_not(a: Part, b: Part, centre_of: Mapping[str, Gathered]) -> str:
    """Return the sentence why a pair of parts in two groups does not count."""
    superevent, other = sorted((a, b), key=lambda part: (part.kind, part.name))
    if superevent.kind is PartKind.SUPEREVENT and other.name in centre_of:
        group = centre_of[other.name]
        by = group.links.get(other.name)
        if by is not None and set(by.event_ids) & set(group.centre.event_ids):
            pair = f"coincidence {by.coincidence_id}"
            return f"{other.name} belongs to {group.centre.name}, {_why_it(superevent, group.centre)} ({pair})"
        return f"{other.name} belongs to the group around {group.centre.name}"
    homes = [
        f"{part.name} belongs to the group around {centre_of[part.name].centre.name}" for part in (a, b) if part.name in centre_of
    ]
    return " and ".join(sorted(homes)) or f"{a.name} and {b.name} are not of one group"
