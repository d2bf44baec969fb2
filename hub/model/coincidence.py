"""Pairs that belong together, with the numbers and the reasons."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.model.instant import Instant
from hub.model.joint_rates import JointRates, rates_of, shown


class PairState(StrEnum):
    """State of a pair now, given everything that has arrived."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"
    """Some version of its members matched once, their current ones do not, or a member is retracted."""


class MemberKind(StrEnum):
    """What a member of a coincidence is."""

    EVENT = "event"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Member:
    """An event (id ``S230518h``) or a survey's object (id ``LSST:169...``)."""

    kind: MemberKind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One number with what it was computed from, so that it can be computed again."""

    statistic: str
    """Name, e.g. ``joint_far_time_only``, ``joint_far``, ``overlap``, ``level_2d``, ``rank``."""

    version: int
    """Version of the statistic's definition."""

    value: float | None
    """None where it cannot be said; the reason is in the inputs."""

    unit: str
    """``Hz``, ``1``, ``1/sr``, ``deg``, ``s``."""

    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coincidence:
    """One version of one pair; a new version per change, never edited."""

    coincidence_id: str
    kind: str
    """``gw-grb``, ``gw-neutrino``, ``grb-neutrino``, ``gw-optical`` ..."""

    hypothesis: str
    """Name of the rule in conf/coincidence.toml that made it."""

    members: tuple[Member, ...]
    """In canonical order."""

    state: PairState
    version: int
    scores: tuple[Score, ...]
    reasons: tuple[str, ...]
    """Sentences for a person: why it is ranked as it is."""

    localization_ids: tuple[str, ...]
    """Localization versions that the scores were computed with."""

    is_live: bool
    """False where a member is a test, a mock or from an untrusted source: then nothing leaves the hub."""

    t0: Instant | None
    """Time of the earliest member event."""

    created_at: Instant
    """When this version was computed."""

    held_back: bool = False
    """Whether an open pair stays in the hub: no room in the budget of false announcements, or another pair has its member."""

    @property
    def joint_rates(self) -> JointRates | None:
        """How often noise alone would do this, beside how often unrelated real events would; None for a survey's object."""
        return rates_of(self.scores)

    @property
    def shown_scores(self) -> tuple[Score, ...]:
        """The scores as they are shown: a false-alarm rate only beside the rate of unrelated real events."""
        return shown(self.scores)

    def score(self, statistic: str) -> float | None:
        """Return the value of a statistic, None where there is none; of joint rates, ask `joint_rates`."""
        return next((score.value for score in self.scores if score.statistic == statistic), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A survey object inside an event's localization and window, under one hypothesis."""

    event_id: str
    survey: str
    object_id: str
    hypothesis: str
    state: PairState
    confirmed: bool
    """At least two detections; a single detection is ranked apart."""

    n_detections: int
    ra_deg: float
    dec_deg: float
    first_detection: Instant
    last_detection: Instant
    levels: Mapping[str, float | None]
    """2D level in each localization version of the event that its alerts were matched with (id to level)."""

    level: float | None
    """Inclusive cumulative probability of its place in the current localization; None where the map does not cover it."""

    score: float
    """Log of the ranking statistic; larger is better."""

    scores: tuple[Score, ...]
    reasons: tuple[str, ...]
    flags: tuple[str, ...] = ()
    """Recorded facts: ``prior activity``, ``saturated``, ``negative`` ..."""


def coincidence_id(kind: str, members: Sequence[Member]) -> str:
    """Return the id of a pair: 20 hex digits of SHA-256 over its kind and its sorted canonical member ids."""
    text = "\n".join([kind, *sorted(member.id for member in members)])
    return hashlib.sha256(text.encode()).hexdigest()[:20]
