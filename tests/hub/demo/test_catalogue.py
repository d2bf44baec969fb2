import numpy as np
import pytest

from hub.demo.population import KNOWN_ASTEROID, UNKNOWN_ASTEROID, VARIABLE_STAR
from hub.model.instant import Instant


@pytest.fixture(scope="module")
def catalogue(night):
    return night.writer.catalogue


def test_rows_are_in_time_order_with_unique_ascending_visits(catalogue):
    assert np.all(np.diff(catalogue.mjd_tai) >= 0)
    assert len(np.unique(catalogue.source_id)) == len(catalogue)
    for visit in np.unique(catalogue.visit).tolist():
        rows = catalogue.visit == visit
        assert len(np.unique(catalogue.mjd_tai[rows])) == 1
        assert len(np.unique(catalogue.place[rows])) == 1


def test_a_visit_is_numbered_by_the_day_on_which_its_night_began(catalogue, night):
    first_seen = np.flatnonzero(catalogue.source_id == int(night.truth.counterpart_source_ids[0]))[0]
    assert catalogue.visit[first_seen] // 100_000 == 20170817
    after_midnight = catalogue.mjd_tai > Instant.from_utc_iso("2017-08-18T00:01:00Z").mjd_tai
    same_night = after_midnight & (catalogue.mjd_tai < Instant.from_utc_iso("2017-08-18T11:00:00Z").mjd_tai)
    assert np.sum(same_night) > 50
    assert set((catalogue.visit[same_night] // 100_000).tolist()) == {20170817}


def test_the_history_of_a_row_is_all_earlier_rows_of_its_object(catalogue):
    stars = np.flatnonzero((catalogue.kind == VARIABLE_STAR) & (catalogue.rank > 3))[-50:]
    for row in stars.tolist():
        same = np.flatnonzero(catalogue.object_id == catalogue.object_id[row])
        assert catalogue.history(row).tolist() == same[same < row].tolist()


def test_unlinked_asteroids_are_a_new_object_each_time_and_known_ones_none(catalogue):
    unknown = catalogue.kind == UNKNOWN_ASTEROID
    known = catalogue.kind == KNOWN_ASTEROID
    assert np.array_equal(catalogue.object_id[unknown], catalogue.source_id[unknown])
    assert not np.any(catalogue.object_id[known])
    assert np.all((catalogue.solar_system_id > 0) == known)
    assert len(np.unique(catalogue.solar_system_id[known])) < known.sum()


def test_detectors_and_pixels_are_on_the_focal_plane(catalogue):
    assert 0 <= catalogue.detector.min() <= catalogue.detector.max() < 189
    assert 0 <= catalogue.x.min() <= catalogue.x.max() <= 4000
