"""Which alert streams a hub hears, and what of a survey they leave out: what may be claimed from them depends on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hub.model.instant import Instant

ASPECTS = ("light curve", "brightness", "reliability")
"""What a filter may choose by and a statistic look at: how a source changes, how bright it is, the survey's real-bogus score."""


class SelectionKind(StrEnum):
    """How much of a survey a stream brings."""

    FULL = "full"
    """Every alert that the survey sends."""

    FILTERED = "filtered"
    """What a filter let through: no rate and no non-detection may be claimed from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a stream brings of its survey."""

    kind: SelectionKind

    cuts: str = ""
    """The cuts in words, for a person; empty for a full stream."""

    filter_name: str | None = None
    """The broker's name of the filter, where it has one."""

    reliability_min: float | None = None
    """Least real-bogus score that passes, 0 to 1."""

    snr_min: float | None = None
    """Least signal-to-noise ratio that passes."""

    classes: tuple[str, ...] = ()
    """Classes, in the broker's words, of which an object must be one."""

    sky: str | None = None
    """The part of the sky that is left over, in words."""

    delay_s: float | None = None
    """How much later than the survey's own stream it comes, seconds."""

    independent_of: tuple[str, ...] = ()
    """What the filter pays no regard to, of `ASPECTS`: the objects that pass are like all others in it."""

    not_claimed: tuple[str, ...] = ()
    """What must not be said from this stream, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertStream:
    """One way by which the alerts of a survey come in."""

    name: str
    """Of its map, e.g. ``fink-ztf``."""

    survey: str
    selection: Selection

    tells_past: bool = True
    """Whether its packets say when an object was first detected, as far as the survey knows."""

    own_ids: bool = False
    """Whether its detections have ids that the hub made: the survey's own were not in the packet."""

    sources: tuple[str, ...] = ()
    """Names of the sources that bring it."""

    since: Instant | None = None
    """When the hub first listened to it, of a full stream when its first alert came; None where that has not been."""

    topics: tuple[tuple[str, Instant], ...] = ()
    """Topics by which its alerts came, by name, and when the first one did: a row of the archive names its topic."""

    @property
    def counts(self) -> bool:
        """Whether it says anything of what is heard: a filtered stream always, a full one once its first alert came."""
        return self.selection.kind is SelectionKind.FILTERED or self.since is not None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The alert streams that a hub hears. Of a survey of which it hears none, nothing is said: its alerts came from files."""

    streams: tuple[AlertStream, ...] = ()

    def of(self, survey: str) -> tuple[AlertStream, ...]:
        """Return the streams that bring alerts of a survey, by name; a full one only once it has: settings bring none."""
        found = [one for one in self.streams if one.survey == survey and one.counts]
        return tuple(sorted(found, key=lambda one: one.name))

    def full_topics(self, survey: str) -> dict[str, Instant]:
        """Return the topics by which every alert of a survey comes, each with when the first one came.

        A topic that brought alerts of a filtered stream too is not among them: a row tells its topic and not its stream.
        """
        own = [one for one in self.streams if one.survey == survey]
        full = [one for one in own if one.selection.kind is SelectionKind.FULL]
        doubtful = {topic for one in own if one not in full for topic, _ in one.topics}
        found: dict[str, Instant] = {}
        for topic, since in (pair for one in full for pair in one.topics):
            if topic not in doubtful:
                found[topic] = min(since, found.get(topic, since))
        return found

    def surveys(self) -> tuple[str, ...]:
        """Return the surveys of which the hub hears anything, by name."""
        return tuple(sorted({one.survey for one in self.streams if one.counts}))

    def is_filtered(self, survey: str) -> bool:
        """Return whether the survey is heard through filters only."""
        found = self.of(survey)
        return bool(found) and all(one.selection.kind is SelectionKind.FILTERED for one in found)

    def known_aspects(self, survey: str) -> frozenset[str]:
        """Return the `ASPECTS` in which the survey's objects are heard as they are: all, unless every stream is filtered."""
        if not self.is_filtered(survey):
            return frozenset(ASPECTS)
        return frozenset(ASPECTS).intersection(*(one.selection.independent_of for one in self.of(survey)))

    def remarks(self, survey: str) -> tuple[str, ...]:
        """Return what a statement about an object of the survey must be read with, as sentences; none for a full stream.

        >>> fink = AlertStream(name="f", survey="ZTF", selection=Selection(kind=SelectionKind.FILTERED, cuts="rb above 0.5"))
        >>> Coverage((fink,)).remarks("ZTF")
        ('ZTF is heard only through f (rb above 0.5): that nothing else was seen there says nothing',)
        """
        said = []
        found = self.of(survey)
        if self.is_filtered(survey):
            heard = _listed(f"{one.name} ({one.selection.cuts})" if one.selection.cuts else one.name for one in found)
            said.append(f"{survey} is heard only through {heard}: that nothing else was seen there says nothing")
        if silent := [one.name for one in found if not one.tells_past]:
            verb = "does" if len(silent) == 1 else "do"
            said.append(f"{_listed(silent)} {verb} not say when an object was first detected: it may be older than it seems")
        return tuple(said)


def doubling(streams: Iterable[AlertStream]) -> tuple[str, str] | None:
    """Return two streams by which one detection would count twice; None where there are no such two.

    A detection that comes without the survey's id gets one of the hub's making, under which no other stream knows it.
    """
    ordered = sorted(streams, key=lambda one: (not one.own_ids, one.name))
    for one in ordered:
        for other in ordered:
            if one.own_ids and other.name != one.name and other.survey == one.survey:
                return one.name, other.name
    return None


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
