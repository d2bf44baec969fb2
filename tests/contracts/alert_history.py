"""What every `hub.ports.AlertHistory` must do: inherit from `AlertHistoryContract` and give a fixture `history`."""

import numpy as np
import pytest

from hub.model.alert import NO_TIME, AlertBatch
from hub.model.instant import Instant
from hub.ports import AlertHistory

N_PIXELS = 12 * 4**29
DAY_US = 86_400_000_000


def night(n: int = 3000, *, survey: str = "LSST", seed: int = 1) -> AlertBatch:
    """Return alerts over the whole sky within 10 days, three of each object at one place."""
    rng = np.random.default_rng(seed)
    return AlertBatch.from_columns(
        survey,
        source_id=rng.permutation(n) + 2**60,
        object_id=[f"object-{i // 3}".encode() for i in range(n)],
        ra_deg=rng.uniform(0, 360, n),
        dec_deg=rng.uniform(-90, 90, n),
        mid_tai_us=rng.integers(0, 10 * DAY_US, n),
        first_tai_us=rng.integers(0, DAY_US, n),
        n_history=rng.integers(0, 9, n),
        flux_njy=np.where(rng.random(n) < 0.1, np.nan, rng.normal(0, 1e4, n)),
        flux_err_njy=rng.random(n),
        snr=rng.random(n),
        reliability=np.where(rng.random(n) < 0.1, np.nan, rng.random(n)),
        band=rng.choice([b"g", b"r", b""], n),
        is_solar_system=rng.random(n) < 0.2,
        is_negative=rng.random(n) < 0.2,
        is_saturated=rng.random(n) < 0.2,
        hpx29=rng.integers(0, N_PIXELS, n // 3 + 1)[np.arange(n) // 3],
        is_dipole=rng.random(n) < 0.2,
        began_tai_us=np.where(rng.random(n) < 0.5, NO_TIME, rng.integers(0, DAY_US, n)),
        quiet_tai_us=np.where(rng.random(n) < 0.5, NO_TIME, rng.integers(0, DAY_US, n)),
        template_tai_us=rng.integers(0, DAY_US, n),
    )


def rows(batch: AlertBatch) -> list[tuple[object, ...]]:
    """Return comparable rows, by source id, NaN as None."""
    plain = [tuple(None if value != value else value for value in row.values()) for row in batch.rows()]
    return sorted(plain)


class AlertHistoryContract:
    def test_an_alert_is_stored_once_and_counted_new_once(self, history: AlertHistory) -> None:
        batch = night(300)
        assert history.append(batch.take(np.arange(200))).sum() == 200
        assert history.append(batch).sum() == 100
        assert history.append(batch).sum() == 0
        assert history.count() == 300

    def test_an_alert_twice_in_one_batch_is_stored_once(self, history: AlertHistory) -> None:
        batch = night(10)
        assert history.append(batch.take(np.array([0, 1, 1, 0, 2]))).sum() == 3

    def test_an_empty_batch_stores_nothing(self, history: AlertHistory) -> None:
        assert history.append(AlertBatch.empty("LSST")).sum() == 0
        assert history.count() == 0

    def test_the_same_id_in_another_survey_is_another_alert(self, history: AlertHistory) -> None:
        assert history.append(night(10)).sum() == 10
        assert history.append(night(10, survey="ZTF")).sum() == 10

    def test_which_rows_were_new_is_told_in_their_order(self, history: AlertHistory) -> None:
        batch = night(2000)
        history.append(batch.take(np.arange(1500)))
        assert history.append(batch).tolist() == [False] * 1500 + [True] * 500
        assert history.append(night(10, survey="ZTF").take(np.array([0, 1, 1, 0, 2]))).tolist() == [
            True,
            True,
            False,
            False,
            True,
        ]

    @pytest.mark.parametrize("order", [0, 3, 5, 8, 12])
    def test_a_region_and_window_hold_what_a_full_scan_finds(self, history: AlertHistory, order: int) -> None:
        batch = night()
        history.append(batch)
        width = 4 ** (29 - order)
        pixels = np.unique(np.random.default_rng(order).integers(0, 12 * 4**order, 400))
        if order >= 8:  # so fine that chance finds nothing: the pixels of some alerts, and others
            pixels = np.unique(np.concatenate([pixels, batch.hpx29[:50] // width]))
        lo, hi = pixels * width, (pixels + 1) * width
        start, end = Instant(2 * DAY_US), Instant(7 * DAY_US)
        in_time = (batch.mid_tai_us >= start.tai_us) & (batch.mid_tai_us < end.tai_us)
        expected = batch.take(in_time & np.isin(batch.hpx29 // width, pixels))
        found = history.in_region(lo, hi, start, end)
        assert [rows(one) for one in found] == [rows(expected)]
        assert len(expected) > 0

    def test_regions_and_windows_are_half_open(self, history: AlertHistory) -> None:
        batch = night(1)
        history.append(batch)
        pixel, time = int(batch.hpx29[0]), int(batch.mid_tai_us[0])

        def found(lo: int, hi: int, start: int, end: int) -> int:
            got = history.in_region(np.array([lo]), np.array([hi]), Instant(start), Instant(end))
            return sum(len(one) for one in got)

        assert found(pixel, pixel + 1, time, time + 1) == 1
        assert found(pixel - 1, pixel, time, time + 1) == 0
        assert found(pixel + 1, pixel + 2, time, time + 1) == 0
        assert found(pixel, pixel + 1, time - 1, time) == 0
        assert found(pixel, pixel + 1, time + 1, time + 2) == 0

    def test_no_region_holds_nothing(self, history: AlertHistory) -> None:
        history.append(night(10))
        none = np.zeros(0, dtype=np.int64)
        assert history.in_region(none, none, Instant(0), Instant(10 * DAY_US)) == []

    def test_a_region_gives_one_batch_for_each_survey(self, history: AlertHistory) -> None:
        history.append(night(50))
        history.append(night(60, survey="ZTF", seed=2))
        found = history.in_region(np.array([0]), np.array([N_PIXELS]), Instant(0), Instant(10 * DAY_US))
        assert sorted((one.survey, len(one)) for one in found) == [("LSST", 50), ("ZTF", 60)]

    def test_objects_come_with_all_their_alerts_in_order_of_time(self, history: AlertHistory) -> None:
        batch = night()
        history.append(batch)
        names = [f"object-{i}" for i in range(0, 1000, 2)] + ["object-none"]
        pixels = [int(batch.hpx29[3 * i]) for i in range(0, 1000, 2)] + [7]
        found = history.of_objects("LSST", names, np.array(pixels))
        assert rows(found) == rows(batch.take(np.isin(batch.object_id, [name.encode() for name in names])))
        assert (np.diff(found.mid_tai_us) >= 0).all()

    def test_unknown_objects_have_no_alerts(self, history: AlertHistory) -> None:
        assert len(history.of_objects("LSST", ["nothing"], np.array([7]))) == 0
        assert len(history.of_objects("LSST", [], np.zeros(0, dtype=np.int64))) == 0
