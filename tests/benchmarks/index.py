"""The sky index: what an alert costs beside few and many live maps, and what peers take for the same question in the same run.

Maps are synthetic, of the size of LVK's: 19,200 tiles. Thousands of different ones are made from a few by exchanging base pixels
and the pixels of order 3 inside them. All are kept to the level of 0.9995, as matching does; the alerts are those of one visit.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from ligo.skymap.postprocess import crossmatch
from mocpy import MOC

from hub.model.sky import Circle, Skymap, StatedPosition
from hub.science.healpix import MAX_ORDER, N_PIX29, merge, pixels29
from hub.science.levels import Levels2D
from hub.science.localization import localize
from hub.science.sky_index import SkyIndex, SkyPiece, warm_up
from tests.benchmarks.figures import Figure, at_least, below, run
from tests.conftest import recorded_folder
from tests.support import skymaps

N_ALERTS = 10_000
"""Of a visit."""

FIELD_DEG = 1.75
"""Half the width of Rubin's field."""

MAX_LEVEL = 0.9995
COUNTS = (1, 10, 100, 1000, 5000)
GROWTH_GOAL = 1.5
"""From 1 to 1000 maps that do not overlap the alerts."""

MOCPY_GOAL = 10.0
"""Times as fast as mocpy at 100 maps that do."""

MOCPY_MAPS = 50
"""Maps that mocpy is asked for; what it takes grows with their number, so the time is scaled."""

LARGE_DEG2 = 24_000.0
N_LARGE = 10
"""Maps of a single detector among the 300."""

N_MIXED = 300
TOO_LARGE_DEG2 = 10_000.0
"""Of maps beyond this, hits make no candidates."""


def quickest(action: Callable[[], Any], times: int = 7) -> float:
    """Return the shortest of some runs, seconds: the one that other work disturbed least."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def blob(rng: np.random.Generator, ra_deg: float, dec_deg: float, sigma_deg: float) -> Skymap:
    """Return a map of 19,200 tiles around a position, a little wider or narrower each time."""
    density = skymaps.gaussian_density(ra_deg, dec_deg, sigma_deg * rng.uniform(0.9, 1.1))
    return skymaps.adaptive_map(density, rounds=7)


def elsewhere(one: Skymap, shift: int, mask: int) -> Skymap:
    """Return a map with its base pixels shifted and its pixels of order 3 exchanged: as many tiles of the same sizes."""
    lo = ((one.lo ^ (np.int64(mask) << (2 * (MAX_ORDER - 3)))) + (np.int64(shift) << 58)) % N_PIX29
    ascending = np.argsort(lo)
    lo = lo[ascending]
    return Skymap(lo=lo, hi=lo + (one.hi - one.lo)[ascending], probdensity=one.probdensity[ascending])


def visit(rng: np.random.Generator, ra_deg: float, dec_deg: float, n: int = N_ALERTS) -> tuple[np.ndarray, np.ndarray]:
    """Return right ascensions and declinations of a visit's alerts."""
    dec = dec_deg + rng.uniform(-FIELD_DEG, FIELD_DEG, n)
    return (ra_deg + rng.uniform(-FIELD_DEG, FIELD_DEG, n) / np.cos(np.radians(dec))) % 360.0, dec


def scattered(rng: np.random.Generator, n: int, pixels: np.ndarray) -> list[SkyPiece]:
    """Return pieces of different maps all over the sky, none of which has a row within 7 deg of the alerts."""
    taken = np.unique(pixels >> (2 * (MAX_ORDER - 3)))
    originals = [blob(rng, *position, 8.0) for position in zip(rng.uniform(0, 360, 20), rng.uniform(-60, 60, 20), strict=True)]
    pieces: list[SkyPiece] = []
    while len(pieces) < n:
        one = elsewhere(originals[len(pieces) % 20], int(rng.integers(12)), int(rng.integers(64)))
        piece = SkyPiece.of(str(len(pieces)), one, MAX_LEVEL)
        if not np.isin(piece.lo >> (2 * (MAX_ORDER - 3)), taken).any():
            pieces.append(piece)
    return pieces


def moc_of(piece: SkyPiece) -> MOC:
    return MOC.from_depth29_ranges(MAX_ORDER, np.column_stack(merge(piece.lo, piece.hi)).astype(np.uint64))


def mocpy_s(pieces: Sequence[SkyPiece], ra: np.ndarray, dec: np.ndarray) -> float:
    """Return how long mocpy takes to ask some maps, one vectorised call each."""
    mocs = [moc_of(piece) for piece in pieces]
    lon, lat = ra * u.deg, dec * u.deg
    return quickest(lambda: [moc.contains_lonlat(lon, lat) for moc in mocs], 3)


def apart(counts: Sequence[int]) -> list[Figure]:
    """Return what alerts cost that lie in none of the maps."""
    rng = np.random.default_rng(1)
    ra, dec = visit(rng, 60.0, -30.0)
    pixels = pixels29(ra, dec)
    pieces = scattered(rng, max(counts), pixels)
    mocpy_ns = mocpy_s(pieces[:MOCPY_MAPS], ra, dec) / N_ALERTS * 1e9 / len(pieces[:MOCPY_MAPS])
    taken = {}
    figures = []
    for n in counts:
        index = SkyIndex.of(n, enumerate(pieces[:n]))
        assert len(index.match(pixels)) == 0
        taken[n] = quickest(lambda index=index: index.match(pixels), 30) / N_ALERTS * 1e9
        note = f"mocpy {n * mocpy_ns:,.0f} ns ({mocpy_ns:.0f} ns a map over {min(MOCPY_MAPS, len(pieces))} maps)"
        figures.append(Figure(what=f"alert beside {n:,} maps that do not hold it", value=taken[n], unit="ns", note=note))
    if {1, 1000} <= set(counts):
        figures.append(below("growth from 1 to 1,000 such maps", taken[1000] / taken[1], "x", GROWTH_GOAL))
    return figures


def overlapping(n: int) -> list[Figure]:
    """Return what alerts cost that lie in all of the maps or most, and what others take for them."""
    rng = np.random.default_rng(2)
    maps = [blob(rng, 60.0 + rng.uniform(-8, 8), -30.0 + rng.uniform(-8, 8), 8.0) for _ in range(n)]
    pieces = [SkyPiece.of(str(i), one, MAX_LEVEL) for i, one in enumerate(maps)]
    deep = [SkyPiece.of(str(i), skymaps.with_distance(one, 100.0, 30.0), MAX_LEVEL) for i, one in enumerate(maps)]
    ra, dec = visit(rng, 60.0, -30.0)
    pixels = pixels29(ra, dec)
    index, index3d = SkyIndex.of(1, enumerate(pieces)), SkyIndex.of(1, enumerate(deep))
    hits = index.match(pixels)
    mocs = [moc_of(piece) for piece in pieces]
    inside = sum(int(moc.contains_lonlat(ra * u.deg, dec * u.deg).sum()) for moc in mocs)
    assert inside == len(hits)
    own = quickest(lambda: index.match(pixels)) / N_ALERTS * 1e9
    finding = quickest(lambda: pixels29(ra, dec)) / N_ALERTS * 1e9
    own3d = quickest(lambda: index3d.match(pixels)) / N_ALERTS * 1e9
    peer = mocpy_s(pieces, ra, dec) / N_ALERTS * 1e9
    wide_ra, wide_dec = rng.uniform(40, 80, N_ALERTS), rng.uniform(-50, -10, N_ALERTS)
    wide = pixels29(wide_ra, wide_dec)
    own_wide = quickest(lambda: index.match(wide)) / N_ALERTS * 1e9
    peer_wide = mocpy_s(pieces, wide_ra, wide_dec) / N_ALERTS * 1e9
    note = f"{len(hits) / N_ALERTS:.1f} hits an alert"
    figures = []
    for few in (1, 10):
        small = SkyIndex.of(few, enumerate(pieces[:few]))
        taken = quickest(lambda small=small: small.match(pixels), 15) / N_ALERTS * 1e9
        figures.append(
            Figure(what=f"alert in {few} maps, a visit", value=taken, unit="ns", note=f"mocpy {few * peer / n:,.0f} ns")
        )
    figures += [
        Figure(what=f"alert in {n} maps, a visit", value=own, unit="ns", note=note),
        Figure(what="the same with distance layers", value=own3d, unit="ns", note=note),
        Figure(what="mocpy, vectorised over the visit, map by map", value=peer, unit="ns", note="membership only"),
        Figure(what="the pixel of an alert from its position", value=finding, unit="ns", note="mocpy does that for each map"),
        at_least(
            f"times as fast as mocpy at {n} maps",
            peer / (own + finding),
            "x",
            MOCPY_GOAL,
            f"from positions; {peer / own:.1f} x from pixels, which alerts come with",
        ),
        Figure(
            what="the same for alerts over 1,200 deg2 at once",
            value=peer_wide / own_wide,
            unit="x",
            note=f"{own_wide:,.0f} ns an alert",
        ),
    ]
    return [*figures, *_one_by_one(maps[0], mocs[:10], ra, dec, own / n)]


def _one_by_one(one: Skymap, mocs: Sequence[MOC], ra: np.ndarray, dec: np.ndarray, own_ns: float) -> list[Figure]:
    """Return what those take that go alert by alert or map by map, per alert and map."""
    table = skymaps.to_table(one)
    coordinates = SkyCoord(ra * u.deg, dec * u.deg)
    batch = quickest(lambda: crossmatch(table, coordinates), 2) / N_ALERTS * 1e6
    alone = quickest(lambda: crossmatch(table, coordinates[0]), 3) * 1e6
    some = [(ra[i] * u.deg, dec[i] * u.deg) for i in range(20)]
    loop = (
        quickest(lambda: [[moc.contains_lonlat(lon, lat) for moc in mocs] for lon, lat in some], 2) / len(some) / len(mocs) * 1e6
    )
    return [
        Figure(what="ligo.skymap crossmatch of the visit with one map", value=batch, unit="us", note="per alert and map"),
        Figure(
            what="ligo.skymap crossmatch of one alert with one map", value=alone, unit="us", note="it sorts the map each time"
        ),
        Figure(
            what="alert by alert, map by map, one mocpy call each",
            value=loop,
            unit="us",
            note=f"our imitation of boom-gcn-pipeline's shape; per alert and map, {loop * 1e3 / own_ns:,.0f} x ours",
        ),
    ]


def recorded_sizes() -> tuple[list[float], list[float]]:
    """Return 90 % areas of the recorded maps in square degrees, and radii of the recorded circles in degrees."""
    folder = recorded_folder()
    if folder is None:
        return [], []
    expected = [json.dumps(row) for row in json.loads((folder / "manifest.json").read_text())]
    return _numbers(expected, "a90"), [radius for radius in _numbers(expected, "error_radius_deg") if 0.0 < radius < 60.0]


def _numbers(rows: Sequence[str], name: str) -> list[float]:
    found = (row.partition(f'"{name}": ')[2] for row in rows)
    return [float(text.split(",")[0].split("}")[0]) for text in found if text and not text.startswith("null")]


def broad(rng: np.random.Generator, ra_deg: float, dec_deg: float) -> Skymap:
    """Return a map whose 90 % area is about that of a single detector."""
    low, high = 30.0, 150.0
    while high - low > 1.0:
        middle = (low + high) / 2.0
        one = skymaps.adaptive_map(skymaps.gaussian_density(ra_deg, dec_deg, middle), rounds=0)
        low, high = (middle, high) if Levels2D.of(one).area_of_level(0.9) < LARGE_DEG2 else (low, middle)
    return skymaps.adaptive_map(skymaps.gaussian_density(ra_deg, dec_deg, low), rounds=7)


def mixed() -> list[Figure]:
    """Return what 300 maps of the recorded sizes cost, ten of them those of a single detector."""
    areas, radii = recorded_sizes()
    if not areas or not radii:
        print("no recorded messages: set MMHUB_RECORDED to their folder for the figures of 300 maps", file=sys.stderr)
        return []
    rng = np.random.default_rng(3)
    # The 90 % area of a Gaussian is 2 pi ln(10) sigma^2.
    sizes = [(area / (2.0 * np.pi * np.log(10.0))) ** 0.5 for area in areas]
    maps = [broad(rng, rng.uniform(0, 360), rng.uniform(-60, 60)) for _ in range(N_LARGE)]
    while len(maps) < N_MIXED:
        which = int(rng.integers(len(sizes) + len(radii)))
        ra, dec = rng.uniform(0, 360), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))
        if which < len(sizes):
            maps.append(skymaps.with_distance(blob(rng, ra, dec, sizes[which]), 100.0, 30.0))
        else:
            place = localize(StatedPosition(ra_deg=ra, dec_deg=dec, region=Circle(radius_deg=radii[which - len(sizes)])))
            assert place is not None
            maps.append(place.skymap)
    prepare = quickest(lambda: [SkyPiece.of("", one, MAX_LEVEL) for one in maps[:30]], 2) / 30
    pieces = [SkyPiece.of(str(i), one, MAX_LEVEL) for i, one in enumerate(maps)]
    entries = list(enumerate(pieces))
    index = SkyIndex.of(1, entries)
    is_large = np.array([Levels2D.of(one).area_of_level(0.9) > TOO_LARGE_DEG2 for one in maps])
    places = [visit(rng, rng.uniform(0, 360), rng.uniform(-70, 10), N_ALERTS // 10) for _ in range(100)]
    nights = [
        pixels29(*(np.concatenate([one[side] for one in places[i : i + 10]]) for side in (0, 1))) for i in range(0, 100, 10)
    ]
    hits = [index.match(pixels) for pixels in nights]
    n_hits, n_small = sum(len(one) for one in hits), sum(int((~is_large[one.entry]).sum()) for one in hits)
    taken = min(quickest(lambda pixels=pixels: index.match(pixels), 3) for pixels in nights)
    n_rows = sum(len(piece) for piece in pieces)
    n_alerts = 10 * N_ALERTS
    note = f"{int(is_large.sum())} maps above {TOO_LARGE_DEG2:,.0f} deg2 make no candidates; {n_small / n_alerts:.2f} hits in the others"
    return [
        Figure(what="hits of an alert in 300 maps of recorded sizes", value=n_hits / n_alerts, unit="hits", note=note),
        Figure(what="the same: an alert of ten visits at once", value=taken / N_ALERTS * 1e9, unit="ns"),
        Figure(
            what="memory of the 300",
            value=index.nbytes / 1e6,
            unit="MB",
            note=f"{n_rows:,} rows, {index.nbytes / n_rows:.0f} B each",
        ),
        Figure(what="the same per map", value=index.nbytes / len(index) / 1e3, unit="kB"),
        Figure(what="preparing a map, once for each content", value=prepare * 1e3, unit="ms"),
        Figure(what="building the snapshot of 300", value=quickest(lambda: SkyIndex.of(1, entries)) * 1e3, unit="ms"),
        Figure(
            what="the next snapshot with one map replaced",
            value=quickest(lambda: index.with_changes(2, added=[(0, pieces[1])])) * 1e3,
            unit="ms",
        ),
    ]


def measure(asked: argparse.Namespace) -> Sequence[Figure]:
    warm_up()
    return [*apart([n for n in COUNTS if n <= asked.maps]), *overlapping(100), *mixed()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--maps", type=int, default=max(COUNTS), help="most live maps beside the alerts; 5,000 take 2 GB (%(default)s)"
    )
    run(measure, parser)


if __name__ == "__main__":
    main()
