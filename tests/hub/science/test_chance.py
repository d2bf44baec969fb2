"""On and off counts on skies of our own: what is expected is what comes, within the error that is stated."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hub.resources import read_text
from hub.science.chance import (
    OffMap,
    OffObject,
    Stratum,
    density_per_deg2,
    estimate,
    expected,
    interval,
    likeness,
)
from hub.science.counterpart_policy import load_counterpart_policy

SHIPPED = load_counterpart_policy(read_text("conf/counterparts.toml")).chance
POLICY = replace(SHIPPED, min_off_maps=3)
"""A few maps are enough where they are of one sky."""


NO_TYPICAL = replace(POLICY, typical_dispersion=0.0)
"""What is measured of the off maps alone."""


def stratum(programme="wide", band="g", gap="1.5 to 4", depth="24 to 24.5", level="below 0.5"):
    return Stratum(programme=programme, band=band, gap=gap, depth=depth, level=level)


FRESH, OLD, DEEP = stratum(gap="below 0.5"), stratum(gap="from 30"), stratum(programme="deep")
RATES = {FRESH: 0.02, OLD: 0.4, DEEP: 0.1}
"""Unrelated objects per square degree and look."""


def off_map(rng, number, *, exposure=None, dispersion=0.0):
    """Return an off map of a Poisson sky, or of one whose rate is drawn from a gamma distribution for each map."""
    exposure = exposure or {one: float(rng.uniform(20, 60)) for one in RATES}
    factor = rng.gamma(1 / dispersion, dispersion) if dispersion else 1.0
    objects = [
        OffObject(stratum=one, level=float(rng.random()), score=float(rng.normal()), confirmed=bool(rng.random() < 0.5))
        for one, area in exposure.items()
        for _ in range(rng.poisson(RATES[one] * area * factor))
    ]
    return OffMap(ra_shift_deg=10.0 * number, shift_d=0.0, exposure=exposure, objects=objects)


ON = {FRESH: 30.0, OLD: 10.0, DEEP: 20.0}
TRUE = math.fsum(RATES[one] * area for one, area in ON.items())


def all_of(background):
    return expected(background, level=1.0, score=-math.inf)


def test_the_expectation_is_unbiased_and_its_error_the_one_that_is_stated():
    rng = np.random.default_rng(1001)
    pulls, counts = [], []
    for _ in range(300):
        background = estimate(ON, [off_map(rng, k) for k in range(12)], NO_TYPICAL)
        found = all_of(background)
        pulls.append((found.mu - TRUE) / (found.mu * math.sqrt(found.relative_variance)))
        counts.append((rng.poisson(TRUE) - found.mu) / math.sqrt(found.mu + found.relative_variance * found.mu**2))
    assert abs(np.mean(pulls)) < 3.5 / math.sqrt(300) + 0.1  # half a count of Jeffreys' prior is a tenth of the error here
    assert 0.6 < np.std(pulls) < 1.3
    assert abs(np.mean(counts)) < 3.5 / math.sqrt(300)
    assert 0.8 < np.std(counts) < 1.2


def test_over_dispersion_that_was_planted_is_measured_and_widens_the_interval():
    rng = np.random.default_rng(1002)
    dense = dict.fromkeys(RATES, 400.0)
    quiet = [estimate(ON, [off_map(rng, k, exposure=dense) for k in range(20)], POLICY) for _ in range(30)]
    wild = [estimate(ON, [off_map(rng, k, exposure=dense, dispersion=0.3) for k in range(20)], POLICY) for _ in range(30)]
    assert np.mean([one.dispersion for one in quiet]) < 0.01
    assert np.mean([one.dispersion for one in wild]) == pytest.approx(0.3, rel=0.25)
    narrow, wide = all_of(quiet[0]), all_of(wild[0])
    assert (wide.high - wide.low) / wide.mu > 3 * (narrow.high - narrow.low) / narrow.mu
    assert wide.chance_dispersed < wide.chance == pytest.approx(1 - math.exp(-wide.mu))


def test_strata_matter_more_than_totals():
    rng = np.random.default_rng(1003)
    offs = [off_map(rng, k, exposure={FRESH: 500.0, OLD: 5000.0, DEEP: 100.0}) for k in range(5)]
    background = estimate({FRESH: 100.0}, offs, POLICY)
    assert all_of(background).mu == pytest.approx(100.0 * RATES[FRESH], rel=0.5)
    assert {cell.values for cell in background.cells} == {tuple(FRESH)}


def test_only_what_is_as_good_in_level_score_and_detections_counts():
    objects = [
        OffObject(stratum=FRESH, level=0.1, score=5.0, confirmed=True),
        OffObject(stratum=FRESH, level=0.1, score=5.0, confirmed=False),
        OffObject(stratum=FRESH, level=0.9, score=5.0, confirmed=True),
        OffObject(stratum=FRESH, level=0.1, score=1.0, confirmed=True),
    ]
    offs = [OffMap(ra_shift_deg=k, shift_d=0, exposure={FRESH: 100.0}, objects=objects) for k in range(4)]
    background = estimate({FRESH: 100.0}, offs, POLICY, on_area_deg2=50.0)
    half = 0.5 * 0.25
    assert expected(background, level=0.5, score=2.0).mu == pytest.approx(2.0 + half)
    assert expected(background, level=0.5, score=2.0, confirmed=True).mu == pytest.approx(1.0 + half)
    assert expected(background, level=0.05, score=2.0).mu == pytest.approx(half)
    assert density_per_deg2(background, confirmed=False) == pytest.approx((1.0 + half) / 50.0)


def test_a_sample_of_the_objects_stands_for_all_of_them():
    thing = OffObject(stratum=FRESH, level=0.1, score=5.0, confirmed=True)
    whole = [OffMap(ra_shift_deg=k, shift_d=0, exposure={FRESH: 100.0}, objects=[thing] * 40) for k in range(4)]
    part = [replace(one, objects=[thing] * 10, share_evaluated=0.25) for one in whole]
    assert all_of(estimate({FRESH: 10.0}, part, POLICY)).mu == pytest.approx(all_of(estimate({FRESH: 10.0}, whole, POLICY)).mu)


def test_thin_strata_are_pooled_with_what_is_most_like_them():
    thing = OffObject(stratum=stratum(depth="below 22.5"), level=0.1, score=5.0, confirmed=True)
    offs = [OffMap(ra_shift_deg=k, shift_d=0, exposure={thing.stratum: 100.0}, objects=[thing] * 10) for k in range(4)]
    background = estimate({stratum(depth="none"): 10.0}, offs, POLICY)
    assert background.cells[0].dimensions == ("programme", "band", "gap")
    assert all_of(background).mu == pytest.approx(1.0 + 0.5 * 10.0 / 400.0)


def test_what_cannot_be_known_is_said():
    rng = np.random.default_rng(1004)
    offs = [off_map(rng, k) for k in range(6)]
    nothing = estimate({}, offs, POLICY)
    few = estimate(ON, offs[:2], POLICY)
    unlike = estimate({FRESH: 1.0, stratum(gap="never seen so"): 1.0}, offs, POLICY)
    assert nothing.reason == "nothing of the map was searched since the event, as far as the ledger knows"
    assert few.reason == "insufficient background: 2 of the off maps were searched, at least 3 are needed"
    assert unlike.reason == "insufficient background: 50 % of what was searched has no like in the off maps"
    assert [all_of(one) for one in (nothing, few, unlike)] == [None] * 3
    assert density_per_deg2(few, confirmed=True) is None


def test_the_order_of_the_off_maps_does_not_matter():
    rng = np.random.default_rng(1005)
    offs = [off_map(rng, k) for k in range(9)]
    assert estimate(ON, offs, POLICY) == estimate(ON, offs[::-1], POLICY)


def test_intervals_are_told_in_words():
    assert [interval(x, (1.0, 2.0)) for x in (0.5, 1.0, 2.0, None, math.nan)] == ["below 1", "1 to 2", "from 2", "none", "none"]


def test_few_maps_of_few_objects_are_as_different_as_is_typical_and_many_say_it_themselves():
    rng = np.random.default_rng(1010)
    poor = estimate(dict.fromkeys(RATES, 3.0), [off_map(rng, k, exposure=dict.fromkeys(RATES, 3.0)) for k in range(4)], POLICY)
    rich = estimate(ON, [off_map(rng, k, exposure=dict.fromkeys(RATES, 3000.0)) for k in range(20)], POLICY)

    assert poor.dispersion == pytest.approx(POLICY.typical_dispersion, rel=0.3)
    assert rich.dispersion < 0.2 * POLICY.typical_dispersion


def test_the_spread_that_is_stated_holds_for_a_sky_that_differs_from_map_to_map():
    rng = np.random.default_rng(1011)
    found = []
    for _ in range(400):
        one = all_of(estimate(ON, [off_map(rng, k, dispersion=0.1) for k in range(10)], POLICY))
        n = rng.poisson(TRUE * rng.gamma(10.0, 0.1))
        found.append((n - one.mu) / math.sqrt(one.mu + one.relative_variance * one.mu**2))
    assert 0.85 < math.sqrt(np.mean(np.square(found))) < 1.15


def test_how_much_unrelated_objects_look_like_counterparts_is_measured():
    rng = np.random.default_rng(1012)

    def measured(evidence):
        offs = [off_map(rng, k, exposure=dict.fromkeys(RATES, 300.0)) for k in range(8)]
        return estimate(ON, [replace(m, objects=[replace(o, evidence=evidence) for o in m.objects]) for m in offs], POLICY)

    policy = load_counterpart_policy(read_text("conf/counterparts.toml")).posterior.likeness
    assert likeness(measured(math.log(0.5)), policy, confirmed=True) == pytest.approx(0.5, rel=0.1)
    assert likeness(measured(math.log(2.0)), policy, confirmed=False) == pytest.approx(2.0, rel=0.1)
    assert likeness(measured(math.log(0.5)), replace(policy, least=0.9), confirmed=True) == 0.9
    assert likeness(measured(9.0), replace(policy, most_evidence=0.0), confirmed=True) == pytest.approx(1.0)
    assert likeness(replace(measured(0.0), evidences=()), policy, confirmed=True) is None  # measured before it was kept
    assert likeness(replace(measured(0.0), reason="none"), policy, confirmed=True) is None
