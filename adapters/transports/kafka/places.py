"""Where each partition is taken up, and what is missing there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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


def starts(bounds: Iterable[Bounds]) -> Sequence[Start]:
    """Return where each partition is taken up: at the group's place, else at the oldest message that is left."""
    return [_start(one) for one in bounds]


def _start(one: Bounds) -> Start:
    is_first = one.committed < 0
    missing = None
    if not is_first and one.committed < one.low:
        missing = gap(one.topic, one.partition, one.committed, one.low)
    elif one.committed > one.high:
        missing = _cut(one)
    return Start(
        topic=one.topic,
        partition=one.partition,
        offset=one.low if is_first or missing else one.committed,
        is_first=is_first,
        n_gone_before=one.low if is_first else 0,
        gap=missing,
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


def _cut(one: Bounds) -> Incident:
    return Incident(
        kind="gap",
        subject=f"{one.topic}/{one.partition}/{one.committed}-{one.low}-{one.high}",
        text=(
            f"{one.topic} partition {one.partition} ends at offset {one.high}, before the hub's place {one.committed}: the topic "
            f"was made anew or cut, so nobody knows what is missing; the hub begins again at its oldest message, {one.low}"
        ),
        facts={
            "topic": one.topic,
            "partition": one.partition,
            "first_offset": one.committed,
            "end_offset": one.low,
            "high_offset": one.high,
            "n_messages": None,
        },
    )
