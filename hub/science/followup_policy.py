"""The follow-up policy as types: what ``conf/policy.toml`` says. What it does is in `hub.science.followup_rules`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.model.followup import Urgency


class Action(StrEnum):
    """What a rule does with what it matches."""

    AUTOMATIC = "automatic"
    """Ask, under the rule's caps; a person is asked beyond them."""

    APPROVAL = "approval"
    """A person is asked always."""

    SKIP = "skip"


class Target(StrEnum):
    """What is to be observed."""

    CANDIDATE = "candidate"
    """A survey's object."""

    POSITION = "position"
    """The place that the notice states, one field."""

    MAP = "map"
    """The fields that hold the most probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so much of something; None for no limit."""

    requests: int | None = None
    seconds: float | None = None
    """Open shutter, seconds."""


NO_LIMIT = Limit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One kind of exposure."""

    filter: str
    """By the network's name."""

    seconds: float
    count: int
    limiting_mag: float | None = None
    """AB magnitude of the faintest point source that it reaches; None where nobody states it."""

    band: str = ""
    """Of `hub.science.families.BANDS`: that of the filter; empty where no limit is stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What is asked for of a target."""

    name: str
    exposures: tuple[Exposure, ...]
    networks: tuple[str, ...] = ()
    """That it is for; all where none is named."""

    instruments: tuple[str, ...] = ()
    """That it is for, by the networks' names; all where none is named."""

    max_airmass: float
    min_moon_separation_deg: float
    window_h: float
    """How long the window is, hours, from its beginning."""

    from_trigger: bool = False
    """Whether the window is counted from the trigger; otherwise from the decision."""

    max_fields: int = 1
    """Of a map: most fields."""

    max_prob: float | None = None
    """Of a map: enough is planned when the fields hold so much."""

    @property
    def field_seconds(self) -> float:
        """Open shutter on one field, seconds."""
        return sum(one.seconds * one.count for one in self.exposures)

    def seconds(self, target: Target) -> float:
        """Return the open shutter of one request at most, seconds."""
        return self.field_seconds * (self.max_fields if target is Target.MAP else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Telescope time of somebody's at one instrument of a network."""

    name: str
    network: str
    instrument: str
    sites: tuple[str, ...]
    """Names of conf/sites.toml."""

    host: str | None
    """Where its requests go; None for a network inside the hub."""

    per_night: Limit
    total: Limit
    fov_deg: float | None = None
    """Side of its square field; None where it asks for no maps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipRules:
    """When nothing is asked though a rule matches; None where that is no reason."""

    requested_within_deg: float | None = None
    requested_within_h: float | None = None
    observed_within_h: float | None = None
    planned_within_h: float | None = None
    """Somebody else will observe it before so long, hours."""

    planned_by: tuple[str, ...] = ()
    """Instruments whose plans count; all where none is named."""

    classified: bool = False
    not_observable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A number must be at most, or at least, this; both ends count."""

    number: str
    """Of `hub.science.followup_facts.NUMBERS`."""

    is_least: bool
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When something is asked, for what, and of whom."""

    name: str
    action: Action
    target: Target
    reason: str
    """A sentence for a person: what for, or why not."""

    bounds: tuple[Bound, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By key of `hub.science.followup_facts.WORDS`."""

    flags: Mapping[str, bool] = field(default_factory=dict)
    any_class: Mapping[str, float] = field(default_factory=dict)
    """One of these classes must be at least so probable; empty for any."""

    templates: tuple[str, ...] = ()
    """Each allocation is asked for the first that is for it and reaches what is expected; none where it skips."""

    allocations: tuple[str, ...] = ()
    """In order of preference; none where it skips."""

    spread: bool = False
    """Whether all allocations that can are asked; otherwise the first that can, and the others stand by."""

    urgency: Urgency = Urgency.NORMAL
    per_event: Limit = NO_LIMIT
    """Automatic up to here, counted with all requests for the event; a person is asked beyond."""

    per_night: Limit = NO_LIMIT
    """The same of all requests in the 24 hours before."""

    skip: SkipRules = SkipRules()
    relook_d: tuple[float, ...] = ()
    """Later looks so many days after the first request, ascending; each is decided anew when it is due."""

    group: str = ""
    """Group of persons that alone sees what comes of it; empty for everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """When a request that a network has gives way to another: it has waited there, and the other begins at the end."""

    min_prob: float
    """Fields on the new map must hold so much more of it than those that were asked for, probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """When a request may leave the hub: all of it, or it is a dry run."""

    enabled: bool = False
    hosts: tuple[str, ...] = ()
    """Those that requests may go to, exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When a network is left alone by itself."""

    faults: int
    """So many of its answers in a row are faults."""

    within_h: float
    """All of them within so long."""

    pause_h: float
    """It is tried again so long after the last of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All of ``conf/policy.toml``."""

    version: int
    stop_all: bool
    """The kill switch."""

    stopped: tuple[str, ...]
    """Networks that a person stopped."""

    live: Live
    approval_valid_h: float
    breaker: Breaker
    replace: Replace
    per_event: Limit
    per_night: Limit
    templates: Mapping[str, Template]
    allocations: Mapping[str, Allocation]
    rules: tuple[Rule, ...]
