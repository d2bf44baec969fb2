"""Compiled descent through the HEALPix tree for `hub.science.footprint_share`; imported where it is called and not before."""

import math

import numpy as np

from hub.science.compiled import compiled
from hub.science.footprint_kernels import Floats, Int64s

_ROW = np.array([2.0, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])
"""Distance of the southern corner of each base pixel from the north pole, in units in which the poles are 4 apart."""

_COLUMN = np.array([1.0, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])
"""Right ascension of the same corner, in units of 45 degrees."""

_SLACK = 1e-12
"""Added to the radius of a cell against rounding, radians; also how far outside an edge still counts as inside."""


@compiled
def _cell_centre(face: int, x: float, y: float, centre: Floats) -> None:
    """Fill in the unit vector of a place in a base pixel (Gorski et al. 2005, ApJ 622, 759, section 5.2), x and y in [0, 1]."""
    below = _ROW[face] - x - y
    column = _COLUMN[face]
    if below < 1.0 or below > 3.0:
        ring = below if below < 1.0 else 4.0 - below
        lost = ring * ring / 3.0
        away = math.sqrt(lost * (2.0 - lost))
        ra = 0.25 * math.pi * (column + (x - y) / ring)
        centre[2] = 1.0 - lost if below < 1.0 else lost - 1.0
    else:
        z = (2.0 - below) * (2.0 / 3.0)
        away = math.sqrt((1.0 - z) * (1.0 + z))
        ra = 0.25 * math.pi * (column + x - y)
        centre[2] = z
    centre[0], centre[1] = away * math.cos(ra), away * math.sin(ra)


@compiled
def _cell_radii(deepest: int) -> Floats:
    """Return for each order a radius within which any pixel lies from its centre, radians: that of the largest one."""
    radii = np.empty(deepest + 1)
    for order in range(deepest + 1):
        nside = 1 << order
        # The corner of a pixel beside the pole and its centre are farthest apart (Reinecke & Hivon, healpix_base, max_pixrad).
        z_a, ra_a = 2.0 / 3.0, math.pi / (4 * nside)
        t = (1.0 - 1.0 / nside) ** 2
        z_b = 1.0 - t / 3.0
        s_a, s_b = math.sqrt(1.0 - z_a * z_a), math.sqrt(max(0.0, 1.0 - z_b * z_b))
        cross_x = s_a * math.sin(ra_a) * z_b
        cross_y = z_a * s_b - s_a * math.cos(ra_a) * z_b
        cross_z = -s_a * math.sin(ra_a) * s_b
        sine = math.sqrt(cross_x * cross_x + cross_y * cross_y + cross_z * cross_z)
        radii[order] = math.atan2(sine, s_a * math.cos(ra_a) * s_b + z_a * z_b) + _SLACK
    return radii


@compiled
def _depth_inside(polygon: int, first: Int64s, normals: Floats, centre: Floats) -> float:
    """Return the sine of how deep a position lies inside a polygon: the least over its edges, negative outside."""
    least = 2.0
    for edge in range(first[polygon], first[polygon + 1]):
        depth = normals[edge, 0] * centre[0] + normals[edge, 1] * centre[1] + normals[edge, 2] * centre[2]
        least = min(least, depth)
    return float(least)


@compiled
def _locate(values: Int64s, wanted: int, low: int, high: int) -> int:
    """Return the first place in [low, high) of a value that is not below the wanted one; high where there is none."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def first_searched(  # noqa: C901, PLR0912, PLR0915, PLR0917 - one loop over one stack; compiled functions take places
    lo: Int64s,
    hi: Int64s,
    probdensity: Floats,
    cumulative: Floats,
    pixel29_sr: float,
    first: Int64s,
    normals: Floats,
    centres: Floats,
    radii: Floats,
    tolerance: float,
    deepest: int,
) -> tuple[Floats, float]:
    """Return the probability that each polygon searches first, and how much was decided by the centres of cells.

    A cell of the tree is gone into until one polygon holds it whole and none before that one touches it, or none touches it, or
    it holds less than the tolerance.
    """
    n = len(centres)
    gain = np.zeros(n)
    decided = 0.0
    cell_radii = _cell_radii(deepest)
    arena = np.empty(4 * n + 64, dtype=np.int64)
    # Columns of the stack: face, x, y, order, begin and end of the candidates in the arena, begin and end of the map's pixels.
    stack = np.empty((12 + 4 * deepest, 8), dtype=np.int64)
    for k in range(n):
        arena[k] = k
    for face in range(12):
        stack[face, 0], stack[face, 1], stack[face, 2], stack[face, 3] = face, 0, 0, 0
        stack[face, 4], stack[face, 5], stack[face, 6], stack[face, 7] = 0, n, 0, len(lo)
    depth = 12
    centre = np.empty(3)
    while depth > 0:
        depth -= 1
        face, x, y, order = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
        begin, end = stack[depth, 4], stack[depth, 5]
        # The pixels of the map that lie in this cell, or the one that it lies in.
        ipix = face
        for bit in range(order - 1, -1, -1):
            ipix = 4 * ipix + 2 * ((y >> bit) & 1) + ((x >> bit) & 1)
        shift = 2 * (29 - order)
        cell_lo, cell_hi = ipix << shift, (ipix + 1) << shift
        a = _locate(lo, cell_lo, stack[depth, 6], stack[depth, 7])
        b = _locate(lo, cell_hi, a, stack[depth, 7])
        if a > 0 and hi[a - 1] > cell_lo:
            a -= 1
            b = a + 1
        if a < b and (lo[a] < cell_lo or hi[a] > cell_hi):
            probability = probdensity[a] * pixel29_sr * float(cell_hi - cell_lo)
        else:
            probability = cumulative[b] - cumulative[a]
        if probability <= 0.0:
            continue
        scale = 1.0 / (1 << order)
        _cell_centre(face, (x + 0.5) * scale, (y + 0.5) * scale, centre)
        radius = cell_radii[order]
        sine, cosine = math.sin(radius), math.cos(radius)
        top = end
        if top + (end - begin) > len(arena):
            grown = np.empty(2 * (top + end - begin), dtype=np.int64)
            for k in range(top):
                grown[k] = arena[k]
            arena = grown
        whole = False
        for k in range(begin, end):
            polygon = arena[k]
            reach = radius + radii[polygon]
            if reach < math.pi:
                near = centres[polygon, 0] * centre[0] + centres[polygon, 1] * centre[1] + centres[polygon, 2] * centre[2]
                if near < math.cos(reach):
                    continue
            inside = _depth_inside(polygon, first, normals, centre)
            # With a radius below 90 degrees a cap lies in a half-sphere where its middle is deeper in than the radius.
            if order > 1 and inside < -sine:
                continue
            arena[top] = polygon
            top += 1
            if order > 1 and inside >= sine and cosine > 0.0:
                whole = True
                break
        if top == end:
            continue
        if whole and top == end + 1:
            gain[arena[end]] += probability
            continue
        if probability <= tolerance or order >= deepest:
            decided += probability
            for k in range(end, top):
                if _depth_inside(arena[k], first, normals, centre) >= -_SLACK:
                    gain[arena[k]] += probability
                    break
            continue
        for child in range(4):
            stack[depth, 0] = face
            stack[depth, 1] = 2 * x + (child & 1)
            stack[depth, 2] = 2 * y + (child >> 1)
            stack[depth, 3] = order + 1
            stack[depth, 4], stack[depth, 5] = end, top
            stack[depth, 6], stack[depth, 7] = a, b
            depth += 1
    return gain, decided
