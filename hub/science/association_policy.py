"""When events of several missions are one burst: the table ``[association]`` of conf/coincidence.toml as a type."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.notice import EventClass
from hub.science.source_place import CombinePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How far the time of a mission's trigger may lie from the beginning of the burst as others see it."""

    clock_s: float
    """Error of the stated time: the clock, its rounding, and light's way to a spacecraft far from Earth. Seconds."""

    reach_s: float
    """How long after the burst began its search may trigger, where the notice states no duration. Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationPolicy:
    """All of ``[association]``."""

    families: tuple[frozenset[EventClass], ...]
    """Classes that can be one burst; events of others are joined by name, citation or a person only."""

    designations: tuple[re.Pattern[str], ...]
    """Which names (`hub.science.event_names.name_key`) are of one burst only, not of an object that bursts again and again."""

    triggers: tuple[re.Pattern[str], ...]
    """How texts name triggers of missions, as keys; for a text says that names are one burst only where it names nothing else."""

    min_overlap: float
    """Least overlap integral of two localizations."""

    max_area_deg2: float
    """A map whose 90 % area is larger is no place."""

    named_within_s: float
    """Longest time between two triggers that a name or a citation joins. Seconds."""

    time_only_s: float
    """Beyond clock errors, where one side has no place. Seconds."""

    max_reach_s: float
    """Longest duration that widens a window. Seconds."""

    max_clock_s: float
    """Largest stated error of a time that widens a window. Seconds."""

    others: Clock
    """For missions without a row."""

    missions: Mapping[str, Clock]
    """By name."""

    combine: CombinePolicy | None = None
    """When localizations of one burst are combined; None for never."""

    @property
    def widest_s(self) -> float:
        """Largest time between two events that their times and places can join, seconds."""
        return 2.0 * self.max_clock_s + max(self.max_reach_s, self.time_only_s)

    def clock(self, mission: str) -> Clock:
        """Return the clock of a mission."""
        return self.missions.get(mission, self.others)

    def is_designation(self, key: str) -> bool:
        """Return whether a name is of one burst only."""
        return any(pattern.fullmatch(key) for pattern in self.designations)

    def is_of_one_burst(self, keys: Collection[str]) -> bool:
        """Return whether the names in a text are those of one burst: at most one of each kind, at least two, and nothing else."""
        kinds = (*self.designations, *self.triggers)
        named = [[key for key in keys if pattern.fullmatch(key)] for pattern in kinds]
        return (
            len(set(keys)) > 1
            and all(len(of_kind) < 2 for of_kind in named)
            and set(keys) <= {key for of_kind in named for key in of_kind}
        )

    def are_akin(self, a: EventClass, b: EventClass) -> bool:
        """Return whether events of two classes can be one burst."""
        return any(a in family and b in family for family in self.families)


NO_ASSOCIATION = AssociationPolicy(
    families=(),
    designations=(),
    triggers=(),
    min_overlap=1.0,
    max_area_deg2=0.0,
    named_within_s=172_800.0,
    time_only_s=0.0,
    max_reach_s=0.0,
    max_clock_s=0.0,
    others=Clock(clock_s=0.0, reach_s=0.0),
    missions={},
)
"""Where the rules have no such table: nothing but a citation or a person's word joins events."""


def parse(row: Mapping[str, Any]) -> AssociationPolicy:
    """Return the policy of a table.

    Raises
    ------
    KeyError, TypeError, ValueError
        A key is missing, unknown or out of range; the sentence names it.
    """
    known = {
        "families",
        "designations",
        "triggers",
        "min_overlap",
        "max_area_deg2",
        "named_within_s",
        "time_only_s",
        "max_reach_s",
        "max_clock_s",
        "others",
        "mission",
        "combine",
    }
    _only(row, known, "[association]")
    policy = AssociationPolicy(
        families=tuple(frozenset(EventClass(name) for name in family) for family in row["families"]),
        designations=_patterns(row, "designations"),
        triggers=_patterns(row, "triggers"),
        min_overlap=_number(row, "min_overlap", 1e-9, 1e6),
        max_area_deg2=_number(row, "max_area_deg2", 1.0, 41_253.0),
        named_within_s=_number(row, "named_within_s", 0.0, 1e7),
        time_only_s=_number(row, "time_only_s", 0.0, 60.0),
        max_reach_s=_number(row, "max_reach_s", 0.0, 3_600.0),
        max_clock_s=_number(row, "max_clock_s", 0.0, 600.0),
        others=_clock(row["others"]),
        missions={name: _clock(one) for name, one in row.get("mission", {}).items()},
        combine=_combine(row["combine"]) if "combine" in row else None,
    )
    for name, clock in (("others", policy.others), *policy.missions.items()):
        if clock.clock_s > policy.max_clock_s or clock.reach_s > policy.max_reach_s:
            raise ValueError(f"association: {name} goes beyond max_clock_s or max_reach_s, so partners would not be looked up")
    return policy


def _patterns(row: Mapping[str, Any], key: str) -> tuple[re.Pattern[str], ...]:
    try:
        return tuple(re.compile(text) for text in row[key])
    except re.error as error:
        raise ValueError(f"{key} of [association]: {error}") from error


def _clock(row: Mapping[str, Any]) -> Clock:
    _only(row, {"clock_s", "reach_s"}, "a mission of [association]")
    return Clock(clock_s=_number(row, "clock_s", 0.0, 600.0), reach_s=_number(row, "reach_s", 0.0, 3_600.0))


def _combine(row: Mapping[str, Any]) -> CombinePolicy:
    _only(row, {"min_overlap", "max_area_ratio", "made_of_others"}, "[association.combine]")
    return CombinePolicy(
        min_overlap=_number(row, "min_overlap", 1e-9, 1e6),
        max_area_ratio=_number(row, "max_area_ratio", 1.0, 1e12),
        made_of_others=frozenset(str(name) for name in row.get("made_of_others", ())),
    )


def _only(row: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = set(row) - known
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r} in {where}")


def _number(row: Mapping[str, Any], key: str, low: float, high: float) -> float:
    value = float(row[key])
    if not low <= value <= high:
        raise ValueError(f"{key} of [association] must lie between {low:g} and {high:g}")
    return value
