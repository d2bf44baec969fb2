"""What is left of a map when others have observed a part of it."""

from dataclasses import replace

import numpy as np
import pytest

from hub.model.sky import Skymap
from hub.model.visit import Footprints
from hub.science.footprint import Halves
from hub.science.footprint_share import share_of
from hub.science.healpix import area_sr
from hub.science.planning.fields import Field
from hub.science.planning.observed import left
from hub.science.planning.planner import Timing, plan
from hub.services import pointings
from hub.services.coverage_curve import as_visits
from tests.support.skymaps import flat_map, gaussian_map
from tests.support.words import T0

ROW = {"instrument": "X", "time": "2026-03-01T08:00:00", "status": "completed"}


def fields(*places, **size):
    size = size or {"width_deg": 3.0}
    rows = [ROW | {"ra": ra, "dec": dec} | size for ra, dec in places]
    return as_visits([pointings.read(row, event_id="S1", reported_by="us") for row in rows]).polygons


def total(skymap):
    return float((skymap.probdensity * area_sr(skymap.lo, skymap.hi)).sum())


@pytest.mark.parametrize(
    ("skymap", "polygons"),
    [
        (gaussian_map(150.0, -30.0, 5.0), fields((150.0, -30.0))),
        (gaussian_map(150.0, -30.0, 5.0), fields((150.0, -30.0), (151.0, -29.0), (147.0, -30.0), (150.0, -30.0))),
        (gaussian_map(0.2, 89.0, 3.0), fields((10.0, 89.5), (200.0, 88.0), radius_deg=1.75)),
        (flat_map(lambda place: np.ones(len(place)), 3), fields((359.9, 0.0), (0.1, 0.0), (90.0, 45.0))),
        (flat_map(lambda place: np.ones(len(place)), 0), fields((45.0, 10.0), radius_deg=0.5)),
    ],
)
def test_what_is_left_is_the_whole_without_the_union_of_the_footprints(skymap, polygons):
    rest = left(skymap, polygons)
    searched = share_of(skymap, Halves.of(polygons)).total
    assert searched > 0.0
    assert 1.0 - total(rest) / total(skymap) == pytest.approx(searched, rel=0.02)
    assert (rest.lo[1:] >= rest.hi[:-1]).all()
    assert area_sr(rest.lo, rest.hi).sum() == pytest.approx(area_sr(skymap.lo, skymap.hi).sum())


def test_the_order_of_the_footprints_does_not_matter():
    skymap, places = gaussian_map(150.0, -30.0, 5.0), [(150.0, -30.0), (152.0, -31.0), (149.0, -27.0)]
    assert left(skymap, fields(*places)).digest() == left(skymap, fields(*places[::-1])).digest()


def test_nothing_observed_leaves_the_map_as_it_is():
    skymap = gaussian_map(150.0, -30.0, 5.0)
    assert left(skymap, Footprints.empty(0)) is skymap
    assert total(left(skymap, fields((330.0, 30.0)))) == pytest.approx(total(skymap), rel=1e-6)


def test_distances_stay_with_their_pixels():
    flat = gaussian_map(150.0, -30.0, 5.0)
    n = len(flat.lo)
    skymap = replace(flat, distmu=np.arange(n, dtype=float), distsigma=np.full(n, 2.0), distnorm=np.full(n, 3.0))
    rest = left(skymap, fields((150.0, -30.0)))
    row = np.searchsorted(skymap.lo, rest.lo, side="right") - 1
    assert rest.has_distance
    assert (rest.distmu == row).all()
    assert len(rest.lo) >= n


def test_a_plan_of_the_rest_goes_elsewhere_and_holds_less():
    skymap, field, timing = gaussian_map(150.0, -30.0, 5.0), Field(fov_deg=3.0), Timing(start=T0)
    whole = plan(skymap, field, 3, timing)
    done = fields((whole[0].ra_deg, whole[0].dec_deg))
    rest = plan(left(skymap, done), field, 3, timing)
    assert rest[-1].cum_prob < whole[-1].cum_prob
    assert whole[0].prob + rest[-1].cum_prob > whole[-1].cum_prob
    assert isinstance(left(skymap, done), Skymap)
