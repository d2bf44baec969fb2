import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.alert import AlertBatch
from hub.resources import read_text
from hub.science.ranking import STATISTICS, Context, rank
from hub.science.ranking.sky import DEG2_PER_SR
from hub.science.rules import load_rules
from tests.support.words import alerts

KILONOVA = next(h for h in load_rules(read_text("conf/coincidence.toml")).hypotheses if h.name == "kilonova")


def context(detections: AlertBatch | None = None, **changes) -> Context:
    values = {
        "hypothesis": KILONOVA,
        "detections": detections if detections is not None else alerts({}),
        "delay_d": 0.5,
        "probdensity_per_sr": 0.05 * DEG2_PER_SR,
        "level": 0.4,
        "dist_mean_mpc": 40.0,
        "dist_std_mpc": 8.0,
    }
    return Context(**{**values, **changes})


def test_the_sky_term_is_the_density_against_the_background() -> None:
    term = STATISTICS["sky"](context())
    assert term.value == pytest.approx(math.log(0.05 / KILONOVA.background_per_deg2))
    assert "40.0 % level" in term.reason


def test_outside_the_map_the_sky_term_is_the_floor() -> None:
    assert STATISTICS["sky"](context(probdensity_per_sr=None, level=None)).value == -20.0


def test_sooner_is_better() -> None:
    values = [STATISTICS["timing"](context(delay_d=delay)).value for delay in (0.1, 1.0, 5.0, 9.0)]
    assert values == sorted(values, reverse=True)


def test_the_timing_term_is_a_normalised_density() -> None:
    low, high = KILONOVA.onset_d
    delays = np.linspace(0, high, 20_001)
    ratio = np.exp([STATISTICS["timing"](context(delay_d=delay)).value for delay in delays])
    assert np.trapezoid(ratio / (high - low), delays) == pytest.approx(1.0, rel=1e-3)


def test_a_fade_inside_the_range_speaks_for_it_and_a_constant_source_against() -> None:
    fading = alerts({"days": 0.5, "flux_njy": 100_000.0}, {"days": 1.5, "flux_njy": 60_000.0})
    constant = alerts({"days": 0.5, "flux_njy": 100_000.0}, {"days": 1.5, "flux_njy": 100_000.0})
    assert STATISTICS["fading"](context(fading)).value > 2
    assert STATISTICS["fading"](context(constant)).value < 0
    assert "fades by 0.55" in STATISTICS["fading"](context(fading)).reason


def test_two_detections_close_in_time_or_in_two_bands_say_nothing_of_a_fade() -> None:
    assert STATISTICS["fading"](context(alerts({"days": 0.5}, {"days": 0.6}))) is None
    assert STATISTICS["fading"](context(alerts({"days": 0.5, "band": b"g"}, {"days": 1.5, "band": b"r"}))) is None


def test_the_brightness_of_at2017gfo_fits_its_distance_and_a_faint_source_does_not() -> None:
    bright = STATISTICS["luminosity"](context(alerts({"flux_njy": 10 ** (0.4 * (31.4 - 17.5))})))
    faint = STATISTICS["luminosity"](context(alerts({"flux_njy": 10 ** (0.4 * (31.4 - 23.5))})))
    assert bright.value > 0 > faint.value
    assert "absolute magnitude -15.5" in bright.reason
    assert STATISTICS["luminosity"](context(dist_mean_mpc=None)) is None


def test_reliability_is_half_its_log_odds() -> None:
    assert STATISTICS["reality"](context(alerts({"reliability": 0.9}))).value == pytest.approx(0.5 * math.log(9))
    assert STATISTICS["reality"](context(alerts({"reliability": float("nan")}))) is None


def test_the_rank_is_the_sum_and_reasons_come_by_weight() -> None:
    total, scores, reasons = rank(context())
    assert total == pytest.approx(sum(score.value for score in scores), abs=1e-8)
    weights = [abs(float(reason.split()[1].rstrip(":"))) for reason in reasons]
    assert weights == sorted(weights, reverse=True)


rows = st.lists(
    st.fixed_dictionaries(
        {
            "days": st.floats(0, 10),
            "flux_njy": st.floats(-1e6, 1e9),
            "flux_err_njy": st.one_of(st.floats(1e-3, 1e6), st.just(float("nan"))),
            "reliability": st.one_of(st.floats(0, 1), st.just(float("nan"))),
        }
    ),
    min_size=1,
    max_size=6,
)


@given(rows)
def test_whatever_the_light_curve_the_rank_is_a_finite_number(detections) -> None:
    batch = alerts(*sorted(detections, key=lambda row: row["days"]))
    total, scores, _ = rank(context(batch))
    assert math.isfinite(total)
    assert all(math.isfinite(score.value) for score in scores)


FADING = {"flux_njy": 100_000.0, "reliability": 0.9, "days": 0.5}, {"flux_njy": 60_000.0, "reliability": 0.9, "days": 1.5}


def test_of_a_filtered_survey_only_what_the_filter_is_blind_to_counts() -> None:
    full, scores, _ = rank(context(alerts(*FADING)))
    all_known = {one.statistic: one.value for one in scores}
    total, scores, reasons = rank(context(alerts(*FADING), is_filtered=True, known_aspects=frozenset({"brightness"})))
    values = {one.statistic: one.value for one in scores}
    assert values == all_known | {"fading": None, "reality": None}
    assert total == pytest.approx(full - all_known["fading"] - all_known["reality"])
    (why,) = [one.inputs["reason"] for one in scores if one.statistic == "fading"]
    assert why.startswith("a filter may have chosen by the light curve")
    assert any("unrelated in the full stream" in reason for reason in reasons)


def test_without_a_known_past_the_delay_says_nothing() -> None:
    _, scores, reasons = rank(context(alerts(*FADING), tells_past=False))
    (timing,) = [one for one in scores if one.statistic == "timing"]
    assert (timing.value, timing.inputs["reason"]) == (None, "the alerts do not say when the object was first detected")
    assert not any(reason.startswith("timing") for reason in reasons)
