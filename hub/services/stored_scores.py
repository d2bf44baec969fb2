"""What was stored of an event's coincidences under one of its versions: old scores and ranks as they were said then.

Versions of coincidences are never edited, and each names the localizations that it was computed with. So the one that belongs to
a version of an event is the last one that was computed with the event's localization of that version, before a later version
with the same localization came in; where it names no localization of the event, the last one before any later version came in.
Candidates below the score of a coincidence have no stored versions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from hub.model.coincidence import Coincidence, MemberKind, PairState
from hub.model.event import Event, assemble
from hub.model.instant import Instant
from hub.storage import coincidences


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredScores:
    """One version of a coincidence, as far as it can be compared."""

    coincidence_version: int
    hypothesis: str
    state: str
    held_back: bool
    created_at: str
    """UTC."""

    rank: int | None
    """Place among the event's open coincidences with objects that were stored then, from 1; None for others."""

    scores: Mapping[str, float | None] = field(default_factory=dict)
    """Statistic to value: levels, terms, rank, mu, rates ..., as they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChange:
    """What was stored of one coincidence under two versions of an event."""

    coincidence_id: str
    others: tuple[str, ...]
    """The other members: events, or objects like ``LSST:169...``."""

    before: StoredScores | None
    """None where nothing was stored under that version."""

    after: StoredScores | None


def stored_changes(session: Session, event: Event, before: int, after: int) -> tuple[StoredChange, ...]:
    """Return what was stored of an event's coincidences under two of its versions, where these are two versions of theirs.

    Parameters
    ----------
    session
        Reading.
    event
        With all its versions.
    before, after
        Numbers of versions that it has.
    """
    histories = coincidences.histories_of_event(session, event.event_id)
    came = [one.stored.received_at for one in event.versions]
    places = [
        assemble(event.event_id, [one.stored for one in event.versions[:number]]).localization_id
        for number in range(1, len(came) + 1)
    ]
    old, new = (_ranked({name: _under(number, places, came, of) for name, of in histories.items()}) for number in (before, after))
    found = []
    for name, of in sorted(histories.items()):
        if old.get(name) != new.get(name):
            others = tuple(one.id for one in of[0].members if one.id != event.event_id)
            found.append(StoredChange(coincidence_id=name, others=others, before=old.get(name), after=new.get(name)))
    return tuple(sorted(found, key=lambda one: _place(one.after) + _place(one.before)))


def _under(
    number: int, places: Sequence[str | None], came: Sequence[Instant], history: Sequence[Coincidence]
) -> Coincidence | None:
    """Return the version of a coincidence that was stored under a version of an event; None where there is none.

    ``places`` are the event's localizations after each of its versions, ``came`` the times at which these came in.
    """
    ours, place = {one for one in places if one is not None}, places[number - 1]
    same_place = [came[later] for later in range(number, len(came)) if places[later] == place]

    def fits(one: Coincidence) -> bool:
        named = ours.intersection(one.localization_ids)
        if named:
            return place in named and _is_between(came[number - 1], one.created_at, same_place)
        return _is_between(came[number - 1], one.created_at, came[number:])

    return next((one for one in reversed(history) if fits(one)), None)


def _is_between(came: Instant, created: Instant, later: Sequence[Instant]) -> bool:
    """Tell whether something was computed before a later version came in, and whether the version was ever the newest."""
    return all(created.tai_us <= one.tai_us and came.tai_us <= one.tai_us for one in later)


def _ranked(found: Mapping[str, Coincidence | None]) -> dict[str, StoredScores]:
    there = {name: one for name, one in found.items() if one is not None}
    of_objects = [
        one
        for one in there.values()
        if one.state is PairState.OPEN and any(member.kind is MemberKind.OBJECT for member in one.members)
    ]
    of_objects.sort(key=lambda one: (-(one.score("rank") or 0.0), one.members))
    places = {one.coincidence_id: place for place, one in enumerate(of_objects, start=1)}
    return {
        name: StoredScores(
            coincidence_version=one.version,
            hypothesis=one.hypothesis,
            state=one.state.value,
            held_back=one.held_back,
            created_at=one.created_at.to_utc_iso(),
            rank=places.get(name),
            scores={score.statistic: score.value for score in one.shown_scores},
        )
        for name, one in there.items()
    }


def _place(one: StoredScores | None) -> tuple[bool, int]:
    """Return a key that sorts by rank, what has none last."""
    rank = None if one is None else one.rank
    return rank is None, rank or 0
