"""What workers tell of the alerts that pass, each by itself and all together."""

import numpy as np
import pytest

from hub.errors import StorageError
from hub.services.alert_intake import AppendedAlerts, PacketReport
from hub.services.alert_meter import AHEAD_S, EXPOSURE_S, LATEST, RATE_S, ROWS_S, AlertMeter
from hub.services.alert_status import alerts_of
from tests.support.words import T0, alerts


def report(late_s: list[float], *, is_new: bool = True, statements_left: int = 0) -> PacketReport:
    """Return a batch whose alerts were read out so many seconds ago."""
    n = len(late_s)
    batch = alerts(*({"source_id": i, "mid_tai_us": T0.plus_s(-late - EXPOSURE_S / 2).tai_us} for i, late in enumerate(late_s)))
    appended = AppendedAlerts(
        batch=batch, message=np.arange(n), payloads=(b"",) * n, is_new=np.full(n, is_new, dtype=bool), n_repeats=0
    )
    return PacketReport(
        alerts=(appended,),
        n_alerts=np.ones(n, dtype=np.intp),
        is_fresh=appended.is_new,
        reasons={},
        n_statements_left=statements_left,
    )


def test_times_count_from_the_readout_and_only_for_new_alerts() -> None:
    meter = AlertMeter(lambda: T0)
    meter.note(report([1.0] * 97 + [100.0] * 3), n_matched=5, in_full=True)
    meter.note(report([1e6], is_new=False), n_matched=0, in_full=True)
    facts = meter.facts()
    assert (facts["alerts"], facts["alerts_new"], facts["matched"], facts["packets_not_kept"]) == (101, 100, 5, 0)
    assert facts["matched_p50_s"] == pytest.approx(1.0, abs=1e-3)
    assert facts["matched_p98_s"] == pytest.approx(100.0, abs=1e-3)
    assert (facts["within_60_s"], facts["n_timed"]) == (0.97, 100)


def test_alerts_of_the_future_are_counted_and_not_timed() -> None:
    meter = AlertMeter(lambda: T0)
    meter.note(report([2.0, -3600.0, -1e7, -5.0]), n_matched=0, in_full=True)
    facts = meter.facts()
    assert (facts["dated_ahead"], facts["n_timed"], facts["within_60_s"]) == (2, 2, 1.0)
    assert facts["matched_p98_s"] == pytest.approx(2.0, abs=0.2)


def test_how_far_alerts_are_dated_ahead_is_told_until_ten_minutes_after_the_last_of_them() -> None:
    moment = [0.0]
    meter = AlertMeter(lambda: T0, monotonic=lambda: moment[0])
    meter.note(report([2.0, -30.0]), n_matched=0, in_full=True)
    assert meter.facts()["ahead_s"] is None
    meter.note(report([2.0, -3600.0, -7200.0]), n_matched=0, in_full=True)
    moment[0] = AHEAD_S
    assert meter.facts()["ahead_s"] == pytest.approx(7200.0)
    moment[0] = AHEAD_S + 1.0
    assert (meter.facts()["ahead_s"], meter.facts()["dated_ahead"]) == (None, 2)


def test_only_the_latest_alerts_count() -> None:
    meter = AlertMeter(lambda: T0)
    meter.note(report([1000.0] * 30), n_matched=0, in_full=True)
    for _ in range(3):
        meter.note(report([2.0] * (LATEST // 2)), n_matched=0, in_full=True)
    facts = meter.facts()
    assert (facts["n_timed"], facts["within_60_s"]) == (LATEST, 1.0)
    meter.note(report([5000.0] * (LATEST + 7)), n_matched=0, in_full=True)
    assert (meter.facts()["n_timed"], meter.facts()["within_60_s"]) == (LATEST, 0.0)


def test_the_rate_is_that_of_the_last_minute() -> None:
    moment = [0.0]
    meter = AlertMeter(lambda: T0, monotonic=lambda: moment[0])
    assert (meter.facts()["alerts_per_s"], meter.facts()["matched_p98_s"]) == (0.0, None)
    meter.note(report([1.0] * 600), n_matched=0, in_full=True)
    assert meter.facts()["alerts_per_s"] == 10.0
    moment[0] = RATE_S + 1
    assert meter.facts()["alerts_per_s"] == 0.0


def test_what_is_left_out_is_counted() -> None:
    meter = AlertMeter(lambda: T0)
    meter.note(report([1.0, 2.0], statements_left=3), n_matched=2, in_full=False)
    facts = meter.facts()
    assert (facts["packets_not_kept"], facts["statements_not_recorded"], facts["matched"]) == (2, 3, 2)


def test_an_archive_that_cannot_be_counted_leaves_the_last_number_and_its_time() -> None:
    moment, fails = [0.0], [False]

    def count() -> int:
        if fails[0]:
            raise StorageError("gone")
        return 7

    meter = AlertMeter(lambda: T0.plus_s(moment[0]), count, monotonic=lambda: moment[0])
    assert meter.facts()["archive_rows"] == 7
    moment[0], fails[0] = 100.0, True
    facts = meter.facts()
    assert (facts["archive_rows"], facts["archive_rows_at"]) == (7, T0.to_utc_iso())


def test_an_archive_is_counted_often_and_takes_a_hundredth_of_the_time_at_most() -> None:
    moment, counted = [0.0], []

    def count(takes_s: float) -> int:
        counted.append(moment[0])
        moment[0] += takes_s
        return len(counted)

    for takes_s, pause_s in ((0.0, ROWS_S), (1.0, 100.0)):
        moment[0] = 0.0
        counted.clear()
        meter = AlertMeter(lambda: T0, lambda: count(takes_s), monotonic=lambda: moment[0])  # noqa: B023 - used within the round
        assert meter.facts()["archive_rows"] == 1
        ended = moment[0]
        moment[0] = ended + pause_s - 0.1
        assert meter.facts()["archive_rows"] == 1
        moment[0] = ended + pause_s
        assert meter.facts()["archive_rows"] == 2


def test_workers_are_added_up_and_the_worst_time_is_told() -> None:
    one = {"alerts": 5, "alerts_per_s": 10.0, "lag": 7, "lag_s": 3.5, "matched_p50_s": 1.0, "matched_p98_s": 2.0}
    one |= {"within_60_s": 1.0, "n_timed": 100, "archive_rows": 51, "archive_rows_at": "2026-01-01T00:00:00.000000Z"}
    one |= {"packets_not_kept": 1, "statements_not_recorded": 0, "dated_ahead": 3, "ahead_s": None}
    two = one | {"lag": 0, "lag_s": 0.0, "matched_p98_s": 80.0, "within_60_s": 0.5, "n_timed": 300}
    two |= {"ahead_s": 90.0, "archive_rows": 50, "archive_rows_at": "2026-01-01T00:00:07.000000Z"}
    assert alerts_of([one, two, {"lag": 4}]) == {
        "workers": 2,
        "alerts_per_s": 20.0,
        "lag": 7,
        "lag_s": 3.5,
        "matched_p50_s": 1.0,
        "matched_p98_s": 80.0,
        "within_60_s": 0.625,
        "archive_rows": 50,
        "archive_rows_at": "2026-01-01T00:00:07.000000Z",
        "packets_not_kept": 2,
        "statements_not_recorded": 0,
        "dated_ahead": 6,
        "ahead_s": 90.0,
    }
    assert alerts_of([{"lag": 4}]) is None
    starting = alerts_of([{"alerts": 0, "alerts_per_s": 0.0}])
    assert starting is not None
    assert (starting["lag_s"], starting["within_60_s"], starting["workers"]) == (None, None, 1)
    assert (starting["archive_rows"], starting["archive_rows_at"], starting["dated_ahead"]) == (None, None, 0)
