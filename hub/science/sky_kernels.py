"""Compiled loops of the sky index. Imported when an index is first made, since numba takes half a second to import.

Pieces stay where they are in memory: the loops get the addresses of their rows, so that a new snapshot copies none of them.
Whoever calls keeps the pieces alive meanwhile. The first call ever compiles for a second or two; numba keeps the result on disk.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from hub.science.compiled import compiled
from hub.science.healpix import MAX_ORDER, N_PIX29, PIXEL29_SR

_STEPS = 4
"""Rows that are tried one after the other before the rest is halved: neighbouring pixels mostly lie in neighbouring rows."""


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _integers_at(context: Any, address: Any) -> Any:
    """Return a pointer to 64-bit integers from its address."""
    return types.CPointer(types.int64)(address), _as_pointer


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def _floats_at(context: Any, address: Any) -> Any:
    """Return a pointer to doubles from its address."""
    return types.CPointer(types.float64)(address), _as_pointer


def _as_pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))


@compiled
def file_runs(
    n_cells: int, cells: NDArray[np.int32], entries: NDArray[np.int32], firsts: NDArray[np.int32], lasts: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return runs of rows by cell: where each cell's runs begin, shape ``(n_cells + 1,)``, and the runs, shape ``(m, 3)``.

    A run is the number of its entry, its first row, and one past its last. Within a cell entries ascend as they came.
    """
    starts = np.zeros(n_cells + 1, np.int64)
    for cell in cells:
        starts[cell + 1] += 1
    for cell in range(n_cells):
        starts[cell + 1] += starts[cell]
    free = starts[:-1].copy()
    runs = np.empty((len(cells), 3), np.int32)
    for i in range(len(cells)):
        place = free[cells[i]]
        free[cells[i]] += 1
        runs[place, 0] = entries[i]
        runs[place, 1] = firsts[i]
        runs[place, 2] = lasts[i]
    return starts, runs


@compiled
def count_runs(pixels: NDArray[np.int64], orders: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each order-29 pixel how many runs its cells have; 0 for numbers that are no pixel."""
    counts = np.zeros(len(pixels), np.int64)
    for i in range(len(pixels)):
        pixel = pixels[i]
        if 0 <= pixel < N_PIX29:
            for order in orders:
                cell = (4 << (2 * order)) - 4 + (pixel >> (2 * (MAX_ORDER - order)))
                counts[i] += starts[cell + 1] - starts[cell]
    return counts


@compiled
def sorting_keys(pixels: NDArray[np.int64], counts: NDArray[np.int64], mask: int) -> NDArray[np.int64]:
    """Return for each pixel whose cells have runs a number to sort it by: itself, but its index in the lowest bits, the mask's.

    Numbers are sorted several times as fast as indices are, and an order that is right to an arcsecond is good enough.
    """
    keys = np.empty(np.count_nonzero(counts), np.int64)
    n = 0
    for i in range(len(pixels)):
        if counts[i] > 0:
            keys[n] = (pixels[i] & ~mask) | i
            n += 1
    return keys


@compiled
def search(  # noqa: C901, PLR0912, PLR0915, PLR0917 - one pass over everything, with nothing allocated on the way
    pixels: NDArray[np.int64],
    asked: NDArray[np.int64],
    cell_order: int,
    orders: NDArray[np.int64],
    starts: NDArray[np.int64],
    runs: NDArray[np.int32],
    row_addresses: NDArray[np.int64],
    layer_addresses: NDArray[np.int64],
    point: NDArray[np.int64],
    entry: NDArray[np.int32],
    numbers: NDArray[np.float64],
    layers: NDArray[np.float64],
) -> int:
    """Fill in the hits of order-29 pixels that ascend by cell and return how many there are.

    Parameters
    ----------
    pixels
        Those of one cell stand together, so that a run's rows are read once for all of them. Inside a cell they should ascend: it
        is right without, but slow.
    asked
        What to call each of them in `point`.
    cell_order
        Order of the finest cells.
    orders
        Orders of cells that have any run, ascending.
    starts, runs
        As `file_runs` made them.
    row_addresses, layer_addresses
        For each entry where the rows of its piece begin, and its distance layers, 0 where it has none.
    point, entry
        Room for all runs that `count_runs` found.
    numbers
        The same, shape ``(3, n)``: density, level, level before.
    layers
        The same, or of shape ``(3, 0)`` where no piece has distances.
    """
    n = 0
    begin = 0
    cell_shift = 2 * (MAX_ORDER - cell_order)
    with_layers = layers.shape[1] > 0
    while begin < len(pixels):
        home = pixels[begin] >> cell_shift
        end = begin + 1
        while end < len(pixels) and pixels[end] >> cell_shift == home:
            end += 1
        for order in orders:
            cell = (4 << (2 * order)) - 4 + (home >> (2 * (cell_order - order)))
            for run in range(starts[cell], starts[cell + 1]):
                which, row, stop = runs[run, 0], runs[run, 1], runs[run, 2]
                zuniq = _integers_at(row_addresses[which])
                columns = _floats_at(row_addresses[which])
                distances = _floats_at(layer_addresses[which])
                has_distance = layer_addresses[which] != 0
                middle = zuniq[3 * row]
                size = middle & -middle
                for i in range(begin, end):
                    place = 2 * pixels[i] + 1
                    if place < middle - size and row > runs[run, 1]:
                        row = runs[run, 1]
                        middle = zuniq[3 * row]
                        size = middle & -middle
                    if place > middle + size:
                        # On to the last row that begins before the place.
                        steps = 0
                        while row + 1 < stop and steps < _STEPS:
                            following = zuniq[3 * row + 3]
                            if following - (following & -following) > place:
                                break
                            row += 1
                            steps += 1
                        if steps == _STEPS:
                            beyond = stop
                            while beyond - row > 1:
                                half = (row + beyond) >> 1
                                there = zuniq[3 * half]
                                if there - (there & -there) > place:
                                    beyond = half
                                else:
                                    row = half
                        middle = zuniq[3 * row]
                        size = middle & -middle
                    if middle - size < place < middle + size:
                        density, level = columns[3 * row + 1], columns[3 * row + 2]
                        point[n] = asked[i]
                        entry[n] = which
                        numbers[0, n] = density
                        numbers[1, n] = level
                        # The same arithmetic as in `healpix.area_sr` and `crossmatch.contains`, so the same last bit.
                        numbers[2, n] = level - density * (np.float64(size) * PIXEL29_SR)
                        if with_layers:
                            for k in range(3):
                                layers[k, n] = distances[3 * row + k] if has_distance else np.nan
                        n += 1
        begin = end
    return n
