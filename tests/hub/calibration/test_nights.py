"""Nights object by object: the same detections that the packets of `mmhub simulate night` have."""

from datetime import date
from functools import cache

import numpy as np

from hub.calibration.nights import MJD_ZERO_US, SURVEY, Background, Nights, nights, with_events
from hub.calibration.nights_kernels import SEARCHED
from hub.demo.survey import tiles
from hub.demo.survey.light_curves import ARTEFACT, KNOWN_ASTEROID
from hub.demo.survey.schedule import TOO
from hub.demo.survey.world import find, room_for
from hub.model.alert import NO_TIME
from hub.science.healpix import pixels29
from hub.science.light_curves import LightCurves
from hub.science.onset import FirstSeen

SEED = 20


@cache
def few(n_history: int) -> Nights:
    """Return one night that is watched, and some before."""
    return nights(SEED, n_watch=1, n_history=n_history, last=date(2026, 5, 20), fraction=0.3)


def tiles_around(sky: Nights, v: int) -> np.ndarray:
    """Return the tiles around a visit."""
    numbers = np.arange(int(sky.survey.offset[-1]))
    row = np.searchsorted(sky.survey.offset, numbers, side="right") - 1
    dec = (row + 0.5) * tiles.HEIGHT_DEG - 90.0
    ra = (numbers - sky.survey.offset[row] + 0.5) * 360.0 / np.diff(sky.survey.offset)[row]
    away = np.abs((ra - sky.visits.ra[v] + 180.0) % 360.0 - 180.0) * np.cos(np.radians(dec))
    return np.hypot(away, dec - sky.visits.dec[v]) < 3.5


def detected(sky: Nights, v: int) -> tuple[set[tuple[float, ...]], set[tuple[float, ...]]]:
    """Return place, flux and error of what packets have of a visit, and of those alone that are certainly usable; no asteroids."""
    out = room_for(60_000)
    n = find(sky.world, sky.visits, v, out)
    numbers = out.numbers[:n][out.kind[:n] < KNOWN_ASTEROID]
    is_sure = (numbers[:, 2] > 12.0 * numbers[:, 3]) & (out.kind[:n][out.kind[:n] < KNOWN_ASTEROID] < 5)
    assert set(out.kind[:n]) >= {0, ARTEFACT}
    return {tuple(row) for row in numbers[:, :4].tolist()}, {tuple(row) for row in numbers[is_sure, :4].tolist()}


def found(sky: Nights, v: int) -> set[tuple[float, ...]]:
    parts = list(sky.background(tiles_around(sky, v)))
    visit, numbers = np.concatenate([one.visit for one in parts]), np.concatenate([one.numbers for one in parts])
    return {tuple(row) for row in numbers[visit == v][:, :4].tolist()}


def test_an_object_is_detected_where_the_packets_have_it() -> None:
    sky = few(0)
    everything, sure = detected(sky, 40)
    ours = found(sky, 40)
    assert len(sure) > 20
    assert sure <= ours <= everything


def test_objects_that_were_detected_before_the_watch_are_left_out() -> None:
    sky = few(6)
    v = int(np.searchsorted(sky.visits.mjd, sky.watch_mjd)) + 40
    everything, sure = detected(sky, v)
    ours = found(sky, v)
    assert ours <= everything
    assert len(ours & sure) < 0.5 * len(sure)


def test_a_ledger_answers_with_the_last_visit_that_went_deep_enough() -> None:
    sky = few(6)
    rng = np.random.default_rng(1)
    v = rng.integers(len(sky.plan) - 300, len(sky.plan), 300)
    ra, dec = sky.visits.ra[v] + rng.normal(size=300), sky.visits.dec[v] + rng.normal(size=300)
    band, flux = sky.visits.band[v], rng.uniform(200.0, 4000.0, 300)
    rows = Background(
        object=np.arange(300),
        visit=v,
        kind=np.zeros(300, dtype=np.int64),
        ra_deg=ra % 360.0,
        dec_deg=dec,
        flux_njy=flux,
        flux_err_njy=flux / 10.0,
        reliability=np.ones(300),
        hpx29=pixels29(ra % 360.0, dec),
    )
    curves = LightCurves.of(sky.alerts(rows, sky.mid_us(v), np.zeros(300, dtype=np.int64)))
    order = np.array([int(name) for name in curves.names])
    ra, dec, band, flux, v = ra[order], dec[order], band[order], flux[order], v[order]
    answer = sky.visits_before()(FirstSeen.of(curves), 30.0)
    assert answer.is_known.all()
    hits = 0
    for i in range(300):
        looks = sky.looks(ra[i], dec[i])
        own = looks.visit[(looks.what == SEARCHED) & (sky.visits.band[looks.visit] == band[i])]
        own = own[(5.0 * sky.visits.error[own] < flux[i]) & (sky.visits.mjd[own] < sky.visits.mjd[v[i]] - 20.0 / 86_400.0)]
        expected = int(sky.mid_us(own).max()) if len(own) else NO_TIME
        assert abs(int(answer.time_us[i]) - expected) <= 2
        hits += len(own) > 0
    assert hits > 10


def test_visits_for_an_event_are_seen_by_it_alone() -> None:
    sky = few(0)
    place = float(sky.visits.ra[40]), float(sky.visits.dec[40])
    extra = sky.plan.take(np.array([40, 40]))
    extra.programme[:] = TOO
    both = with_events(sky, SEED, [(7, extra)])
    alone, own, other = (both.looks(*place, event) for event in (SURVEY, 7, 8))
    assert len(own.visit) == len(alone.visit) + 2
    assert other.visit.tolist() == alone.visit.tolist() == sky.looks(*place).visit.tolist()
    assert (both.tag[own.visit] == 7).sum() == 2


def test_times_are_those_of_the_exposures() -> None:
    sky = few(0)
    assert abs((sky.mid_us(np.array([3]))[0] - MJD_ZERO_US) / 86_400e6 - sky.visits.mjd[3]) < 1e-9
