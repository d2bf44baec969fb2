"""Where a unified notice says its event lies."""

import math

from adapters.codecs.json_fields import Fields, finite
from hub.errors import DecodeError
from hub.model.sky import Circle, Ellipse, Polygon, Region, StatedPosition, normalise_ra

DEFAULT_CONTAINMENT = 0.9
"""Probability inside a stated error region where the notice does not say (gcn-schema core/Localization)."""

_MAX_WORDS = 20
"""So much is kept of a containment that is no number."""

MAX_RADIUS_DEG = 180.0
"""Larger radii cover the whole sky and say nothing."""


def stated_position(fields: Fields) -> StatedPosition | None:
    """Return the position of a message, None where it states none.

    Right ascension is brought to [0, 360). Exactly 0,0 without an error is how several missions write "no position", and a box by
    its corners alone (MAXI) has its centre computed.

    Raises
    ------
    DecodeError
        Right ascension or declination is there without the other, is no finite number or outside its range.
    """
    containment = fields.peek("containment_probability")
    systematic = fields.flag("systematic_included")
    ra, dec = fields.demand_number("ra"), fields.demand_number("dec")
    region = _box(fields) or _error(fields)
    if ra is None and dec is None:
        if not isinstance(region, Polygon):
            return None
        ra, dec = _centre(region)
    if ra is None or dec is None:
        raise DecodeError(f"the position has no {'ra' if ra is None else 'dec'}")
    check_range(ra, dec)
    if ra == 0.0 and dec == 0.0 and region is None:
        return None
    if region is None:
        return StatedPosition(ra_deg=normalise_ra(ra), dec_deg=dec, systematic_included=systematic)
    return StatedPosition(
        ra_deg=normalise_ra(ra),
        dec_deg=dec,
        region=region,
        containment=DEFAULT_CONTAINMENT if containment is None else _containment(fields),
        systematic_included=systematic,
    )


def check_range(ra: float, dec: float) -> None:
    """Refuse a position that is none.

    Raises
    ------
    DecodeError
        The declination is outside [-90, 90], or the right ascension further than a turn from [0, 360).
    """
    if not -90.0 <= dec <= 90.0:
        raise DecodeError(f"the declination {dec:g} deg is outside -90 to 90")
    if not -360.0 <= ra <= 720.0:
        raise DecodeError(f"the right ascension {ra:g} deg is outside 0 to 360")


def odd_containment(fields: Fields) -> dict[str, float | str]:
    """Return a stated containment that is no probability as the property ``odd_containment``; else nothing.

    A percentage, say, as its number; what JSON has no number for (NaN, infinity, a text) in words.
    """
    stated = fields.peek("containment_probability")
    value = finite(stated)
    if stated is None or (value is not None and 0.0 < value < 1.0):
        return {}
    if value is None:
        return {"odd_containment": str(stated)[:_MAX_WORDS]}
    fields.number("containment_probability")
    return {"odd_containment": value}


def _containment(fields: Fields) -> float | None:
    """Return the stated containment, None where it is no probability that a region can have."""
    value = finite(fields.peek("containment_probability"))
    return fields.number("containment_probability") if value is not None and 0.0 < value < 1.0 else None


def _error(fields: Fields) -> Region | None:
    """Return the region of ``ra_dec_error``, or of ``ra_uncertainty`` in messages of the schema's first year, degrees."""
    for name in ("ra_dec_error", "ra_uncertainty"):
        values = fields.numbers(name)
        if values:
            return _circle_or_ellipse(*values[:3])
    return None


def _circle_or_ellipse(major: float, minor: float | None = None, angle: float = 0.0) -> Region | None:
    minor = major if minor is None else minor
    if not (0.0 < major <= MAX_RADIUS_DEG and 0.0 < minor <= MAX_RADIUS_DEG):
        return None
    if major == minor:
        return Circle(radius_deg=major)
    if minor > major:  # seen in CHIME notices: the same ellipse, axes named the other way
        major, minor, angle = minor, major, angle + 90.0
    return Ellipse(semi_major_deg=major, semi_minor_deg=minor, position_angle_deg=angle % 180.0)


def _box(fields: Fields) -> Polygon | None:
    """Return the box of MAXI's ``rectangular_error_corners``."""
    corners = fields.peek("rectangular_error_corners")
    if not isinstance(corners, list) or not 3 <= len(corners) <= 16:
        return None
    points: list[tuple[float, float]] = []
    for corner in corners:
        if not isinstance(corner, list) or len(corner) != 2:
            return None
        ra, dec = finite(corner[0]), finite(corner[1])
        if ra is None or dec is None:
            return None
        check_range(ra, dec)
        points.append((normalise_ra(ra), dec))
    fields.take("rectangular_error_corners")
    return Polygon(corners=tuple(points))


def _centre(box: Polygon) -> tuple[float, float]:
    """Return the direction of the mean of the corners' unit vectors, degrees."""
    x = y = z = 0.0
    for ra, dec in box.corners:
        x += math.cos(math.radians(dec)) * math.cos(math.radians(ra))
        y += math.cos(math.radians(dec)) * math.sin(math.radians(ra))
        z += math.sin(math.radians(dec))
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))
