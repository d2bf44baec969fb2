"""What a hypothesis expects a counterpart to look like, and how much the Milky Way dims it: one place that answers ask."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hub.science.detectable import AbsoluteMagnitude
from hub.science.healpix import Floats
from hub.science.map_points import MapPoints
from hub.science.rules import Hypothesis


@dataclass(frozen=True, slots=True, kw_only=True)
class LightCurveModel:
    """Absolute magnitudes by time and band."""

    name: str
    magnitude: AbsoluteMagnitude
    spread_mag: float
    """Standard deviation among sources."""

    extinction_mag: Callable[[str, float], float] | None = None
    """Of a band at a galactic latitude in degrees; None where it is left out."""

    def extinction_at(self, points: MapPoints) -> Callable[[str], Floats] | None:
        """Return the extinction of each point by band; None where it is left out."""
        told = self.extinction_mag
        if told is None:
            return None
        latitudes = points.galactic_latitude_deg
        return lambda band: np.array([told(band, one) for one in latitudes.tolist()])


def model_of(hypothesis: Hypothesis) -> LightCurveModel | None:
    """Return what a hypothesis expects; None where it says nothing of brightness."""
    if hypothesis.abs_mag is None:
        return None
    mean, spread = hypothesis.abs_mag
    low, high = hypothesis.onset_d[0], hypothesis.window_d[1]
    return LightCurveModel(name="abs_mag", magnitude=lambda age_d, _: mean if low <= age_d <= high else None, spread_mag=spread)
