"""What a hypothesis expects a counterpart to look like, and how much the Milky Way dims it: one place that answers ask."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from hub import resources
from hub.science.detectable import AbsoluteMagnitude
from hub.science.families import Families, load_families
from hub.science.healpix import Floats
from hub.science.map_points import MapPoints
from hub.science.rules import Hypothesis


@dataclass(frozen=True, slots=True, kw_only=True)
class LightCurveModel:
    """Absolute magnitudes by time and band, and the dust in front."""

    name: str
    magnitude: AbsoluteMagnitude
    spread_mag: float
    """Standard deviation among sources."""

    families: Families
    """Knows the dust."""

    def extinction_at(self, points: MapPoints) -> Callable[[str], Floats]:
        """Return the extinction of each point by band, magnitudes: of the Galaxy's dust as a plane slab."""
        ebv = [self.families.dust.ebv(one) for one in points.galactic_latitude_deg.tolist()]
        return lambda band: np.array([self.families.dust.mag(band, one) for one in ebv])


def model_of(hypothesis: Hypothesis) -> LightCurveModel | None:
    """Return what a hypothesis expects: its family of light curves; None where it has none.

    What is seen is taken to begin with the event.
    """
    families = _families()
    if hypothesis.family is None:
        return None
    family = families.of(hypothesis.family)

    def of_family(age_d: float, band: str) -> float | None:
        told = family.abs_mag(age_d, band)
        return told if math.isfinite(told) else None

    return LightCurveModel(name=family.name, magnitude=of_family, spread_mag=family.spread_mag, families=families)


@cache
def _families() -> Families:
    return load_families(resources.read_text("conf/families.toml"))
