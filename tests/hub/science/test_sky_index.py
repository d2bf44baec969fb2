import os
import subprocess
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from mocpy import MOC

from hub.model.sky import Skymap
from hub.science import healpix, sky_reference
from hub.science.crossmatch import contains
from hub.science.levels import Levels2D
from hub.science.sky_index import SkyHits, SkyIndex, SkyPiece, warm_up
from hub.science.sky_piece import CELL_ORDER
from tests.support import skymaps
from tests.support.sky_oracle import holding, place_of, squares_of

MAX_LEVELS = [0.0, 0.2, 0.5, 0.9, 0.9995, 1.0, 1.5]


@pytest.fixture(params=["compiled", "plain"])
def either_way(request, monkeypatch):
    """Both with the compiled loops, and as where numba cannot be imported."""
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, "hub.science.sky_kernels", None)
        monkeypatch.delattr("hub.science.sky_kernels", raising=False)
    return request.param


def columns(hits: SkyHits):
    """Return all columns of hits in one order."""
    order = np.lexsort((hits.entry, hits.point))
    names = ("point", "entry", "probdensity", "searched_prob", "searched_before", "distmu", "distsigma", "distnorm")
    return {name: getattr(hits, name)[order] for name in names}


def assert_same(hits: SkyHits, expected: SkyHits):
    for name, column in columns(expected).items():
        np.testing.assert_array_equal(columns(hits)[name], column, err_msg=name)


def plain_hits(index: SkyIndex, pixels) -> SkyHits:
    point, entry, numbers, layers = sky_reference.match(index.pieces, np.asarray(pixels))
    return SkyHits(
        version=index.version,
        point=point,
        entry=entry,
        probdensity=numbers[0],
        searched_prob=numbers[1],
        searched_before=numbers[2],
        distmu=layers[0],
        distsigma=layers[1],
        distnorm=layers[2],
    )


def random_map(rng, n_splits) -> Skymap:
    """Return a map of any orders on any part of the sky; few different densities, so that there are ties, some of them zero."""
    bases = sorted(rng.choice(12, size=rng.integers(1, 13), replace=False).tolist())
    lo, hi = skymaps.random_pixels(rng, n_splits, start=bases)
    keep = rng.random(len(lo)) < rng.choice([1.0, 0.6])
    keep[rng.integers(len(lo))] = True
    lo, hi = lo[keep], hi[keep]
    density = rng.integers(0, rng.choice([2, 4, 10**6]), len(lo)).astype(float) * 4.0 ** rng.integers(0, 20)
    density[rng.integers(len(lo))] = 1.0
    layers = {}
    if rng.random() < 0.4:
        layers = {name: rng.uniform(1, 100, len(lo)) for name in ("distmu", "distsigma", "distnorm")}
        layers["distmu"][rng.random(len(lo)) < 0.2] = np.inf
    return skymaps.from_pixels(lo, hi, density, **layers)


def edges_of(maps, rng):
    """Return pixels at and beside the edges of tiles, and numbers that are no pixel."""
    lo = np.concatenate([one.lo for one in maps]) if maps else np.empty(0, dtype=np.int64)
    hi = np.concatenate([one.hi for one in maps]) if maps else np.empty(0, dtype=np.int64)
    middle = lo + ((hi - lo) * rng.random(len(lo))).astype(np.int64)
    odd = np.array([-1, healpix.N_PIX29, np.iinfo(np.int64).max, np.iinfo(np.int64).min, 0, healpix.N_PIX29 - 1])
    pixels = np.concatenate((lo, lo - 1, hi - 1, hi, middle, odd))
    return rng.permutation(np.concatenate((pixels, pixels[::3])))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 120), st.sampled_from(MAX_LEVELS)), max_size=6))
def test_hits_are_those_of_every_tile_asked_one_by_one(seed, sizes):
    rng = np.random.default_rng(seed)
    maps = [random_map(rng, n_splits) for n_splits, _ in sizes]
    levels = [Levels2D.of(one) for one in maps]
    index = SkyIndex.of(
        7, [(i, SkyPiece.of(str(i), one, level)) for i, (one, (_, level)) in enumerate(zip(maps, sizes, strict=True))]
    )
    pixels = edges_of(maps, rng)
    hits = index.match(pixels)
    found = {(int(p), int(e)): n for n, (p, e) in enumerate(zip(hits.point, hits.entry, strict=True))}
    assert len(found) == len(hits)
    expected = set()
    for which, (one, (_, max_level)) in enumerate(zip(maps, sizes, strict=True)):
        assert contains(levels[which], pixels, max_level).sum() == (hits.entry == which).sum()
        in_tile = (one.lo <= pixels[:, None]) & (pixels[:, None] < one.hi)
        for point, row in zip(*(side.tolist() for side in np.nonzero(in_tile)), strict=True):
            density, level = one.probdensity[row], levels[which].searched_prob[row]
            before = level - density * healpix.area_sr(one.lo[row : row + 1], one.hi[row : row + 1])[0]
            if not before < max_level:
                continue
            expected.add((point, which))
            n = found[point, which]
            assert (hits.probdensity[n], hits.searched_prob[n], hits.searched_before[n]) == (density, level, before)
            layers = (hits.distmu[n], hits.distsigma[n], hits.distnorm[n])
            if one.has_distance:
                assert layers == (one.distmu[row], one.distsigma[row], one.distnorm[row])
            else:
                assert np.isnan(layers).all()
    assert set(found) == expected
    assert_same(hits, plain_hits(index, pixels))


SEAMS = [
    (0, 0),
    (0, 5),
    (360, 5),
    (0, 60),
    (90, 70),
    (180, -70),
    (17, 90),
    (250, -90),
    (45, 41.8103148958),
    (359.9999999999, -30),
    (-1e-13, 10),
]


@settings(max_examples=40)
@given(
    st.integers(0, 2**32),
    st.lists(st.integers(0, 150), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(0, 360), st.floats(-90, 90)), max_size=20),
)
def test_positions_are_inside_as_geometry_and_mocpy_have_it(seed, sizes, extra):
    """Geometry: the position in the plane of the HEALPix projection against each tile's square, with real numbers."""
    rng = np.random.default_rng(seed)
    maps = [random_map(rng, n_splits) for n_splits in sizes]
    pieces = [SkyPiece.of(str(i), one, 0.9) for i, one in enumerate(maps)]
    index = SkyIndex.of("a", enumerate(pieces))
    centre_ra, centre_dec = healpix.centres(*(np.concatenate([getattr(one, side) for one in maps]) for side in ("lo", "hi")))
    sky = [*SEAMS, *extra, *zip(rng.uniform(0, 360, 30), np.degrees(np.arcsin(rng.uniform(-1, 1, 30))), strict=True)]
    ra = np.concatenate(([p[0] for p in sky], centre_ra))
    dec = np.concatenate(([p[1] for p in sky], centre_dec))
    pixels = healpix.pixels29(ra, dec)
    hits = index.match(pixels)
    inside = np.zeros((len(pixels), len(pieces)), dtype=bool)
    inside[hits.point, hits.entry] = True
    places = [place_of(*position) for position in zip(ra.tolist(), dec.tolist(), strict=True)]
    judged = 0
    for which, (one, piece) in enumerate(zip(maps, pieces, strict=True)):
        region = np.isin(one.lo, piece.lo)
        moc = MOC.from_depth29_ranges(29, np.column_stack(healpix.merge(piece.lo, piece.hi)).astype(np.uint64))
        lon, lat = healpix.centres(pixels, pixels + 1)
        np.testing.assert_array_equal(moc.contains_lonlat(lon * u.deg, lat * u.deg), inside[:, which])
        assert_region_is_greedy(one, region, 0.9)
        orders = healpix.order_of_ranges(one.lo, one.hi).tolist()
        squares = squares_of(orders, [lo >> (2 * (29 - order)) for lo, order in zip(one.lo.tolist(), orders, strict=True)])
        for point, place in enumerate(places):
            held = holding(place, squares)
            if held is not None:  # within rounding of an edge, its order-29 pixel has settled on which side it is
                assert inside[point, which] == (held & region).any()
                judged += 1
    assert judged > len(pixels) * len(maps) // 2


def assert_region_is_greedy(skymap, region, level):
    """Compare a region with one that is added up exactly; rows that begin within rounding of the level may be either."""
    uniq = healpix.uniq_of_ranges(skymap.lo, skymap.hi)
    rows = sorted(range(len(uniq)), key=lambda i: (-skymap.probdensity[i], -int(uniq[i])))
    area = Fraction(healpix.PIXEL29_SR)
    before = Fraction(0)
    for i in rows:
        if abs(before - Fraction(level)) > Fraction(1, 10**12):
            assert region[i] == (before < level)
        before += Fraction(skymap.probdensity[i]) * int(skymap.hi[i] - skymap.lo[i]) * area


def test_levels_of_hits_are_those_of_the_look_up(either_way):
    maps = [skymaps.gaussian_map(130, 20, 8), skymaps.with_distance(skymaps.gaussian_map(130, 20, 5, 4, 4), 100.0, 30.0)]
    index = SkyIndex.of(1, [(i, SkyPiece.of(str(i), one, 0.9995)) for i, one in enumerate(maps)])
    rng = np.random.default_rng(3)
    pixels = healpix.pixels29(rng.uniform(100, 160, 3000), rng.uniform(-10, 50, 3000))
    hits = index.match(pixels)
    for which, one in enumerate(maps):
        levels = Levels2D.of(one)
        mine = hits.entry == which
        look_up = levels.lookup(pixels[hits.point[mine]])
        np.testing.assert_array_equal(hits.searched_prob[mine], look_up.searched_prob)
        np.testing.assert_array_equal(hits.probdensity[mine], look_up.probdensity)
        for level in (0.5, 0.9, 0.9995):
            cut = mine & (hits.searched_before < level)
            np.testing.assert_array_equal(np.sort(hits.point[cut]), np.flatnonzero(contains(levels, pixels, level)))
        assert np.isfinite(hits.distmu[mine]).all() == one.has_distance
    assert_same(hits, plain_hits(index, pixels))


def test_the_row_that_crosses_the_level_is_in(either_way):
    lo, hi = healpix.ranges_of_uniq([4, 5, 6])
    one = skymaps.from_pixels(lo, hi, [0.95, 0.04, 0.01])
    index = SkyIndex.of(1, [(level, SkyPiece.of("x", one, level)) for level in (0.9, 0.96, 1.0)])
    hits = index.match(lo)
    assert sorted(zip(hits.point.tolist(), (index.keys[e] for e in hits.entry), strict=True)) == [
        (0, 0.9),
        (0, 0.96),
        (0, 1.0),
        (1, 0.96),
        (1, 1.0),
        (2, 1.0),
    ]


def test_an_empty_index_and_an_empty_question_have_no_hits(either_way):
    warm_up()
    nothing = SkyIndex.of("empty", [])
    assert (len(nothing), len(nothing.match(np.array([0, 5, -1])))) == (0, 0)
    one = SkyPiece.of("x", skymaps.gaussian_map(130, 20, 8, 4, 1), 0.9)
    hits = SkyIndex.of("one", [("a", one)]).match(np.empty(0, dtype=np.int64))
    assert (len(hits), hits.version, hits.distmu.shape) == (0, "one", (0,))
    no_rows = SkyPiece.of("x", skymaps.gaussian_map(130, 20, 8, 4, 1), 0.0)
    assert len(no_rows) == 0
    assert len(SkyIndex.of("none", [("a", no_rows)]).match(np.array([0, 1 << 58]))) == 0


def test_changes_make_a_new_snapshot_and_leave_the_old_one(either_way):
    pieces = {
        name: SkyPiece.of(name, skymaps.gaussian_map(ra, 20, 5, 4, 2), 0.9) for name, ra in (("a", 100), ("b", 110), ("c", 200))
    }
    at = healpix.pixels29([100, 110, 200], [20, 20, 20])

    def seen(index):
        hits = index.match(at)
        assert hits.version == index.version
        return {(int(p), index.keys[e], index.pieces[e].localization_id) for p, e in zip(hits.point, hits.entry, strict=True)}

    first = SkyIndex.of(1, [("one", pieces["a"]), ("two", pieces["b"])])
    before = seen(first)
    assert {(0, "one", "a"), (1, "two", "b")} <= before
    second = first.with_changes(2, added=[("one", pieces["c"]), ("three", pieces["a"])], removed=["two", "never there"])
    assert seen(first) == before
    assert seen(second) == {(0, "three", "a"), (1, "three", "a"), (2, "one", "c")} - (
        {(1, "three", "a")} - before_of(pieces["a"], at)
    )
    assert (first.version, second.version, len(first), len(second)) == (1, 2, 2, 2)
    assert second.pieces[second.keys.index("three")] is pieces["a"]
    assert_same(second.match(at), SkyIndex.of(2, zip(second.keys, second.pieces, strict=True)).match(at))


def before_of(piece, pixels):
    """Return which of the pixels lie in the first map, by its rows."""
    return {(i, "three", "a") for i, pixel in enumerate(pixels) if ((piece.lo <= pixel) & (pixel < piece.hi)).any()}


def test_matching_goes_on_while_snapshots_are_replaced():
    rng = np.random.default_rng(11)
    maps = [SkyPiece.of(str(i), random_map(rng, 80), 0.9) for i in range(12)]
    pixels = edges_of([random_map(rng, 60)], rng)
    names = list(range(6))
    serving = [SkyIndex.of(0, [(name, maps[name]) for name in names])]
    expected = {0: columns(plain_hits(serving[0], pixels))}
    keys = {0: serving[0].keys}
    stop = threading.Event()
    answers: list[tuple[SkyIndex, SkyHits]] = []
    faults: list[BaseException] = []

    def ask():
        try:
            while not stop.is_set():
                index = serving[0]
                answers.append((index, index.match(pixels)))
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            faults.append(error)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for version in range(1, 120):
        chosen = rng.choice(12, size=3, replace=False).tolist()
        added = [(int(rng.integers(6)), maps[i]) for i in chosen]
        following = serving[0].with_changes(version, added=added, removed=[int(rng.integers(6))])
        expected[version], keys[version] = columns(plain_hits(following, pixels)), following.keys
        serving[0] = following
    stop.set()
    for asker in askers:
        asker.join()
    assert not faults
    assert len(answers) > 0
    for index, hits in answers:
        assert hits.version == index.version
        assert index.keys == keys[hits.version]
        for name, column in columns(hits).items():
            np.testing.assert_array_equal(column, expected[hits.version][name])


def test_tiles_larger_than_a_cell_are_filed_once():
    whole = Skymap(lo=np.arange(12) << 58, hi=np.arange(1, 13) << 58, probdensity=np.full(12, 1 / (4 * np.pi)))
    index = SkyIndex.of(1, [(i, SkyPiece.of(str(i), whole, 1.0)) for i in range(2000)])
    empty = SkyIndex.of(0, [])
    assert index.nbytes - empty.nbytes < 2000 * 12 * 60
    assert len(index.match(np.array([3, healpix.N_PIX29 - 1]))) == 4000


def test_a_flat_map_of_800_thousand_pixels_is_indexed():
    flat = skymaps.flat_map(skymaps.gaussian_density(130, 20, 8), 8)
    piece = SkyPiece.of("flat", flat, 1.5)
    assert len(piece) == 786_432
    index = SkyIndex.of(1, [("flat", piece)])
    assert piece.nbytes < 32 * len(piece)
    rng = np.random.default_rng(0)
    pixels = healpix.pixels29(rng.uniform(0, 360, 2000), np.degrees(np.arcsin(rng.uniform(-1, 1, 2000))))
    assert_same(index.match(pixels), plain_hits(index, pixels))
    assert len(index.match(pixels)) == 2000


def test_a_cell_with_thousands_of_fine_rows_is_searched_right():
    size = np.int64(1) << (2 * (29 - 14))
    lo = np.arange(1 << (2 * (14 - CELL_ORDER)), dtype=np.int64) * size
    lo = np.delete(lo, np.arange(5, len(lo), 7))
    fine = skymaps.from_pixels(lo, lo + size, np.random.default_rng(0).random(len(lo)))
    index = SkyIndex.of(1, [("fine", SkyPiece.of("fine", fine, 0.8)), ("again", SkyPiece.of("fine", fine, 2.0))])
    rng = np.random.default_rng(1)
    for n in (1, 3, 50, 20_000):
        pixels = rng.integers(0, lo[-1] + 3 * size, n)
        assert_same(index.match(pixels), plain_hits(index, pixels))


def test_entries_may_share_a_piece_which_counts_once():
    piece = SkyPiece.of("x", skymaps.gaussian_map(130, 20, 8, 4, 2), 0.9)
    index = SkyIndex.of(1, [("a", piece), ("b", piece)])
    assert len(index.match(healpix.pixels29([130], [20]))) == 2
    assert index.nbytes < 2 * piece.nbytes + SkyIndex.of(0, []).nbytes


def test_rows_take_24_bytes_and_48_with_distances():
    flat = skymaps.gaussian_map(130, 20, 8)
    for one, per_row in ((flat, 24), (skymaps.with_distance(flat, 100.0, 30.0), 48)):
        piece = SkyPiece.of("x", one, 0.9995)
        assert per_row * len(piece) <= piece.nbytes < (per_row + 8) * len(piece) + 8


def test_a_piece_of_levels_that_are_there_is_the_same_and_cannot_be_written():
    one = skymaps.gaussian_map(130, 20, 8, 4, 2)
    piece, again = SkyPiece.of("x", one, 0.9), SkyPiece.of("x", one, 0.9, Levels2D.of(one))
    np.testing.assert_array_equal(piece.rows, again.rows)
    with pytest.raises(ValueError, match="read-only"):
        piece.rows["probdensity"][0] = 1.0


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_importing_the_index_does_not_import_numba():
    done = run_python("import sys, hub.science.sky_index; assert 'numba' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_without_a_folder_for_compiled_code_each_process_compiles_for_itself():
    # The only place that numba may look for is one that an unpacked package never has.
    done = run_python("from hub.science.sky_index import warm_up; warm_up()", NUMBA_CACHE_LOCATOR_CLASSES="_ZipCacheLocator")
    assert done.returncode == 0, done.stderr
