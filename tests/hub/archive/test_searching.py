"""Cones and small regions against a look at every row."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.archive.columns import ALERT_COLUMNS, PROVENANCE_COLUMNS, batches_of
from hub.archive.history import ArchiveHistory
from hub.archive.places import around, cone_ranges, separations_deg
from hub.model.alert import AlertBatch, Provenance, Words
from hub.model.instant import Instant
from hub.ports import OBJECT_RADIUS_ARCSEC
from hub.science.healpix import find, pixels29
from tests.contracts.alert_history import DAY_US, N_PIXELS, night, rows

N = 4000


@pytest.fixture(scope="module")
def batch() -> AlertBatch:
    """Alerts whose pixels are those of their positions, half of them near a pole or RA 0."""
    one = night(N)
    random = np.random.default_rng(4)
    ra, dec = one.ra_deg.copy(), one.dec_deg.copy()
    ra[: N // 4] = random.uniform(-2, 2, N // 4) % 360
    dec[N // 4 : N // 2] = random.choice([-1, 1], N // 4) * random.uniform(87, 90, N // 4)
    return replace(one, ra_deg=ra, dec_deg=dec, hpx29=pixels29(ra, dec), mid_tai_us=one.mid_tai_us % DAY_US)


@pytest.fixture(scope="module")
def history(batch: AlertBatch, tmp_path_factory: pytest.TempPathFactory) -> ArchiveHistory:
    history = ArchiveHistory(tmp_path_factory.mktemp("cones"))
    for part in np.array_split(np.arange(N), 3):
        history.append(batch.take(part))
    return history


@pytest.mark.parametrize(
    ("ra", "dec", "radius"), [(0, 10, 5), (359.9, -20, 3), (10, 90, 2), (77, -89, 1.5), (120, 30, 40), (5, 5, 180), (1, 1, 1e-4)]
)
def test_a_cone_holds_what_a_full_scan_finds(
    history: ArchiveHistory, batch: AlertBatch, ra: float, dec: float, radius: float
) -> None:
    expected = batch.take(separations_deg(ra, dec, batch.ra_deg, batch.dec_deg) <= radius)
    found = history.cone(ra, dec, radius)
    assert [rows(one) for one in found] == ([rows(expected)] if len(expected) else [])
    assert all((np.diff(one.mid_tai_us) >= 0).all() for one in found)


def test_a_cone_in_time_is_half_open(history: ArchiveHistory, batch: AlertBatch) -> None:
    start, end = Instant(DAY_US // 3), Instant(DAY_US // 2)
    expected = batch.take((batch.mid_tai_us >= start.tai_us) & (batch.mid_tai_us < end.tai_us))
    (found,) = history.cone(0, 0, 180, start, end)
    assert rows(found) == rows(expected)


def test_what_is_in_memory_and_what_is_read_are_the_same_alerts(history: ArchiveHistory, batch: AlertBatch) -> None:
    lo, hi = cone_ranges(0, 0, 60)
    window = Instant(DAY_US // 3), Instant(DAY_US // 2)
    unread = ArchiveHistory(history.folder)
    expected = [rows(one) for one in unread.in_region(lo, hi, *window)]
    assert [rows(one) for one in history.in_region(lo, hi, *window)] == expected
    (read,) = batches_of(unread.rows_in_region(lo, hi, *window, ALERT_COLUMNS))
    assert expected == [rows(read)]
    inside = (find(lo, hi, batch.hpx29) >= 0) & (batch.mid_tai_us >= window[0].tai_us) & (batch.mid_tai_us < window[1].tai_us)
    assert len(read) == inside.sum() > 0


def test_a_region_has_no_more_alerts_than_is_told_without_reading_any(history: ArchiveHistory) -> None:
    lo, hi = cone_ranges(0, 0, 60)
    always = Instant(0), Instant(DAY_US)
    (found,) = history.in_region(lo, hi, *always)
    assert len(found) <= history.at_most(lo, hi, *always, N) <= N
    assert history.at_most(lo, hi, *always, 10) > 10
    assert history.at_most(lo, hi, Instant(2 * DAY_US), Instant(3 * DAY_US), N) == 0
    assert history.at_most(lo[:0], hi[:0], *always, N) == 0


def test_everything_within_the_radius_of_an_object_is_around_it() -> None:
    random = np.random.default_rng(7)
    ra, dec = random.uniform(0, 360, 3000), np.degrees(np.arcsin(random.uniform(-1, 1, 3000)))
    dec[:300] = random.choice([-1, 1], 300) * (90 - random.uniform(0, 1e-2, 300))
    angle = random.uniform(0, 2 * np.pi, 3000)
    step = OBJECT_RADIUS_ARCSEC / 3600
    lat = np.clip(dec + step * np.cos(angle), -90, 90)
    lon = ra + np.clip(step * np.sin(angle) / np.maximum(np.cos(np.radians(dec)), 1e-9), -180, 180)
    for begin in range(0, 3000, 50):
        part = slice(begin, begin + 50)
        near = np.array(
            [separations_deg(a, b, c, d) for a, b, c, d in zip(ra[part], dec[part], lon[part], lat[part], strict=True)]
        )
        lo, hi = around(pixels29(ra[part], dec[part]))
        assert (find(lo, hi, pixels29(lon[part], lat[part]))[near <= step] >= 0).all()


def test_provenance_is_kept_and_read_when_it_is_asked_for(tmp_path: Path) -> None:
    history = ArchiveHistory(tmp_path)
    one = night(50)
    told = replace(
        Provenance.unknown(50, schema="lsst-10.0"),
        visit=np.arange(50),
        detector=np.arange(50, dtype=np.int32) % 9,
        topic=Words(np.arange(50, dtype=np.int32) % 3, ("a", "b", "a")),
        offset=np.arange(50) * 7,
    )
    history.append(replace(one, provenance=told))
    everywhere = np.array([0]), np.array([N_PIXELS]), Instant(0), Instant(30 * DAY_US)
    (plain,) = history.in_region(*everywhere)
    assert plain.provenance is None
    (full,) = batches_of(history.rows_in_region(*everywhere))
    order = np.argsort(full.source_id)
    by_id = np.argsort(one.source_id)
    assert full.provenance is not None
    for name in PROVENANCE_COLUMNS:
        found, given = getattr(full.provenance.take(order), name), getattr(told.take(by_id), name)
        if isinstance(given, Words):
            assert found.texts() == given.texts()
        else:
            assert found.tolist() == given.tolist()
