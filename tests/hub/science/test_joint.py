"""The numbers of pairs by every method: searches that answer, detectors together, several windows, odds, what others published."""

import itertools
import json
import math
from dataclasses import replace

import pytest
from ligo.raven.search import coinc_far

from adapters.codecs import gcn_unified, igwn
from adapters.codecs.voevent.reader import decode as decode_voevent
from hub.errors import ConfigError
from hub.model.coincidence import PairState, Score
from hub.model.event import assemble
from hub.model.notice import EventClass, Messenger, Stage
from hub.resources import read_text
from hub.science import pairs
from hub.science.arithmetic import Explained, _or_not
from hub.science.joint import rates_again
from hub.science.overlap import overlap_integral
from hub.science.pairs import PairResult, Sky
from hub.science.published import external_coincidence
from hub.science.rules import YEAR_S, load_rules
from hub.science.searches import joint_rates
from hub.science.significance import several
from hub.science.trigger_columns import triggers_of
from hub.science.windows import reach_s
from tests.support.words import T0, gaussian_map, grb, localization, notice, stored

TEXT = read_text("conf/coincidence.toml")
RULES = load_rules(TEXT)
GW = localization(gaussian_map(130.0, 20.0, 8.0))
NEAR = localization(gaussian_map(135.0, 22.0, 5.0))
SKY = Sky(
    maps={place.localization_id: place for place in (GW, NEAR)},
    overlap=lambda a, b: overlap_integral(a.skymap, b.skymap),
    min_overlap=RULES.min_overlap,
)


def event(message, place=None, *more):
    return assemble(message.event_key, [stored(message, place.localization_id if place else None), *more])


def gw(**changes):
    return event(notice(far_hz=changes.pop("far_hz", 1e-7), **changes), GW)


def neutrino(key="IceCube-1-2", **changes):
    said = {"mission": "IceCube", "instrument": None, "messenger": Messenger.NEUTRINO, "classification": {}, "far_hz": None}
    return event(notice(key, **{**said, "event_class": EventClass.HIGH_ENERGY_NEUTRINO, **changes}))


def answer(key="S260301a", **changes):
    """Return IceCube's search for tracks around a gravitational wave."""
    properties = {"pval_generic": 0.02, "pval_bayesian": 0.01, **changes.pop("properties", {})}
    return neutrino(f"IceCube-{key}", depends_on=(key,), properties=properties, localizes=False, **changes)


def detector(name, at_s, **changes):
    said = {"mission": "SNEWS", "instrument": name, "messenger": Messenger.NEUTRINO, "classification": {}, "far_hz": None}
    at = T0.plus_s(at_s)
    return event(notice(f"SNEWS-{name}-{at_s}", t0=at, event_class=EventClass.SUPERNOVA_NEUTRINO, **{**said, **changes}))


def pair(one, other, rules=RULES, triggers=None) -> PairResult | None:
    found = pairs.evaluate(one, other, rules, SKY, triggers)
    assert len(found) <= 1
    return found[0] if found else None


def score(result, statistic):
    return next(one for one in result.scores if one.statistic == statistic)


def value(result, statistic):
    return score(result, statistic).value


def explained(result) -> list[Explained]:
    """Return each number again from its inputs, without the maps."""
    return [_or_not(one, None, []) for one in result.scores]


def check(result) -> None:
    """Every number is what its inputs give, and no false-alarm rate stands alone."""
    lines = explained(result)
    assert not [line for line in lines if line.agrees is False]
    told = {line.score.statistic for line in lines if line.agrees}
    assert {one.statistic for one in result.scores if one.value is not None and one.unit == "Hz"} <= told | {
        one.statistic for one in result.scores if one.statistic.startswith("published_")
    }
    if value(result, "joint_far") is not None:
        assert value(result, "random_association") is not None
    if value(result, "joint_far_time_only") is not None:
        assert value(result, "random_association_time_only") is not None


# ------------------------------------------------------------------------------------------------------------------------- RAVEN


class NoServer:
    """Stands where RAVEN wants a client of GraceDB, which it asks nothing when it is given dictionaries."""

    url = "none"


@pytest.mark.parametrize(
    ("name", "raven", "mission", "far"),
    [
        ("GRB-CBC", "GRB", "Fermi", None),
        ("GRB-BURST", "GRB", "Fermi", None),
        ("SUBGRB-CBC", "SubGRB", "Fermi", None),
        ("SUBGRB_TARGETED_FERMI-CBC", "SubGRBTargeted", "Fermi", 5e-6),
        ("SUBGRB_TARGETED_SWIFT-CBC", "SubGRBTargeted", "Swift", 5e-4),
    ],
)
@pytest.mark.parametrize("far_gw", [1e-7, 3.47773444765e-12])
def test_raven_itself_gives_the_same_time_part(name, raven, mission, far, far_gw) -> None:
    search = next(one for one in RULES.searches if one.name == name)
    low, high = search.window_s
    superevent = {
        "superevent_id": "S1",
        "t_0": 1e9,
        "far": far_gw,
        "preferred_event": "G1",
        "em_events": [],
        "preferred_event_data": {},
    }
    external = {
        "graceid": "E1",
        "gpstime": 1e9,
        "pipeline": mission,
        "group": "External",
        "search": raven,
        "extra_attributes": {"GRB": {"ra": None, "dec": None, "redshift": None, "T90": None}},
        "superevent": "S1",
        "far": far,
        "labels": [],
        "instruments": "",
    }
    told = coinc_far(
        "S1", "E1", -high, -low, grb_search=raven, far_grb=far, se_dict=superevent, ext_dict=external, gracedb=NoServer()
    )
    ours = joint_rates(search, far_gw_hz=far_gw, profile="raven", far_external_hz=far).time_only.value_hz
    assert ours == pytest.approx(told["temporal_coinc_far"], rel=1e-12)


# -------------------------------------------------------------------------------------------------------------------- dependents


def test_a_search_that_answers_an_event_has_its_own_probability_times_the_rate_of_searched_events() -> None:
    for one, other in itertools.permutations((gw(), answer())):
        result = pair(one, other)
        assert result.state is PairState.OPEN
        assert value(result, "joint_far") == value(result, "random_association") == pytest.approx(0.02 * 800 / YEAR_S)
        assert value(result, "joint_far_time_only") is None
        assert score(result, "joint_far").inputs["p_property"] == "pval_generic"
        assert value(result, "bayes_factor") is None
        assert {s.statistic: s.value for s in result.scores if s.statistic.startswith("published_")} == {
            "published_pval_generic": 0.02,
            "published_pval_bayesian": 0.01,
        }
        check(result)


def alerts(per_day: float, far_hz: float = 1e-5, event_class: str = "cbc"):
    """Return the alerts of the 90 days before."""
    step_s = 86_400.0 / per_day
    return triggers_of(
        [
            (T0.plus_s(-(k + 0.5) * step_s).tai_us, event_class, "gw", "LVK", f"S{k}", far_hz, True, True)
            for k in range(int(90 * per_day))
        ]
    )


@pytest.mark.parametrize("far", [1e-12, 1e-7, 1e-5])
def test_a_search_counts_at_the_rate_of_all_events_that_are_searched_however_significant_this_one_is(far) -> None:
    result = pair(gw(far_hz=far), answer(), triggers=alerts(2.0))
    step = RULES.rate_policy.step
    assert 1.0 <= value(result, "joint_far") / (0.02 * 2.0 / 86_400.0) < step * 1.01
    assert value(result, "random_association") == value(result, "joint_far")
    assert score(result, "joint_far").inputs["searched_basis"] == "measured"
    check(result)


def test_a_stored_number_of_a_search_that_answers_is_explained_by_the_rate_that_was_stored_with_it() -> None:
    inputs = {"method": "answering", "window_s": [-500.0, 500.0], "p_value": 0.02, "p_property": "p", "other_rate_hz": 3e-7}
    assert rates_again(inputs).spacetime.value_hz == pytest.approx(6e-9)
    assert rates_again({**inputs, "searched_hz": 3e-5}).spacetime.value_hz == pytest.approx(6e-7)
    assert rates_again({**inputs, "searched_hz": None}).spacetime.value_hz is None


def test_a_stored_number_that_was_below_noise_is_explained_as_it_was_computed_then() -> None:
    window = {"window_s": [-1.0, 5.0], "rule": "gw-grb", "first_far_hz": 1e-5, "second_far_hz": 5e-6, "other_rate_hz": 1e-6}
    untargeted = {**window, "method": "untargeted", "rate_of": "second", "rate_hz": 1e-5}
    targeted = {**window, "method": "targeted", "max_first_far_hz": 1e-4, "max_second_far_hz": 1e-4}
    for inputs, then in ((untargeted, 6 * 1e-5 * 1e-6), (targeted, 6 * 5e-6 * 1e-6)):
        stored = Score(statistic="random_association_time_only", version=2, value=then, unit="Hz", inputs=inputs)
        assert _or_not(stored, None, []).agrees
        assert _or_not(replace(stored, version=3), None, []).agrees is False


def test_which_probability_counts_is_data() -> None:
    rules = load_rules(TEXT.replace('property = "pval_generic"', 'property = "pval_bayesian"'))
    assert value(pair(gw(), answer(), rules), "joint_far") == pytest.approx(0.01 * 800 / YEAR_S)


def test_a_search_that_answers_another_event_is_no_pair_with_this_one() -> None:
    assert pair(gw(), answer("S260301z")) is None
    assert pair(event(grb(t0=T0)), answer("S260301z")) is None


def test_a_dependent_trigger_without_a_probability_has_no_independent_significance() -> None:
    result = pair(gw(), event(grb(depends_on=("S260301a",)), NEAR))
    for name in ("joint_far", "joint_far_time_only", "random_association", "random_association_time_only", "bayes_factor"):
        assert value(result, name) is None
    assert sum("no independent significance" in reason for reason in result.reasons) == 1
    check(result)


def test_a_commanded_observation_of_nobody_says_what_depends_on_what_came_before() -> None:
    commanded = {"properties": {"tense": "commanded"}}
    assert value(pair(gw(), event(grb(**commanded), NEAR)), "joint_far") is None
    before = pair(gw(), event(grb(t0=T0.plus_s(-0.5), **commanded), NEAR))
    assert value(before, "joint_far") is not None


def test_a_targeted_search_has_its_own_formula_even_though_it_depends() -> None:
    find = {"event_class": EventClass.SUB_GRB_TARGETED, "far_hz": 5e-6, "depends_on": ("S260301a",)}
    result = pair(gw(), event(grb(**find), NEAR))
    window, limit = 12 * 1e-7 * 5e-6, 12 * 1e-4 * 8 * 2 / 86400
    assert value(result, "joint_far_time_only") == pytest.approx(window * (1 - math.log(window / limit)))
    assert score(result, "joint_far").inputs["method"] == "targeted"
    check(result)
    outside = pair(gw(), event(grb(**{**find, "far_hz": 1e-3}), NEAR))
    assert value(outside, "joint_far") is None
    assert any("outside the thresholds" in reason for reason in outside.reasons)


def test_unrelated_events_of_a_targeted_search_agree_by_the_law_of_its_noise() -> None:
    find = event(grb(event_class=EventClass.SUB_GRB_TARGETED, far_hz=5e-6), NEAR)
    result = pair(gw(), find, triggers=alerts(2.0, far_hz=1e-8))
    inputs = score(result, "random_association_time_only").inputs
    z, limit = 12 * inputs["other_rate_hz"] * 5e-6, 12 * inputs["max_other_rate_hz"] * 1e-4
    assert value(result, "random_association_time_only") == pytest.approx(z * (1 - math.log(z / limit)))
    assert inputs["other_rate_hz"] == inputs["max_other_rate_hz"]  # none was less significant than this one
    check(result)


@pytest.mark.parametrize("far", [1e-9, 1e-6, 2e-5, 1e-4])
@pytest.mark.parametrize("per_day", [None, 0.5, 2.0])
@pytest.mark.parametrize("kind", ["targeted", "untargeted", "burst"])
def test_unrelated_events_real_ones_included_never_agree_more_rarely_than_noise(kind, per_day, far) -> None:
    find = {"event_class": EventClass.SUB_GRB_TARGETED, "far_hz": 5e-6} if kind == "targeted" else {}
    changes = {"event_class": EventClass.BURST, "classification": {}} if kind == "burst" else {}
    triggers = None if per_day is None else alerts(per_day, 1e-6, "burst" if kind == "burst" else "cbc")
    result = pair(gw(far_hz=far, **changes), event(grb(**find), NEAR), triggers=triggers)
    for suffix in ("", "_time_only"):
        assert value(result, f"random_association{suffix}") >= value(result, f"joint_far{suffix}")
    assert score(result, "joint_far").inputs["other_rate_hz"] >= far
    check(result)


def test_an_alert_that_is_as_rare_as_no_other_comes_as_often_as_its_own_rate_says() -> None:
    result = pair(gw(far_hz=1e-4), event(grb(), NEAR))
    inputs = score(result, "random_association").inputs
    assert (inputs["other_rate_hz"], inputs["other_rate_basis"]) == (1e-4, "own FAR")
    assert value(result, "random_association") == pytest.approx(value(result, "joint_far"))
    assert any("its own false-alarm rate" in reason for reason in result.reasons)


# ---------------------------------------------------------------------------------------------------------------------- windows


SEVERAL = load_rules(
    TEXT.replace(
        'window_s = [-500.0, 500.0]\nrate = "grb_per_yr"', 'window_s = [[-500.0, 500.0], [-10.0, 10.0]]\nrate = "grb_per_yr"'
    )
)


@pytest.mark.parametrize(("delay", "width"), [(5.0, 20.0), (-10.0, 20.0), (10.5, 1000.0), (-500.0, 1000.0), (501.0, None)])
def test_of_several_windows_the_narrowest_that_fits_counts(delay, width) -> None:
    result = pair(event(grb(t0=T0)), neutrino(t0=T0.plus_s(delay), far_hz=3e-8), SEVERAL)
    if width is None:
        assert result is None
        return
    assert value(result, "joint_far_time_only") == pytest.approx(width * 325 / YEAR_S * 3e-8)
    assert (result.rule.window_s, result.rule.all_trials) == ((-500.0, 500.0), 2 * 2)
    check(result)


def test_a_neutrino_while_a_long_burst_lasts_is_in_its_window_which_is_wider() -> None:
    long = {"t0": T0, "properties": {"duration_s": 300.0}}
    result = pair(event(grb(**long)), neutrino(t0=T0.plus_s(700.0), far_hz=3e-8))
    assert score(result, "delay").inputs["window_s"] == [-500.0, 800.0]
    assert value(result, "joint_far_time_only") == pytest.approx(1300 * 325 / YEAR_S * 3e-8)
    check(result)
    assert pair(event(grb(t0=T0)), neutrino(t0=T0.plus_s(700.0), far_hz=3e-8)) is None
    endless = {"t0": T0, "properties": {"duration_s": 1e6}}
    widest = pair(event(grb(**endless)), neutrino(t0=T0.plus_s(2499.0), far_hz=3e-8))
    assert score(widest, "delay").inputs["window_s"] == [-500.0, 2500.0]
    assert pair(event(grb(**endless)), neutrino(t0=T0.plus_s(2501.0), far_hz=3e-8)) is None


def test_clock_errors_of_both_widen_windows_whether_from_the_table_or_stated() -> None:
    unsure = {"t0": T0.plus_s(6.5), "properties": {"t0_error_s": 2.0}}
    result = pair(gw(), event(grb(**unsure), NEAR))
    assert score(result, "joint_far").inputs["window_s"] == [-3.0, 7.0]
    assert value(result, "joint_far_time_only") == pytest.approx(10 * 325 / YEAR_S * 1e-7)
    check(result)
    assert pair(gw(), event(grb(t0=T0.plus_s(6.5)), NEAR)) is None
    endless = event(grb(t0=T0.plus_s(64.9), properties={"t0_error_s": 1e6}), NEAR)
    assert score(pair(gw(), endless), "joint_far").inputs["window_s"] == [-61.0, 65.0]  # the largest of the table
    maxi = pair(gw(), event(grb(mission="MAXI", instrument="GSC", t0=T0.plus_s(40.0)), NEAR))
    assert score(maxi, "joint_far").inputs["window_s"] == [-61.0, 65.0]


def test_a_window_of_a_later_notice_that_fits_no_more_withdraws_the_pair() -> None:
    first = stored(grb(t0=T0.plus_s(6.5), properties={"t0_error_s": 2.0}), NEAR.localization_id)
    later = grb(t0=T0.plus_s(6.5), properties={"t0_error_s": 0.0}, stage=Stage.UPDATE, issued_at=T0.plus_s(900.0))
    both = assemble("Fermi-1", [first, stored(later, NEAR.localization_id)])
    assert pair(gw(), both).state is PairState.WITHDRAWN


def test_partners_are_looked_for_as_far_as_windows_can_be_widened() -> None:
    rules = {rule.name: rule for rule in RULES.pairs}
    assert reach_s(rules["gw-grb"], RULES.clocks) == (-121.0, 125.0)
    assert reach_s(rules["grb-neutrino"], RULES.clocks) == (-620.0, 2620.0)


def test_an_early_warning_is_paired_though_its_time_is_still_to_come() -> None:
    soon = gw(stage=Stage.EARLY_WARNING, issued_at=T0.plus_s(-20.0))
    result = pair(soon, event(grb(t0=T0.plus_s(1.7), issued_at=T0.plus_s(-5.0)), NEAR))
    assert (result.state, value(result, "delay")) == (PairState.OPEN, pytest.approx(1.7))


# ------------------------------------------------------------------------------------------------------------------------ feeds


def test_two_detectors_within_seconds_are_a_pair_with_the_rate_of_any_two_of_the_network() -> None:
    for one, other in itertools.permutations((detector("XENONnT", 0.0), detector("Super-K", 4.0))):
        result = pair(one, other)
        assert (result.rule.name, result.state) == ("supernova-neutrinos", PairState.OPEN)
        n, f = len(RULES.feeds.names), 52 / YEAR_S
        assert value(result, "joint_far_time_only") == pytest.approx(2 * math.comb(n, 2) * f**2 * 10.0)
        assert value(result, "random_association") > value(result, "joint_far_time_only")
        assert value(result, "delay") in (4.0, -4.0)
        check(result)
    assert pair(detector("XENONnT", 0.0), detector("Super-K", 10.1)) is None


def test_a_detector_that_states_its_own_rate_or_is_in_no_table_counts_with_it() -> None:
    result = pair(detector("XENONnT", 0.0, far_hz=1e-9), detector("DarkSide", 4.0, far_hz=2e-9))
    rates = {**dict.fromkeys(RULES.feeds.names, 52 / YEAR_S), "XENONnT": 1e-9, "DarkSide": 2e-9}
    assert value(result, "joint_far_time_only") == pytest.approx(several(list(rates.values()), at_least=2, window_width_s=10.0))


def test_one_detector_twice_and_the_network_with_its_member_are_no_pair() -> None:
    assert pair(detector("XENONnT", 0.0), detector("XENONnT", 4.0)) is None
    assert pair(detector("XENONnT,Super-K", 0.0), detector("Super-K", 4.0)) is None


def test_a_clock_set_by_hand_widens_the_window_of_its_detector() -> None:
    result = pair(detector("Kamiokande-II", 0.0), detector("IMB", 41.0))
    assert score(result, "joint_far_time_only").inputs["window_s"] == [-70.0, 70.0]
    check(result)


@pytest.mark.parametrize(("stated", "sum_per_yr"), [(None, 12 * 52), (52 / YEAR_S, 12 * 52), (365 / YEAR_S, 11 * 52 + 365)])
def test_noise_beside_a_gravitational_wave_is_the_false_alarms_of_all_detectors_as_their_notices_state_them(
    stated, sum_per_yr
) -> None:
    burst = gw(far_hz=3e-8, event_class=EventClass.BURST, classification={})
    result = pair(burst, detector("Super-K", 3.0, far_hz=stated))
    rate_hz = (sum_per_yr + 0.02) / YEAR_S
    assert result.rule.name == "gw-supernova"
    assert value(result, "joint_far_time_only") == pytest.approx(20 * rate_hz * 3e-8)
    assert value(result, "random_association_time_only") >= value(result, "joint_far_time_only")
    assert score(result, "joint_far_time_only").inputs["alarms_hz"]["Super-K"] == pytest.approx(stated or 52 / YEAR_S)
    assert any("alarms of each of 12 detectors" in reason for reason in result.reasons)
    check(result)


def test_the_rate_of_the_search_for_supernovae_is_that_of_the_table_of_detectors() -> None:
    (search,) = [one for one in RULES.searches if one.name == "SNEWS-BURST"]
    feeds = RULES.feeds
    for profile in RULES.profiles:
        assert search.rate_hz[profile] == pytest.approx(len(feeds.names) * feeds.false_alarms_hz + feeds.real_hz)


# ------------------------------------------------------------------------------------------------------------- odds, publications


def test_the_bayes_factor_stands_beside_the_rate_with_its_prior_odds() -> None:
    result = pair(gw(), event(grb(), NEAR))
    found = score(result, "bayes_factor")
    overlap = value(result, "overlap")
    assert found.value == pytest.approx(overlap * YEAR_S / 6.0)
    joint = 0.1 / YEAR_S
    assert found.inputs["prior_odds"] == pytest.approx(joint / (325 / YEAR_S * 800 / YEAR_S * YEAR_S))
    # T cancels: the odds are how often one source would do this over how often two would.
    assert found.value * found.inputs["prior_odds"] == pytest.approx(joint / value(result, "random_association"))
    assert any(reason.startswith("Bayes factor of a common source") for reason in result.reasons)
    (line,) = [one for one in explained(result) if one.score.statistic == "bayes_factor"]
    assert f"prior odds {found.inputs['prior_odds']:.4g} = " in line.arithmetic
    check(result)


def test_times_that_do_not_agree_have_a_bayes_factor_of_nothing() -> None:
    later = stored(grb(t0=T0.plus_s(90.0), stage=Stage.UPDATE, issued_at=T0.plus_s(900)), NEAR.localization_id)
    result = pair(gw(), event(grb(), NEAR, later))
    assert (result.state, value(result, "bayes_factor")) == (PairState.WITHDRAWN, 0.0)


STATED = {
    "gcn_notice_id": "1",
    "observatory": "Fermi",
    "search": "GRB",
    "time_difference_s": 1.7,
    "time_coincidence_far_hz": 2e-12,
    "time_sky_position_coincidence_far_hz": 4e-14,
}


@pytest.mark.parametrize(
    "properties",
    [
        {"external_coinc": STATED},
        {"external_coinc": {**STATED, "gcn_notice_id": None, "ivorn": "ivo://test/Fermi-1#0"}},
        {
            "external_gcn_notice_id": "1",
            "external_observatory": "Fermi",
            "external_time_coincidence_far_hz": 2e-12,
            "external_time_sky_position_coincidence_far_hz": 4e-14,
        },
    ],
)
def test_what_others_published_of_a_pair_stands_beside_ours_with_the_difference(properties) -> None:
    result = pair(gw(properties=properties), event(grb(), NEAR))
    assert value(result, "published_joint_far_time_only") == 2e-12
    assert value(result, "published_joint_far") == 4e-14
    assert score(result, "published_joint_far").inputs["source"] == "LVK"
    assert value(result, "published_joint_far_ratio") == pytest.approx(value(result, "joint_far") / 4e-14)
    assert any(reason.startswith("LVK published joint_far = 4e-14 Hz; ours is") for reason in result.reasons)
    check(result)


def test_what_was_published_of_another_burst_is_not_said_of_this_one() -> None:
    result = pair(gw(properties={"external_coinc": {**STATED, "gcn_notice_id": "2"}}), event(grb(), NEAR))
    assert not [one for one in result.scores if one.statistic.startswith("published_")]


# -------------------------------------------------------------------------------------------------------------------------- data


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("span_d = 90.0", "span_d = 0.0", "span_d of rate_policy must be at least 0.001"),
        ("step = 1.1", "step = 1.0", "step of rate_policy must be above 1"),
        ("confidence = 0.9", "confidence = 1.0", "confidence of rate_policy must lie between"),
        ("storm_chance = 1e-6", "storm_odds = 1e-6", "unknown key 'storm_odds' in rate_policy"),
        ("MAXI = 60.0", "MAXI = -1.0", "clock_errors_s of MAXI must be at least 0"),
        ("at_least = 2", "at_least = 1", "at_least of feeds must lie between 2 and 12"),
        ("co_observing_d = 365.0", "co_observing_d = 0.0", "co_observing_d of odds must be above 0"),
        ('duration_of = ["first"]', 'duration_of = ["third"]', "'third' is neither 'first' nor 'second'"),
        ('other_rate = "hen_per_yr"\n', "", "needs other_rate"),
    ],
)
def test_a_wrong_number_in_the_tables_is_refused_in_a_sentence(old, new, sentence) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=sentence):
        load_rules(TEXT.replace(old, new, 1))


def test_a_rule_of_feeds_needs_the_table_of_feeds() -> None:
    start, end = TEXT.index("[feeds]"), TEXT.index("[odds]")
    with pytest.raises(ConfigError, match="supernova-neutrinos needs the table \\[feeds\\]"):
        load_rules(TEXT[:start] + TEXT[end:])
    with pytest.raises(ConfigError, match="no rule can have the method 'answering'"):
        load_rules(TEXT.replace('method = "feeds"', 'method = "answering"'))


# ---------------------------------------------------------------------------------------------------------------------- recorded


@pytest.mark.recorded
def test_the_recorded_external_coincidence_reads_the_same_in_both_formats(recorded) -> None:
    update = json.loads((recorded / "igwn" / "mock" / "MS181101ab-ext-update.json").read_text())
    as_json = igwn.decode(update, topic=None).notice
    as_xml = decode_voevent((recorded / "voevent" / "lvc" / "MS181101ab-6-Update_external_coinc.xml").read_bytes()).notice
    for message in (as_json, as_xml):
        told = external_coincidence(event(message))
        assert told["time_coincidence_far_hz"] == pytest.approx(2.14387838137e-14)
        assert told["time_sky_position_coincidence_far_hz"] == pytest.approx(6.410749524018777e-16)
        assert (told["observatory"], str(told["gcn_notice_id"])) == ("Fermi", "524666471")


@pytest.mark.recorded
def test_the_recorded_track_search_is_paired_with_the_event_that_it_answers(recorded) -> None:
    text = (recorded / "gcn" / "kafka" / "icecube_lvk_nu_track_search_example.json").read_text()
    search = gcn_unified.decode(json.loads(text), topic=None).notice
    (searched,) = search.depends_on
    gravitational_wave = event(notice(searched, t0=search.t0, far_hz=1e-8, is_live=False), GW)
    result = pair(gravitational_wave, event(search))
    assert result.state is PairState.OPEN
    assert value(result, "joint_far") == value(result, "random_association") == pytest.approx(0.5 * 800 / YEAR_S)
    assert value(result, "published_pval_bayesian") == 0.45
    check(result)
