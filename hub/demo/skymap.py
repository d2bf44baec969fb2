"""Multi-order sky maps of the demo's gravitational wave: synthesised, with published areas and distance.

The posterior is a Gaussian in arc coordinates that are bent like a banana. It is placed so that AT2017gfo lies at a level drawn
from the seed, as a true position lies at any level with equal chance, and not at the peak.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.instant import Instant

FIRST_ORDER = 4
"""HEALPix order that refinement starts from (3,072 pixels), as BAYESTAR's (Singer & Price 2016, PRD 93, 024013, section VI)."""

ROUNDS = 7
"""Refinements; each splits the most probable quarter of 3,072 pixels, which leaves 19,200."""

FLOOR = 1e-9
"""Density far from the region relative to the peak: a real map is nowhere exactly zero."""

AREA90_OVER_SIGMAS = 2 * np.pi * np.log(10)
"""90 % area of a two-dimensional Gaussian over the product of its standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Banana:
    """A bent Gaussian on the sphere."""

    frame: NDArray[np.float64]
    """Rotation matrix from arc coordinates (x towards the centre, z across) to ICRS, shape ``(3, 3)``."""

    sigma_along_deg: float
    sigma_across_deg: float
    bend_per_deg: float
    """Sideways displacement over the square of the distance along the arc, 1/deg."""

    def density(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the density relative to the peak for ICRS unit vectors of shape ``(3, n)``."""
        along, across = self._coordinates(xyz)
        square = (along / self.sigma_along_deg) ** 2 + (across / self.sigma_across_deg) ** 2
        return np.asarray(np.exp(-0.5 * square) + FLOOR)

    def along_deg(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the coordinate along the arc of unit vectors."""
        return self._coordinates(xyz)[0]

    def level_at(self, ra_deg: float, dec_deg: float) -> float:
        """Return the credible level of a position, as the bent Gaussian has it before it is cut into pixels."""
        along, across = self._coordinates(unit_vector(ra_deg, dec_deg)[:, None])
        square = (along[0] / self.sigma_along_deg) ** 2 + (across[0] / self.sigma_across_deg) ** 2
        return float(-np.expm1(-0.5 * square))

    def position(self, along_deg: float, across_deg: float) -> tuple[float, float]:
        """Return right ascension and declination in degrees of arc coordinates."""
        u = np.radians(along_deg)
        b = np.radians(across_deg + self.bend_per_deg * along_deg**2)
        x, y, z = self.frame @ np.array([np.cos(b) * np.cos(u), np.cos(b) * np.sin(u), np.sin(b)])
        return float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arcsin(z)))

    def _coordinates(self, xyz: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x, y, z = self.frame.T @ xyz
        along = np.degrees(np.arctan2(y, x))
        return along, np.degrees(np.arcsin(np.clip(z, -1, 1))) - self.bend_per_deg * along**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Distance posterior: one conditional ansatz for all lines of sight (Singer et al. 2016, ApJL 829, L15, equation 1)."""

    mu_mpc: float
    sigma_mpc: float

    @property
    def norm(self) -> float:
        """Normalization of the ansatz, 1/Mpc^2, its truncation at zero distance neglected (under 1e-4 for mu of four sigma)."""
        return 1.0 / (self.mu_mpc**2 + self.sigma_mpc**2)

    @property
    def mean_mpc(self) -> float:
        """Mean distance."""
        return (self.mu_mpc**3 + 3 * self.mu_mpc * self.sigma_mpc**2) * self.norm

    @property
    def std_mpc(self) -> float:
        """Standard deviation of the distance."""
        square = (self.mu_mpc**4 + 6 * self.mu_mpc**2 * self.sigma_mpc**2 + 3 * self.sigma_mpc**4) * self.norm
        return float(np.sqrt(square - self.mean_mpc**2))


def banana_around(
    ra_deg: float, dec_deg: float, *, level: float, turn_deg: float, angle_deg: float, area90_deg2: float, length_deg: float
) -> Banana:
    """Return a banana of a 90 % area that has a position at a credible level.

    Parameters
    ----------
    ra_deg, dec_deg
        The position, ICRS.
    level
        Credible level of the position, 0 (peak) to 1.
    turn_deg
        Where on the contour of that level the position lies, an angle in units of the axes.
    angle_deg
        Position angle of the long axis at the position, from north through east.
    area90_deg2
        90 % credible area.
    length_deg
        Standard deviation along the arc.
    """
    across = area90_deg2 / AREA90_OVER_SIGMAS / length_deg
    radius = np.sqrt(-2 * np.log1p(-level))
    u = radius * np.cos(np.radians(turn_deg)) * length_deg
    bend = 0.012
    b = radius * np.sin(np.radians(turn_deg)) * across + bend * u**2
    ra, dec, angle = np.radians([ra_deg, dec_deg, angle_deg])
    towards = unit_vector(ra_deg, dec_deg)
    north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0.0])
    axis = np.cos(angle) * north + np.sin(angle) * east
    at_position = np.stack([towards, axis, np.cross(towards, axis)], axis=1)
    return Banana(
        frame=at_position @ _turn(np.radians(u), np.radians(b)).T,
        sigma_along_deg=length_deg,
        sigma_across_deg=across,
        bend_per_deg=bend,
    )


def skymap_fits(banana: Banana, distance: Distance, *, superevent: str, t0: Instant, made: Instant, detectors: str) -> bytes:
    """Return a multi-order FITS sky map with distance layers, laid out as BAYESTAR's."""
    uniq, density = refine(banana)
    n = len(uniq)
    from astropy.io import fits  # noqa: PLC0415 - half a second that only the demo pays

    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("UNIQ", "K", array=uniq),
            fits.Column("PROBDENSITY", "D", unit="sr-1", array=density),
            fits.Column("DISTMU", "D", unit="Mpc", array=np.full(n, distance.mu_mpc)),
            fits.Column("DISTSIGMA", "D", unit="Mpc", array=np.full(n, distance.sigma_mpc)),
            fits.Column("DISTNORM", "D", unit="Mpc-2", array=np.full(n, distance.norm)),
        ]
    )
    table.header.update(
        {
            "PIXTYPE": "HEALPIX",
            "ORDERING": "NUNIQ",
            "COORDSYS": "C",
            "INDXSCHM": "EXPLICIT",
            "MOCORDER": FIRST_ORDER + ROUNDS,
            "OBJECT": superevent,
            "INSTRUME": detectors,
            "DATE-OBS": t0.to_utc_iso()[:-1],
            "MJD-OBS": t0.mjd_utc,
            "DATE": made.to_utc_iso()[:19],
            "CREATOR": "mmhub demo",
            "ORIGIN": "synthesised",
            "DISTMEAN": distance.mean_mpc,
            "DISTSTD": distance.std_mpc,
        }
    )
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(out)
    return out.getvalue()


def refine(banana: Banana) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return UNIQ and the density in 1/sr of the 19,200 pixels of an adaptively refined map that sums to 1."""
    count = 12 * 4**FIRST_ORDER
    order = np.full(count, FIRST_ORDER)
    pixel = np.arange(count)
    density = banana.density(_centres(order, pixel))
    for _ in range(ROUNDS):
        split = np.argsort(-density / 4.0**order, kind="stable")[: count // 4]
        keep = np.ones(len(order), dtype=np.bool_)
        keep[split] = False
        children = (4 * pixel[split][:, None] + np.arange(4)).ravel()
        finer = np.repeat(order[split] + 1, 4)
        order, pixel = np.concatenate([order[keep], finer]), np.concatenate([pixel[keep], children])
        density = np.concatenate([density[keep], banana.density(_centres(finer, children))])
    area_sr = np.pi / 3 / 4.0**order
    uniq = 4 * 4**order + pixel
    ascending = np.argsort(uniq)
    return uniq[ascending], (density / np.sum(density * area_sr))[ascending]


def unit_vector(ra_deg: float, dec_deg: float) -> NDArray[np.float64]:
    """Return the ICRS unit vector of a position, shape ``(3,)``."""
    ra, dec = np.radians([ra_deg, dec_deg])
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def _centres(order: NDArray[np.int64], pixel: NDArray[np.int64]) -> NDArray[np.float64]:
    from astropy_healpix import healpix_to_lonlat  # noqa: PLC0415 - half a second that only the demo pays

    lon, lat = healpix_to_lonlat(pixel, 2**order, order="nested")
    lon, lat = lon.to_value("rad"), lat.to_value("rad")
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _turn(u: float, b: float) -> NDArray[np.float64]:
    """Return the rotation that takes the x axis to longitude u and latitude b, radians."""
    about_z = np.array([[np.cos(u), -np.sin(u), 0], [np.sin(u), np.cos(u), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
    return np.asarray(about_z @ about_y)
