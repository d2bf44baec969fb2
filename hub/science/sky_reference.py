"""The sky index without its cells and compiled loops: what it must answer, and how it answers where numba cannot be had.

Cost grows with alerts times maps, some 100 ns each.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hub.science.healpix import Floats, Int64s, area_sr, find
from hub.science.sky_piece import SkyPiece


def match(pieces: Sequence[SkyPiece], pixels: Int64s) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats, Floats]:
    """Return the hits of order-29 pixels, by piece and then by place in the question.

    Returns
    -------
    point, entry
        Which pixel lies in which piece, shape ``(n,)``.
    numbers
        Density, level and level before, shape ``(3, n)``.
    layers
        Distmu, distsigma and distnorm, NaN where the piece has none, shape ``(3, n)``.
    """
    points, entries = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int32)]
    numbers, layers = [np.empty((3, 0))], [np.empty((3, 0))]
    for which, piece in enumerate(pieces):
        lo, hi = piece.lo, piece.hi
        found = find(lo, hi, pixels)
        inside = np.flatnonzero(found >= 0)
        row = found[inside]
        density, level = piece.rows["probdensity"][row], piece.rows["searched_prob"][row]
        points.append(inside)
        entries.append(np.full(len(row), which, dtype=np.int32))
        numbers.append(np.stack((density, level, level - density * area_sr(lo[row], hi[row]))))
        layers.append(np.full((3, len(row)), np.nan) if piece.layers is None else piece.layers[row].T)
    return np.concatenate(points), np.concatenate(entries), np.concatenate(numbers, axis=1), np.concatenate(layers, axis=1)
