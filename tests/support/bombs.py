"""Everything that a stranger may send instead of a message: the corpus of bad input, built from nothing recorded.

Each entry says how it must end, as far as that is the hub's choice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

End = Literal["stored", "dead", "either"]
"""What intake must make of it; ``either`` where a lenient and a strict reader are both right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bomb:
    """One bad message."""

    name: str
    """``family: what is wrong``."""

    build: Callable[[], bytes]
    """Makes the bytes, which may be many."""

    ends: End
    remark: bool = False
    """Whether it ends as a stored notice without its map, with a remark that says so."""


def family(name: str, ends: End, entries: dict[str, Callable[[], bytes]], *, remark: bool = False) -> list[Bomb]:
    """Return entries that end alike."""
    return [Bomb(name=f"{name}: {what}", build=build, ends=ends, remark=remark) for what, build in entries.items()]


def moment(number: int) -> str:
    """Return a time of its own for an event, a day from the next, so that events of the corpus have nothing to do with each other."""
    return f"2025-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}T{number // 336 % 24:02}:03:04.250Z"
