"""Visits of the simulated survey through the decoder and the ledger: it finds out where the camera pointed, which no packet says."""

from datetime import date

import numpy as np
import pytest

from hub import config
from hub.archive.columns import table_of
from hub.archive.visits import detector_visits
from hub.bootstrap import open_decoder
from hub.demo.survey import camera as focal_plane
from hub.demo.survey.night import SurveyNight
from hub.model.visit import ab_mag
from hub.science.footprint import areas_deg2, unit_vectors
from hub.science.footprint_camera import outlines, point
from hub.services.searched import cameras

VISITS = (0, 40)


@pytest.fixture(scope="module")
def night():
    return SurveyNight(3, date(2026, 11, 20), with_cutouts=False)


@pytest.fixture(scope="module", params=VISITS)
def visit(request, night, tmp_path_factory):
    decoder = open_decoder(config.load([], {"hub.data_dir": str(tmp_path_factory.mktemp("data"))}).settings)
    decoded = decoder.decode_packets(list(night.visit(request.param).packets()))
    assert decoded.refused == ()
    (batch,) = decoded.batches
    return request.param, detector_visits(table_of(batch), cameras())


def test_the_outlines_lie_where_the_plan_of_the_night_put_the_camera(night, visit):
    number, found = visit
    assert set(found.footprint.texts()) == {"outline"}
    middles = unit_vectors(found.ra_deg, found.dec_deg)
    camera = cameras()["LSST"]
    told = point(camera, found.detector.astype(np.int64), middles, found.n_alerts)
    planned = unit_vectors(night.visits.ra_deg[number], night.visits.dec_deg[number])
    # The middle detector of the simulated camera lies 23 arcsec beside the middle of the field.
    beside = 3600 * float(np.hypot(*focal_plane.middle_of(94)))
    assert np.degrees(np.linalg.norm(told.towards - planned)) * 3600 == pytest.approx(beside, abs=8)
    assert areas_deg2(found.polygons).mean() == pytest.approx(9.53 / 189, rel=0.01)
    assert outlines(camera, told, np.arange(189)).shape == (189, 4, 3)


def test_the_depth_is_the_planned_one(night, visit):
    number, found = visit
    depth = float(np.median(ab_mag(found.depth_njy)))
    assert depth == pytest.approx(night.visits.depth_ab[number], abs=0.25)
