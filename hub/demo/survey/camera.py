"""The focal plane: 189 detectors on 21 rafts with gaps between them (Ivezic et al. 2019, ApJ 873, 111, section 2.4)."""

import math

from hub.science.compiled import compiled

RAFT_DEG = 0.7056
"""Distance of neighbouring rafts: 127 mm at 20 arcsec a mm."""

DETECTOR_DEG = 0.2347
"""Distance of neighbouring detectors of a raft: 42.25 mm."""

ACTIVE_DEG = 0.2256
"""Side of the sensitive square: 4,060 pixels of 0.2 arcsec, between the two kinds of detector."""

PIXEL_DEG = 0.2 / 3600.0
"""Side of a pixel."""

N_DETECTORS = 189
"""Detectors that take images of the sky."""

RADIUS_DEG = 2.06
"""Farthest that a sensitive place lies from the middle of the field."""

AREA_DEG2 = N_DETECTORS * ACTIVE_DEG**2
"""Sensitive area, 9.6 square degrees."""

_RAFTS = 5
_HALF = _RAFTS / 2 * RAFT_DEG
_EDGE = (RAFT_DEG - 3 * DETECTOR_DEG) / 2


@compiled
def locate(east_deg: float, north_deg: float) -> tuple[int, float, float]:
    """Return detector and pixel of a place in the focal plane; detector -1 in a gap or outside."""
    raft_x, raft_y = math.floor((east_deg + _HALF) / RAFT_DEG), math.floor((north_deg + _HALF) / RAFT_DEG)
    if raft_x < 0 or raft_x > 4 or raft_y < 0 or raft_y > 4 or (raft_x in (0, 4) and raft_y in (0, 4)):
        return -1, 0.0, 0.0
    in_x, in_y = east_deg + _HALF - raft_x * RAFT_DEG - _EDGE, north_deg + _HALF - raft_y * RAFT_DEG - _EDGE
    column, row = math.floor(in_x / DETECTOR_DEG), math.floor(in_y / DETECTOR_DEG)
    if column < 0 or column > 2 or row < 0 or row > 2:
        return -1, 0.0, 0.0
    x, y = in_x - column * DETECTOR_DEG, in_y - row * DETECTOR_DEG
    if x >= ACTIVE_DEG or y >= ACTIVE_DEG:
        return -1, 0.0, 0.0
    raft = raft_y * _RAFTS + raft_x - 1 if raft_y == 0 else raft_y * _RAFTS + raft_x - (3 if raft_y == 4 else 2)
    return int(raft * 9 + row * 3 + column), x / PIXEL_DEG, y / PIXEL_DEG


@compiled
def middle_of(detector: int) -> tuple[float, float]:
    """Return where the middle of a detector lies in the focal plane, degrees."""
    raft = detector // 9
    place = raft + 1 if raft < 3 else (raft + 3 if raft >= 18 else raft + 2)
    raft_y, raft_x = place // _RAFTS, place % _RAFTS
    row, column = detector % 9 // 3, detector % 3
    half = ACTIVE_DEG / 2 - _HALF + _EDGE
    return raft_x * RAFT_DEG + column * DETECTOR_DEG + half, raft_y * RAFT_DEG + row * DETECTOR_DEG + half
