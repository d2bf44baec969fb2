"""What carries on where an announced pair does not stand any more: its message is superseded then, and nothing is retracted.

A message about a burst that several missions saw tells of all their triggers, by the pair of one of them. Where that trigger is
taken back by its mission, or is found to be another burst, the pair of another one may go on saying what the world was told: the
same happened. Its message takes the place of the former. Only where nothing is left of what was told is anything retracted.

Of whom a message tells is read from the version that left with it, not from what sources are now: readers are corrected in what
they were told. All pairs of these events are evaluated together (`hub.services.pairing`), so what goes and what comes are written
in one transaction, whichever event's turn it is.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Coincidence, MemberKind
from hub.model.event import Event
from hub.model.outgoing import Leaves
from hub.services.found_pairs import Found
from hub.storage import announced, coincidences

MEMBERS = "source_members"
"""Statistic of a pair that tells of all triggers of a burst: how many there are, with their names among its inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message that stands about a pair of events, and of whom it tells."""

    coincidence_id: str
    sides: tuple[frozenset[str], frozenset[str]]
    """For each of both events the ids of all that were said to be one with it, its own among them."""

    def beside(self, event_ids: Collection[str]) -> frozenset[str]:
        """Return who was said to be one with any of some events, these included."""
        return frozenset[str]().union(*(side for side in self.sides if not side.isdisjoint(event_ids)))

    def covers(self, pair: Coincidence) -> bool:
        """Tell whether another pair says the same of events that were told of: one of each side, as one."""
        names = [member.id for member in pair.members if member.kind is MemberKind.EVENT]
        if len(names) != 2 or pair.coincidence_id == self.coincidence_id:
            return False
        (a, b), (one, other) = names, self.sides
        return (a in one and b in other) or (a in other and b in one)


def kin(session: Session, event_ids: Collection[str], around: Collection[str]) -> set[str]:
    """Return the other events that messages which stand said to be one with some events.

    Parameters
    ----------
    session
        For reading.
    event_ids
        Of one source as it is now.
    around
        Events that it may make pairs with: messages about others are of no matter.
    """
    standing = announced.standing_of_events(session, {*event_ids, *around})
    return {name for one in _told(session, standing) for name in one.beside(event_ids)} - set(event_ids)


def with_heirs(session: Session, due: Sequence[Found], stand: Collection[str]) -> list[Found]:
    """Return pairs with those of which they take the place, where a message about these stands that will not be true any more.

    Parameters
    ----------
    session
        That writes them.
    due
        All pairs that are to be written.
    stand
        Ids of those among them that the world may know of, as they are now.
    """
    falling = {one.id for one in due} - set(stand)
    believed = {name for name, one in announced.of_ids(session, falling).items() if one.withdrawn_at is None}
    orphans = believed - {name for one in due if one.id in stand for name in one.stands_for}
    if not orphans:
        return list(due)
    told = list(_told(session, orphans))
    # Of several that can take a place the earliest is written first, and does.
    ordered = sorted(due, key=lambda one: (sorted(map(_time, one.events)), one.id))
    return [
        replace(one, stands_for=(*one.stands_for, *(each.coincidence_id for each in told if each.covers(one.version))))
        if one.id in stand
        else one
        for one in ordered
    ]


def _time(event: Event) -> tuple[int, str]:
    return (event.t0.tai_us if event.t0 is not None else 1 << 62), event.event_id


def _told(session: Session, coincidence_ids: Collection[str]) -> Iterator[Told]:
    """Yield what was said last of those of some coincidences that are pairs of events, by id."""
    for name, newest in sorted(coincidences.newest_of(session, coincidence_ids).items()):
        is_said = newest.let_out.covers(Leaves.MESSAGES)
        said = newest.version if is_said else coincidences.last_let_out(session, name, Leaves.MESSAGES)
        if said is None or [member.kind for member in said.members] != [MemberKind.EVENT] * 2:
            continue
        bursts = [frozenset(score.inputs["members"]) for score in said.scores if score.statistic == MEMBERS]
        a, b = (frozenset({member.id}).union(*(one for one in bursts if member.id in one)) for member in said.members)
        yield Told(coincidence_id=name, sides=(a, b))
