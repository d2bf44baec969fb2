"""The account of a group: all maps at once, times beside them, and a rate only where its law is known."""

import numpy as np
import pytest

from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score
from hub.model.group import UNCALIBRATED, Group
from hub.model.sky import Skymap
from hub.science.group_account import ONE_PAIR, Place, Several, account, explained, with_object
from hub.science.healpix import centres, pixels29, ranges_of_uniq
from hub.science.overlap import overlap_integral, overlap_of_all
from tests.support.words import T0

YEAR_S = 365 * 86_400.0


def patches(*base_pixels: int) -> Skymap:
    """Return a map that is even over some of the twelve base pixels and zero elsewhere."""
    lo, hi = ranges_of_uniq(np.arange(12) + 4)
    density = np.where(np.isin(np.arange(12), base_pixels), 12.0 / (4.0 * np.pi * len(base_pixels)), 0.0)
    return Skymap(lo=lo, hi=hi, probdensity=density)


MAPS = {"a": patches(0, 1), "b": patches(1, 2), "c": patches(2, 0)}
"""Every two share a third of what they cover, all three nothing."""


def link(name: str, window_s: tuple[float, float] | None = (-1.0, 5.0)) -> Coincidence:
    odds = {"window_s": list(window_s), "co_observing_s": YEAR_S} if window_s else {"reason": "observed because of the other"}
    return Coincidence(
        coincidence_id=f"pair-{name}",
        kind="gw-grb",
        hypothesis="gw-grb",
        members=(Member(kind=MemberKind.EVENT, id="S1"), Member(kind=MemberKind.EVENT, id=name)),
        state=PairState.OPEN,
        version=1,
        scores=(Score(statistic="bayes_factor", version=1, value=1.0 if window_s else None, unit="1", inputs=odds),),
        reasons=(),
        localization_ids=(),
        is_live=True,
        t0=T0,
        created_at=T0,
    )


def overlap(names: tuple[str, ...]) -> float:
    return overlap_of_all([MAPS[name] for name in names])


def group(scores: tuple[Score, ...]) -> Group:
    return Group(
        group_id="g",
        centre="S1",
        kind="gw+grb",
        members=(),
        pairs=(),
        state=PairState.OPEN,
        version=1,
        scores=scores,
        reasons=(),
        localization_ids=("a", "b", "c"),
        is_live=True,
        t0=T0,
        created_at=T0,
    )


def values(scores: tuple[Score, ...]) -> dict[str, float | None]:
    return {one.statistic: one.value for one in scores}


def test_three_maps_that_overlap_two_by_two_can_exclude_each_other() -> None:
    assert overlap_integral(MAPS["a"], MAPS["b"]) == pytest.approx(3.0)
    places = {name: Place(localization_id=place) for name, place in (("S1", "a"), ("G1", "b"), ("N1", "c"))}
    scores = account(places, {"G1": link("G1"), "N1": link("N1", (-10.0, 10.0))}, overlap, None)
    found = values(scores)
    assert (found["group_overlap"], found["group_bayes_factor"]) == (0.0, 0.0)
    assert found["group_time"] == pytest.approx(YEAR_S / 6.0 * YEAR_S / 20.0)
    assert found["group_far"] is None
    assert scores[3].inputs["reason"] == UNCALIBRATED
    assert [line.agrees for line in explained(group(scores), MAPS)] == [True, True, True, None, None]


def test_what_was_observed_because_of_another_is_no_evidence_and_no_place_is_none() -> None:
    places = {
        "S1": Place(localization_id="a"),
        "G1": Place(localization_id="b"),
        "N1": Place(localization_id=None, reason="nowhere"),
    }
    scores = account(places, {"G1": link("G1", None), "N1": link("N1")}, overlap, None)
    assert scores[0].inputs["left_out"] == {"G1": "observed because of another member", "N1": "nowhere"}
    assert values(scores)["group_overlap"] == 1.0
    assert values(scores)["group_time"] == pytest.approx(YEAR_S / 6.0)
    pair = account({"S1": places["S1"], "G1": places["G1"]}, {"G1": link("G1")}, overlap, None)
    assert values(pair)["group_overlap"] == pytest.approx(3.0)
    assert pair[3].inputs["reason"] == ONE_PAIR


def test_unequal_rates_of_detectors_are_summed_over_their_subsets() -> None:
    several = Several(feeds_hz={"a": 1e-6, "b": 2e-6, "c": 3e-6, "d": 4e-6}, n_seen=3, window_s=(-12.0, 12.0), real_hz=1e-9)
    scores = account({"N1": Place(localization_id=None, reason="none")}, {}, overlap, several)
    products = 1e-18 * (1 * 2 * 3 + 1 * 2 * 4 + 1 * 3 * 4 + 2 * 3 * 4)
    assert values(scores)["group_far"] == pytest.approx(3 * 12.0**2 * products)
    chance = values(scores)["group_random_association"]
    assert chance is not None
    assert chance > 3 * 12.0**2 * products
    assert [line.agrees for line in explained(group(scores), {})][3:] == [True, True]


def test_a_candidate_is_one_more_map_of_one_place() -> None:
    lo, hi = ranges_of_uniq(np.array([4 + 1]))
    ra, dec = (float(one[0]) for one in centres(lo, hi))
    assert lo[0] <= pixels29([ra], [dec])[0] < hi[0]
    level = Score(statistic="level_2d", version=1, value=0.5, unit="1", inputs={"ra_deg": ra, "dec_deg": dec})
    candidate = Coincidence(**{**{name: getattr(link("O"), name) for name in Coincidence.__slots__}, "scores": (level,)})
    inside = with_object(candidate, "LSST:1", {"a": MAPS["a"], "b": MAPS["b"]})
    outside = with_object(candidate, "LSST:1", MAPS)
    assert inside is not None
    assert outside is not None
    assert (inside.value, outside.value) == (pytest.approx(6.0 * 6.0), 0.0)
    assert [line.agrees for line in explained(group((inside, outside)), MAPS)] == [True, True]
    assert with_object(link("O"), "LSST:1", MAPS) is None
