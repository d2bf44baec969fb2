"""The last visit before first detections, among visits at hand: as the lookup in the ledger finds it."""

import numpy as np
import pytest

from hub.archive import visits_file
from hub.archive.visits_lookup import VisitLookup
from hub.model.alert import NO_TIME, AlertBatch
from hub.model.instant import Instant
from hub.model.visit import joined
from hub.science.healpix import pixels29
from hub.science.last_looks import visits_before
from hub.science.light_curves import LightCurves
from hub.science.onset import FirstSeen
from tests.support.ledgers import DAY_S, sky_of_visits

T0 = Instant.from_mjd_tai(61_300.2)
WHERE = (50.0, -30.0)
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return sky_of_visits(tmp_path_factory.mktemp("last-looks"), T0, WHERE).folder


@pytest.fixture(scope="module")
def visits(archive):
    return joined([visits_file.read(archive, night) for night in visits_file.nights(archive)])


def first_seen(time_us, flux, band, ra, dec):
    n = len(time_us)
    no = np.zeros(n, dtype=bool)
    alerts = AlertBatch.from_columns(
        "LSST",
        source_id=np.arange(1, n + 1),
        object_id=[b"%05d" % number for number in range(n)],
        ra_deg=ra,
        dec_deg=dec,
        mid_tai_us=time_us,
        first_tai_us=time_us,
        n_history=np.zeros(n),
        flux_njy=flux,
        flux_err_njy=np.full(n, 100.0),
        snr=flux / 100.0,
        reliability=np.ones(n),
        band=band,
        is_solar_system=no,
        is_negative=no,
        is_saturated=no,
        hpx29=pixels29(ra, dec),
    )
    return FirstSeen.of(LightCurves.of(alerts))


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(3)
    n = 400
    time_us = T0.tai_us + np.rint(rng.uniform(-25.0, 3.0, n) * DAY_US).astype(np.int64)
    flux, band = rng.choice([300.0, 2_000.0, 20_000.0, np.nan], n), rng.choice([b"g", b"r", b"i"], n).astype("S4")
    return time_us, flux, band, WHERE[0] + rng.uniform(-2.0, 2.0, n), WHERE[1] + rng.uniform(-2.0, 2.0, n)


@pytest.fixture(scope="module")
def first(columns):
    return first_seen(*columns)


def test_it_is_what_the_ledger_answers(archive, visits, first):
    ours, theirs = visits_before(visits)(first, 30.0), VisitLookup(archive).before(first, 30.0)

    found = theirs.time_us != NO_TIME
    assert 50 < found.sum() < len(found) - 50
    np.testing.assert_array_equal(ours.time_us, theirs.time_us)
    assert ours.is_known.all()


def test_turned_and_shifted_objects_meet_the_same_visits(visits, first, columns):
    shift_us = 7 * DAY_US
    time_us, flux, band, ra, dec = columns
    turned = first_seen(time_us + shift_us, flux, band, (ra - 120.0) % 360.0, dec)
    there = visits_before(visits, ra_shift_deg=120.0, shift_us=shift_us)(turned, 30.0)
    here = visits_before(visits)(first, 30.0)

    found = here.time_us != NO_TIME
    np.testing.assert_array_equal(there.time_us[found], here.time_us[found] + shift_us)
    assert (there.time_us[~found] == NO_TIME).all()


def test_nothing_is_found_farther_back_than_asked(visits, first):
    near = visits_before(visits)(first, 2.0)

    found = near.time_us != NO_TIME
    assert (first.time_us[found] - near.time_us[found] <= 2.0 * DAY_S * 1e6).all()
    assert 0 < found.sum() < (visits_before(visits)(first, 30.0).time_us != NO_TIME).sum()
