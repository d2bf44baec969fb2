"""Injected mergers, small: each ends in one place, for the reason that is said; bad ranks and vetoes fail their checks."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hub.calibration import injections_light, known_sources
from hub.calibration.injections import _ranked, _told, _vetoed, binomial, outcomes
from hub.calibration.injections_mergers import CLASSES, Merger, drawn, too_visits, weights
from hub.calibration.injections_search import OURS, SEARCH_D, Fate, Found, Outcome, Search, counterpart, judged
from hub.calibration.known_kernels import parts_of
from hub.calibration.known_sources import opened, shipped, worth_asking
from hub.calibration.nights import SURVEY, Background, Nights, nights, with_events
from hub.calibration.subject import as_shipped
from hub.demo.published import LIGHT_CURVE_AB, LIGHT_CURVE_DAYS
from hub.demo.survey.light_curves import ACTIVE_GALAXY, BAD_SITE, FLARE, GHOST, SUPERNOVA, VARIABLE_STAR
from hub.model.coincidence import Candidate
from hub.science.healpix import pixels29
from hub.science.ranking.known_source import NAME

SEED = 31
SUBJECT = as_shipped()
KNOWN = replace(shipped(), own=replace(shipped().own, nights=60))
"""A survey that has looked for a hundred nights."""

GAP_S = SUBJECT.rules.confirmation.gap_s


@cache
def sky() -> Nights:
    """Return weeks of nights, the last eight of which are watched, with a tenth of all unrelated objects."""
    return nights(SEED, n_watch=8, n_history=40, fraction=0.1)


@cache
def few() -> tuple[Merger, ...]:
    begin = sky().watch_mjd + 0.3
    return tuple(drawn(np.random.default_rng(SEED), SEED, 14, begin, begin + 1.0, 60.0))


def silent(words: str) -> None:
    """Say nothing."""


def at(merger: Merger, ra_deg: float, dec_deg: float, distance_mpc: float = 40.0) -> Merger:
    """Return the same merger elsewhere."""
    pixel = int(pixels29(np.array([ra_deg]), np.array([dec_deg]))[0])
    return replace(merger, ra_deg=ra_deg, dec_deg=dec_deg, distance_mpc=distance_mpc, hpx29=pixel)


def lost(merger: Merger) -> Fate | None:
    return counterpart(sky(), merger, SURVEY, SUBJECT.dust, GAP_S).lost


@cache
def with_counterpart() -> tuple[Merger, Found, Nights]:
    """Return a merger whose counterpart was detected twice, with its visits."""
    for one in few():
        visits = too_visits(one, sky())
        if visits is not None:
            whole = with_events(sky(), SEED, [(one.number, visits)])
            found = counterpart(whole, one, one.number, SUBJECT.dust, GAP_S)
            if found.lost is None:
                return one, found, whole
    raise AssertionError("none of the mergers of this seed is detected twice")


def test_the_light_of_the_one_kilonova_that_is_known_comes_out() -> None:
    flux = injections_light.kilonova(list(injections_light.COMPONENTS), viewing_rad=0.4)
    for band, number in zip("griz", (1, 2, 3, 4), strict=True):
        seen = np.interp(LIGHT_CURVE_DAYS, injections_light.TIMES_D, flux[number]) * (1e-5 / 40.7) ** 2
        away = -2.5 * np.log10(seen / 3631e9) - LIGHT_CURVE_AB[band]
        assert np.abs(away).max() < 0.8
        assert abs(away.mean()) < 0.4


def test_jets_are_brighter_from_nearer_to_their_axis() -> None:
    rng = np.random.default_rng(3)
    drawn_light = [injections_light.draw(rng) for _ in range(300)]
    angles = np.degrees([one.viewing_rad for one in drawn_light])
    assert 25.0 < np.median(angles) < 45.0
    early = np.array([one.flux_njy[2, 60] for one in drawn_light])
    assert np.median(early[angles < 5.0]) > 5.0 * np.median(early[angles > 20.0])
    assert all((one.flux_njy >= 0.0).all() for one in drawn_light)


def test_areas_and_distances_are_spread_and_weighted_back() -> None:
    begin = sky().watch_mjd
    mergers = drawn(np.random.default_rng(1), 5, 60, begin, begin + 1.0)
    classes = [one.area_class for one in mergers]
    assert {classes.count(number) for number in range(len(CLASSES))} <= set(range(14, 30))
    near = [one.distance_mpc for one in mergers if one.area_class == 0]
    far = [one.distance_mpc for one in mergers if one.area_class == 2]
    assert np.median(near) < np.median(far)
    own = weights(mergers)
    assert abs(own.mean() - 1.0) < 1e-9
    assert own[classes.index(2)] > own[classes.index(0)]
    assert all(one.area90_deg2 <= 60.0 * 1.3 for one in few())


def test_a_counterpart_is_lost_for_the_reason_that_is_said() -> None:
    one = few()[0]
    assert lost(at(one, 100.0, 70.0)) is Fate.OUTSIDE
    v = int(np.searchsorted(sky().visits.mjd, one.t0_mjd)) + 20
    place = float(sky().visits.ra[v]), float(sky().visits.dec[v])
    assert lost(at(one, *place, distance_mpc=1e5)) is Fate.TOO_FAINT
    late = replace(at(one, *place), t0_mjd=sky().end_mjd)
    assert lost(late) is Fate.NOT_VISITED
    found = counterpart(sky(), at(one, *place), SURVEY, SUBJECT.dust, GAP_S)
    assert found.lost in {None, Fate.ONE_DETECTION, Fate.MISSED, Fate.NO_TEMPLATE, Fate.NOT_VISITED}
    times = sky().visits.mjd[found.rows.visit]
    assert ((times > one.t0_mjd) & (times <= one.t0_mjd + SEARCH_D)).all()
    assert (np.diff(times) > 0).all()


def test_targets_of_opportunity_are_visited_twice_a_night_and_after_the_merger() -> None:
    planned = [(one, visits) for one in few() if (visits := too_visits(one, sky())) is not None]
    assert planned
    for one, visits in planned:
        assert (visits.mjd_tai > one.t0_mjd).all()
        for night in np.unique(visits.night):
            own = visits.mjd_tai[visits.night == night]
            bands = visits.band[visits.night == night]
            assert len(set(bands.tolist())) == 2 or len(own) < 4
    assert too_visits(replace(few()[0], area90_deg2=900.0), sky()) is None


@pytest.mark.timeout(1800)
def test_a_slice_with_a_fixed_seed() -> None:
    surveyed, pointed = outcomes(SUBJECT, sky(), SEED, few(), KNOWN, silent)
    assert len(surveyed) == len(few())
    for cadence, found in (("survey", surveyed), ("target of opportunity", pointed)):
        result = _told(cadence, found)
        assert [check for check in result.checks if not check.passed] == []
        assert len(result.tables[0].rows) == len(Fate) + 1
    assert any(one.rank is not None and one.rank <= 3 for one in pointed)
    for one in (*surveyed, *pointed):
        if one.rank is not None and one.without_catalogues.rank is not None:
            assert one.n_candidates == one.without_catalogues.n_candidates
    ranks = [(one.rank, one.without_catalogues.rank) for one in pointed if one.rank is not None]
    assert sum(rank for rank, _ in ranks if rank) <= sum(bare for _, bare in ranks if bare)
    assert all(one.n_candidates >= 1 for one in pointed if one.rank is not None)


def test_objects_that_cannot_be_confirmed_change_no_rank() -> None:
    one, found, whole = with_counterpart()
    skymap = one.skymap()
    search = Search(whole, Background.of(list(whole.background(whole.tiles_in(skymap, 0.9)))), SUBJECT.rules)
    some = search.candidates(one, one.number, found.rows, skymap).candidates
    every = search.candidates(one, one.number, found.rows, skymap, only_confirmed=False).candidates
    assert len(every) > len(some) > 1

    def confirmed(rows: Sequence[Candidate]) -> dict[tuple[str, str], float]:
        return {(row.object_id, row.hypothesis): row.score for row in rows if row.confirmed}

    assert confirmed(every) == confirmed(some)
    assert str(OURS) in {row.object_id for row in some}


def test_what_catalogues_hold_of_candidates_is_held_against_them_by_the_code_of_the_hub() -> None:
    one, found, whole = with_counterpart()
    skymap = one.skymap()
    background = Background.of(list(whole.background(whole.tiles_in(skymap, 0.9))))
    objects = worth_asking(background, whole.visits.mjd[background.visit], GAP_S)
    entries = known_sources.entries(whole, SEED, objects, KNOWN)
    with ExitStack() as stack:
        catalogued = opened(entries, stack)
        assert catalogued is not None
        made = Search(whole, background, SUBJECT.rules, catalogued).candidates(one, one.number, found.rows, skymap)
        former = Search(whole, background, SUBJECT.rules).candidates(one, one.number, found.rows, skymap)
    said = {
        (row.object_id, row.hypothesis): score.value for row in made.candidates for score in row.scores if score.statistic == NAME
    }
    kinds = [made.kinds[name] for name, _ in said]
    assert set(kinds) <= {VARIABLE_STAR, ACTIVE_GALAXY, BAD_SITE, SUPERNOVA}
    assert kinds.count(VARIABLE_STAR) >= 5
    assert all(value is not None and value < -2.0 for value in said.values())
    of_bare = {(row.object_id, row.hypothesis): row.score for row in former.candidates}
    for row in made.candidates:
        extra = said.get((row.object_id, row.hypothesis)) or 0.0
        assert math.isclose(row.score - extra, of_bare[row.object_id, row.hypothesis], abs_tol=1e-7)
    with_, bare = (judged(one, all_of, max_area_deg2=1e4) for all_of in (made, former))
    assert with_.without_catalogues.rank == bare.rank
    assert (with_.rank or 0) <= (bare.rank or 0)


def test_earlier_nights_know_what_was_seen_in_them_and_nothing_that_began_since() -> None:
    one, _, whole = with_counterpart()
    background = Background.of(list(whole.background(whole.tiles_in(one.skymap(), 0.9))))
    objects = np.unique(background.object)
    kinds = np.array([parts_of(one)[2] for one in objects.tolist()])
    only_own = replace(KNOWN, public=())
    passing = objects[np.isin(kinds, (FLARE, GHOST))]
    assert len(passing) > 0
    assert len(known_sources.entries(whole, SEED, passing, only_own)) == 0
    stars = objects[kinds == VARIABLE_STAR]
    short, long = (
        known_sources.entries(whole, SEED, stars, replace(only_own, own=replace(KNOWN.own, nights=nights))) for nights in (30, 60)
    )
    assert 0 < len(short) <= len(long) <= len(stars)
    again = known_sources.entries(whole, SEED, stars[::-1], replace(only_own, own=KNOWN.own))
    assert (again.ra_deg == long.ra_deg).all()


def test_objects_that_cannot_be_ranked_before_the_counterpart_are_sampled() -> None:
    one, found, whole = with_counterpart()
    skymap = one.skymap()
    search = Search(whole, Background.of(list(whole.background(whole.tiles_in(skymap)))), SUBJECT.rules)
    for flux in (1.0, 0.05, 2e-3):  # so that it has many and few before it
        rows = replace(found.rows, flux_njy=found.rows.flux_njy * flux)
        every = search.candidates(one, one.number, rows, skymap)
        some = search.candidates(one, one.number, rows, skymap, only_ahead=True)
        assert len(some.candidates) < len(every.candidates)
        full, less = (judged(one, made, max_area_deg2=1e4) for made in (every, some))
        assert less.rank == full.rank
        assert sorted(less.ahead) == sorted(full.ahead)
        assert abs(less.n_candidates - full.n_candidates) < 5.0 * math.sqrt(10.0 * full.n_candidates)


def test_bad_ranks_and_vetoes_fail_their_checks() -> None:
    (one, *_) = few()

    def with_fate(fate: Fate, number: int) -> list[Outcome]:
        return [Outcome(merger=one, fate=fate, has_two=True, rank=1) for _ in range(number)]

    good = with_fate(Fate.BEST_THREE, 95)
    assert _ranked("survey", 0, [*good, *with_fate(Fate.BEYOND_TEN, 5)]).passed
    assert not _ranked("survey", 0, [*good, *with_fate(Fate.FOUR_TO_TEN, 20)]).passed
    assert not _ranked("survey", 0, with_fate(Fate.BEYOND_TEN, 12)).passed
    assert _vetoed("survey", good).passed
    assert not _vetoed("survey", [*good, *with_fate(Fate.VETOED, 5)]).passed


def test_intervals_of_shares_hold_the_share() -> None:
    assert binomial(0, 0) == (0.0, 1.0)
    for k, n in ((0, 10), (5, 10), (10, 10), (90, 100)):
        low, high = binomial(k, n)
        assert 0.0 <= low <= k / n <= high <= 1.0
    assert math.isclose(binomial(50, 100)[0], 0.4038, abs_tol=1e-3)
