"""The rows of a map that are at hand for live matching say the same of the places inside them as the whole map."""

import numpy as np
import pytest

from hub.science.healpix import find
from hub.science.levels import Levels2D
from hub.science.place_levels import PlaceLevels
from hub.science.sky_piece import SkyPiece
from tests.support.skymaps import from_pixels, gaussian_map, random_pixels

MAPS = {
    "gaussian": gaussian_map(130.0, 20.0, 4.0),
    "all orders": from_pixels(*random_pixels(np.random.default_rng(3), 400), np.random.default_rng(4).random(12 + 3 * 400)),
}


def pixels_in(lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Return the first, the last and a middle pixel of each interval."""
    return np.concatenate([lo, hi - 1, lo + (hi - lo) // 2])


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("max_level", [0.0, 0.5, 0.9, 1.5])
def test_rows_that_hold_places_say_of_them_what_the_whole_map_says(name: str, max_level: float) -> None:
    levels = Levels2D.of(MAPS[name])
    piece, whole = SkyPiece.of(name, MAPS[name], max_level), PlaceLevels.of(levels)
    pixels = pixels_in(levels.lo, levels.hi)
    inside = find(piece.lo, piece.hi, pixels) >= 0
    for some in (pixels[inside], pixels[inside][::7], pixels[inside][:1], pixels[:0]):
        part = piece.holding(some)
        if part is None:
            assert not len(piece)
            continue
        assert len(part.lo) <= len(some)
        expected, found = whole.lookup(some), part.lookup(some)
        np.testing.assert_array_equal(found.covered, True)
        np.testing.assert_array_equal(found.searched_prob, expected.searched_prob)
        np.testing.assert_array_equal(found.probdensity, expected.probdensity)
        index, in_part = find(whole.lo, whole.hi, some), find(part.lo, part.hi, some)
        np.testing.assert_array_equal(part.lo[in_part], whole.lo[index])
        np.testing.assert_array_equal(part.hi[in_part], whole.hi[index])


@pytest.mark.parametrize("name", MAPS)
def test_where_one_place_lies_in_no_row_the_whole_map_has_to_be_read(name: str) -> None:
    levels = Levels2D.of(MAPS[name])
    piece = SkyPiece.of(name, MAPS[name], 0.9)
    pixels = pixels_in(levels.lo, levels.hi)
    inside = find(piece.lo, piece.hi, pixels) >= 0
    assert inside.any()
    assert not inside.all()
    outside = pixels[~inside]
    assert all(piece.holding(np.array([one])) is None for one in outside[:: max(1, len(outside) // 50)])
    assert piece.holding(np.append(pixels[inside][:5], outside[0])) is None
