"""Tables of conf/coincidence.toml that all pairs share: clocks, searches that answer an event, feeds counted together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.model.event import Event
from hub.model.notice import EventClass, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """By how much the times of missions and detectors may be wrong: table ``[clock_errors_s]``."""

    default_s: float = 0.0
    by_name: tuple[tuple[str, float], ...] = ()
    """Mission or detector, as notices name it, and seconds."""

    def error_s(self, notice: Notice) -> float:
        """Return by how much the time of a notice may be wrong, seconds: what it states, or the table where that is more.

        Beyond the largest of the table nothing is believed, so that no notice reaches over days.
        """
        names = {notice.mission, *(name.strip() for name in (notice.instrument or "").split(","))}
        known = [error for name, error in self.by_name if name in names] or [self.default_s]
        return max(*known, min(stated_s(notice.properties.get("t0_error_s")), self.largest_s))

    @property
    def largest_s(self) -> float:
        """The largest of the table, seconds."""
        return max([self.default_s, *(error for _, error in self.by_name)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A search that is made because of an event, and what it calls the probability of its find: table ``[[answering]]``."""

    mission: str
    property: str
    """Of the notice: a probability of chance for one searched event, which has place and time in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """Detectors whose alarms are counted together: table ``[feeds]``."""

    event_class: EventClass
    names: tuple[str, ...]
    false_alarms_hz: float
    """Of each, where a notice does not state its own."""

    real_hz: float
    """Of real events that all of them see."""

    at_least: int
    """How many of them make an alarm of the network."""

    @property
    def all_false_alarms_hz(self) -> float:
        """Those of all of them together."""
        return len(self.names) * self.false_alarms_hz


def stated_s(value: object) -> float:
    """Return a stated number of seconds; 0 where it is none or negative."""
    return max(0.0, float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def p_value(event: Event, answering: Sequence[Answering]) -> tuple[str, float] | None:
    """Return the probability that a search which answers an event states for its find, with the name of the property."""
    for row in answering:
        stated = event.properties.get(row.property)
        if event.mission == row.mission and isinstance(stated, int | float) and 0.0 <= stated <= 1.0:
            return row.property, float(stated)
    return None


def parse_clocks(row: Mapping[str, Any]) -> Clocks:
    """Return the table of clock errors; raises ValueError where one is no number of at least 0."""
    for name, value in row.items():
        if not float(value) >= 0.0:
            raise ValueError(f"clock_errors_s of {name} must be at least 0")
    named = tuple(sorted((name, float(value)) for name, value in row.items() if name != "default"))
    return Clocks(default_s=float(row.get("default", 0.0)), by_name=named)


def parse_answering(rows: Sequence[Mapping[str, Any]]) -> tuple[Answering, ...]:
    """Return the searches that answer an event; raises KeyError or ValueError where a row has other keys."""
    for row in rows:
        if unknown := set(row) - {"mission", "property"}:
            raise ValueError(f"unknown key {min(unknown)!r} in a row of answering")
    return tuple(Answering(mission=str(row["mission"]), property=str(row["property"])) for row in rows)


def parse_feeds(row: Mapping[str, Any], year_s: float) -> Feeds:
    """Return the feeds that are counted together; raises KeyError or ValueError where a key is missing, unknown or wrong."""
    if unknown := set(row) - {"event_class", "names", "false_alarms_per_yr", "real_per_yr", "at_least"}:
        raise ValueError(f"unknown key {min(unknown)!r} in feeds")
    feeds = Feeds(
        event_class=EventClass(row["event_class"]),
        names=tuple(str(name) for name in row["names"]),
        false_alarms_hz=float(row["false_alarms_per_yr"]) / year_s,
        real_hz=float(row["real_per_yr"]) / year_s,
        at_least=int(row["at_least"]),
    )
    if not 2 <= feeds.at_least <= len(feeds.names):
        raise ValueError(f"at_least of feeds must lie between 2 and {len(feeds.names)}")
    return feeds
