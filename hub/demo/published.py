"""Published numbers of GW170817, GRB 170817A and AT2017gfo, the only real ones in the demo's night.

References
----------
.. [1] Abbott et al. 2017, PRL 119, 161101 (GW170817).
.. [2] Abbott et al. 2017, ApJL 848, L12 (multi-messenger observations; times of the notices).
.. [3] Abbott et al. 2017, ApJL 848, L13 (GW170817 and GRB 170817A).
.. [4] Goldstein et al. 2017, ApJL 848, L14 (Fermi GBM).
.. [5] Coulter et al. 2017, Science 358, 1556 (discovery of AT2017gfo).
.. [6] Villar et al. 2017, ApJL 851, L21; Drout et al. 2017, Science 358, 1570; Cowperthwaite et al. 2017, ApJL 848, L17.
"""

import numpy as np
from numpy.typing import NDArray

from hub.model.instant import Instant

GW_T0 = Instant.from_gps_s(1_187_008_882.43)
"""Merger time of GW170817, GPS 1187008882.43 [1]_."""

GW_FAR_HZ = 3.478e-12
"""False-alarm rate of the first notice of GW170817 (trigger G298048), Hz."""

GW_AREA90_FINAL_DEG2 = 28.0
"""90 % credible area of the final map, square degrees [1]_."""

GW_AREA90_INITIAL_DEG2 = 31.0
"""90 % credible area of the first three-detector map [1]_, [2]_."""

GW_AREA90_TWO_DETECTORS_DEG2 = 190.0
"""90 % credible area with the two LIGO detectors alone [1]_."""

GRB_T0 = Instant.from_utc_iso("2017-08-17T12:41:06.47Z")
"""Trigger time of GRB 170817A as its notices state it."""

GRB_TRIGGER = 524666471
"""Fermi GBM trigger number of GRB 170817A."""

GRB_FLIGHT = (172.0, -34.8, 32.6)
"""On-board position of GRB 170817A: RA, Dec and 68 % statistical radius in degrees, approximate [4]_."""

GRB_GROUND = (186.62, -48.84, 17.45)
"""Automatic ground position, as `GRB_FLIGHT`."""

GRB_FINAL = (176.8, -39.8, 11.6)
"""Position by a person, as `GRB_FLIGHT` [4]_."""

KILONOVA_RA_DEG = 197.450354
"""Right ascension of AT2017gfo, ICRS [5]_."""

KILONOVA_DEC_DEG = -23.381484
"""Declination of AT2017gfo, ICRS [5]_."""

KILONOVA_FIRST_SEEN = Instant.from_utc_iso("2017-08-17T23:33:00Z")
"""First detection of AT2017gfo [5]_."""

LIGHT_CURVE_DAYS: NDArray[np.float64] = np.array([0.45, 0.9, 1.45, 2.4, 3.4, 4.4, 5.5, 6.5, 7.5])
"""Days after the merger of the rows of `LIGHT_CURVE_AB`."""

LIGHT_CURVE_AB: dict[str, NDArray[np.float64]] = {
    "g": np.array([17.4, 17.5, 18.5, 20.1, 21.1, 21.6, 21.9, 22.2, 23.3]),
    "r": np.array([17.3, 17.35, 18.0, 19.1, 19.8, 20.5, 20.8, 21.0, 21.3]),
    "i": np.array([17.4, 17.4, 17.85, 18.5, 19.0, 19.5, 19.7, 20.1, 20.5]),
    "z": np.array([17.5, 17.3, 17.7, 18.3, 18.7, 19.1, 19.2, 19.5, 19.9]),
}
"""AB magnitudes of AT2017gfo by band, approximate to 0.1-0.2 mag, not corrected for extinction [6]_."""


def kilonova_flux_njy(days: NDArray[np.float64], band: str) -> NDArray[np.float64]:
    """Return the flux of AT2017gfo in nJy.

    Parameters
    ----------
    days
        Days after the merger, any shape; before the merger the flux is 0, outside the table the nearest row holds.
    band
        ``g``, ``r``, ``i`` or ``z``.
    """
    magnitude = np.interp(days, LIGHT_CURVE_DAYS, LIGHT_CURVE_AB[band])
    return np.where(days > 0, flux_njy(magnitude), 0.0)


def flux_njy(magnitude: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the flux of AB magnitudes in nJy (AB zero point 3631 Jy, Oke & Gunn 1983)."""
    return np.asarray(3631e9 * 10.0 ** (-0.4 * np.asarray(magnitude, dtype=np.float64)))
