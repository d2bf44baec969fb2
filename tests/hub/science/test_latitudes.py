import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord

from hub.science.latitudes import ecliptic_latitude_deg, galactic_latitude_deg


def test_both_latitudes_are_those_of_astropy() -> None:
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))
    places = SkyCoord(ra * units.deg, dec * units.deg)
    np.testing.assert_allclose(galactic_latitude_deg(ra, dec), places.galactic.b.deg, atol=1e-4)
    np.testing.assert_allclose(ecliptic_latitude_deg(ra, dec), places.barycentricmeanecliptic.lat.deg, atol=1e-3)
