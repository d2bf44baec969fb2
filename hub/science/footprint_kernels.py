"""Compiled loops of `hub.archive.visits`: groups of alerts to counts, medians and convex hulls.

Imported where they are called and not before: compilation is cached on the disk, but even loading takes half a second.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hub.science.compiled import compiled

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

_FLATTEST = 0.1
"""Least cosine between the middle of a group and any of its positions: nearly a hemisphere."""


@compiled
def order_by_group(codes: Int64s, n_groups: int) -> tuple[Int64s, Int64s]:
    """Return the rows ordered by group, ties in their order, and where each group begins: a counting sort."""
    first = np.zeros(n_groups + 1, dtype=np.int64)
    for code in codes:
        first[code + 1] += 1
    for group in range(n_groups):
        first[group + 1] += first[group]
    place = first[:-1].copy()
    order = np.empty(len(codes), dtype=np.int64)
    for row in range(len(codes)):
        code = codes[row]
        order[place[code]] = row
        place[code] += 1
    return order, first


@compiled
def _before(  # noqa: PLR0917 - compiled functions take their arguments by place
    a: int, b: int, source_id: Int64s, mid: Int64s, err: Floats, ra: Floats, dec: Floats
) -> bool:
    """Return whether row a comes before row b: by id, and of repeats of one id by what they say, so that no order matters."""
    if source_id[a] != source_id[b]:
        return bool(source_id[a] < source_id[b])
    if mid[a] != mid[b]:
        return bool(mid[a] < mid[b])
    if ra[a] != ra[b]:
        return bool(ra[a] < ra[b])
    if dec[a] != dec[b]:
        return bool(dec[a] < dec[b])
    # A missing error comes last: the repeat that states one is taken.
    if math.isnan(err[a]) or math.isnan(err[b]):
        return bool(not math.isnan(err[a]))
    return bool(err[a] < err[b])


@compiled
def _sort_rows(  # noqa: PLR0917 - as above
    rows: Int64s, source_id: Int64s, mid: Int64s, err: Floats, ra: Floats, dec: Floats
) -> None:
    """Sort the rows of one group by `_before` (heap sort: numba takes ten seconds to compile numpy's own sorts)."""
    n = len(rows)
    for start in range(n // 2 - 1 + n - 1, -1, -1):
        # First the heap is built from the middle down, then the greatest is taken off again and again.
        if start >= n - 1:
            root, end = start - (n - 1), n
        else:
            root, end = 0, start + 1
            rows[0], rows[end] = rows[end], rows[0]
        while 2 * root + 1 < end:
            child = 2 * root + 1
            if child + 1 < end and _before(rows[child], rows[child + 1], source_id, mid, err, ra, dec):
                child += 1
            if not _before(rows[root], rows[child], source_id, mid, err, ra, dec):
                break
            rows[root], rows[child] = rows[child], rows[root]
            root = child


@compiled
def _sort_places(index: Int64s, px: Floats, py: Floats) -> None:
    """Sort places by the first coordinate, then by the second, as `_sort_rows` does."""
    n = len(index)
    for start in range(n // 2 - 1 + n - 1, -1, -1):
        if start >= n - 1:
            root, end = start - (n - 1), n
        else:
            root, end = 0, start + 1
            index[0], index[end] = index[end], index[0]
        while 2 * root + 1 < end:
            child = 2 * root + 1
            if child + 1 < end:
                a, b = index[child], index[child + 1]
                if px[a] < px[b] or (px[a] == px[b] and py[a] < py[b]):
                    child += 1
            a, b = index[root], index[child]
            if not (px[a] < px[b] or (px[a] == px[b] and py[a] < py[b])):
                break
            index[root], index[child] = b, a
            root = child


@compiled
def _turn(px: Floats, py: Floats, a: int, b: int, c: int) -> float:
    """Return twice the area of a triangle, positive where it is counter-clockwise."""
    return float((px[b] - px[a]) * (py[c] - py[a]) - (py[b] - py[a]) * (px[c] - px[a]))


@compiled
def _hull(px: Floats, py: Floats, order: Int64s, hull: Int64s) -> int:
    """Fill in the convex hull of plane points, counter-clockwise, and return how many corners it has (Andrew 1979)."""
    n = len(order)
    size = 0
    for k in range(n):
        point = order[k]
        while size >= 2 and _turn(px, py, hull[size - 2], hull[size - 1], point) <= 0.0:
            size -= 1
        hull[size] = point
        size += 1
    lower = size + 1
    for k in range(n - 2, -1, -1):
        point = order[k]
        while size >= lower and _turn(px, py, hull[size - 2], hull[size - 1], point) <= 0.0:
            size -= 1
        hull[size] = point
        size += 1
    return size - 1


@compiled
def _distinct(rows: Int64s, source_id: Int64s) -> Int64s:
    """Return the first of each run of rows with one id."""
    n = 0
    kept = rows.copy()
    for k in range(len(rows)):
        if k == 0 or source_id[rows[k]] != source_id[rows[k - 1]]:
            kept[n] = rows[k]
            n += 1
    return kept[:n]


@compiled
def _median_error(rows: Int64s, err: Floats) -> float:
    """Return the median of the errors that are positive and finite, NaN where none is."""
    good = np.empty(len(rows))
    n = 0
    for row in rows:
        if err[row] > 0.0 and err[row] < math.inf:
            good[n] = err[row]
            n += 1
    if n == 0:
        return math.nan
    index = np.arange(n)
    _sort_places(index, good, good)
    return float(0.5 * (good[index[(n - 1) // 2]] + good[index[n // 2]]))


@compiled
def _middle_time(rows: Int64s, mid: Int64s) -> int:
    """Return the lower median of the times, which mostly are all one."""
    times = np.empty(len(rows))
    for k in range(len(rows)):
        times[k] = mid[rows[k]] - mid[rows[0]]  # differences of a night are exact
    index = np.arange(len(rows))
    _sort_places(index, times, times)
    return int(mid[rows[index[(len(rows) - 1) // 2]]])


@compiled
def _vectors(rows: Int64s, ra: Floats, dec: Floats, found: Floats) -> None:
    """Fill in the unit vectors of rows, shape ``(n, 3)``."""
    for k in range(len(rows)):
        a, d = math.radians(ra[rows[k]]), math.radians(dec[rows[k]])
        found[k, 0], found[k, 1], found[k, 2] = math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)


@compiled
def _middle(vectors: Floats, middle: Floats) -> None:
    """Fill in the direction of the sum of vectors; of the first where they cancel, being spread over the whole sky."""
    x = y = z = 0.0
    for k in range(len(vectors)):
        x += vectors[k, 0]
        y += vectors[k, 1]
        z += vectors[k, 2]
    length = math.sqrt(x * x + y * y + z * z)
    if length > 1e-6 * len(vectors):
        middle[0], middle[1], middle[2] = x / length, y / length, z / length
    else:
        middle[0], middle[1], middle[2] = vectors[0, 0], vectors[0, 1], vectors[0, 2]


@compiled
def _project(vectors: Floats, middle: Floats, px: Floats, py: Floats) -> bool:
    """Fill in places in the plane that touches the sphere in the middle: great circles are straight lines in it.

    Returns False where a vector lies too far away for that.
    """
    cx, cy, cz = middle[0], middle[1], middle[2]
    away = math.sqrt(cx * cx + cy * cy)
    ex, ey = 0.0, 1.0  # at a pole any direction is east
    if away > 1e-9:
        ex, ey = -cy / away, cx / away
    nx, ny, nz = -cz * ey, cz * ex, cx * ey - cy * ex
    for k in range(len(vectors)):
        x, y, z = vectors[k, 0], vectors[k, 1], vectors[k, 2]
        depth = x * cx + y * cy + z * cz
        if depth < _FLATTEST:
            return False
        px[k] = (x * ex + y * ey) / depth
        py[k] = (x * nx + y * ny + z * nz) / depth
    return True


@compiled
def _hull_of(vectors: Floats, middle: Floats, min_area_sr: float) -> Int64s:
    """Return which vectors are the corners of the hull, counter-clockwise; none where there is no hull."""
    n = len(vectors)
    nothing = np.empty(0, dtype=np.int64)
    px, py = np.empty(n), np.empty(n)
    if n < 3 or not _project(vectors, middle, px, py):
        return nothing
    ascending = np.arange(n)
    _sort_places(ascending, px, py)
    hull = np.empty(2 * n + 2, dtype=np.int64)
    size = _hull(px, py, ascending, hull)
    area = 0.0
    for k in range(size):
        here, following = hull[k], hull[(k + 1) % size]
        area += 0.5 * (px[here] * py[following] - px[following] * py[here])
    return hull[:size] if size >= 3 and area >= min_area_sr else nothing


@compiled
def summarise_groups(  # noqa: PLR0917 - compiled functions take their arguments by place
    order: Int64s, first: Int64s, source_id: Int64s, mid: Int64s, err: Floats, ra: Floats, dec: Floats, min_area_sr: float
) -> tuple[Int64s, Int64s, Floats, Floats, Int64s, Int64s]:
    """Return what each group of rows says, each id once.

    Returns
    -------
    tuple
        Of each group: alerts, lower median of the times, median error (NaN without one), unit vector of the middle of its
        positions ``(n, 3)``; then the first corner of each hull ``(n + 1,)`` and the rows that are corners. A group has none
        where its positions are fewer than three, all on a line or in a spot, or spread over a hemisphere.
    """
    n_groups = len(first) - 1
    n_alerts = np.zeros(n_groups, dtype=np.int64)
    middle_time = np.zeros(n_groups, dtype=np.int64)
    median_error = np.empty(n_groups)
    middle = np.zeros((n_groups, 3))
    corner_first = np.zeros(n_groups + 1, dtype=np.int64)
    corners = np.empty(max(64, 16 * n_groups), dtype=np.int64)
    for group in range(n_groups):
        rows = order[first[group] : first[group + 1]].copy()
        _sort_rows(rows, source_id, mid, err, ra, dec)
        rows = _distinct(rows, source_id)
        n_alerts[group] = len(rows)
        middle_time[group] = _middle_time(rows, mid)
        median_error[group] = _median_error(rows, err)
        vectors = np.empty((len(rows), 3))
        _vectors(rows, ra, dec, vectors)
        _middle(vectors, middle[group])
        hull = _hull_of(vectors, middle[group], min_area_sr)
        begin = corner_first[group]
        end = begin + len(hull)
        if end > len(corners):
            grown = np.empty(2 * end, dtype=np.int64)
            for k in range(begin):
                grown[k] = corners[k]
            corners = grown
        for k in range(len(hull)):
            corners[begin + k] = rows[hull[k]]
        corner_first[group + 1] = end
    return n_alerts, middle_time, median_error, middle, corner_first, corners[: corner_first[n_groups]].copy()
