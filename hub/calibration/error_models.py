"""True places drawn from the error models that notices state, independently of the code that draws their maps."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration.result import Floats
from hub.model.sky import Asymmetric, Circle, Ellipse, StatedPosition

FERMI_SYSTEMATICS = {
    "fermi-gbm-flight": (0.897, 7.52, 55.6),
    "fermi-gbm-ground": (0.804, 3.72, 13.7),
    "fermi-gbm-final": (0.900, 3.71, 14.3),
    "fermi-gbm-final-2019": (0.52, 1.8, 4.1),
    "fermi-gbm-final-2019-long": (0.58, 1.9, 4.1),
    "fermi-gbm-final-2019-short": (0.39, 2.6, 4.4),
}
"""Weight of the core, radii of core and tail in degrees: Connaughton et al. 2015 (ApJS 216, 32), as LVK's external maps use it;
Goldstein et al. 2020 (ApJ 895, 40; arXiv:1909.03006), by class as GCN Circular 25726 gives them. Written here a second time: what
is tested must not be its own measure."""

SIGMA_OVER_R68 = 0.66
"""Briggs et al. 1999 (ApJS 122, 503): a radius of 68 % is 1 / 0.66 standard deviations of an axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorModel:
    """A kind of notice: what it states, and where the source is then."""

    name: str
    systematic_model: str | None
    """Which the hub is told to add."""

    draw: Callable[[Generator], tuple[StatedPosition, Floats]]
    """A stated position and the unit vector of the source."""


def fermi(systematic_model: str, *, widest_deg: float = 10.0) -> ErrorModel:
    """Return Fermi's: a core or a tail of systematic error, each added in quadrature to a statistical radius of 68 %.

    Statistical radii are spread evenly in their logarithm from one degree on. Where those of faint bursts are left out, it is
    plain from fewer sources what a small systematic error does.
    """
    weight, core_deg, tail_deg = FERMI_SYSTEMATICS[systematic_model]

    def draw(rng: Generator) -> tuple[StatedPosition, Floats]:
        statistical_deg = float(np.exp(rng.uniform(math.log(1.0), math.log(widest_deg))))
        systematic_deg = core_deg if rng.random() < weight else tail_deg
        sigma = SIGMA_OVER_R68 * math.radians(math.hypot(statistical_deg, systematic_deg))
        ra, dec = _anywhere(rng)
        position = StatedPosition(
            ra_deg=ra, dec_deg=dec, region=Circle(radius_deg=statistical_deg), containment=0.683, systematic_included=False
        )
        return position, _away(ra, dec, _fisher_distance(1.0 / sigma**2, rng), rng.uniform(0.0, 360.0))

    return ErrorModel(name=systematic_model, systematic_model=systematic_model, draw=draw)


def circle90(name: str, low_deg: float, high_deg: float) -> ErrorModel:
    """Return that of circles of 90 %, radii spread evenly in their logarithm."""

    def draw(rng: Generator) -> tuple[StatedPosition, Floats]:
        radius = float(np.exp(rng.uniform(math.log(low_deg), math.log(high_deg))))
        sigma_deg = radius / math.sqrt(-2.0 * math.log(0.1))
        ra, dec = _anywhere(rng)
        position = StatedPosition(
            ra_deg=ra, dec_deg=dec, region=Circle(radius_deg=radius), containment=0.9, systematic_included=True
        )
        return position, _plane(ra, dec, *(rng.normal(size=2) * sigma_deg), along_deg=0.0)

    return ErrorModel(name=name, systematic_model=None, draw=draw)


def ellipse90() -> ErrorModel:
    """Return that of ellipses of 90 %, axis ratios down to a fifth."""

    def draw(rng: Generator) -> tuple[StatedPosition, Floats]:
        major = float(np.exp(rng.uniform(math.log(0.3), math.log(8.0))))
        minor, angle = major * float(rng.uniform(0.2, 1.0)), float(rng.uniform(0.0, 180.0))
        sigma = 1.0 / math.sqrt(-2.0 * math.log(0.1))
        ra, dec = _anywhere(rng)
        position = StatedPosition(
            ra_deg=ra,
            dec_deg=dec,
            region=Ellipse(semi_major_deg=major, semi_minor_deg=minor, position_angle_deg=angle),
            containment=0.9,
        )
        ahead, left = rng.normal(size=2) * (major * sigma, minor * sigma)
        return position, _plane(ra, dec, ahead, left, along_deg=angle)

    return ErrorModel(name="ellipse of 90 %", systematic_model=None, draw=draw)


def asymmetric90() -> ErrorModel:
    """Return IceCube's errors that differ by direction, 90 %: a width of its own on each side of two axes."""

    def draw(rng: Generator) -> tuple[StatedPosition, Floats]:
        plus_dec, minus_dec, plus_ra, minus_ra = np.exp(rng.uniform(math.log(0.3), math.log(4.0), size=4))
        ra, dec = _anywhere(rng)
        position = StatedPosition(
            ra_deg=ra,
            dec_deg=dec,
            region=Asymmetric(
                ra_plus_deg=float(plus_ra),
                ra_minus_deg=float(minus_ra),
                dec_plus_deg=float(plus_dec),
                dec_minus_deg=float(minus_dec),
            ),
            containment=0.9,
        )
        north, east = _two_piece(plus_dec, minus_dec, rng), _two_piece(plus_ra, minus_ra, rng)
        return position, _plane(ra, dec, north, east, along_deg=0.0)

    return ErrorModel(name="asymmetric errors of 90 %", systematic_model=None, draw=draw)


def _two_piece(plus: float, minus: float, rng: Generator) -> float:
    """Return a number from a density of one height at 0 that falls off by its own width on each side; widths hold 90 %."""
    is_plus = rng.random() < plus / (plus + minus)
    size = abs(rng.normal()) / math.sqrt(-2.0 * math.log(0.1))
    return float(size * plus if is_plus else -size * minus)


def _anywhere(rng: Generator) -> tuple[float, float]:
    return float(rng.uniform(0.0, 360.0)), math.degrees(math.asin(rng.uniform(-1.0, 1.0)))


def _fisher_distance(kappa: float, rng: Generator) -> float:
    """Return an angle in radians from its pole of a Fisher distribution, whose cosine is a truncated exponential."""
    u = rng.random()
    return math.acos(max(-1.0, 1.0 + math.log(u + (1.0 - u) * math.exp(-2.0 * kappa)) / kappa))


def _plane(ra_deg: float, dec_deg: float, ahead_deg: float, left_deg: float, *, along_deg: float) -> Floats:
    """Return the unit vector at an offset in a plane whose lengths are chords, which keeps areas; left of north is east."""
    chord = math.radians(math.hypot(ahead_deg, left_deg))
    bearing = along_deg + math.degrees(math.atan2(left_deg, ahead_deg))
    return _away(ra_deg, dec_deg, 2.0 * math.asin(min(1.0, chord / 2.0)), bearing)


def _away(ra_deg: float, dec_deg: float, distance: float, bearing_deg: float) -> Floats:
    """Return the unit vector at a distance in radians and a bearing from north through east."""
    ra, dec, bearing = math.radians(ra_deg), math.radians(dec_deg), math.radians(bearing_deg)
    centre = np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])
    north = np.array([-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)])
    east = np.array([-math.sin(ra), math.cos(ra), 0.0])
    towards = math.cos(bearing) * north + math.sin(bearing) * east
    return np.asarray(math.cos(distance) * centre + math.sin(distance) * towards)


MODELS = (
    fermi("fermi-gbm-flight"),
    fermi("fermi-gbm-ground"),
    fermi("fermi-gbm-final"),
    circle90("Swift, circle of 90 %", 0.02, 0.1),
    circle90("IceCube, circle of 90 %", 0.2, 8.0),
    ellipse90(),
    asymmetric90(),
    fermi("fermi-gbm-final-2019", widest_deg=4.0),
    fermi("fermi-gbm-final-2019-long", widest_deg=4.0),
    fermi("fermi-gbm-final-2019-short", widest_deg=4.0),
)
"""All that are tried."""
