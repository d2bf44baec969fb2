"""The memory of maps: each computed once, the oldest forgotten, many threads at a time."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hub.errors import StorageError
from hub.science.overlap import overlap_integral
from hub.services.maps import MapCache
from hub.storage import localizations
from hub.storage.engine import Store
from tests.support.words import gaussian_map, localization

PLACES = [localization(gaussian_map(10.0 * n, 5.0 * n, 9.0, order=2)) for n in range(6)]
IDS = [one.localization_id for one in PLACES]
SIZE = 192 * 8 * (3 + 5)
"""Memory of one of these maps, bytes: three columns and five of levels."""


@pytest.fixture
def filled(store: Store) -> Store:
    with store.transaction() as session:
        for one in PLACES:
            localizations.save(session, one)
    return store


def test_a_map_is_read_once_and_again_after_it_was_forgotten(filled: Store) -> None:
    maps = MapCache(budget_bytes=2 * SIZE)
    with filled.reading() as session:
        first = maps.localization(session, IDS[0])
        assert maps.localization(session, IDS[0]) is first
        assert maps.levels(session, IDS[:3]).keys() == set(IDS[:3])
        again = maps.localization(session, IDS[0])
        assert again is not first
        assert again.localization_id == IDS[0]
        assert maps.localizations(session, IDS).keys() == set(IDS)
        assert maps.nbytes == 2 * SIZE


def test_what_candidates_need_says_what_the_whole_levels_say_and_takes_three_eighths_of_the_memory(filled: Store) -> None:
    three_of_them = 3 * (3 * SIZE // 8 + 8)  # and where the last tile ends
    maps = MapCache(place_budget_bytes=three_of_them)
    pixels = np.arange(0, 12 << 58, 1 << 52)
    with filled.reading() as session:
        summaries, places = maps.places(session, IDS)
        assert maps.nbytes == three_of_them
        assert maps.places(session, IDS[-3:])[1][IDS[-1]] is places[IDS[-1]]
        assert maps.places(session, IDS[:1])[1][IDS[0]] is not places[IDS[0]]
        assert summaries == {one.localization_id: one.summary for one in PLACES}
        for name, whole in maps.levels(session, IDS).items():
            mine, theirs = places[name].lookup(pixels), whole.lookup(pixels)
            for column in ("covered", "searched_prob", "probdensity"):
                np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column))


def test_an_overlap_does_not_depend_on_the_order(filled: Store) -> None:
    maps = MapCache()
    expected = overlap_integral(PLACES[0].skymap, PLACES[1].skymap)
    assert maps.overlap(PLACES[0], PLACES[1]) == maps.overlap(PLACES[1], PLACES[0]) == pytest.approx(expected, rel=1e-12)


def test_a_map_that_a_notice_names_and_nobody_stored_is_said_so(filled: Store) -> None:
    with filled.reading() as session, pytest.raises(StorageError, match="nowhere is named by a notice but not stored"):
        MapCache().localization(session, "nowhere")


def test_threads_share_a_small_memory(filled: Store) -> None:
    maps = MapCache(budget_bytes=1)

    def look(start: int) -> bool:
        with filled.reading() as session:
            return all(maps.localization(session, IDS[n % 6]).localization_id == IDS[n % 6] for n in range(start, start + 120))

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads meet everywhere
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(look, range(4)))
    finally:
        sys.setswitchinterval(usual)
