"""Localizations that can be made at any place and in any direction: cones of notices, and bent regions as of a wave."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hub.calibration.result import Floats
from hub.calibration.subject import Subject
from hub.demo.skymap import Banana, banana_around, refine, unit_vector
from hub.model.sky import Circle, Skymap, StatedPosition, normalise_ra
from hub.science.healpix import ranges_of_uniq

PLACE = (130.0, 20.0)
"""Right ascension and declination of a shape before it is turned, degrees."""

ONE_SIGMA = 1.0 - math.exp(-0.5)
"""Probability within one standard deviation of a two-dimensional Gaussian."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A localization that can be turned."""

    name: str
    make: Callable[[Subject, Floats], Skymap]
    """Takes the functions under test and a rotation matrix."""


def cone(sigma_deg: float, systematic_model: str | None = None) -> Shape:
    """Return the localization of an error circle by its standard deviation, with Fermi's systematic errors where asked for."""

    def make(subject: Subject, rotation: Floats) -> Skymap:
        ra, dec = place_of(rotation @ unit_vector(*PLACE))
        region = Circle(radius_deg=sigma_deg)
        return subject.map_of(StatedPosition(ra_deg=ra, dec_deg=dec, region=region, containment=ONE_SIGMA), systematic_model)

    return Shape(name=f"cone, {sigma_deg:g} deg" + (f", {systematic_model}" if systematic_model else ""), make=make)


def bent_region(area90_deg2: float, length_deg: float) -> Shape:
    """Return a multi-order map of a bent region, as those of two detectors are.

    Parameters
    ----------
    area90_deg2
        Its 90 % area.
    length_deg
        Standard deviation along it.
    """
    at_rest = banana_around(*PLACE, level=0.0, turn_deg=0.0, angle_deg=35.0, area90_deg2=area90_deg2, length_deg=length_deg)

    def make(subject: Subject, rotation: Floats) -> Skymap:
        return map_of_banana(replace(at_rest, frame=rotation @ at_rest.frame))

    return Shape(name=f"bent region, {area90_deg2:g} deg2", make=make)


def map_of_banana(banana: Banana) -> Skymap:
    """Return the multi-order map of a bent region, without distance."""
    uniq, density = refine(banana)
    lo, hi = ranges_of_uniq(uniq)
    ascending = np.argsort(lo)
    return Skymap(lo=lo[ascending], hi=hi[ascending], probdensity=density[ascending])


def place_of(vector: Floats) -> tuple[float, float]:
    """Return right ascension and declination in degrees of a unit vector."""
    x, y, z = (float(value) for value in vector)
    return normalise_ra(math.degrees(math.atan2(y, x))), math.degrees(math.atan2(z, math.hypot(x, y)))
