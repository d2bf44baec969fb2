"""Compiled loops of planning. Imported with the first plan, since numba takes half a second to import.

Cells are those of `hub.science.planning.cells`; a pointing is its number among candidates, or a place of its own.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.science.compiled import compiled

_TINY = 1e-12
"""Gains below this probability are rounding."""


class Ground(NamedTuple):
    """A field of view, and the cells that it is laid on."""

    half_tan: float
    """`Field.half_tan`."""

    reach_deg: float
    is_square: bool
    ra: NDArray[np.float64]
    """Right ascension of the cells, degrees, ascending within a band."""

    vectors: NDArray[np.float64]
    """Their unit vectors, shape ``(n, 3)``."""

    prob: NDArray[np.float64]
    band_starts: NDArray[np.int64]
    band_deg: float


class Offers(NamedTuple):
    """Candidates and the cells that each holds."""

    places: NDArray[np.float64]
    """Right ascension and declination, shape ``(m, 2)``, degrees."""

    starts: NDArray[np.int64]
    """Where the cells of each begin, and one past the last, shape ``(m + 1,)``."""

    cells: NDArray[np.int64]
    total: NDArray[np.float64]
    """Probability in each, shape ``(m,)``."""


class Sight(NamedTuple):
    """When a place can be observed."""

    zenith: NDArray[np.float64]
    """Unit vectors at the begin and end of each slot, shape ``(n_slots, 2, 3)``."""

    moon: NDArray[np.float64]
    """The same to the Moon."""

    least: float
    """Smallest sine of the altitude."""

    most: float
    """Largest cosine of the distance to the Moon."""


@compiled
def inside(ra_deg: float, dec_deg: float, ground: Ground, out: NDArray[np.int64]) -> int:  # noqa: C901, PLR0912 - one loop over bands
    """Write the cells whose centres lie in the field at a place to `out`; return how many, at most its length."""
    half_tan, reach_deg, band_deg = ground.half_tan, ground.reach_deg, ground.band_deg
    ra, vectors, band_starts = ground.ra, ground.vectors, ground.band_starts
    r, d = np.radians(ra_deg), np.radians(dec_deg)
    cx, cy, cz = np.cos(d) * np.cos(r), np.cos(d) * np.sin(r), np.sin(d)
    ex, ey = -np.sin(r), np.cos(r)
    nx, ny, nz = -np.sin(d) * np.cos(r), -np.sin(d) * np.sin(r), np.cos(d)
    cos_reach = 1.0 / np.sqrt(1.0 + half_tan * half_tan)
    n_bands = len(band_starts) - 1
    first = max(0, int(np.floor((dec_deg - reach_deg + 90.0) / band_deg)))
    last = min(n_bands - 1, int(np.floor((dec_deg + reach_deg + 90.0) / band_deg)))
    width = 180.0
    if abs(dec_deg) + reach_deg < 89.9:
        width = np.degrees(np.arcsin(min(1.0, np.sin(np.radians(reach_deg)) / np.cos(d)))) + 1e-9
    n = 0
    for band in range(first, last + 1):
        begin, end = band_starts[band], band_starts[band + 1]
        if begin == end:
            continue
        for part in range(2):
            # The part below, and what lies beyond 0 or 360.
            low, high = ra_deg - width, ra_deg + width
            if width >= 180.0:
                if part == 1:
                    continue
                low, high = -1.0, 361.0
            elif part == 1:
                if low < 0.0:
                    low, high = low + 360.0, 361.0
                elif high > 360.0:
                    low, high = -1.0, high - 360.0
                else:
                    continue
            i = begin + np.searchsorted(ra[begin:end], low)
            while i < end and ra[i] <= high:
                x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
                depth = x * cx + y * cy + z * cz
                if ground.is_square:
                    limit = half_tan * depth
                    is_in = depth > 0.0 and abs(x * ex + y * ey) <= limit and abs(x * nx + y * ny + z * nz) <= limit
                else:
                    is_in = depth >= cos_reach
                if is_in and n < len(out):
                    out[n] = i
                    n += 1
                i += 1
    return n


@compiled
def members(places: NDArray[np.float64], ground: Ground) -> Offers:
    """Return candidates with the cells that each holds."""
    prob = ground.prob
    m = len(places)
    found = np.empty(len(prob), np.int64)
    starts = np.zeros(m + 1, np.int64)
    cells = np.empty(1024, np.int64)
    total = np.zeros(m)
    for k in range(m):
        n = inside(places[k, 0], places[k, 1], ground, found)
        at = starts[k]
        if at + n > len(cells):
            larger = np.empty(max(2 * len(cells), at + n), np.int64)
            larger[:at] = cells[:at]
            cells = larger
        value = 0.0
        for j in range(n):
            cells[at + j] = found[j]
            value += prob[found[j]]
        starts[k + 1] = at + n
        total[k] = value
    return Offers(places, starts, cells[: starts[m]], total)


@compiled
def _row(  # noqa: PLR0917 - the state of `best_rows`
    values: NDArray[np.float64], step: int, price: float, begin: int, out: NDArray[np.int64], n: int
) -> int:
    """Write the best places of a strip behind the first `n` of `out`, the last one first; return how many there are then."""
    m = len(values)
    best = np.zeros(m + 1)
    taken = np.zeros(m + 1, np.bool_)
    for i in range(1, m + 1):
        best[i] = best[i - 1]
        value = best[max(0, i - step)] + values[i - 1] - price
        if value > best[i]:
            best[i] = value
            taken[i] = True
    i = m
    while i > 0:
        if taken[i]:
            out[n] = begin + i - 1
            n += 1
            i = max(0, i - step)
        else:
            i -= 1
    return n


@compiled
def best_rows(values: NDArray[np.float64], starts: NDArray[np.int64], step: int, n: int, bisections: int) -> NDArray[np.int64]:
    """Return which places of all strips to take, about `n`: at least `step` apart within a strip, with the largest sum.

    For a price per place the best choice of each strip is found by dynamic programming; the price is the one at which `n`
    places are worth it (Lagrange), found by bisection.

    Parameters
    ----------
    values
        Value of each place, one strip after the other, all places of a strip present.
    starts
        First place of each strip, and one past the last.
    """
    low, high = 0.0, 0.0
    if len(values):
        high = values.max()
    out = np.empty(len(values), np.int64)
    count = 0
    for turn in range(bisections + 1):
        price = low if turn == bisections else (low + high) / 2.0
        count = 0
        for strip in range(len(starts) - 1):
            begin, end = starts[strip], starts[strip + 1]
            count = _row(values[begin:end], step, price, begin, out, count)
        if turn < bisections:
            if count >= n:
                low = price
            else:
                high = price
    return out[:count]


@compiled
def _seat(new: int, sees: NDArray[np.bool_], slot_of: NDArray[np.int64], holder: NDArray[np.int64]) -> bool:
    """Give a candidate a slot, moving others to other slots that they may have; return whether that is possible.

    `slot_of` is by candidate, `holder` by slot; both -1 where there is none. An augmenting path of bipartite matching.
    """
    n_slots = sees.shape[1]
    came_from = np.full(n_slots, -1, np.int64)
    queue = np.empty(n_slots + 1, np.int64)
    queue[0] = new
    head, tail = 0, 1
    while head < tail:
        one = queue[head]
        head += 1
        for slot in range(n_slots):
            if not sees[one, slot] or came_from[slot] != -1:
                continue
            came_from[slot] = one
            if holder[slot] == -1:
                while True:
                    owner = came_from[slot]
                    former = slot_of[owner]
                    holder[slot] = owner
                    slot_of[owner] = slot
                    if owner == new:
                        return True
                    slot = former  # noqa: PLW2901 - back along the path
            queue[tail] = holder[slot]
            tail += 1
    return False


@compiled
def greedy(
    n: int, offers: Offers, value: NDArray[np.float64], prob: NDArray[np.float64], sees: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return candidates in the order in which each adds most to the union, and the slot of each; slots -1 where there are none.

    Parameters
    ----------
    n
        How many at most.
    offers, value
        Candidates, and the probability of each; 0 for those that must not be taken.
    prob
        Of each cell.
    sees
        For each candidate and slot whether it can be observed then, shape ``(m, n_slots)``; no slots: always.
    """
    starts, cells = offers.starts, offers.cells
    m = len(value)
    has_slots = sees.shape[1] > 0
    slot_of = np.full(m, -1, np.int64)
    holder = np.full(sees.shape[1], -1, np.int64)
    gain = value.copy()
    is_fresh = np.ones(m, np.bool_)
    covered = np.zeros(len(prob), np.bool_)
    chosen = np.empty(n, np.int64)
    count = 0
    while count < n:
        k = int(np.argmax(gain))
        if gain[k] <= _TINY:
            break
        if not is_fresh[k]:
            rest = 0.0
            for j in range(starts[k], starts[k + 1]):
                if not covered[cells[j]]:
                    rest += prob[cells[j]]
            gain[k] = rest
            is_fresh[k] = True
            continue
        # What could not be seated beside those that were chosen never can be: sets that can be seated are a matroid.
        if has_slots and not _seat(k, sees, slot_of, holder):
            gain[k] = 0.0
            continue
        for j in range(starts[k], starts[k + 1]):
            covered[cells[j]] = True
        chosen[count] = k
        count += 1
        gain[k] = 0.0
        is_fresh[:] = False
    return chosen[:count], slot_of[chosen[:count]]


@compiled
def _is_up(ra_deg: float, dec_deg: float, slot: int, sight: Sight) -> bool:
    """Return whether a place is high enough and far enough from the Moon at the begin and end of a slot."""
    r, d = np.radians(ra_deg), np.radians(dec_deg)
    x, y, z = np.cos(d) * np.cos(r), np.cos(d) * np.sin(r), np.sin(d)
    zenith, moon = sight.zenith, sight.moon
    for end in range(2):
        up = zenith[slot, end, 0] * x + zenith[slot, end, 1] * y + zenith[slot, end, 2] * z
        near = moon[slot, end, 0] * x + moon[slot, end, 1] * y + moon[slot, end, 2] * z
        if up < sight.least or near > sight.most:
            return False
    return True


@compiled
def _exchange(  # noqa: C901, PLR0917 - the state of `refine`
    places: NDArray[np.float64],
    slots: NDArray[np.int64],
    offers: Offers,
    ground: Ground,
    sight: Sight,
    times: NDArray[np.int32],
    own: NDArray[np.int64],
) -> float:
    """Put pointings that add least where an offered place adds more, in place, while there are such; return the gain.

    `times` says how many pointings hold each cell, and is kept right; `own` is room for the cells of one.
    """
    prob = ground.prob
    offered, offered_starts, offered_cells = offers.places, offers.starts, offers.cells
    k, m = len(places), len(offered)
    adds = np.empty(k)
    for i in range(k):
        n = inside(places[i, 0], places[i, 1], ground, own)
        adds[i] = 0.0
        for j in range(n):
            if times[own[j]] == 1:
                adds[i] += prob[own[j]]
    free = offers.total.copy()
    gained = 0.0
    for i in np.argsort(adds):
        best, chosen = adds[i] * 1.000001 + _TINY, -1
        for c in range(m):
            if free[c] <= best:
                continue
            value = 0.0
            for j in range(offered_starts[c], offered_starts[c + 1]):
                if times[offered_cells[j]] == 0:
                    value += prob[offered_cells[j]]
            free[c] = value  # what lies free only becomes less while pointings are exchanged, but for what is given up
            if value > best and (slots[i] < 0 or _is_up(offered[c, 0], offered[c, 1], slots[i], sight)):
                best, chosen = value, c
        if chosen < 0:
            continue
        gained += best - adds[i]
        n = inside(places[i, 0], places[i, 1], ground, own)
        for j in range(n):
            times[own[j]] -= 1
        places[i, 0], places[i, 1] = offered[chosen, 0], offered[chosen, 1]
        for j in range(offered_starts[chosen], offered_starts[chosen + 1]):
            times[offered_cells[j]] += 1
    return gained


@compiled
def refine(  # noqa: C901, PLR0912, PLR0917 - one loop over turns, pointings and directions
    places: NDArray[np.float64],
    slots: NDArray[np.int64],
    offers: Offers,
    ground: Ground,
    sight: Sight,
    fov_deg: float,
    rounds: int,
) -> float:
    """Move pointings, in place, while the union gains: a little in eight directions, or to a place that is offered.

    Parameters
    ----------
    places, slots
        Pointings ``(k, 2)`` in degrees, and the slot that each keeps; -1 for always.
    offers, ground, sight
        Candidates; field and cells; when places can be observed.
    fov_deg
        Width of the field.
    rounds
        How often each pointing is tried at most.

    Returns
    -------
    float
        Probability of the union, of these cells.
    """
    k = len(places)
    prob = ground.prob
    times = np.zeros(len(prob), np.int32)
    own = np.empty(len(prob), np.int64)
    found = np.empty(len(prob), np.int64)
    for i in range(k):
        n = inside(places[i, 0], places[i, 1], ground, own)
        for j in range(n):
            times[own[j]] += 1
    for turn in range(rounds):
        step = fov_deg / (4.0 * 2.0 ** min(turn, 4))
        gained = 0.0
        if turn % 3 == 1:
            gained += _exchange(places, slots, offers, ground, sight, times, own)
        for i in range(k):
            n = inside(places[i, 0], places[i, 1], ground, own)
            base = 0.0
            for j in range(n):
                times[own[j]] -= 1
                if times[own[j]] == 0:
                    base += prob[own[j]]
            best, best_ra, best_dec = base + _TINY, places[i, 0], places[i, 1]
            for direction in range(8):
                angle = direction * np.pi / 4.0
                dec = places[i, 1] + step * np.sin(angle)
                if abs(dec) > 90.0:
                    continue
                along = places[i, 0] + step * np.cos(angle) / max(np.cos(np.radians(dec)), 1e-3)
                along %= 360.0
                if slots[i] >= 0 and not _is_up(along, dec, slots[i], sight):
                    continue
                m = inside(along, dec, ground, found)
                value = 0.0
                for j in range(m):
                    if times[found[j]] == 0:
                        value += prob[found[j]]
                if value > best:
                    best, best_ra, best_dec = value, along, dec
            gained += max(0.0, best - base - _TINY)
            places[i, 0], places[i, 1] = best_ra, best_dec
            n = inside(best_ra, best_dec, ground, own)
            for j in range(n):
                times[own[j]] += 1
        if gained < 1e-5 and turn >= 4:
            break
    total = 0.0
    for i in range(len(prob)):
        if times[i] > 0:
            total += prob[i]
    return total
