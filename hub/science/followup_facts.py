"""What a follow-up rule may ask about: numbers, words, and what was asked and observed before; None is what nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.model.notice import EventClass, Messenger, Role, Stage
from hub.model.significance import Significance
from hub.science.followup_covered import Planned

NUMBERS = {
    "far_per_yr": "the false-alarm rate a year",
    "area90_deg2": "the 90 % area in square degrees",
    "error_deg": "the error of the stated position in degrees",
    "distance_mpc": "the distance in Mpc",
    "p_astro": "the probability of astrophysical origin",
    "level": "the 2D level",
    "score": "the score",
    "expected_mag": "the expected magnitude",
    "hours_since_trigger": "the time since the trigger in hours",
}
"""Fields of `FollowupFacts` that a rule bounds with ``min_`` or ``max_`` before the name, and how a sentence calls them."""

WORDS = {
    "classes": ("event_class", "the class", EventClass),
    "messengers": ("messenger", "the messenger", Messenger),
    "stages": ("stage", "the stage", Stage),
    "significances": ("significance", "the grade", Significance),
    "missions": ("mission", "the mission", None),
    "hypotheses": ("hypothesis", "the hypothesis", None),
}
"""Keys of a rule that list words: the field that must be one of them, how a sentence calls it, and the words that there are."""

FLAGS = {"confirmed": "whether the candidate is confirmed", "announced": "whether its coincidence was announced"}
"""Fields that a rule may ask to be true or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was made before and counts: not rejected, cancelled or expired."""

    event_id: str
    target: str
    network: str
    instrument: str
    hours_ago: float
    """Since it was made; negative for one that is made with a date in the future."""

    seconds: float
    """Open shutter, seconds."""

    separation_deg: float | None
    """From the present target; None where that has no place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """An observation of the present target that is done, as the hub heard or its observers report."""

    by: str
    """The instrument."""

    hours_ago: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Whether an allocation's telescopes can observe the present target in the window of a template."""

    is_observable: bool
    reason: str
    """A sentence, site by site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowupFacts:
    """All that a policy is asked with; two equal ones get the same decision."""

    event_id: str
    role: Role
    is_trusted: bool
    """All notices are live and from trusted sources."""

    is_active: bool
    """Neither the event nor the candidate is retracted or withdrawn."""

    event_class: EventClass | None = None
    messenger: Messenger | None = None
    mission: str | None = None
    stage: Stage | None = None
    significance: Significance | None = None
    class_probability: Mapping[str, float] = field(default_factory=dict)
    """Of the classes and properties that the observatory gives a probability."""

    far_per_yr: float | None = None
    """Of the event, a year of 365.25 days."""

    area90_deg2: float | None = None
    error_deg: float | None = None
    """Radius that the observatory states about its position."""

    distance_mpc: float | None = None
    """Mean of the map, marginalised over the sky."""

    p_astro: float | None = None
    hours_since_trigger: float | None = None

    candidate: str | None = None
    """``SURVEY:object``; None where the event itself is asked about."""

    hypothesis: str | None = None
    ra_deg: float | None = None
    """Of the candidate, else of the stated position, ICRS."""

    dec_deg: float | None = None
    level: float | None = None
    """Cumulative probability of the candidate's place in the current map."""

    score: float | None = None
    expected_mag: float | None = None
    """AB, in r, at the present, with the dust of the Galaxy."""

    expected_mags: Mapping[str, float] = field(default_factory=dict)
    """The same by band (`hub.science.families.BANDS`); empty where nobody can say."""

    confirmed: bool | None = None
    announced: bool | None = None
    classified: tuple[str, ...] | None = None
    """Classes that others state of the candidate; None where nobody could look."""

    asked: tuple[Asked, ...] = ()
    """Requests before, of all events."""

    observed: tuple[Observed, ...] | None = None
    planned: tuple[Planned, ...] | None = ()
    """Visits of others that hold the present target, from now on; None where a register that tells them did not answer yet."""

    seen: Mapping[tuple[str, str], Seen] = field(default_factory=dict)
    """By allocation and template."""

    stopped: Mapping[str, str] = field(default_factory=dict)
    """Networks whose circuit breaker is open, and why."""

    credentials: frozenset[str] = frozenset()
    """Allocations for which the hub has a credential."""

    inside: frozenset[str] = frozenset()
    """Networks that are inside the hub: no telescope is behind them."""
