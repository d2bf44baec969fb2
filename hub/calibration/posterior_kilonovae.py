"""Counterparts that are put into the maps of simulated events, and what the survey would have detected of them.

Their light is that of the injections (`hub.calibration.injections_light`), of another family than what the hub expects, behind
the Milky Way's dust.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hub.calibration.chance_events import shipped_book
from hub.calibration.chance_season import SURVEY, Season
from hub.calibration.injections_light import Light
from hub.calibration.injections_light import draw as draw_light
from hub.calibration.mergers import draw as draw_place
from hub.calibration.result import Floats
from hub.demo.survey.light_curves import COUNTERPART
from hub.demo.survey.packets import reliability_of
from hub.demo.survey.settings import BANDS
from hub.demo.survey.world import DETECTION_SNR
from hub.model.alert import COLUMN_DTYPES, AlertBatch
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.science.healpix import Int64s, centres, pixels29
from hub.science.latitudes import galactic_latitude_deg
from hub.services.off_counts import Asked

NAME = "injected"
"""Id of the object of each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kilonova:
    """One that follows a merger."""

    ra_deg: float
    dec_deg: float
    distance_mpc: float
    t0: Instant
    light: Light

    def flux_njy(self, at_us: Int64s, band: Int64s) -> Floats:
        """Return the flux at some times in bands by their place in `BANDS`, behind the Milky Way's dust."""
        families = shipped_book().rules.families
        assert families is not None, "the shipped rules have light curves"
        latitude = galactic_latitude_deg(np.array([self.ra_deg]), np.array([self.dec_deg]))[0]
        ebv = families.dust.ebv(float(latitude))
        dimmed = np.array([families.dust.mag(name, ebv) for name in BANDS])
        days = (at_us - self.t0.tai_us) / 86_400e6
        return np.asarray(self.light.at(days, band, self.distance_mpc) * 10.0 ** (-0.4 * dimmed[band]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """What a survey has of it, in order of time, shape ``(n,)``."""

    at_us: Int64s
    band: Int64s
    flux_njy: Floats
    error_njy: Floats

    def take(self, rows: NDArray[np.bool_]) -> "Detections":
        """Return those of a mask."""
        return Detections(
            at_us=self.at_us[rows], band=self.band[rows], flux_njy=self.flux_njy[rows], error_njy=self.error_njy[rows]
        )


def kilonova(rng: Generator, skymap: Skymap, t0: Instant) -> Kilonova:
    """Return a kilonova at a place and a distance that are drawn from a map."""
    pixel, distance = draw_place(skymap, rng, 1)
    ra, dec = centres(pixel, pixel + 1)
    return Kilonova(ra_deg=float(ra[0]), dec_deg=float(dec[0]), distance_mpc=float(distance[0]), t0=t0, light=draw_light(rng))


def detections(rng: Generator, season: Season, one: Kilonova, asked: Asked) -> Detections:
    """Return what the survey detects of a kilonova until the hub is asked, perhaps nothing."""
    sky = season.sky
    visit = season.searches(one.ra_deg, one.dec_deg, one.t0, asked.end)
    at = sky.mid_us(visit)
    band = sky.visits.band[visit]
    flux = one.flux_njy(at, band)
    error = np.hypot(sky.visits.error[visit], 0.01 * flux)  # bright sources leave residuals, as in `hub.demo.survey.world`
    flux += error * rng.normal(size=len(flux))
    found = (flux >= DETECTION_SNR * error) & (rng.random(len(flux)) < sky.world.efficiency)
    return Detections(at_us=at, band=band, flux_njy=flux, error_njy=error).take(found)


def alerts(rng: Generator, one: Kilonova, seen: Detections) -> AlertBatch:
    """Return the alerts of detections."""
    n = len(seen.at_us)
    ra, dec = np.full(n, one.ra_deg), np.full(n, one.dec_deg)
    snr = seen.flux_njy / seen.error_njy
    states = rng.integers(1, 2**63, n).tolist()
    return AlertBatch.from_columns(
        SURVEY,
        source_id=np.arange(1, n + 1),
        object_id=np.full(n, NAME.encode(), dtype=COLUMN_DTYPES["object_id"]),
        ra_deg=ra,
        dec_deg=dec,
        mid_tai_us=seen.at_us,
        first_tai_us=np.full(n, seen.at_us[0] if n else 0),
        n_history=np.arange(n),
        flux_njy=seen.flux_njy,
        flux_err_njy=seen.error_njy,
        snr=snr,
        reliability=[reliability_of(COUNTERPART, np.uint64(state), one_snr) for state, one_snr in zip(states, snr, strict=True)],
        band=np.array([name.encode() for name in BANDS], dtype=COLUMN_DTYPES["band"])[seen.band],
        is_solar_system=np.zeros(n, dtype=np.bool_),
        is_negative=np.zeros(n, dtype=np.bool_),
        is_saturated=np.zeros(n, dtype=np.bool_),
        hpx29=pixels29(ra, dec),
    )
