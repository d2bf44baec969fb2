"""Plans in the formats of others, read by others."""

import csv
import io

import numpy as np
import pytest
from astropy import units as u
from mocpy import MOC

from hub.model.instant import Instant
from hub.model.sky import FULL_SKY_DEG2
from hub.science.planning import exports
from hub.science.planning.fields import Field, Shape
from hub.science.planning.planner import Timing, plan
from tests.support.skymaps import gaussian_map

FIELD = Field(fov_deg=3.0)
PLAN = plan(gaussian_map(10.0, 20.0, 6.0), FIELD, 5, Timing(start=Instant.from_utc_iso("2025-03-10T23:59:50")))


def test_csv_has_every_pointing_under_its_names():
    rows = list(csv.DictReader(io.StringIO(exports.to_csv(PLAN))))
    assert tuple(rows[0]) == exports.COLUMNS
    assert [float(row["cum_prob"]) for row in rows] == [one.cum_prob for one in PLAN]
    assert rows[0]["start"].startswith("2025-03-10T23:59:50")


def test_a_moc_holds_the_union_as_mocpy_reads_it():
    moc = MOC.from_json(exports.to_moc(PLAN, FIELD))
    rng = np.random.default_rng(2)
    n, low, high = 20_000, np.sin(np.radians(5.0)), np.sin(np.radians(35.0))
    ra, dec = rng.uniform(-5, 25, n), np.degrees(np.arcsin(rng.uniform(low, high, n)))
    theirs = moc.contains_lonlat(ra * u.deg, dec * u.deg)
    ours = np.zeros(len(ra), dtype=bool)
    for one in PLAN:
        ours |= FIELD.contains(one.ra_deg, one.dec_deg, ra % 360.0, dec)
    assert (ours != theirs).mean() < 0.03  # pixels across borders
    assert moc.sky_fraction * FULL_SKY_DEG2 == pytest.approx(ours.mean() * 30.0 * np.degrees(high - low), rel=0.05)


@pytest.mark.parametrize(("shape", "word"), [(Shape.SQUARE, "polygon("), (Shape.CIRCLE, "circle(")])
def test_regions_have_an_outline_each(shape, word):
    lines = exports.to_regions(PLAN, Field(fov_deg=3.0, shape=shape)).splitlines()
    assert lines[:2] == ["# Region file format: DS9", "icrs"]
    assert len(lines) == 2 + len(PLAN)
    assert all(line.startswith(word) for line in lines[2:])


def test_a_calendar_has_folded_lines_and_an_entry_each():
    text = exports.to_calendar(PLAN, "S\u00e9rie, with; odd \\ name " + "x" * 120)
    lines = text.split("\r\n")
    assert lines[-1] == ""
    assert all(len(line.encode()) <= 75 for line in lines)
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == len(PLAN)
    whole = text.replace("\r\n ", "")
    assert "DTSTART:20250310T235950Z" in whole
    assert "SUMMARY:S\u00e9rie\\, with\\; odd \\\\ name" in whole
    ids = [line for line in whole.split("\r\n") if line.startswith("UID:")]
    assert len(set(ids)) == len(PLAN)
