"""Numbers that others published or computed, beside ours: what docs/explanation/reference-numbers.md says.

``python -m tests.support.reference_numbers RECORDED`` prints the page; a test computes it again and compares.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from ligo.raven.search import skymap_overlap_integral

from adapters.codecs.voevent.reader import decode as decode_voevent
from hub.model.notice import Notice
from hub.model.sky import Circle, Localization, Skymap, StatedPosition
from hub.resources import read_text
from hub.science.healpix import area_sr, find, order_of_ranges, pixels29
from hub.science.levels import Levels2D
from hub.science.localization import localization_from_skymap
from hub.science.localization_table import load_localization_table
from hub.science.overlap import overlap_integral, total_probability
from hub.science.rules import YEAR_S, load_rules
from hub.science.searches import joint_rates
from hub.science.significance import untargeted
from tests.support import skymaps

FAR_HZ = 1e-7
RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
TABLE = load_localization_table(read_text("conf/localizations.toml"))

RAVEN_TIME = (
    ("GRB-CBC", None, 5.898021308980213e-12),
    ("GRB-BURST", None, 6.487823439878235e-10),
    ("SUBGRB-CBC", None, 1.4269406392694066e-11),
    ("SUBGRB_TARGETED_FERMI-CBC", 5e-6, 5.248250981832098e-11),
    ("SUBGRB_TARGETED_SWIFT-CBC", 5e-4, 1.0706470585929093e-08),
)
"""Search, false-alarm rate of the external trigger (Hz), and what ligo-raven 3.3 gives for a gravitational wave of `FAR_HZ` (Hz)."""

GW, GRB = (130.0, 20.0, 8.0), (135.0, 22.0, 5.0)
NGC_4993 = (197.4488, -23.3839)
AT2017GFO = (197.450354, -23.381484)
"""Coulter et al. 2017, Science 358, 1556."""

AREA90_DEG2 = 28.0
"""Of GW170817 (Abbott et al. 2017, PRL 119, 161101)."""

FERMI_AREA90_DEG2 = 1100.0
"""Of Fermi's map of GRB 170817A (Goldstein et al. 2017, ApJL 848, L14; the number believed, not checked)."""

GROUND = StatedPosition(ra_deg=186.62, dec_deg=-48.84, region=Circle(radius_deg=17.45), containment=0.683)
"""Of GRB 170817A, as the notice states it."""

FINAL = StatedPosition(ra_deg=176.8, dec_deg=-39.8, region=Circle(radius_deg=11.6), containment=0.683)
"""The final position (GCN Circular 21506)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number, ours and another's."""

    what: str
    ours: float
    theirs: float | None
    whose: str


def gw170817() -> Skymap:
    """Return a map around NGC 4993 of the published 90 % area, with the published distance, 40 +8 -14 Mpc."""
    sigma = (AREA90_DEG2 / np.pi) ** 0.5 / np.sqrt(-2.0 * np.log(0.1))
    return skymaps.with_distance(skymaps.gaussian_map(197.9, -23.0, float(sigma)), 40.0, 11.0)


def fermi_places() -> dict[str, Localization]:
    """Return the localizations of GRB 170817A: ground and final position, and a stand-in for the mission's map, which is not recorded.

    Its 90 % area is the published one, and AT2017gfo lies on its 50 % contour.
    """
    ground, final = TABLE.localize(GROUND, "fermi-gbm-ground"), TABLE.localize(FINAL, "fermi-gbm-final")
    assert ground is not None
    assert final is not None
    sigma = float((FERMI_AREA90_DEG2 / np.pi) ** 0.5 / np.sqrt(-2.0 * np.log(0.1)))
    offset = sigma * float(np.sqrt(2.0 * np.log(2.0)))
    stand_in = flattened(skymaps.gaussian_map(AT2017GFO[0], AT2017GFO[1] - offset, sigma), 6)
    return {"ground": ground, "final": final, "map": localization_from_skymap(stand_in)}


def flattened(skymap: Skymap, order: int) -> Skymap:
    """Return a map with pixels of one order, as the mission's files have them."""
    size = np.int64(1) << (2 * (29 - order))
    lo = np.arange(12 << (2 * order), dtype=np.int64) * size
    fine = skymap.hi - skymap.lo < size
    prob = skymap.probdensity * area_sr(skymap.lo, skymap.hi)
    shift = 2 * (29 - order)
    sums = np.bincount(skymap.lo[fine] >> shift, weights=prob[fine], minlength=len(lo)) / (4.0 * np.pi / len(lo))
    row = find(skymap.lo, skymap.hi, lo)
    return skymaps.from_pixels(lo, lo + size, np.where(fine[row], sums, skymap.probdensity[row]))


def notice_of_gw170817(recorded: Path) -> Notice:
    """Return the recorded notice of G298048."""
    return decode_voevent((recorded / "voevent" / "lvc" / "G298048-1-Initial_GW170817.xml").read_bytes()).notice


def raven_overlap(a: Skymap, b: Skymap) -> float:
    """Return what ligo-raven gives for two maps."""
    tables = [skymaps.to_table(one) for one in (a, b)]
    for table in tables:
        table["PROBDENSITY"].unit = u.sr**-1
    first, second = tables
    return float(
        skymap_overlap_integral(
            first["PROBDENSITY"], second["PROBDENSITY"], np.asarray(first["UNIQ"]), np.asarray(second["UNIQ"])
        )
    )


def true_overlap(broad: Skymap, narrow: Skymap) -> float:
    """Return the overlap of two maps from equal cells of the narrower one's finest pixels, without the code under test."""
    size = np.int64(1) << (2 * (29 - int(order_of_ranges(narrow.lo, narrow.hi).max())))
    rows = np.flatnonzero(narrow.probdensity > narrow.probdensity.max() * 1e-12)
    truth = weight = 0.0
    for lo, hi, density in zip(narrow.lo[rows], narrow.hi[rows], narrow.probdensity[rows], strict=True):
        cells = np.arange(lo, hi, size)
        truth += density * broad.probdensity[find(broad.lo, broad.hi, cells)].sum()
        weight += density * len(cells)
    return float(4.0 * np.pi * truth / weight) / total_probability(broad)


def rates() -> Iterator[Line]:
    """Yield the time part of the joint false-alarm rates, Hz."""
    searches = {one.name: one for one in RULES.searches}
    for name, far_external, theirs in RAVEN_TIME:
        found = joint_rates(searches[name], far_gw_hz=FAR_HZ, profile="raven", far_external_hz=far_external)
        assert found.time_only.value_hz is not None
        yield Line(what=name, ours=found.time_only.value_hz, theirs=theirs, whose="ligo-raven 3.3")


def overlaps() -> Iterator[Line]:
    """Yield overlap integrals: where RAVEN is right, and where it is not."""
    gw, grb = skymaps.gaussian_map(*GW), skymaps.gaussian_map(*GRB)
    yield Line(
        what="8 and 5 deg, 5.1 deg apart", ours=overlap_integral(gw, grb), theirs=raven_overlap(gw, grb), whose="ligo-raven"
    )
    flat = overlap_integral(flattened(gw, 8), flattened(grb, 8))
    yield Line(what="the same", ours=overlap_integral(gw, grb), theirs=flat, whose="both flattened to nside 256")
    for offset in (16.0, 20.0, 24.0):
        narrow = skymaps.gaussian_map(130.0, 20.0 + offset, 0.08)
        what = f"8 and 0.08 deg, {offset:g} deg apart"
        ours = overlap_integral(gw, narrow)
        yield Line(what=what, ours=ours, theirs=true_overlap(gw, narrow), whose="sum over equal cells")
        yield Line(what=what, ours=ours, theirs=raven_overlap(gw, narrow), whose="ligo-raven")


def gw170817_lines(recorded: Path) -> Iterator[Line]:
    """Yield what follows from the notices of GW170817 and GRB 170817A."""
    told = notice_of_gw170817(recorded)
    assert told.far_hz is not None
    rate = untargeted(window_width_s=6.0, rate_hz=310.0 / YEAR_S, far_hz=told.far_hz)
    assert rate.value_hz is not None
    yield Line(what="time-only joint FAR at 310 a year and 6 s, Hz", ours=rate.value_hz, theirs=2.0513e-16, whose="by hand")
    skymap = gw170817()
    for name, place in fermi_places().items():
        found = overlap_integral(skymap, place.skymap)
        theirs, whose = (32.4, "published, with the real maps") if name == "map" else (None, "")
        yield Line(what=f"overlap with the {name} localization of GRB 170817A", ours=found, theirs=theirs, whose=whose)
    (pixel,) = pixels29([AT2017GFO[0]], [AT2017GFO[1]])
    known = {"fermi-gbm-ground": (GROUND, 0.900, 0.931), "fermi-gbm-final": (FINAL, 0.974, 0.992)}
    for model, (position, with_systematics, without) in known.items():
        for name, theirs in ((model, with_systematics), (None, without)):
            drawn = TABLE.localize(position, name)
            assert drawn is not None
            level = float(Levels2D.of(drawn.skymap).lookup(np.array([pixel])).searched_prob[0])
            what = f"level of AT2017gfo, {model.removeprefix('fermi-gbm-')} position, {'with' if name else 'without'} systematics"
            yield Line(what=what, ours=level, theirs=theirs, whose="computed apart")


PAGE = """\
# Numbers of others, beside ours

This page is printed by `python -m tests.support.reference_numbers`, and a test computes every number of it again. The time part is compared with
ligo-raven 3.3 for a gravitational wave of 1e-7 Hz in RAVEN's profile; ligo-raven itself is run in the tests. The maps are Gaussians of the widths
named, on BAYESTAR's adaptive grid of 21,504 tiles.

## Time part of the joint false-alarm rate, Hz

{rates}

## Overlap integrals

RAVEN takes the coarser map at the centres of tiles, which is good to 0.5 % where both maps are resolved, and wrong for a small one far off the peak
of a large one: there the truth is a sum over equal cells of the small map's finest pixels.

{overlaps}

## GW170817 and GRB 170817A

The notice of G298048 and the positions of GRB 170817A are the real ones; no map of GW170817 is recorded, so one is made around NGC 4993, 28 square
degrees, 40 Mpc. AT2017gfo lies far out in the circles that Fermi stated, so their overlaps with it are small, though above 1: pairs are cut on the
overlap, never on a containment level. The stand-in for Fermi's own map has its 1,100 square degrees and AT2017gfo on the 50 % contour; at any level
from 0.2 to 0.8 its overlap lies between 15 and 70.

{gw170817}
"""


def page(recorded: Path) -> str:
    """Return the whole page."""
    return PAGE.format(
        rates=_table(list(rates()), digits=13),
        overlaps=_table(list(overlaps()), digits=6),
        gw170817=_table(list(gw170817_lines(recorded)), digits=5),
    )


def _table(lines: Sequence[Line], *, digits: int) -> str:
    rows = ["| what | ours | theirs | whose |", "|---|---:|---:|---|"]
    for one in lines:
        theirs = "" if one.theirs is None else f"{one.theirs:.{digits}g}"
        rows.append(f"| {one.what} | {one.ours:.{digits}g} | {theirs} | {one.whose} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1])))
