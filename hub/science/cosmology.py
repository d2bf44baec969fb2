"""Distances and volumes in a flat universe of matter and a constant."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hub.science.healpix import Floats

C_KM_S = 299_792.458
"""Speed of light, km/s."""

_Z_MAX = 4.0
_STEPS = 16_000


@dataclass(frozen=True, slots=True)
class Cosmology:
    """The two numbers."""

    h0_km_s_mpc: float
    omega_m: float

    def distance_mpc(self, z: Floats) -> Floats:
        """Return luminosity distances, Mpc, to redshift 4."""
        grid, comoving, _ = _tables(self.h0_km_s_mpc, self.omega_m)
        return np.asarray((1.0 + z) * np.interp(z, grid, comoving))

    def redshift(self, distance_mpc: Floats) -> Floats:
        """Return redshifts of luminosity distances; the last of the table for farther ones."""
        grid, comoving, _ = _tables(self.h0_km_s_mpc, self.omega_m)
        return np.asarray(np.interp(distance_mpc, (1.0 + grid) * comoving, grid))

    def rate_density(self, z: Floats, z_max: float) -> Floats:
        """Return the density in z of events of constant rate per comoving volume, as seen here; the integral is 1."""
        grid, comoving, per_z = _tables(self.h0_km_s_mpc, self.omega_m)
        inside = grid <= z_max
        norm = float(np.trapezoid(per_z[inside], grid[inside]))
        slope = _inverse(z, self.omega_m)
        return np.where(z <= z_max, np.interp(z, grid, comoving) ** 2 * slope / (1.0 + z) / norm, 0.0)


def _inverse(z: Floats, omega_m: float) -> Floats:
    """Return the Hubble constant over the Hubble parameter."""
    return np.asarray(1.0 / np.sqrt(omega_m * (1.0 + z) ** 3 + 1.0 - omega_m))


@lru_cache(maxsize=8)
def _tables(h0: float, omega_m: float) -> tuple[Floats, Floats, Floats]:
    """Return redshifts, comoving distances (Mpc), and ``dV/dz / (1 + z)`` without its constants."""
    z = np.linspace(0.0, _Z_MAX, _STEPS + 1)
    inverse = _inverse(z, omega_m)
    comoving = np.concatenate([[0.0], np.cumsum(0.5 * (inverse[1:] + inverse[:-1])) * (z[1] - z[0])]) * (C_KM_S / h0)
    return z, comoving, comoving**2 * inverse / (1.0 + z)
