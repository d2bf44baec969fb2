"""Where a field may be put: places on strips of declination, and tilings made of them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.science.planning.cells import Cells
from hub.science.planning.fields import Field, Floats, Shape

PER_STRIP = 8
"""Places along a strip within the width of one field."""

OFFSETS = 4
"""Sets of strips, each higher than the one before by this part of a strip."""

ROW_STEP = {Shape.SQUARE: (1.0,), Shape.CIRCLE: (0.75, math.sqrt(3.0) / 2.0)}
"""Distance of strips in fields: squares touch; circles cover the plane without gaps, or touch.
"""

COLUMN_STEP = {Shape.SQUARE: (1.0,), Shape.CIRCLE: (math.sqrt(3.0) / 2.0, 1.0)}
"""The same along a strip, for each distance of strips."""

BISECTIONS = 12
"""Steps in which the price is found at which a tiling has as many fields as are asked for: to a part in 4,000."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strips:
    """Places of one set of strips, strip after strip and by right ascension."""

    places: Floats
    """Right ascension and declination, shape ``(m, 2)``, degrees."""

    number: NDArray[np.int64]
    """Strip after strip every place from the first to the last: its number in `places`, -1 where there are no cells near."""

    starts: NDArray[np.int64]
    """First row of `number` of each strip, and one past the last."""


def all_strips(field: Field, cells: Cells) -> list[Strips]:
    """Return the sets of strips whose places have cells near them; those with none are left out."""
    steps = zip(ROW_STEP[field.shape], COLUMN_STEP[field.shape], strict=True)
    made = [_strips(field, cells, row, column, number / OFFSETS) for row, column in steps for number in range(OFFSETS)]
    return [one for one in made if len(one.places)]


def _strips(field: Field, cells: Cells, row_step: float, column_step: float, offset: float) -> Strips:
    height = row_step * field.fov_deg
    rows = np.arange(math.ceil(180.0 / height) + 2)
    decs = -90.0 + (rows + offset - 0.5) * height
    decs = np.unique(np.clip(decs, -90.0, 90.0))
    row_of = np.clip(np.rint((cells.dec_deg - decs[1]) / height).astype(np.int64) + 1, 0, len(decs) - 1)
    places: list[Floats] = []
    numbers: list[NDArray[np.int64]] = []
    n_places, starts = 0, [0]
    by_row = np.argsort(row_of, kind="stable")
    bounds = np.searchsorted(row_of[by_row], np.arange(len(decs) + 1))
    for row in np.unique(row_of).tolist():
        width = column_step * _width_deg(field, float(decs[row]))
        n = max(1, math.ceil(360.0 / width)) * PER_STRIP if width < 360.0 else 1
        here = cells.ra_deg[by_row[bounds[row] : bounds[row + 1]]]
        nearest = np.flatnonzero(np.bincount((here / 360.0 * n).astype(np.int64) % n, minlength=n))
        wanted = np.zeros(n, dtype=np.bool_)
        for shift in range(-(PER_STRIP // 2), PER_STRIP // 2 + 1):
            wanted[(nearest + shift) % n] = True
        at = np.flatnonzero(wanted)
        places.append(np.stack((at * (360.0 / n), np.full(len(at), decs[row])), axis=1))
        dense = np.full(int(at[-1] - at[0]) + 1, -1, dtype=np.int64)
        dense[at - at[0]] = n_places + np.arange(len(at))
        numbers.append(dense)
        n_places += len(at)
        starts.append(starts[-1] + len(dense))
    return Strips(
        places=np.concatenate(places) if places else np.empty((0, 2)),
        number=np.concatenate(numbers) if numbers else np.empty(0, dtype=np.int64),
        starts=np.array(starts, dtype=np.int64),
    )


def _width_deg(field: Field, dec_deg: float) -> float:
    """Return how far apart in right ascension fields of a strip touch, where they are narrowest in it, degrees."""
    half, dec = field.half_tan, abs(math.radians(dec_deg))
    if field.shape is Shape.CIRCLE:
        ratio = math.sin(math.radians(field.fov_deg / 2.0)) / max(math.cos(dec), 1e-9)
        return 360.0 if ratio >= 1.0 else 2.0 * math.degrees(math.asin(ratio))
    return min(360.0, 2.0 * math.degrees(math.atan2(half, math.cos(dec) + half * math.sin(dec))))


def tiling(strips: Strips, value: Floats, n: int) -> NDArray[np.int64]:
    """Return places of a set of strips, no two of a strip overlapping much, about `n` of them and together of the greatest value.

    Strip by strip the best choice for a price per field, which is the one at which `n` are worth it (Lagrange).
    """
    from hub.science.planning.kernels import best_rows  # noqa: PLC0415 - numba takes half a second

    return strips.number[
        best_rows(np.where(strips.number >= 0, value[strips.number], 0.0), strips.starts, PER_STRIP, n, BISECTIONS)
    ]
