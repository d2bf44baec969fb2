import math

import numpy as np
import pytest

from hub.demo.survey import camera, chance, tiles


def test_each_of_the_189_detectors_is_found_at_its_middle():
    middles = [camera.middle_of(detector) for detector in range(camera.N_DETECTORS)]

    assert [camera.locate(*middle)[0] for middle in middles] == list(range(189))
    assert 9.0 < camera.AREA_DEG2 < 10.0


def test_no_sensitive_place_lies_beyond_the_stated_radius():
    rng = np.random.default_rng(1)
    east, north = rng.uniform(-3, 3, (2, 20_000))
    seen = np.array([camera.locate(x, y)[0] >= 0 for x, y in zip(east.tolist(), north.tolist(), strict=True)])

    assert np.hypot(east, north)[seen].max() < camera.RADIUS_DEG
    assert seen.mean() * 36.0 == pytest.approx(camera.AREA_DEG2, rel=0.05)


def test_between_two_rafts_nothing_is_seen():
    (left, _), (right, y) = camera.middle_of(2), camera.middle_of(9)

    assert camera.locate((left + right) / 2, y)[0] == -1


def test_the_tiles_cover_the_sphere_once():
    areas = [tiles.area_deg2(row) * tiles.columns_of(row) for row in range(tiles.ROWS)]

    assert sum(areas) == pytest.approx(4 * math.pi * math.degrees(1) ** 2)


@pytest.mark.parametrize("dec", [-71.3, -30.0, 0.1, 11.9])
def test_places_of_a_tile_lie_in_it(dec):
    row = tiles.row_of(dec)
    n = tiles.columns_of(row)
    for across, along in ((0.0, 0.0), (0.5, 0.3), (0.999, 0.999)):
        ra, found = tiles.place_in(row, n - 1, across, along)
        assert tiles.row_of(found + 1e-9) == row
        assert int(ra / 360.0 * n + 1e-9) == n - 1


def test_chance_has_the_moments_that_it_should_have():
    states = [chance.state_of(5, i) for i in range(20_000)]
    flat = np.array([chance.uniform(state) for state in states])
    bell = np.array([chance.gauss(state) for state in states])
    few = np.array([chance.poisson(state, 3.0) for state in states])
    many = np.array([chance.poisson(state, 400.0) for state in states])

    assert (flat.mean(), flat.var()) == (pytest.approx(0.5, abs=0.01), pytest.approx(1 / 12, abs=0.003))
    assert (bell.mean(), bell.std()) == (pytest.approx(0.0, abs=0.03), pytest.approx(1.0, abs=0.03))
    assert (few.mean(), few.var()) == (pytest.approx(3.0, rel=0.03), pytest.approx(3.0, rel=0.05))
    assert (many.mean(), many.std()) == (pytest.approx(400.0, rel=0.01), pytest.approx(20.0, rel=0.05))
