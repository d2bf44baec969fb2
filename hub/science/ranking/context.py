"""What a ranking statistic may look at, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.model.alert import AlertBatch
from hub.model.coverage import ASPECTS
from hub.science.hypotheses import Hypothesis
from hub.science.onset import Onset


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One statistic's contribution: a natural logarithm of a likelihood ratio, and the sentence for a person."""

    value: float
    reason: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A statistic that could speak of such objects and cannot of this one, for a reason that a person must see: it is neutral."""

    reason: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """One object under one hypothesis about one event."""

    hypothesis: Hypothesis
    detections: AlertBatch
    """Usable alerts of the object, ordered by time."""

    delay_d: float
    """First detection minus t0, days."""

    t0_us: int
    """Time of the event, `Instant.tai_us`."""

    probdensity_per_sr: float | None
    """Density of the current localization at the object; None where it is not covered."""

    level: float | None
    """2D level of the object in the current localization."""

    dist_mean_mpc: float | None
    dist_std_mpc: float | None

    onset: Onset | None = None
    """When it began; None where nothing sets an onset."""

    curve: AlertBatch | None = None
    """All its alerts until the end of the window, ordered by time, for hypotheses that ask for its past; None for others."""

    galactic_b_deg: float | None = None
    """Its Galactic latitude, degrees; None where the Galaxy's dust is left out."""

    is_filtered: bool = False
    """Whether the survey is heard through filters only: its unrelated objects are then not those of the full stream."""

    known_aspects: frozenset[str] = frozenset(ASPECTS)
    """Of `ASPECTS`, those in which the unrelated objects that are heard are like those of the full stream."""

    tells_past: bool = True
    """Whether the alerts say when the object was first detected."""

    extra_terms: Mapping[str, Term] = field(default_factory=dict)
    """What was computed outside, by name: counts as the statistics here do."""
