"""Where and when the demo's telescope looks: a few places, five nights, two bands, and the seasons before.

Each visit covers a small square of the focal plane instead of all 9.6 square degrees, so that the number of alerts per square
degree is that of a real visit while the number of alerts stays that of the demo.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.demo.published import flux_njy
from hub.model.instant import Instant

ALERTS_PER_DEG2 = 1000.0
"""Alerts per square degree and visit: 10,000 per visit of 9.6 square degrees, the design number (Ivezic et al. 2019, ApJ 873,
111)."""

DEPTH_5SIGMA_AB = {"g": 24.2, "r": 23.9, "i": 23.5, "z": 22.8}
"""Magnitude of a 5-sigma detection in one visit: the design depths of 25.0, 24.7, 24.0, 23.3 (Ivezic et al. 2019), made
shallower by 0.5 to 0.8 for a field low in the evening sky."""

SECOND_PASS_S = 2000.0
"""Time between the two visits of a place in one night, seconds: the pairs that find moving objects."""

HISTORY_VISITS = 24
"""Visits of each place in the 360 days before the demo; their detections are the history in the packets."""

SPACING_S = 38.0
"""Time from one visit to the next, seconds: 30 s of exposure and the overheads."""

WFD = "wide survey"
TOO = "target of opportunity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place on the sky that is visited again and again."""

    name: str
    ra_deg: float
    """Centre of the simulated square, ICRS."""

    dec_deg: float
    reason: str
    """What the packets give as ``observation_reason`` from the first night on."""

    evenings: tuple[Instant, ...]
    """Begin of the visits in each night; each is followed by a second visit in the other band."""

    bands: tuple[str, str]
    """Bands of the first and the second visit of a night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """All visits of a place in time order, the seasons before included."""

    mjd_tai: NDArray[np.float64]
    """Middle of the exposure, MJD TAI, shape ``(n,)``."""

    band: NDArray[np.str_]
    night: NDArray[np.int64]
    """Number of the night within the demo; -1 in the seasons before."""

    error_njy: NDArray[np.float64]
    """1-sigma error of a difference flux, nJy."""

    def __len__(self) -> int:
        return len(self.mjd_tai)


def visits_of(place: Place, rng: np.random.Generator) -> Visits:
    """Return the visits of a place: `HISTORY_VISITS` in the 360 days before, then two in each of its nights."""
    first = place.evenings[0].mjd_tai
    nights_before = np.sort(rng.uniform(3.0, 360.0, HISTORY_VISITS // 2))[::-1]
    before = np.floor(first - nights_before) + 0.1 + 0.2 * rng.random(len(nights_before))
    begins = np.concatenate([before, [evening.mjd_tai for evening in place.evenings]])
    night = np.concatenate([np.full(len(before), -1), np.arange(len(place.evenings))])
    mjd = np.stack([begins, begins + SECOND_PASS_S / 86_400], axis=1).ravel()
    band = np.tile(np.array(place.bands), len(begins))
    return Visits(
        mjd_tai=mjd,
        band=band,
        night=np.repeat(night, 2),
        error_njy=np.array([flux_njy(DEPTH_5SIGMA_AB[name]) / 5 for name in band.tolist()], dtype=np.float64),
    )


def survey_places() -> tuple[Place, ...]:
    """Return the three places of the wide survey: one under the false burst, one under the neutrino, one under nothing."""
    return (
        _survey("lowdust burst", 350.0, -35.0, "T03:10:00Z"),
        _survey("lowdust neutrino", 312.0, -16.0, "T02:00:00Z"),
        _survey("lowdust quiet", 30.0, -20.0, "T08:20:00Z"),
    )


def _survey(name: str, ra_deg: float, dec_deg: float, hour: str) -> Place:
    evenings = tuple(Instant.from_utc_iso(f"2017-08-{day}{hour}") for day in (17, 18, 19))
    return Place(name=name, ra_deg=ra_deg, dec_deg=dec_deg, reason=WFD, evenings=evenings, bands=("g", "r"))


def target_evenings(order: int) -> tuple[Instant, ...]:
    """Return the begins of the visits of one place inside the gravitational wave's region.

    The evening before the merger belongs to the wide survey by chance; on the evening of the merger the first place is exposed
    when AT2017gfo was first seen (2017-08-17T23:33), and so on the following ones.

    Parameters
    ----------
    order
        Position of the place in the sequence of an evening, from 0.
    """
    return tuple(Instant.from_utc_iso(f"2017-08-{day}T23:33:00Z").plus_s(SPACING_S * order) for day in (16, 17, 18, 19, 20))
