"""Which localizations of one burst may be combined: independent ones that agree.

Two localizations are of the same data where one mission made both, where one answers the other, or where a mission makes its own
with the data of others; a product of such maps counts one measurement twice. Of each mission an event has one localization, its
newest, so its systematic error is in the product once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Overlap = Callable[[str, str], float]
"""Exact overlap integral of two localizations by their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinePolicy:
    """When localizations of one burst are combined: ``[association.combine]``."""

    min_overlap: float
    """Least overlap integral of each two of them: below it they disagree."""

    max_area_ratio: float
    """A map whose 90 % area is so many times that of the smallest adds nothing to it."""

    made_of_others: frozenset[str] = frozenset()
    """Missions whose localizations are made with the data of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One mission's localization of a burst."""

    event_id: str
    mission: str
    localization_id: str
    area90_deg2: float
    cites: frozenset[str] = frozenset()
    """Ids of events that it cites or depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOfSource:
    """Of which localizations the place of a burst is made."""

    localization_ids: tuple[str, ...]
    """The smallest first; several are to be combined, one stands for itself, none where nothing is known."""

    origin: str
    """Whose they are, a sentence."""


def place_of_source(members: Iterable[Placed], policy: CombinePolicy | None, overlap: Overlap) -> PlaceOfSource:
    """Return of which localizations the place of a burst is made: the smallest, and all that are independent of it and agree.

    They are taken by their areas and then by their ids; one that depends on or disagrees with any that was taken is passed over.

    Parameters
    ----------
    members
        The localizations of its events; those that are no place are left out.
    policy
        When to combine; None for never.
    overlap
        How well places agree.
    """
    ordered = sorted(members, key=lambda one: (one.area90_deg2, one.localization_id, one.event_id))
    if not ordered:
        return PlaceOfSource(localization_ids=(), origin="no member has a place")
    smallest = ordered[0]
    taken, passed = [smallest], []
    for one in ordered[1:]:
        why = _why_not(one, taken, smallest, policy, overlap)
        if why is None:
            taken.append(one)
        elif why:
            passed.append(f"that of {one.event_id} is left out: {why}")
    if len(taken) == 1:
        first = f"the smallest, of {smallest.event_id}" if len(ordered) > 1 else f"that of {smallest.event_id}"
    else:
        first = f"combined of {len(taken)} that are independent and agree, of {', '.join(one.event_id for one in taken)}"
    return PlaceOfSource(localization_ids=tuple(one.localization_id for one in taken), origin="; ".join([first, *passed]))


def _why_not(
    one: Placed, taken: Sequence[Placed], smallest: Placed, policy: CombinePolicy | None, overlap: Overlap
) -> str | None:
    """Return why a localization is not combined with those that are taken, None where it is; empty where none ever are."""
    if policy is None:
        return ""
    if one.area90_deg2 > policy.max_area_ratio * smallest.area90_deg2:
        return "so much wider that it adds nothing"
    for other in taken:
        if one.localization_id == other.localization_id:
            return f"it is the same as that of {other.event_id}"
        if one.mission == other.mission:
            return f"{one.mission} made that of {other.event_id} too"
        if other.event_id in one.cites or one.event_id in other.cites:
            return f"one of it and {other.event_id} answers the other"
        if policy.made_of_others & {one.mission, other.mission}:
            made = one.mission if one.mission in policy.made_of_others else other.mission
            return f"{made} makes its own with the data of others"
        if (shared := overlap(one.localization_id, other.localization_id)) < policy.min_overlap:
            return f"it disagrees with that of {other.event_id} (overlap {shared:.3g})"
    return None
