import math

import numpy as np
import pytest

from hub.science.rules import YEAR_S
from hub.science.significance import JointFar, several, targeted, untargeted, with_sky

# Reference values: ligo-raven 3.3, F_g = 1e-7 Hz, executed with these inputs.
FAR = 1e-7


def test_time_only_rates_are_ravens_to_the_last_digits() -> None:
    grb, sub = 310 / YEAR_S, 375 / YEAR_S
    assert untargeted(window_width_s=6, rate_hz=grb, far_hz=FAR).value_hz == pytest.approx(5.898021308980213e-12, rel=1e-12)
    assert untargeted(window_width_s=660, rate_hz=grb, far_hz=FAR).value_hz == pytest.approx(6.487823439878235e-10, rel=1e-12)
    assert untargeted(window_width_s=12, rate_hz=sub, far_hz=FAR).value_hz == pytest.approx(1.4269406392694066e-11, rel=1e-12)


def test_targeted_rates_are_ravens_to_the_last_digits() -> None:
    fermi = targeted(window_width_s=12, first_far_hz=FAR, second_far_hz=5e-6, max_first_far_hz=1 / 86400, max_second_far_hz=1e-4)
    swift = targeted(window_width_s=30, first_far_hz=FAR, second_far_hz=5e-4, max_first_far_hz=2 / 86400, max_second_far_hz=1e-3)
    assert fermi.value_hz == pytest.approx(5.248250981832098e-11, rel=1e-12)
    assert swift.value_hz == pytest.approx(1.0706470585929093e-08, rel=1e-12)


def test_the_notice_of_gw170817_and_its_burst() -> None:
    # FAR 3.478e-12 Hz of the initial notice, 310 bursts a year, 6 s.
    rate = untargeted(window_width_s=6, rate_hz=310 / YEAR_S, far_hz=3.47773444765e-12)
    assert rate.value_hz == pytest.approx(2.0513e-16, rel=1e-4)


@pytest.mark.parametrize(("first", "second"), [(1.0, 0.5), (1e-7, 1.0), (1.0, 1e-9)])
def test_beyond_the_thresholds_of_a_search_there_is_no_rate_and_never_a_negative_one(first: float, second: float) -> None:
    rate = targeted(
        window_width_s=12, first_far_hz=first, second_far_hz=second, max_first_far_hz=1 / 86400, max_second_far_hz=1e-4
    )
    assert rate.value_hz is None
    assert "outside" in rate.reason


def test_the_sky_divides_the_rate() -> None:
    time_only = JointFar(value_hz=5.898021308980213e-12, reason="")
    assert with_sky(time_only, 64.2072).value_hz == pytest.approx(9.185917986e-14, rel=1e-6)


def test_no_overlap_no_map_and_no_rate_are_said_in_words() -> None:
    time_only = JointFar(value_hz=1e-12, reason="")
    assert with_sky(time_only, 0.0).value_hz is None
    assert "do not overlap" in with_sky(time_only, 0.0).reason
    assert "no localization" in with_sky(time_only, None).reason
    assert "no false-alarm rate" in untargeted(window_width_s=6, rate_hz=1e-5, far_hz=None).reason


@pytest.mark.parametrize(("rates", "at_least"), [((2e-3, 3e-3, 1e-3), 2), ((2e-3,) * 4, 3), ((4e-3, 1e-3, 2e-3, 3e-3, 5e-4), 2)])
def test_the_rate_of_several_feeds_is_that_of_simulated_ones(rates: tuple[float, ...], at_least: int) -> None:
    # r in W after the first, counted by first triggers that are not themselves inside a coincidence that began before.
    rng, width, span = np.random.default_rng(7), 10.0, 4e7
    times = [np.cumsum(rng.exponential(1 / rate, int(rate * span))) for rate in rates]
    feed = np.concatenate([np.full(len(of_feed), number) for number, of_feed in enumerate(times)])
    time = np.concatenate(times)
    order = np.argsort(time)
    time, feed = time[order], feed[order]
    last = np.searchsorted(time, time + width, side="right")
    n = sum(len(set(feed[first:end].tolist())) >= at_least for first, end in enumerate(last.tolist()) if end - first >= at_least)
    expected = several(rates, at_least=at_least, window_width_s=width) * span
    assert n == pytest.approx(expected, rel=0.06 + 4 / math.sqrt(expected))


def test_the_rate_of_several_equal_feeds_has_a_closed_form_and_bad_numbers_are_refused() -> None:
    assert several([1e-6] * 5, at_least=3, window_width_s=10.0) == pytest.approx(3 * math.comb(5, 3) * 1e-18 * 100.0, rel=1e-12)
    for wrong in (1, 6):
        with pytest.raises(ValueError, match="of 2 to 5 feeds"):
            several([1e-6] * 5, at_least=wrong, window_width_s=10.0)
