"""Observatories, and when each sees a place: bodies for the API."""

import math
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from hub.errors import InvalidRequest, NotFound
from hub.model.instant import Instant
from hub.science.planning.visible import MAX_SPAN_S, Windows, why_never, windows
from hub.science.sites import Constraints, Site

DAY_S = 86_400.0
"""Span that is looked at where nobody says another, seconds: it holds one night of every site."""

MEDIA_TYPE = "application/x-votable+xml"
"""Of a VOTable (VOTable 1.4, section 8)."""

_FIELDS = (
    ("t_start", "time.start", "Char.TimeAxis.Coverage.Bounds.Limits.StartTime", "d", "Begin, modified Julian date, UTC"),
    ("t_stop", "time.end", "Char.TimeAxis.Coverage.Bounds.Limits.StopTime", "d", "End, modified Julian date, UTC"),
    ("t_visibility", "time.duration", "Char.TimeAxis.Coverage.Support.Extent", "s", "Length"),
)
"""Name, UCD, utype, unit and meaning of the columns that the IVOA's draft of ObjVisSAP demands under "Standard output fields"."""


def facility_id(site: Site) -> str:
    """Return the name of a site as it stands in an address."""
    return site.name.casefold().replace(" ", "-")


def find(sites: Sequence[Site], name: str) -> Site:
    """Return the site of an id or a name, in any case.

    Raises
    ------
    NotFound
        There is none.
    """
    wanted = name.casefold().replace(" ", "-")
    for site in sites:
        if facility_id(site) == wanted:
            return site
    raise NotFound(f"there is no facility {name!r}; known: {', '.join(facility_id(site) for site in sites)}")


def body(site: Site) -> dict[str, Any]:
    """Return a site for a program."""
    return {
        "facility_id": facility_id(site),
        "name": site.name,
        "lon_deg": site.lon_deg,
        "lat_deg": site.lat_deg,
        "height_m": site.height_m,
        "source": site.source,
    }


def span(start: Instant, end: Instant | None) -> tuple[Instant, Instant]:
    """Return the span that is looked at, a day where it has no end.

    Raises
    ------
    InvalidRequest
        It ends before it begins, or is too long.
    """
    until = end or start.plus_s(DAY_S)
    if not 0.0 < until.minus(start) <= MAX_SPAN_S:
        most = MAX_SPAN_S / DAY_S
        raise InvalidRequest(
            f"the end must lie after the start, {start.to_utc_iso()}, and within {most:.0f} days of it", field="end"
        )
    return start, until


def visibility(  # noqa: PLR0917 - where, what, when and how, in the order one says them
    site: Site, ra_deg: float, dec_deg: float, start: Instant, end: Instant, constraints: Constraints
) -> dict[str, Any]:
    """Return when a site sees a place in a span, and why not where it never does."""
    found = _windows(site, ra_deg, dec_deg, start, end, constraints)
    length_s = found.ends_s - found.starts_s
    return {
        "facility_id": facility_id(site),
        "ra_deg": ra_deg,
        "dec_deg": dec_deg,
        "start": start,
        "end": end,
        "max_airmass": constraints.max_airmass,
        "min_moon_separation_deg": constraints.min_moon_separation_deg,
        "max_sun_altitude_deg": constraints.max_sun_altitude_deg,
        "windows": [
            {"start": start.plus_s(a), "end": start.plus_s(b), "duration_s": b - a, "best_airmass": best}
            for a, b, best in zip(found.starts_s.tolist(), found.ends_s.tolist(), found.best_airmass.tolist(), strict=True)
        ],
        "observable_s": float(length_s.sum()),
        "reason": None if len(found) else why_never(ra_deg, dec_deg, site, start, end, constraints),
    }


def read_pos(text: str) -> tuple[float, float]:
    """Return right ascension and declination, degrees, of ``ra,dec``.

    Raises
    ------
    InvalidRequest
        It is no place.
    """
    try:
        ra_deg, dec_deg = (float(part) for part in text.split(","))
    except ValueError:
        raise InvalidRequest(f"POS is right ascension, a comma and declination in degrees, not {text!r}", field="POS") from None
    if not (0.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0):
        raise InvalidRequest(f"POS has a right ascension of 0 to 360 and a declination of -90 to 90, not {text!r}", field="POS")
    return ra_deg % 360.0, dec_deg


def read_time(text: str | None, now: Instant) -> tuple[Instant, Instant]:
    """Return the span of ``t_min/t_max`` in modified Julian dates, UTC; either may be empty: now, and a day later.

    Raises
    ------
    InvalidRequest
        It is none.
    """
    try:
        low, high = (text or "/").split("/")
        start = _of_mjd(low) if low else now
        end = _of_mjd(high) if high else None
    except ValueError:
        raise InvalidRequest(
            f"TIME is two modified Julian dates and a slash between, 60744.8/60745.8, not {text!r}", field="TIME"
        ) from None
    try:
        return span(start, end)
    except InvalidRequest as error:
        raise InvalidRequest(str(error), field="TIME") from None


def votable(  # noqa: PLR0917 - as `visibility`, and what is asked of the answer
    site: Site,
    ra_deg: float,
    dec_deg: float,
    start: Instant,
    end: Instant,
    constraints: Constraints,
    min_vis_s: float = 0.0,
    max_rows: int | None = None,
) -> bytes:
    """Return the windows as a VOTable in the shape of the Object Visibility Simple Access Protocol."""
    found = _windows(site, ra_deg, dec_deg, start, end, constraints)
    kept = np.flatnonzero(found.ends_s - found.starts_s >= min_vis_s)
    is_cut = max_rows is not None and len(kept) > max_rows
    rows = []
    for row in kept[:max_rows].tolist():
        a, b = start.plus_s(float(found.starts_s[row])), start.plus_s(float(found.ends_s[row]))
        cells = (f"{a.mjd_utc:.8f}", f"{b.mjd_utc:.8f}", f"{b.minus(a):.3f}")
        rows.append("<TR>" + "".join(f"<TD>{cell}</TD>" for cell in cells) + "</TR>")
    fields = "".join(
        f'<FIELD name="{name}" ucd="{ucd}" utype="{utype}" unit="{unit}" datatype="double">'
        f"<DESCRIPTION>{meaning}</DESCRIPTION></FIELD>"
        for name, ucd, utype, unit, meaning in _FIELDS
    )
    overflow = '<INFO name="QUERY_STATUS" value="OVERFLOW"/>' if is_cut and max_rows else ""
    needs = (
        f"airmass <= {constraints.max_airmass:g}, Sun <= {constraints.max_sun_altitude_deg:g} deg,"
        f" Moon >= {constraints.min_moon_separation_deg:g} deg away"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"'
        ' xmlns:ovdm="http://www.ivoa.net/xml/ObjectVisibilityDM/ObjectVisibilityDM-v1.0.xsd">'
        '<RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/>'
        f'<INFO name="facility_name" value={quoteattr(site.name)}/>'
        f'<INFO name="constraints" value={quoteattr(needs)}/>'
        f'<PARAM ID="INPUT_POS" name="INPUT:POS" datatype="char" arraysize="*" value="{ra_deg!r},{dec_deg!r}"/>'
        f'<PARAM ID="INPUT_TIME" name="INPUT:TIME" datatype="char" arraysize="*" value="{start.mjd_utc:.8f}/{end.mjd_utc:.8f}"/>'
        f"<TABLE><DESCRIPTION>{escape(f'When {site.name} sees a place')}</DESCRIPTION>{fields}"
        f"<DATA><TABLEDATA>{''.join(rows)}</TABLEDATA></DATA></TABLE>{overflow}</RESOURCE></VOTABLE>\n"
    ).encode()


def _windows(  # noqa: PLR0917 - as `visibility`
    site: Site, ra_deg: float, dec_deg: float, start: Instant, end: Instant, constraints: Constraints
) -> Windows:
    return windows(np.array([ra_deg]), np.array([dec_deg]), [site], start, end, constraints)


def _of_mjd(text: str) -> Instant:
    mjd = float(text)
    if not (math.isfinite(mjd) and 41_317.0 <= mjd <= 200_000.0):  # UTC of today begins in 1972
        raise ValueError(text)
    return Instant.from_mjd_utc(mjd)
