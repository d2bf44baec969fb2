import itertools
from dataclasses import replace

import numpy as np
import pytest

from hub.model.coincidence import PairState
from hub.model.event import assemble
from hub.model.notice import EventClass, Messenger, Stage
from hub.model.sky import Skymap
from hub.resources import read_text
from hub.science import pairs
from hub.science.overlap import overlap_integral
from hub.science.pairs import Sky, partners
from hub.science.rules import YEAR_S, load_rules
from hub.science.spatial import is_flat
from tests.support.words import T0, gaussian_map, grb, localization, notice, stored

RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
GW = localization(gaussian_map(130.0, 20.0, 8.0))
NEAR = localization(gaussian_map(135.0, 22.0, 5.0))
FAR = localization(gaussian_map(310.0, -20.0, 2.0))
SKY = Sky(
    maps={place.localization_id: place for place in (GW, NEAR, FAR)},
    overlap=lambda a, b: overlap_integral(a.skymap, b.skymap),
    min_overlap=RULES.min_overlap,
)


def gw_event(*more, place=GW, **changes):
    first = stored(notice(far_hz=1e-7, **changes), place.localization_id if place else None)
    return assemble("S260301a", [first, *more])


def grb_event(*more, place=NEAR, **changes):
    return assemble("Fermi-1", [stored(grb(**changes), place.localization_id if place else None), *more])


def evaluate(one, other, rules, sky):
    """Return the only pair of two events, None where there is none."""
    found = pairs.evaluate(one, other, rules, sky)
    assert len(found) <= 1
    return found[0] if found else None


def value(result, statistic):
    return next(score.value for score in result.scores if score.statistic == statistic)


def test_a_burst_in_the_window_and_on_the_map_is_a_pair_whichever_comes_first() -> None:
    a, b = gw_event(), grb_event()
    for one, other in itertools.permutations((a, b)):
        result = evaluate(one, other, RULES, SKY)
        assert result is not None
        assert (result.rule.name, result.state, result.first.event_id) == ("gw-grb", PairState.OPEN, "S260301a")
        assert value(result, "joint_far_time_only") == pytest.approx(6 * 325 / YEAR_S * 1e-7)
        assert value(result, "overlap") == pytest.approx(64.32, rel=0.01)  # exact value of the two Gaussian maps
        assert value(result, "joint_far") == pytest.approx(value(result, "joint_far_time_only") / value(result, "overlap"))
        chance = 6 * 325 / YEAR_S * 800 / YEAR_S / value(result, "overlap")
        assert value(result, "random_association") == pytest.approx(chance)
        assert any(reason.startswith("unrelated real events: ") for reason in result.reasons)


@pytest.mark.parametrize(("delay", "expected"), [(-1.01, False), (-1.0, True), (5.0, True), (5.01, False)])
def test_the_window_is_inclusive(delay: float, expected: bool) -> None:
    assert (evaluate(gw_event(), grb_event(t0=T0.plus_s(delay)), RULES, SKY) is not None) is expected


def test_maps_that_do_not_overlap_make_no_pair() -> None:
    assert evaluate(gw_event(), grb_event(place=FAR), RULES, SKY) is None


def test_without_a_map_only_time_counts() -> None:
    result = evaluate(gw_event(), grb_event(place=None), RULES, SKY)
    assert result.state is PairState.OPEN
    assert value(result, "joint_far") is None
    assert value(result, "joint_far_time_only") is not None


def test_a_position_that_arrives_later_and_does_not_overlap_withdraws_the_time_pair() -> None:
    update = stored(grb(stage=Stage.UPDATE, issued_at=T0.plus_s(900)), FAR.localization_id)
    result = evaluate(gw_event(), grb_event(update, place=None), RULES, SKY)
    assert result.state is PairState.WITHDRAWN


def test_a_retraction_or_a_veto_withdraws_and_says_so() -> None:
    retraction = stored(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(9000)))
    result = evaluate(gw_event(retraction), grb_event(), RULES, SKY)
    assert result.state is PairState.WITHDRAWN
    assert "S260301a retracted" in result.reasons[0]
    vetoed = stored(grb(stage=Stage.UPDATE, issued_at=T0.plus_s(900), vetoes=("classified as not a GRB",)), NEAR.localization_id)
    result = evaluate(gw_event(), grb_event(vetoed), RULES, SKY)
    assert result.state is PairState.WITHDRAWN
    assert "not a GRB" in result.reasons[0]


def test_a_dependent_trigger_gets_no_chance_rate() -> None:
    result = evaluate(gw_event(), grb_event(depends_on=("S260301a",)), RULES, SKY)
    assert value(result, "joint_far_time_only") is None
    assert value(result, "random_association") is None
    assert sum("because of the other" in reason for reason in result.reasons) == 1
    assert any("because of the other" in reason for reason in result.reasons)


def test_a_neutrino_brings_its_own_rate_against_that_of_bursts() -> None:
    neutrino = assemble(
        "IceCube-1-2",
        [
            stored(
                notice(
                    "IceCube-1-2",
                    mission="IceCube",
                    messenger=Messenger.NEUTRINO,
                    event_class=EventClass.HIGH_ENERGY_NEUTRINO,
                    classification={},
                    far_hz=3e-8,
                    t0=T0.plus_s(100),
                ),
                NEAR.localization_id,
            )
        ],
    )
    result = evaluate(grb_event(), neutrino, RULES, SKY)
    assert result.rule.name == "grb-neutrino"
    assert value(result, "joint_far_time_only") == pytest.approx(1000 * 325 / YEAR_S * 3e-8)


def test_partners_are_asked_for_both_roles_of_an_event() -> None:
    names = {(rule.name, first) for rule, first in partners(RULES, grb_event())}
    assert ("gw-grb", False) in names
    assert ("grb-neutrino", True) in names
    assert not any(name.startswith("gw-sub") for name, _ in names)


@pytest.mark.parametrize("now", [EventClass.GRB, EventClass.XRAY_TRANSIENT])
def test_a_pair_of_a_kind_that_no_longer_holds_is_withdrawn_beside_the_one_that_does(now: EventClass) -> None:
    former = EventClass.XRAY_TRANSIENT if now is EventClass.GRB else EventClass.GRB
    neutrino = assemble(
        "IceCube-1",
        [stored(notice("IceCube-1", messenger=Messenger.NEUTRINO, event_class=EventClass.HIGH_ENERGY_NEUTRINO))],
    )
    later = stored(grb(t0=T0, event_class=now, issued_at=T0.plus_s(900)))
    event = grb_event(later, t0=T0, event_class=former, place=None)
    found = {one.rule.kind: one.state for one in pairs.evaluate(event, neutrino, RULES, SKY)}
    kinds = {EventClass.GRB: "grb-neutrino", EventClass.XRAY_TRANSIENT: "xray-neutrino"}
    assert found == {kinds[now]: PairState.OPEN, kinds[former]: PairState.WITHDRAWN}


def test_a_time_that_only_an_untrusted_source_states_moves_no_pair() -> None:
    forged = stored(grb(t0=T0.plus_s(4000.0), issued_at=T0.plus_s(900)), NEAR.localization_id, is_trusted=False)
    result = evaluate(gw_event(), grb_event(forged), RULES, SKY)
    assert result.state is PairState.OPEN
    assert value(result, "delay") == pytest.approx(1.7)


@pytest.mark.parametrize("detectors", [["L1"], ["H1", "L1"]])
def test_the_map_of_one_detector_gives_no_place(detectors) -> None:
    gw = gw_event(properties={"instruments": detectors})
    near, far = (evaluate(gw, grb_event(place=place), RULES, SKY) for place in (NEAR, FAR))
    assert near is not None
    if len(detectors) == 2:
        assert value(near, "overlap") == pytest.approx(64.32, rel=0.01)
        assert far is None  # where both say where they are, they say different places
        return
    for result in (near, far):
        assert result is not None
        score = next(score for score in result.scores if score.statistic == "overlap")
        assert (score.value, score.inputs["reason"]) == (
            1.0,
            "no spatial information: S260301a was seen by too few detectors",
        )
        assert value(result, "joint_far") is None  # as for every coincidence in time only
        assert value(result, "joint_far_time_only") is not None
        assert value(result, "random_association_time_only") is not None
        assert any("no spatial information" in reason for reason in result.reasons)


def test_a_second_detector_gives_a_place_and_withdraws_what_lies_elsewhere() -> None:
    first = notice(far_hz=1e-7, properties={"instruments": ["L1"]})
    more = notice(far_hz=1e-7, properties={"instruments": ["H1", "L1"]}, issued_at=T0.plus_s(900))
    both = [stored(first, GW.localization_id), stored(more, GW.localization_id)]
    for order in (both, both[::-1]):
        event = assemble("S260301a", order)
        near, far = (evaluate(event, grb_event(place=place), RULES, SKY) for place in (NEAR, FAR))
        assert near is not None
        assert far is not None
        assert (near.state, far.state) == (PairState.OPEN, PairState.WITHDRAWN)
        assert value(near, "overlap") == pytest.approx(64.32, rel=0.01)


@pytest.mark.parametrize(("off", "is_place"), [(0.0, False), (5e-8, False), (1e-5, True)])
def test_a_map_of_one_density_on_the_whole_sky_gives_no_place_and_a_wide_one_does(off, is_place) -> None:
    n = len(GW.skymap.lo)
    density = np.where(np.arange(n) < n // 3, 1.0 + off, 1.0) / (4.0 * np.pi)
    flat = replace(GW, skymap=replace(GW.skymap, probdensity=density))
    sky = replace(SKY, maps={**SKY.maps, GW.localization_id: flat})
    result = evaluate(gw_event(), grb_event(), RULES, sky)
    assert result is not None
    score = next(score for score in result.scores if score.statistic == "overlap")
    assert ("reason" not in score.inputs) == is_place
    assert score.value == pytest.approx(1.0, abs=1e-4)
    assert is_place or "is the whole sky" in score.inputs["reason"]
    wide = replace(GW, summary=replace(GW.summary, area90_deg2=40_000.0))  # a spot, and the rest anywhere
    result = evaluate(gw_event(), grb_event(), RULES, replace(SKY, maps={**SKY.maps, GW.localization_id: wide}))
    assert result is not None
    assert value(result, "overlap") == pytest.approx(64.32, rel=0.01)


def test_a_map_of_one_density_with_a_hole_gives_a_place() -> None:
    table = GW.skymap
    holed = Skymap(lo=table.lo[5:], hi=table.hi[5:], probdensity=np.full(len(table.lo) - 5, 1.0 / (4.0 * np.pi)))
    assert not is_flat(holed, RULES.spatial)
    assert is_flat(replace(table, probdensity=np.full(len(table.lo), 0.1)), RULES.spatial)


def test_an_event_in_time_only_says_that_it_has_no_place() -> None:
    result = evaluate(gw_event(place=None), grb_event(), RULES, SKY)
    assert result is not None
    assert value(result, "overlap") == 1.0
    assert any(reason.startswith("no spatial information: S260301a has no localization") for reason in result.reasons)
