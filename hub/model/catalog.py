"""Catalogues of known sources: what an entry says, and how much of the sky's sources a catalogue holds."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Numbers of entries; NaN where a catalogue gives none."""

MAG_BANDS = ("b", "g", "r", "i", "k", "w1")
"""Bands in which entries have magnitudes, as their source gives them (B, K and W1 usually Vega)."""


class CatalogKind(StrEnum):
    """What an entry is."""

    GALAXY = "galaxy"
    AGN = "agn"
    BLAZAR = "blazar"
    VARIABLE = "variable"
    """A star or another source known to vary."""

    STAR_FORMING = "star_forming"
    """A nearby galaxy that forms stars: home of core collapses."""

    MAGNETAR = "magnetar"
    GAMMA_RAY = "gamma_ray"
    """A source of gamma rays of which the catalogue does not say more."""


HOST_KINDS = (CatalogKind.GALAXY, CatalogKind.STAR_FORMING)
"""What may be the host of a transient."""


class DistanceKind(StrEnum):
    """What the distance of an entry was found from."""

    NONE = "none"
    SPECTROSCOPIC = "spectroscopic"
    PHOTOMETRIC = "photometric"
    REDSHIFT_INDEPENDENT = "redshift-independent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """What part of the true hosts a catalogue of galaxies holds, by luminosity distance and galactic latitude.

    Linear between the points, constant beyond the first, nothing beyond the last distance.
    """

    distance_mpc: tuple[float, ...]
    """Ascending, Mpc."""

    fraction: tuple[float, ...]
    """At those distances, 0 to 1."""

    latitude_deg: tuple[float, ...]
    """Absolute galactic latitudes, ascending, degrees."""

    latitude_factor: tuple[float, ...]
    """What the fraction is multiplied by there, 0 to 1."""

    source: str
    """Where the numbers come from."""

    def at(self, distance_mpc: Floats, latitude_deg: Floats) -> Floats:
        """Return the fraction at luminosity distances (Mpc) and galactic latitudes (degrees, either sign)."""
        of_distance = np.interp(distance_mpc, self.distance_mpc, self.fraction, right=0.0)
        return np.asarray(of_distance * np.interp(np.abs(latitude_deg), self.latitude_deg, self.latitude_factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogInfo:
    """What a catalogue says of itself."""

    name: str
    """As the settings call it."""

    recipe: str
    """How it was read."""

    kinds: tuple[CatalogKind, ...]
    """Of its entries, sorted."""

    source: str
    """Where it comes from, for people."""

    digest: str
    """First 16 hex digits of SHA-256 over the file that it was made from: its version."""

    n_rows: int
    refused: tuple[str, ...]
    """What was set aside, one sentence a reason with the number of rows."""

    completeness: Completeness | None
    """Of catalogues of galaxies; None where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entries:
    """Entries of catalogues in columns, all of one length."""

    name: NDArray[np.object_]
    kind: NDArray[np.object_]
    """Values of `CatalogKind`."""

    ra_deg: Floats
    dec_deg: Floats
    redshift: Floats
    redshift_err: Floats
    distance_mpc: Floats
    """Luminosity distance as the catalogue states it."""

    distance_err_mpc: Floats
    distance_kind: NDArray[np.object_]
    """Values of `DistanceKind`."""

    mags: Floats
    """Magnitudes in `MAG_BANDS`, shape ``(n, 6)``."""

    semi_major_arcsec: Floats
    semi_minor_arcsec: Floats
    position_angle_deg: Floats
    """Of the major axis, from north through east."""

    reach_arcsec: Floats
    """How far from its place something still belongs to it: its extent, or the error of its place."""

    def __len__(self) -> int:
        return len(self.name)

    def __getitem__(self, rows: "NDArray[np.int64] | NDArray[np.bool_] | slice") -> Self:
        return type(self)(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})

    @classmethod
    def joined(cls, parts: "list[Entries]") -> "Entries":
        """Return the entries of all parts, at least one, in order."""
        return cls(**{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)})
