import pytest

from hub.errors import InvalidRequest
from hub.resources import read_text
from hub.science.rules import YEAR_S, load_rules
from hub.science.searches import JointRates, joint_rates

RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
SEARCHES = {one.name: one for one in RULES.searches}
FAR = 1e-7


def rates(name: str, **said: float | None) -> JointRates:
    return joint_rates(SEARCHES[name], far_gw_hz=FAR, profile="raven", **said)


def test_there_are_the_searches_of_the_field() -> None:
    assert set(SEARCHES) == {
        "GRB-CBC",
        "GRB-BURST",
        "SUBGRB-CBC",
        "SUBGRB_TARGETED_FERMI-CBC",
        "SUBGRB_TARGETED_SWIFT-CBC",
        "FRB-CBC",
        "FRB-BURST",
        "HEN-CBC",
        "HEN-BURST",
        "SNEWS-BURST",
    }


@pytest.mark.parametrize(
    ("name", "far_external", "expected"),
    [
        ("GRB-CBC", None, 5.898021308980213e-12),
        ("GRB-BURST", None, 6.487823439878235e-10),
        ("SUBGRB-CBC", None, 1.4269406392694066e-11),
        ("SUBGRB_TARGETED_FERMI-CBC", 5e-6, 5.248250981832098e-11),
        ("SUBGRB_TARGETED_SWIFT-CBC", 5e-4, 1.0706470585929093e-08),
    ],
)
def test_the_time_part_is_that_of_raven(name: str, far_external: float | None, expected: float) -> None:
    # ligo-raven 3.3 executed with F_g = 1e-7 Hz.
    found = rates(name, far_external_hz=far_external, overlap=64.2072)
    assert found.time_only.value_hz == pytest.approx(expected, rel=1e-12)
    assert found.spacetime.value_hz == pytest.approx(expected / 64.2072, rel=1e-12)


def test_the_profile_of_gwcelery_has_its_own_rates_and_thresholds() -> None:
    found = joint_rates(SEARCHES["GRB-CBC"], far_gw_hz=FAR, profile="gwcelery")
    assert found.rate_hz == 325 / YEAR_S
    assert SEARCHES["SUBGRB_TARGETED_FERMI-CBC"].max_gw_far_hz["gwcelery"] == 8 * 2 / 86400
    assert SEARCHES["SUBGRB_TARGETED_SWIFT-CBC"].max_gw_far_hz["raven"] == pytest.approx(2 / 86400, rel=1e-15)


def test_beside_the_noise_stands_how_often_unrelated_real_events_would_agree() -> None:
    found = rates("GRB-CBC", gw_rate_hz=100 / YEAR_S, overlap=10.0)
    assert found.random_association.value_hz == pytest.approx(6 * 310 / YEAR_S * 100 / YEAR_S / 10, rel=1e-12)
    by_time = rates("GRB-CBC", gw_rate_hz=100 / YEAR_S)
    assert by_time.random_association.value_hz == pytest.approx(6 * 310 / YEAR_S * 100 / YEAR_S, rel=1e-12)
    assert rates("GRB-CBC").random_association.value_hz == pytest.approx(6 * 310 / YEAR_S * 800 / YEAR_S, rel=1e-12)


def test_unrelated_real_events_are_never_rarer_than_noise_alone() -> None:
    burst = joint_rates(SEARCHES["GRB-BURST"], far_gw_hz=1e-5, profile="gwcelery")
    assert burst.random_association.value_hz == burst.time_only.value_hz == pytest.approx(6.8e-8, rel=1e-3)
    given = joint_rates(SEARCHES["GRB-CBC"], far_gw_hz=1e-5, profile="gwcelery", gw_rate_hz=1e-9, overlap=10.0)
    assert given.random_association.value_hz == given.spacetime.value_hz
    for far in (1e-9, 1e-7, 1e-5, 1e-4):
        found = joint_rates(SEARCHES["SUBGRB_TARGETED_FERMI-CBC"], far_gw_hz=far, profile="gwcelery", far_external_hz=5e-5)
        assert found.random_association.value_hz >= found.time_only.value_hz


def test_a_targeted_search_goes_by_the_rate_of_its_trigger_and_not_by_one_that_is_given() -> None:
    plain, given = (rates("SUBGRB_TARGETED_FERMI-CBC", far_external_hz=5e-6, rate_hz=hz) for hz in (None, 1e-5))
    assert given == plain
    assert plain.rate_hz == 5e-6


def test_an_overlap_that_no_rate_can_be_divided_by_is_not_called_none() -> None:
    found = rates("GRB-CBC", overlap=1e-320)
    assert found.spacetime.value_hz is None
    assert "do not overlap" not in found.spacetime.reason
    assert "overlap by 1e-320 only" in found.spacetime.reason


def test_maps_that_exclude_each_other_have_no_rate_in_space_but_one_in_time() -> None:
    found = rates("GRB-CBC", overlap=0.0)
    assert found.time_only.value_hz is not None
    assert found.spacetime.value_hz is None
    assert "do not overlap" in found.spacetime.reason
    assert found.random_association.value_hz is None


def test_outside_the_thresholds_of_a_search_there_is_no_rate() -> None:
    found = rates("SUBGRB_TARGETED_FERMI-CBC", far_external_hz=2e-4)
    assert found.time_only.value_hz is None
    assert "outside" in found.time_only.reason
    wider = rates("SUBGRB_TARGETED_FERMI-CBC", far_external_hz=2e-4, max_external_far_hz=1e-3)
    assert wider.time_only.value_hz is not None


def test_a_targeted_search_needs_the_external_false_alarm_rate() -> None:
    with pytest.raises(InvalidRequest, match="needs the false-alarm rate of the external trigger"):
        rates("SUBGRB_TARGETED_SWIFT-CBC")


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(InvalidRequest, match="the overlap must be a number of at least 0"):
        rates("GRB-CBC", overlap=value)


def test_pairs_take_window_rate_and_thresholds_from_their_search() -> None:
    pairs = {one.name: one for one in RULES.pairs}
    assert pairs["gw-grb"].search == "GRB-CBC"
    assert pairs["gw-grb"].rate_hz == SEARCHES["GRB-CBC"].rate_hz["gwcelery"]
    assert pairs["gw-sub-grb-targeted-swift"].max_first_far_hz == 8 * 2 / 86400
    assert pairs["grb-neutrino"].search is None
