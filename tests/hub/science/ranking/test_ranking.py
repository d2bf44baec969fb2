import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConfigError
from hub.model.alert import AlertBatch
from hub.resources import read_text
from hub.science.onset import Onset
from hub.science.ranking import DEFAULT, SHIPPED, STATISTICS, VALUES, Context, Statistic, Term, rank, ranking_of
from hub.science.ranking.sky import DEG2_PER_SR
from hub.science.rules import load_rules
from tests.support.words import T0, alerts

RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
HYPOTHESES = {one.name: one for one in RULES.hypotheses}
KILONOVA = HYPOTHESES["kilonova"]


def context(detections: AlertBatch | None = None, **changes) -> Context:
    values = {
        "hypothesis": KILONOVA,
        "detections": detections if detections is not None else alerts({}),
        "delay_d": 0.5,
        "t0_us": T0.tai_us,
        "onset": Onset(after_d=0.1, before_d=0.5),
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


def timing(after_d, before_d, **changes):
    return STATISTICS["timing"](
        context(onset=Onset(after_d=after_d, before_d=before_d, why_unknown="age unknown: why"), **changes)
    )


def test_sooner_is_better() -> None:
    values = [timing(delay, delay + 0.2).value for delay in (0.1, 0.5, 1.0, 2.5)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("name", ["kilonova", "burst-supernova", "late-afterglow"])
def test_the_timing_term_is_a_ratio_of_probabilities(name: str) -> None:
    hypothesis = HYPOTHESES[name]
    low, high = hypothesis.appearance_d
    edges = np.linspace(low, high, 301)
    ratios = np.exp([timing(a, b, hypothesis=hypothesis).value for a, b in itertools.pairwise(edges)])
    assert np.sum(ratios * np.diff(edges) / (high - low)) == pytest.approx(1.0, rel=1e-6)
    delays = np.random.default_rng(5).uniform(low, high, 200_000)  # an even one by counting
    between = np.mean((delays > low + 0.3) & (delays <= low + 0.9))
    if hypothesis.typical_delay_d is None:
        assert timing(low + 0.3, low + 0.9, hypothesis=hypothesis).value == pytest.approx(0.0, abs=1e-9)
        assert between == pytest.approx(0.6 / (high - low), rel=0.05)


def test_a_long_gap_before_the_first_detection_weakens_it_and_what_began_too_late_or_too_early_is_out() -> None:
    assert timing(0.1, 0.5).value > timing(-5.0, 0.5).value > timing(-25.0, 0.5).value
    assert timing(3.5, 4.0).value == timing(-2.0, -1.0).value == -10.0
    assert math.isfinite(timing(0.5, 0.5).value)


def test_where_the_time_before_is_unknown_the_term_is_neutral_and_says_so() -> None:
    total, scores, reasons = rank(context(onset=Onset(after_d=None, before_d=0.5, why_unknown="age unknown: nobody looked")))
    (score,) = [one for one in scores if one.statistic == "timing"]
    assert (score.value, score.inputs) == (None, {"reason": "age unknown: nobody looked"})
    assert "timing: age unknown: nobody looked" in reasons
    assert total == pytest.approx(sum(one.value for one in scores if one.value is not None), abs=1e-8)


def active(name, *fluxes, **changes):
    """Return the activity term of an object with fluxes (nJy) at days after t0."""
    curve = alerts(*({"days": days, "flux_njy": flux, "flux_err_njy": 10.0} for days, flux in fluxes))
    values = {"hypothesis": HYPOTHESES[name], "curve": curve, "delay_d": fluxes[0][0] if fluxes else 0.0}
    return STATISTICS["activity"](context(**{**values, **changes}))


PAST = tuple((-400.0 + 10 * step, 1000.0 + 100.0 * (step % 3)) for step in range(30))


def test_a_flare_counts_by_its_excess_over_its_own_past() -> None:
    values = [active("agn-flare", *PAST, (40.0, flux)).value for flux in (900.0, 1100.0, 1500.0, 5000.0)]
    assert values == sorted(values)
    assert values[0] < 0 < values[-1] == 4.0
    assert "no detection after t0" in active("agn-flare", *PAST).reason
    assert "variability is not known" in active("agn-flare", (-5.0, 100.0), (40.0, 900.0)).reason


def test_a_blazar_is_judged_on_its_flux_at_the_time_of_the_neutrino_against_its_baseline() -> None:
    later = tuple((40.0 + 10 * step, 1000.0 + 100.0 * (step % 3)) for step in range(9))
    quiet, flaring = (active("neutrino-active", *PAST, (-2.0, flux), *later, delay_d=-400.0) for flux in (1100.0, 4000.0))
    assert flaring.value == 4.0 > 0 > quiet.value
    assert "around t0" in flaring.reason


def test_a_tidal_disruption_of_half_a_year_ago_is_neutral_where_it_shines_at_t0() -> None:
    term = active("neutrino-active", (-180.0, 5000.0), (-100.0, 4000.0), (1.0, 1000.0), delay_d=-180.0)
    assert term.value == 0.0
    assert "new within the window and active around t0" in term.reason
    assert "no detection around t0" in active("neutrino-active", (-180.0, 5000.0), (-100.0, 4000.0)).reason


def test_no_statistic_of_a_beginning_speaks_of_the_active_and_the_other_way_round() -> None:
    assert timing(0.1, 0.5, hypothesis=HYPOTHESES["neutrino-active"]) is None
    assert STATISTICS["activity"](context(curve=alerts({}))) is None


def test_weights_change_the_sum_and_nothing_else() -> None:
    total, scores, _ = rank(context(alerts(*FADING)))
    half = ranking_of({"sky": 0.5, "reality": 0.0}, {}, {})
    weighted, same, reasons = rank(context(alerts(*FADING)), half)
    values = {one.statistic: one.value for one in scores}
    assert same == scores
    assert weighted == pytest.approx(total - 0.5 * values["sky"] - values["reality"])
    assert "reality +0.00" in " ".join(reasons)


def test_a_plug_in_takes_the_place_of_a_statistic_or_comes_beside_them() -> None:
    seven = Statistic(
        name="seven", version=3, unit="1", evaluate=lambda _: Term(value=7.0, reason="always"), value_of=lambda _: 7.0
    )
    total, scores, reasons = rank(context(), ranking_of({}, {"seven": seven}, {"sky": "seven", "luck": "seven"}))
    found = {one.statistic: (one.version, one.value) for one in scores}
    assert found["sky"] == found["luck"] == (3, 7.0)
    assert "luck +7.00: always" in reasons
    assert total == pytest.approx(sum(one.value for one in scores if one.value is not None), abs=1e-8)
    assert [one.inputs["plugin"] for one in scores if one.statistic in {"sky", "luck"}] == ["seven", "seven"]
    shipped = next(one for one in SHIPPED if one.name == "sky")
    assert VALUES["sky"] is shipped.value_of  # what was stored before is explained still
    with pytest.raises(ConfigError, match=r"\[ranking.use\] sky: there is no statistic 'eight' among the plug-ins: seven"):
        ranking_of({}, {"seven": seven}, {"sky": "eight"})


def broken(_: Context) -> Term:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("evaluate", "says"),
    [
        (broken, "the plug-in odd broke: ZeroDivisionError"),
        (lambda _: Term(value=math.nan, reason="x"), "the plug-in odd gave no number"),
        (lambda _: 7.0, "the plug-in odd gave neither a term nor a silence"),
    ],
)
def test_a_plug_in_that_breaks_is_neutral_and_says_so(evaluate, says) -> None:
    odd = Statistic(name="odd", version=1, unit="1", evaluate=evaluate, value_of=lambda _: 0.0)
    total, scores, reasons = rank(context(), ranking_of({}, {"odd": odd}, {"odd": "odd"}))
    assert total == rank(context())[0]
    assert [one.inputs for one in scores if one.statistic == "odd"] == [{"reason": says}]
    assert f"odd: {says}" in reasons


@pytest.mark.parametrize(
    ("weights", "use", "says"),
    [
        (
            {"skye": 0.5},
            {},
            r"\[ranking.weights\] skye: there is no such statistic; there are activity, classification, colour, distance_3d",
        ),
        ({"sky": -1.0}, {}, "a weight is a number of at least 0, not -1"),
        ({"sky": math.inf}, {}, "a weight is a number of at least 0, not inf"),
        ({}, {"rank": "odd"}, r"\[ranking.use\] rank: the hub has another number of this name"),
        ({}, {"distance_3d": "odd"}, "the hub has another number of this name"),
    ],
)
def test_what_cannot_be_a_ranking_is_refused_with_a_sentence(weights, use, says) -> None:
    odd = Statistic(name="odd", version=1, unit="1", evaluate=lambda _: None, value_of=lambda _: 0.0)
    with pytest.raises(ConfigError, match=says):
        ranking_of(weights, {"odd": odd}, use)


def test_terms_from_outside_have_weights_as_well_and_two_rankings_differ_by_what_they_hold() -> None:
    half = ranking_of({"distance_3d": 0.5}, {}, {})
    assert half.identity != DEFAULT.identity
    assert ["distance_3d", 2, "", 0.5] in half.identity
    assert half.is_outside("distance_3d")
    assert half.is_outside("timing")
    assert not half.is_outside("sky")
    assert not half.counts("level_3d")


@pytest.mark.parametrize("name", [one.name for one in SHIPPED])
def test_every_statistic_computes_again_what_it_stored(name: str) -> None:
    own = {"activity": active_context, "colour": lambda: context(of_two_bands(20_000.0))}
    _, scores, _ = rank(own[name]() if name in own else context(alerts(*FADING)))
    (score,) = [one for one in scores if one.statistic == name]
    assert score.value is not None
    assert VALUES[name](json.loads(json.dumps(score.inputs))) == pytest.approx(score.value, abs=1e-9)


def active_context():
    curve = alerts(*({"days": days, "flux_njy": flux} for days, flux in (*PAST, (40.0, 5000.0))))
    return context(hypothesis=HYPOTHESES["agn-flare"], curve=curve, delay_d=-400.0)


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


def test_a_brightness_that_was_stored_before_limits_counted_is_what_it_was() -> None:
    brightness = STATISTICS["luminosity"](context(alerts({}))).inputs
    assert VALUES["luminosity"](brightness) != VALUES["luminosity"]({**brightness, "counts": [0.5, 9.0]})
    even = VALUES["luminosity"]({key: value for key, value in brightness.items() if key != "counts"})
    assert even <= math.log(8.0 / (1.5 * math.sqrt(2.0 * math.pi)))


def test_of_two_objects_as_bright_as_expected_the_one_far_above_its_limit_is_rarer() -> None:
    def luminosity(error_njy: float) -> float:
        return STATISTICS["luminosity"](context(alerts({"flux_njy": 360_000.0, "flux_err_njy": error_njy}))).value

    assert luminosity(3_600.0) > luminosity(36_000.0) + 2.0
    assert luminosity(1e-3) == 4.0
    assert luminosity(float("nan")) == pytest.approx(luminosity(float("inf")))


def of_two_bands(red_njy: float, days: float = 1.01, band: bytes = b"i", **changes) -> AlertBatch:
    red = {"days": days, "flux_njy": red_njy, "band": band, "flux_err_njy": 200.0} | changes
    return alerts({"days": 1.0, "flux_njy": 10_000.0, "band": b"g", "flux_err_njy": 200.0}, red)


def test_red_speaks_for_a_kilonova_after_a_day_and_blue_against() -> None:
    red, blue = (STATISTICS["colour"](context(of_two_bands(flux))) for flux in (20_000.0, 8_000.0))
    assert red.value > 0.5 > -0.5 > blue.value
    assert "g - i is 0.75 +- 0.02, expected 0.42 (kilonova)" in red.reason
    turned = alerts(
        *(
            {"days": 1.0 + 0.01 * n, "flux_njy": flux, "band": band}
            for n, (flux, band) in enumerate(((20_000.0, b"i"), (10_000.0, b"g")))
        )
    )
    assert STATISTICS["colour"](context(turned)).inputs["bands"] == ["g", "i"]


def test_a_colour_that_nothing_has_is_no_proof() -> None:
    odd = STATISTICS["colour"](context(of_two_bands(90_000.0)))
    fitting = STATISTICS["colour"](context(of_two_bands(17_000.0)))
    assert odd.value < fitting.value < 4.0
    assert VALUES["colour"]({key: value for key, value in odd.inputs.items() if key != "other"}) > fitting.value


def test_a_colour_takes_two_bands_of_one_night_and_of_several_those_farthest_apart() -> None:
    for detections in (of_two_bands(2e4, days=2.0), of_two_bands(2e4, band=b"g"), of_two_bands(2e4, flux_err_njy=3e4)):
        assert STATISTICS["colour"](context(detections)) is None
    rows = ({"days": 1.0 + 0.1 * n, "band": band} for n, band in enumerate((b"r", b"i", b"z", b"i")))
    assert STATISTICS["colour"](context(alerts(*rows))).inputs["bands"] == ["r", "z"]
    assert STATISTICS["colour"](context(of_two_bands(2e4), hypothesis=HYPOTHESES["late-afterglow"])) is None
    assert STATISTICS["colour"](context(of_two_bands(2e4), hypothesis=HYPOTHESES["burst-transient"])) is None
    reddened = STATISTICS["colour"](context(of_two_bands(2e4), galactic_b_deg=5.0))
    assert reddened.inputs["colour_mag"] < STATISTICS["colour"](context(of_two_bands(2e4))).inputs["colour_mag"]


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
