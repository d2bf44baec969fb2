"""The inner loop of random rotations, compiled."""

import math

import numpy as np

from hub.calibration.result import Floats
from hub.science.compiled import compiled


@compiled
def pixel_of(x: float, y: float, z: float, order: int) -> int:
    """Return the pixel of a unit vector as its base pixel, then its row, then its column (Gorski et al. 2005, ApJ 622, 759).

    In that order of numbers no bits need to be interleaved, which is half of the work of a NESTED number.
    """
    n_side = 1 << order
    quarters = math.atan2(y, x) / (0.5 * math.pi)
    if quarters < 0.0:
        quarters += 4.0
    if quarters >= 4.0:
        quarters = 0.0
    if abs(z) <= 2.0 / 3.0:
        rising = int(n_side * (0.5 + quarters - 0.75 * z))
        falling = int(n_side * (0.5 + quarters + 0.75 * z))
        up, down = rising >> order, falling >> order
        if up == down:
            face = (up & 3) + 4
        elif up < down:
            face = up & 3
        else:
            face = (down & 3) + 8
        ix = falling & (n_side - 1)
        iy = (n_side - 1) - (rising & (n_side - 1))
    else:
        quarter = int(quarters)
        part = quarters - quarter
        width = n_side * math.sqrt(3.0 * max(0.0, 1.0 - abs(z)))
        east = min(int(part * width), n_side - 1)
        west = min(int((1.0 - part) * width), n_side - 1)
        if z > 0.0:
            face, ix, iy = quarter, n_side - 1 - west, n_side - 1 - east
        else:
            face, ix, iy = quarter + 8, east, west
    return (((face << order) | iy) << order) | ix


@compiled
def overlaps_of_rotations(table: Floats, order: int, vectors: Floats, probability: Floats, rotations: Floats) -> Floats:
    """Return the sum over turned points of probability times relative density, for each rotation."""
    found = np.empty(len(rotations))
    for i in range(len(rotations)):
        turn = rotations[i]
        total = 0.0
        for j in range(len(probability)):
            a, b, c = vectors[j, 0], vectors[j, 1], vectors[j, 2]
            x = turn[0, 0] * a + turn[0, 1] * b + turn[0, 2] * c
            y = turn[1, 0] * a + turn[1, 1] * b + turn[1, 2] * c
            z = turn[2, 0] * a + turn[2, 1] * b + turn[2, 2] * c
            total += probability[j] * table[pixel_of(x, y, z, order)]
        found[i] = total
    return found
