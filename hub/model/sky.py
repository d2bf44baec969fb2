"""Places and probability on the sky: stated positions, sky maps, localizations. ICRS, degrees, HEALPix NESTED."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FULL_SKY_DEG2 = 41252.96124941927
"""Area of the sphere in square degrees, 360**2 / pi."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """An error circle around the stated position."""

    radius_deg: float
    """Radius in degrees, > 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """An error ellipse around the stated position."""

    semi_major_deg: float
    semi_minor_deg: float
    position_angle_deg: float
    """Angle of the major axis from north through east, degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asymmetric:
    """Errors that differ by direction, as IceCube circulars state them; all positive, degrees of arc on the sky."""

    ra_plus_deg: float
    ra_minus_deg: float
    dec_plus_deg: float
    dec_minus_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Annulus:
    """A ring around the stated position, as triangulation gives it."""

    radius_deg: float
    """Radius of the ring's middle line."""

    half_width_deg: float
    """Half its width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """A region by its corners, each (ra_deg, dec_deg), edges along great circles."""

    corners: tuple[tuple[float, float], ...]


Region = Circle | Ellipse | Asymmetric | Annulus | Polygon
"""The closed set of stated error regions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedPosition:
    """A position as a notice states it."""

    ra_deg: float
    """Right ascension, ICRS, [0, 360)."""

    dec_deg: float
    """Declination, ICRS, [-90, 90]."""

    region: Region | None = None
    """The error region; None where the notice gives none."""

    containment: float | None = None
    """Probability inside the region, (0, 1); None where unknown."""

    systematic_included: bool | None = None
    """Whether systematic errors are in the region; None where unknown."""

    @property
    def radius_deg(self) -> float | None:
        """One radius for a table: the circle's, an ellipse's longer axis, the largest asymmetric error, a ring's outer edge."""
        match self.region:
            case None | Polygon():
                return None
            case Circle(radius_deg=radius):
                return radius
            case Ellipse(semi_major_deg=major, semi_minor_deg=minor):
                return max(major, minor)
            case Asymmetric() as errors:
                return max(errors.ra_plus_deg, errors.ra_minus_deg, errors.dec_plus_deg, errors.dec_minus_deg)
            case Annulus(radius_deg=radius, half_width_deg=half):
                return radius + half


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Skymap:
    """Probability per unit solid angle on disjoint HEALPix pixels, ICRS, NESTED.

    Each row is one HEALPix pixel, written as its half-open interval of pixels at order 29 (so ``hi - lo`` is a power of 4 and
    ``lo`` a multiple of it). UNIQ exists only in FITS files. Together the pixels need not cover the sphere.
    """

    lo: NDArray[np.int64]
    """First order-29 pixel of each row, shape ``(n,)``, ascending, read-only."""

    hi: NDArray[np.int64]
    """One past the last order-29 pixel of each row, shape ``(n,)``, read-only; ``hi[i] <= lo[i + 1]``."""

    probdensity: NDArray[np.float64]
    """Probability density in 1/sr, shape ``(n,)``; the integral over all rows is 1 within 1e-3."""

    distmu: NDArray[np.float64] | None = None
    """Ansatz location parameter of the distance along each line of sight, Mpc (Singer et al. 2016); None in 2D."""

    distsigma: NDArray[np.float64] | None = None
    """Ansatz scale parameter, Mpc; None in 2D."""

    distnorm: NDArray[np.float64] | None = None
    """Ansatz normalization, 1/Mpc^2; None in 2D."""

    def __post_init__(self) -> None:
        for column in (self.lo, self.hi, self.probdensity, self.distmu, self.distsigma, self.distnorm):
            if column is not None:
                column.setflags(write=False)

    @property
    def has_distance(self) -> bool:
        """Whether the map has distance layers."""
        return self.distmu is not None

    def digest(self) -> str:
        """Return the content address: 32 hex digits of SHA-256 over the columns."""
        sha = hashlib.sha256()
        for column in (self.lo, self.hi, self.probdensity, self.distmu, self.distsigma, self.distnorm):
            sha.update(b"-" if column is None else np.ascontiguousarray(column).tobytes())
        return sha.hexdigest()[:32]


class LocalizationSource(StrEnum):
    """What a localization was made from."""

    SKYMAP = "skymap"
    CIRCLE = "circle"
    ELLIPSE = "ellipse"
    ASYMMETRIC = "asymmetric"
    ANNULUS = "annulus"
    POLYGON = "polygon"
    SYSTEMATIC = "circle+systematic"
    COMBINED = "combined"
    WHOLE_SKY = "whole sky"


def whole_sky() -> Skymap:
    """Return the map that says nothing: the twelve pixels of order 0, of one density."""
    size = np.int64(1) << 58
    lo = np.arange(12, dtype=np.int64) * size
    return Skymap(lo=lo, hi=lo + size, probdensity=np.full(12, 1.0 / (4.0 * np.pi)))


WHOLE_SKY_ID = whole_sky().digest()
"""Its content address. Whether it stands in for a place that nobody states is told by `StoredNotice.is_placeless`, not by this: a
mission may send the same map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkymapSummary:
    """The few numbers of a sky map that fit into a listing."""

    n_tiles: int
    area50_deg2: float
    """Smallest area that holds 50 % of the probability."""

    area90_deg2: float
    """Smallest area that holds 90 % of the probability."""

    peak_ra_deg: float
    """Centre of the densest pixel."""

    peak_dec_deg: float
    covered_fraction: float
    """Fraction of the sphere inside the map's pixels."""

    dist_mean_mpc: float | None = None
    """Mean of the distance marginalised over the sky, Mpc."""

    dist_std_mpc: float | None = None
    """Standard deviation of the same, Mpc."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Localization:
    """Where one notice says its event lies, as a map."""

    localization_id: str
    """Content address of the map (`Skymap.digest`)."""

    source: LocalizationSource
    skymap: Skymap
    summary: SkymapSummary
    remarks: tuple[str, ...] = ()
    """What the validator or the model changed or doubts, each one sentence."""


def normalise_ra(ra_deg: float) -> float:
    """Return a right ascension in [0, 360)."""
    ra = ra_deg % 360.0
    return 0.0 if ra == 360.0 else ra  # -1e-17 % 360 rounds to 360


def readonly(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values as a read-only float array."""
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array
