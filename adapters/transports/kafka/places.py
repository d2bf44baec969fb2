"""Where each partition is taken up, and what is missing there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.ports import Incident

NOTHING = -1
"""The group has no place in a partition yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a broker says of one partition."""

    topic: str
    partition: int
    committed: int
    """Offset that the group left off at, `NOTHING` where it has none."""

    low: int
    """Offset of the oldest message that is still there."""

    high: int
    """One behind the newest."""

    stored: int = NOTHING
    """Offset behind what the hub itself has stored, `NOTHING` where it has nothing: brokers forget groups."""

    is_remade: bool = False
    """Both places belong to a topic of this name that was deleted since."""

    topic_id: str = ""
    """What the broker calls the topic now; empty where it does not say."""

    @property
    def place(self) -> int:
        """Where the hub left off: the lower of the two, for what only the group has passed may not be stored."""
        known = [offset for offset in (self.committed, self.stored) if offset >= 0]
        return min(known, default=NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where to begin."""

    topic: str
    partition: int
    offset: int
    is_first: bool
    """The group was never here: its place is written down at once, so that what is missing next time can be known."""

    n_gone_before: int
    """Messages that had expired before the group came here for the first time."""

    gap: Incident | None
    topic_id: str
    """What the broker calls the topic; empty where it does not say."""


def starts(bounds: Iterable[Bounds]) -> Sequence[Start]:
    """Return where each partition is taken up: at the hub's place, else at the oldest message that is left."""
    return [_start(one) for one in bounds]


def _start(one: Bounds) -> Start:
    place = one.place
    is_first = place < 0
    missing = None
    if one.is_remade:
        missing = _remade(one, place)
    elif not is_first and place < one.low:
        missing = gap(one.topic, one.partition, place, one.low)
    elif place > one.high:
        missing = _cut(one, place)
    return Start(
        topic=one.topic,
        partition=one.partition,
        offset=one.low if is_first or missing else place,
        is_first=is_first,
        n_gone_before=one.low if is_first else 0,
        gap=missing,
        topic_id=one.topic_id,
    )


def gap(topic: str, partition: int, first: int, end: int) -> Incident:
    """Return the incident of messages that expired or were deleted before the hub took them; ``end`` is the oldest left."""
    number = end - first
    return Incident(
        kind="gap",
        subject=f"{topic}/{partition}/{first}-{end}",
        text=(
            f"{number} message{'s' if number != 1 else ''} of {topic} partition {partition} (offsets {first} to {end - 1}) "
            "left the broker before the hub took them"
        ),
        facts={"topic": topic, "partition": partition, "first_offset": first, "end_offset": end, "n_messages": number},
    )


def _remade(one: Bounds, place: int) -> Incident:
    return Incident(
        kind="gap",
        subject=f"{one.topic}/{one.partition}/{place}-{one.topic_id}",
        text=(
            f"{one.topic} was deleted and made anew: what its former partition {one.partition} held from offset {place} on "
            f"is lost, and nobody knows how much; the hub reads the new one from its oldest message, {one.low}"
        ),
        facts=_unknown(one, place) | {"topic_id": one.topic_id},
    )


def _cut(one: Bounds, place: int) -> Incident:
    return Incident(
        kind="gap",
        subject=f"{one.topic}/{one.partition}/{place}-{one.low}-{one.high}",
        text=(
            f"{one.topic} partition {one.partition} ends at offset {one.high}, before the hub's place {place}: the topic "
            f"was made anew or cut, so nobody knows what is missing; the hub begins again at its oldest message, {one.low}"
        ),
        facts=_unknown(one, place),
    )


def _unknown(one: Bounds, place: int) -> dict[str, Any]:
    return {
        "topic": one.topic,
        "partition": one.partition,
        "first_offset": place,
        "end_offset": one.low,
        "high_offset": one.high,
        "n_messages": None,
    }
