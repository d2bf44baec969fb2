"""Alerts of nights as a survey would send them: visits over the footprint, objects that come again. Made of columns, fast."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import NO_TIME, AlertBatch, Provenance, Words
from hub.model.instant import MJD_OF_1970
from hub.science.healpix import pixels29

DAY_US = 86_400_000_000

FIRST_NIGHT = 61_000
"""MJD of the first night that is made."""

VISIT_RADIUS_DEG = 1.75
"""Of the field of view, 9.6 square degrees."""

PER_VISIT = 10_000
"""Alerts of one visit, the published mean."""

VISIT_S = 37.0
"""From one visit to the next."""

DEC_DEG = (-72.0, 12.0)
"""Declinations of the main survey."""

RA_SPAN_DEG = 270.0
"""Right ascensions within reach: with `DEC_DEG` 18,000 square degrees."""

BANDS = np.array([b"u", b"g", b"r", b"i", b"z", b"y"], dtype="S4")


def night_start_us(night: int) -> int:
    """Return the evening of a night, half a day after noon."""
    return (night - MJD_OF_1970) * DAY_US + DAY_US


def pointings(
    n: int, rng: np.random.Generator, *, midnight_ra_deg: float = 60.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres of visits, even over the part of the footprint that is up."""
    ra = (midnight_ra_deg + rng.uniform(-RA_SPAN_DEG / 2, RA_SPAN_DEG / 2, n)) % 360.0
    dec = np.degrees(np.arcsin(rng.uniform(*np.sin(np.radians(DEC_DEG)), n)))
    return ra, dec


def around(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], radius_deg: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each centre a place within a radius, even over the disc."""
    reach = np.radians(radius_deg) * np.sqrt(rng.random(len(ra_deg)))
    angle = rng.uniform(0, 2 * np.pi, len(ra_deg))
    dec0 = np.radians(dec_deg)
    dec = np.arcsin(np.sin(dec0) * np.cos(reach) + np.cos(dec0) * np.sin(reach) * np.cos(angle))
    turn = np.arctan2(np.sin(angle) * np.sin(reach) * np.cos(dec0), np.cos(reach) - np.sin(dec0) * np.sin(dec))
    return (ra_deg + np.degrees(turn)) % 360.0, np.degrees(dec)


def survey_night(
    night: int, n: int, *, per_visit: int = PER_VISIT, batch: int | None = None, seed: int = 1
) -> Iterator[AlertBatch]:
    """Yield the alerts of a night in the order of their times, so many at once (default: a visit)."""
    rng = np.random.default_rng([seed, night])
    n_visits = -(-n // per_visit)
    ra, dec = pointings(n_visits, rng)
    done = 0
    size = batch or per_visit
    while done < n:
        rows = np.arange(done, min(done + size, n))
        visit = rows // per_visit
        place = around(ra[visit], dec[visit], VISIT_RADIUS_DEG, rng)
        yield _batch(night, rows, visit, *place, rng)
        done += len(rows)


def _batch(
    night: int,
    rows: NDArray[np.int64],
    visit: NDArray[np.int64],
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    rng: np.random.Generator,
) -> AlertBatch:
    n = len(rows)
    flux = rng.normal(0, 3000, n)
    error = rng.uniform(100, 400, n)
    mid = night_start_us(night) + np.round(visit * VISIT_S * 1e6).astype(np.int64)
    source_id = np.int64(night) * 10**12 + rows
    return AlertBatch(
        survey="LSST",
        source_id=source_id,
        object_id=(10**17 + source_id).astype("S32"),
        ra_deg=ra,
        dec_deg=dec,
        mid_tai_us=mid,
        first_tai_us=mid - rng.integers(0, 30, n) * DAY_US,
        n_history=rng.integers(0, 20, n).astype(np.int32),
        flux_njy=flux,
        flux_err_njy=error,
        snr=np.abs(flux / error),
        reliability=rng.random(n),
        band=BANDS[visit % 6],
        is_solar_system=rng.random(n) < 0.3,
        is_negative=flux < 0,
        is_saturated=rng.random(n) < 0.01,
        hpx29=pixels29(ra, dec),
        is_dipole=rng.random(n) < 0.05,
        began_tai_us=np.where(flux < 0, NO_TIME, mid),
        quiet_tai_us=np.where(rng.random(n) < 0.3, mid - DAY_US, NO_TIME),
        template_tai_us=np.full(n, NO_TIME),
        provenance=Provenance(
            visit=np.int64(night) * 10_000 + visit,
            detector=rng.integers(0, 189, n).astype(np.int32),
            reason=Words((visit % 3).astype(np.int32), ("science", "DDF_cosmos", "ToO")),
            target=Words.constant("lowdust", n),
            schema=Words.constant("lsst-10.0", n),
            reliability_version=Words.constant("1.0", n),
            topic=Words.constant("lsst-alerts", n),
            partition=(rows % 45).astype(np.int32),
            offset=rows.copy(),
        ),
    )
