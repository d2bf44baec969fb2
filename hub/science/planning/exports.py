"""A plan in the formats of others: DS9 regions, MOC, calendar, CSV."""

import csv
import hashlib
import io
from collections.abc import Sequence

import numpy as np

from hub.model.pixel29 import MAX_ORDER
from hub.science.healpix import merge, order_of_ranges, pixels_of_ranges
from hub.science.planning.fields import Field, Shape
from hub.science.planning.planner import Pointing
from hub.science.planning.scoring import order_for, pixels_of

COLUMNS = ("ra_deg", "dec_deg", "start", "exposure_s", "prob", "cum_prob")
"""What each pointing says of itself, in this order."""

_CALENDAR_LINE = 74
"""Bytes of a line of a calendar before it is folded (RFC 5545, section 3.1)."""


def record(pointing: Pointing) -> dict[str, float | str]:
    """Return a pointing as JSON values by the names of `COLUMNS`."""
    return {
        "ra_deg": round(pointing.ra_deg, 7) % 360.0,
        "dec_deg": round(pointing.dec_deg, 7),
        "start": pointing.start.to_utc_iso(),
        "exposure_s": pointing.exposure_s,
        "prob": pointing.prob,
        "cum_prob": pointing.cum_prob,
    }


def to_csv(pointings: Sequence[Pointing]) -> str:
    """Return a table with a line of names."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(record(one) for one in pointings)
    return out.getvalue()


def to_regions(pointings: Sequence[Pointing], field: Field) -> str:
    """Return a region file of SAOImage DS9: the outline of each field, ICRS, labelled with its number."""
    lines = ["# Region file format: DS9", "icrs"]
    for number, one in enumerate(pointings, 1):
        if field.shape is Shape.CIRCLE:
            shape = f"circle({one.ra_deg:.6f},{one.dec_deg:.6f},{field.fov_deg / 2.0:.6f})"
        else:
            corners = ",".join(f"{value:.6f}" for value in field.corners(one.ra_deg, one.dec_deg).ravel())
            shape = f"polygon({corners})"
        lines.append(f"{shape} # text={{{number}}}")
    return "\n".join(lines) + "\n"


def to_moc(pointings: Sequence[Pointing], field: Field) -> dict[str, list[int]]:
    """Return the union of the fields as MOC 2.0 in JSON: pixels by order."""
    places = np.array([(one.ra_deg, one.dec_deg) for one in pointings]).reshape(-1, 2)
    order = order_for(field)
    shift = 2 * (MAX_ORDER - order)
    pixels = np.unique(pixels_of(field, places)[1])
    lo, hi = pixels_of_ranges(*merge(pixels << shift, (pixels + 1) << shift))
    orders = order_of_ranges(lo, hi)
    moc: dict[str, list[int]] = {}
    for one in np.unique(orders).tolist():
        is_one = orders == one
        moc[str(one)] = np.sort(lo[is_one] >> (2 * (MAX_ORDER - one))).tolist()
    moc.setdefault(str(order), [])  # the finest order is that of the resolution
    return moc


def to_calendar(pointings: Sequence[Pointing], title: str) -> str:
    """Return an iCalendar (RFC 5545) with one entry per pointing, in UTC."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//multimessenger hub//plan//EN", "CALSCALE:GREGORIAN"]
    for number, one in enumerate(pointings, 1):
        begin, end = one.start, one.start.plus_s(one.exposure_s)
        words = f"{title} {one.ra_deg:.5f} {one.dec_deg:.5f} {begin.to_utc_iso()}"
        lines += [
            "BEGIN:VEVENT",
            f"UID:{hashlib.sha256(words.encode()).hexdigest()[:32]}@multimessenger-hub",
            f"DTSTAMP:{_stamp(pointings[0].start.to_utc_iso())}",
            f"DTSTART:{_stamp(begin.to_utc_iso())}",
            f"DTEND:{_stamp(end.to_utc_iso())}",
            f"SUMMARY:{_escaped(title)} {number}/{len(pointings)}",
            f"DESCRIPTION:{_escaped(_described(one))}",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _described(one: Pointing) -> str:
    place = f"RA {one.ra_deg:.5f} dec {one.dec_deg:+.5f} deg"
    return f"{place}, {one.exposure_s:g} s, probability {one.prob:.4f}, together {one.cum_prob:.4f}"


def _stamp(iso: str) -> str:
    return iso[:19].replace("-", "").replace(":", "").replace(" ", "T") + "Z"


def _escaped(text: str) -> str:
    """Return text as a value of a calendar."""
    for char in "\\;,":
        text = text.replace(char, "\\" + char)
    return " ".join(text.split())


def _folded(line: str) -> str:
    data = line.encode()
    parts = []
    while len(data) > _CALENDAR_LINE:
        cut = _CALENDAR_LINE
        while data[cut] & 0xC0 == 0x80:  # not inside of a character
            cut -= 1
        parts.append(data[:cut])
        data = data[cut:]
    return b"\r\n ".join([*parts, data]).decode()
