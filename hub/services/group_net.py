"""Everything that hangs together with some events by open pairs, read in one go: what groups are computed from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.coincidence import Coincidence, PairState
from hub.model.event import Event
from hub.model.joint_rates import larger_hz
from hub.model.notice import Messenger
from hub.model.source import Source
from hub.science.groups import Heard, Part, PartKind, Tie, bursts_of
from hub.science.joint import detectors
from hub.science.pair_tables import Feeds
from hub.storage import events, groups, sources, ties
from hub.telemetry import get_logger

log = get_logger(__name__)

MAX_TOGETHER = 2_000
"""Events that hang together before the hub stops following pairs: more is a storm of tests, and must not stop everything."""

_KINDS = {Messenger.GW: PartKind.SUPEREVENT, Messenger.NEUTRINO: PartKind.NEUTRINO, Messenger.EM: PartKind.LIGHT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Events that hang together, and by what."""

    events: Mapping[str, Event]
    """By id."""

    pairs: Mapping[str, Coincidence]
    """Open pairs of two of them, by id, as they are to be: of real events, and of tests, but of none with the other."""

    several: Mapping[str, Coincidence]
    """Open coincidences of more than two of them, as they are stored, by id."""

    home: Mapping[str, str]
    """The source of each event that shares one."""

    sources: Mapping[str, Source]
    """By id."""

    stored: frozenset[str]
    """Groups that any of them is in, by id, as they are stored."""

    def parts(self, feeds: Feeds | None) -> list[Part]:
        """Return the events as parts of groups: bursts with all that missions saw of them, and neutrinos that detectors share."""
        of_feeds = [one for one in self.events.values() if feeds is not None and one.event_class is feeds.event_class]
        heard = [Heard(event_id=one.event_id, t0=one.t0, detectors=detectors(one)) for one in of_feeds]
        agree = {frozenset(tie.event_ids) for tie in self.ties_between({one.event_id for one in of_feeds})}
        found: list[Part] = []
        taken: set[str] = set()
        for event_ids in bursts_of(heard, agree):
            first = min(event_ids, key=lambda name: _time(self.events[name]))
            found.append(Part(name=first, kind=PartKind.NEUTRINO, event_ids=event_ids, several=True))
            taken.update(event_ids)
        by_name: dict[str, list[str]] = {}
        for name in sorted(set(self.events) - taken):
            by_name.setdefault(self.home.get(name, name), []).append(name)
        for name, together in by_name.items():
            fars = [far for one in together if (far := self.events[one].far_hz) is not None]
            kind = _KINDS[self.events[together[0]].messenger]
            found.append(Part(name=name, kind=kind, event_ids=tuple(together), far_hz=min(fars, default=None)))
        return found

    def ties(self) -> list[Tie]:
        """Return the pairs as grouping needs them."""
        return [_tie(pair) for _, pair in sorted(self.pairs.items())]

    def ties_between(self, event_ids: Collection[str]) -> list[Tie]:
        """Return those of them that are of some events alone."""
        return [tie for tie in self.ties() if set(tie.event_ids) <= set(event_ids)]


def net(session: Session, start: Collection[str], fresh: Sequence[Coincidence]) -> Net:
    """Return what hangs together with some events.

    Parameters
    ----------
    session
        That holds the lock of pairs.
    start
        Ids of events, those among them that withdrawn pairs tied.
    fresh
        Pairs as they are to be written, whatever is stored of them.
    """
    newer = {one.coincidence_id: one for one in fresh}
    found: dict[str, Event] = {}
    seen: set[str] = set()
    pairs: dict[str, Coincidence] = {}
    several: dict[str, Coincidence] = {}
    home: dict[str, str] = {}
    stored: set[str] = set()
    frontier = set(start)
    while frontier and len(seen) < MAX_TOGETHER:
        seen |= frontier
        reached_now = {one.event_id: one for one in events.of_ids(session, sorted(frontier))}
        found |= reached_now
        theirs = sources.source_ids(session, frontier)
        shared = sources.members(session, theirs.values()) if theirs else {}
        home |= {name: source_id for source_id, names in shared.items() for name in names}
        reached = {name for names in shared.values() for name in names}
        in_groups = set(groups.homes(session, frontier).values())
        reached |= groups.events_in(session, in_groups) if in_groups else set()
        stored |= in_groups
        open_now = ties.between_events(session, frontier) | newer
        for name, stored_one in open_now.items():
            one = newer.get(name, stored_one)
            if one.state is not PairState.OPEN or not _counts(one, reached_now):
                continue
            reached.update(member.id for member in one.members)
            (pairs if len(one.members) == 2 else several)[name] = one
        frontier = reached - seen
    if frontier:
        log.warning("too many events hang together", n_events=len(seen) + len(frontier), limit=MAX_TOGETHER)
    known = sources.latest_of(session, set(home.values())) if home else {}
    return Net(
        events=found,
        pairs={name: one for name, one in pairs.items() if _is_alike(one, found)},
        several=several,
        home=home,
        sources={name: one.source for name, one in known.items()},
        stored=frozenset(stored),
    )


def _counts(one: Coincidence, reached: Mapping[str, Event]) -> bool:
    """Tell whether a coincidence goes on from some events: real ones have nothing to do with tests."""
    return any(member.id in reached and (one.is_live or not reached[member.id].is_live) for member in one.members)


def _is_alike(one: Coincidence, known: Mapping[str, Event]) -> bool:
    """Tell whether all members are known, and either real or none of them."""
    return all(member.id in known for member in one.members) and len({known[member.id].is_live for member in one.members}) == 1


def _tie(pair: Coincidence) -> Tie:
    first, second = (member.id for member in pair.members)
    rates = pair.joint_rates
    return Tie(
        coincidence_id=pair.coincidence_id,
        event_ids=(first, second),
        far_hz=None if rates is None else larger_hz(rates.spacetime, rates.random_association),
        by_time_hz=None if rates is None else larger_hz(rates.time_only, rates.random_association_time_only),
    )


def _time(event: Event) -> tuple[int, str]:
    return (event.t0.tai_us if event.t0 is not None else 1 << 62), event.event_id
