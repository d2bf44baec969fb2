import base64
import gzip
import io
import json
import os
import signal
import threading
import warnings

import healpy
import numpy as np
import psutil
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from ligo.skymap.io import read_sky_map
from ligo.skymap.postprocess import crossmatch
from mocpy import MOC

from hub.errors import SkymapRefused
from hub.science import healpix
from hub.science.levels import Levels2D, summary
from hub.science.skymap_fits import SkymapWorker, moc_json, to_fits, to_moc, to_moc_fits
from tests.support import skymaps
from tests.support.fits_cards import header_card, raw_fits, table_cards
from tests.support.skymaps import NUNIQ_HEADER, fits_bytes

FLAT_HEADER = (("PIXTYPE", "HEALPIX"), ("ORDERING", "NESTED"), ("COORDSYS", "C"), ("NSIDE", 8), ("INDXSCHM", "IMPLICIT"))


@pytest.fixture(scope="module")
def worker():
    with SkymapWorker() as open_worker:
        yield open_worker


@pytest.fixture(scope="module")
def blob():
    return skymaps.gaussian_map(130, 20, 8, 4, 4)


def multi_order(skymap, header=(), **changes):
    columns = {name: np.array(skymaps.to_table(skymap)[name]) for name in skymaps.to_table(skymap).colnames} | changes
    return fits_bytes(columns, (*NUNIQ_HEADER, *header))


def flat_values(order=3):
    flat = skymaps.flat_map(skymaps.gaussian_density(130, 20, 20), order)
    return flat, flat.probdensity * healpix.area_sr(flat.lo, flat.hi)


def refusal(worker, data):
    with pytest.raises(SkymapRefused) as caught:
        worker.read(data)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert 10 < len(sentence) < 600
    return sentence


# --- good maps of every dialect


@pytest.mark.parametrize("compressed", [False, True])
def test_a_multi_order_map_with_distances_is_read_exactly(worker, blob, compressed):
    skymap = skymaps.with_distance(blob, 100.0, 20.0)
    data = multi_order(skymap)
    read, remarks = worker.read(gzip.compress(data) if compressed else data)
    assert remarks == ()
    assert read.digest() == skymap.digest()


@pytest.mark.parametrize("ordering", ["NESTED", "RING"])
@pytest.mark.parametrize("per_row", [1, 48])
@pytest.mark.parametrize("names", [("PROB",), ("PROBABILITY", "SIGNIFICANCE")])
def test_a_flat_map_is_read_in_every_dialect(worker, ordering, per_row, names):
    flat, values = flat_values()
    if ordering == "RING":
        values = values[healpy.ring2nest(8, np.arange(768))]
    columns = {name: values.reshape(-1, per_row) if per_row > 1 else values for name in names}
    header = (("ORDERING", ordering), ("COORDSYS", "C"), ("NSIDE", 8), ("OBJECT", 1354291851))
    data = fits_bytes(columns, header, formats=dict.fromkeys(names, f"{per_row}D"))
    read, _ = worker.read(data)
    pixels = flat.lo + 5
    found = read.probdensity[healpix.find(read.lo, read.hi, pixels)]
    np.testing.assert_allclose(found, flat.probdensity, rtol=1e-12)


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("n_values", [1, 2, 10**6])
def test_equal_neighbours_of_a_flat_map_are_joined_as_ligo_skymap_does(worker, kind, n_values):
    rng = np.random.default_rng(3)
    values = np.repeat(rng.integers(1, n_values + 1, 192), 16) + np.where(np.arange(3072) < 100, rng.random(3072), 0)
    layers = {"PROB": values / values.sum(), "DISTMU": np.round(values), "DISTSIGMA": np.ones(3072), "DISTNORM": np.ones(3072)}
    data = fits_bytes({name: layer.astype(kind) for name, layer in layers.items()}, (("ORDERING", "NESTED"), ("COORDSYS", "C")))
    expected = read_sky_map(io.BytesIO(data), moc=True)
    skymap, _ = worker.read(data)
    uniq = healpix.uniq_of_ranges(skymap.lo, skymap.hi)
    by_uniq = np.argsort(uniq)
    np.testing.assert_array_equal(uniq[by_uniq], expected["UNIQ"])
    np.testing.assert_array_equal(skymap.probdensity[by_uniq], expected["PROBDENSITY"])
    np.testing.assert_array_equal(skymap.distmu[by_uniq], expected["DISTMU"])


@pytest.mark.parametrize(
    "card",
    [
        ("DATE-OBS", "yesterday"),
        ("DATE", "2020-13-45"),
        ("OBJECT", 12),
        ("INSTRUME", "none that anyone knows, and more"),
        ("RUNTIME", "long"),
        ("COORDSYS", "ICRS"),
    ],
)
def test_an_odd_card_does_not_refuse_a_map(worker, blob, card):
    assert worker.read(multi_order(blob, (card,)))[0].digest() == blob.digest()


def test_a_map_without_coordsys_or_ordering_of_its_pixels_is_read_if_it_has_uniq(worker, blob):
    table = skymaps.to_table(blob)
    read, _ = worker.read(fits_bytes({name: np.array(table[name]) for name in table.colnames}))
    assert read.digest() == blob.digest()


def test_an_image_before_the_table_is_passed_over(worker, blob):
    table = fits.open(io.BytesIO(multi_order(blob)))[1]
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(np.zeros((5, 7))), fits.ImageHDU(np.ones(4)), table]).writeto(buffer)
    assert worker.read(buffer.getvalue())[0].digest() == blob.digest()


def test_a_single_precision_map_is_read(worker, blob):
    read, _ = worker.read(multi_order(blob, PROBDENSITY=blob.probdensity.astype("f4")))
    np.testing.assert_allclose(read.probdensity[np.argsort(read.lo)], blob.probdensity, rtol=1e-6, atol=1e-40)


# --- bad maps: each refused with a sentence, by a child that then reads the next good one


BAD_HEADERS = {
    "absurd NAXIS1": raw_fits(*table_cards(10**15, 10, ("UNIQ", "K"), ("PROBDENSITY", "D"))),
    "absurd NAXIS2": raw_fits(*table_cards(16, 10**15, ("UNIQ", "K"), ("PROBDENSITY", "D"))),
    "product overflows": raw_fits(*table_cards(2**40, 2**40, ("UNIQ", "K"), ("PROBDENSITY", "D"))),
    "negative rows": raw_fits(*table_cards(16, -1, ("UNIQ", "K"), ("PROBDENSITY", "D"))),
    "no number": raw_fits(*table_cards(16, "many", ("UNIQ", "K"), ("PROBDENSITY", "D"))),
    "no columns": raw_fits(*table_cards(16, 3)),
    "cut short": raw_fits(*table_cards(16, 300, ("UNIQ", "K"), ("PROBDENSITY", "D")), data=b"\0" * 1000),
    "row length wrong": raw_fits(*table_cards(9, 300, ("UNIQ", "K"), ("PROBDENSITY", "D")), data=b"\0" * 2880),
    "bad format": raw_fits(*table_cards(16, 100, ("UNIQ", "??"), ("PROBDENSITY", "D")), data=b"\0" * 2880),
    "no extension": raw_fits()[:2880],
    "an HTML page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 100,
    "text": b"hello",
    "nothing": b"",
    "gzip of nothing": gzip.compress(b""),
    "gzip cut short": gzip.compress(raw_fits(*table_cards(16, 300, ("UNIQ", "K"), ("PROBDENSITY", "D")), data=os.urandom(5760)))[
        :-1500
    ],
    "gzip with damage": b"\x1f\x8b\x08\x00" + bytes(range(200)),
    "a path": b"/etc/passwd",
    "a URL": b"http://127.0.0.1/map.fits",
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_a_file_of_no_map_is_refused(worker, blob, name):
    refusal(worker, BAD_HEADERS[name])
    assert worker.read(multi_order(blob))[0].digest() == blob.digest()


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("COORDSYS", "G", "coordinate system G"),
        ("COORDSYS", "E", "coordinate system E"),
    ],
)
def test_a_frame_that_is_not_equatorial_is_refused(worker, blob, key, value, sentence):
    assert sentence in refusal(worker, multi_order(blob, ((key, value),)))


def test_a_flat_map_without_ordering_is_refused(worker):
    _, values = flat_values()
    assert "RING or NESTED" in refusal(worker, fits_bytes({"PROB": values}, (("NSIDE", 8),)))
    assert "RING or NESTED" in refusal(worker, fits_bytes({"PROB": values}, (("ORDERING", "SPIRAL"),)))
    assert "RING or NESTED" in refusal(worker, fits_bytes({"PROB": values}, NUNIQ_HEADER))


def test_wrong_columns_and_plain_coverage_maps_are_refused(worker, blob):
    uniq = healpix.uniq_of_ranges(blob.lo, blob.hi)
    assert "no sky map" in refusal(worker, fits_bytes({"UNIQ": uniq}, NUNIQ_HEADER))
    assert "neither UNIQ" in refusal(worker, fits_bytes({"FLUX": np.ones(768)}, FLAT_HEADER))


def test_a_flat_map_that_is_no_whole_sphere_is_refused(worker):
    _, values = flat_values()
    assert "not a whole sphere" in refusal(worker, fits_bytes({"PROB": values[:700]}, FLAT_HEADER))
    assert "NSIDE" in refusal(worker, fits_bytes({"PROB": values}, (("ORDERING", "NESTED"), ("NSIDE", 16))))


def test_an_empty_table_is_refused(worker):
    empty = fits_bytes({"UNIQ": np.array([], dtype="i8"), "PROBDENSITY": np.array([])}, NUNIQ_HEADER)
    assert "empty" in refusal(worker, empty)


@pytest.mark.parametrize(
    ("row", "value", "sentence"),
    [
        (3, np.nan, "finite"),
        (3, np.inf, "finite"),
        (3, -0.5, "negative"),
        (slice(None), 0.0, "zero everywhere"),
        (slice(None), 4.0, "sums to"),
    ],
)
def test_bad_values_are_refused(worker, blob, row, value, sentence):
    density = blob.probdensity.copy()
    density[row] = value
    assert sentence in refusal(worker, multi_order(blob, PROBDENSITY=density))


@pytest.mark.parametrize("uniq", [0, 3, -7, 2**62])
def test_bad_pixel_numbers_are_refused(worker, blob, uniq):
    numbers = healpix.uniq_of_ranges(blob.lo, blob.hi)
    numbers[5] = uniq
    assert "no HEALPix pixel" in refusal(worker, multi_order(blob, UNIQ=numbers))


def test_a_single_very_fine_pixel_costs_nothing(worker):
    # Flattened, a map with one order-12 pixel takes gigabytes and one with an order-29 pixel everything.
    chain_lo, chain_hi = healpix.pixels_of_ranges(np.array([0, 1]), np.array([1, healpix.N_PIX29]))
    deep = skymaps.from_pixels(chain_lo, chain_hi, np.ones(len(chain_lo)))
    read, _ = worker.read(multi_order(deep))
    assert healpix.order_of_ranges(read.lo, read.hi).max() == 29


# --- bombs


def test_a_compressed_file_beyond_the_limit_is_refused_unread(worker):
    assert "larger than 8 MB" in refusal(worker, gzip.compress(os.urandom(9 << 20), 1))
    assert "larger than 64 MB" in refusal(worker, b"SIMPLE  =" + bytes(65 << 20))


def test_a_bomb_of_rows_is_refused_without_expanding_it(worker):
    rows = 3_000_000
    bomb = gzip.compress(raw_fits(*table_cards(16, rows, ("UNIQ", "K"), ("PROBDENSITY", "D")), data=bytes(16 * rows)))
    assert len(bomb) < 200_000
    assert "expands" in refusal(worker, bomb)
    wide = gzip.compress(raw_fits(*table_cards(400, rows, ("UNIQ", "K"), ("PROBDENSITY", "D"), ("PAD", "384A"))))
    assert "larger than 64 MB" in refusal(worker, wide)
    many = gzip.compress(raw_fits(*table_cards(16, 6_000_000, ("UNIQ", "K"), ("PROBDENSITY", "D"))))
    assert "more than 5000000" in refusal(worker, many)


def test_a_bomb_before_the_table_or_after_it_expands_nothing(worker, blob):
    padding = gzip.compress(bytes(300 << 20), 1)
    image = "".join(
        (
            header_card("SIMPLE", "T"),
            header_card("BITPIX", 8),
            header_card("NAXIS", 1),
            header_card("NAXIS1", 300 << 20),
            "END".ljust(80),
        )
    ).ljust(2880)
    assert "before its first table" in refusal(worker, gzip.compress(image.encode()) + padding)
    after = gzip.compress(multi_order(blob)) + padding
    assert worker.read(after)[0].digest() == blob.digest()


def test_an_endless_header_is_refused(worker):
    cards = ("COMMENT a long story".ljust(80) * (30 << 20 >> 6)).encode()
    assert "larger than one megabyte" in refusal(worker, gzip.compress(raw_fits()[:2880].replace(b"END", b"HIP") + cards))


def test_a_flat_map_too_fine_is_refused_by_its_header(worker):
    cards = [card for card in table_cards(8, 12 * 4096**2, ("PROB", "D")) if not card.startswith("ORDERING")]
    bomb = gzip.compress(raw_fits(*cards, "ORDERING= 'NESTED'".ljust(80)))
    assert "larger than a map may be" in refusal(worker, bomb)


def test_bombs_do_not_grow_this_process(worker):
    before = psutil.Process().memory_info().rss
    rows = 3_900_000
    refusal(
        worker,
        gzip.compress(raw_fits(*table_cards(16, rows, ("UNIQ", "K"), ("PROBDENSITY", "D"))), 9) + gzip.compress(bytes(16 * rows)),
    )
    assert psutil.Process().memory_info().rss - before < 200 << 20


# --- the child


def test_a_child_that_dies_or_hangs_refuses_one_map_and_is_replaced(blob):
    good = multi_order(blob)
    with SkymapWorker() as mortal:
        mortal.read(good)
        first = mortal.child_pid
        os.kill(first, signal.SIGKILL)
        assert "time or memory" in refusal(mortal, good)
        assert mortal.read(good)[0].digest() == blob.digest()
        assert mortal.child_pid != first
        last = mortal.child_pid
    assert not psutil.pid_exists(last)


def test_a_child_that_takes_too_long_is_ended(blob):
    with SkymapWorker(map_s=0.5) as impatient:
        impatient.read(multi_order(blob))
        child = impatient.child_pid
        os.kill(child, signal.SIGSTOP)
        assert "time or memory" in refusal(impatient, multi_order(blob))
        assert not psutil.pid_exists(child)


def test_a_child_is_replaced_after_its_share_of_maps(blob):
    good = multi_order(blob)
    with SkymapWorker(maps_per_child=2) as short_lived:
        assert short_lived.child_pid is None
        short_lived.read(good)
        first = short_lived.child_pid
        short_lived.read(good)
        assert short_lived.child_pid is None
        short_lived.read(good)
        assert short_lived.child_pid not in (None, first)


def test_a_warm_child_is_there_before_the_first_map_and_so_is_each_successor(blob):
    good = multi_order(blob)
    with SkymapWorker(maps_per_child=2) as worker:
        worker.warm()
        first = worker.child_pid
        assert first is not None
        worker.warm()
        assert worker.read(good)[0].digest() == blob.digest()
        assert worker.child_pid == first
        worker.read(good)
        second = worker.child_pid
        assert second not in {None, first}
        os.kill(second, signal.SIGKILL)
        assert refusal(worker, good) == "the process that reads maps does not start"
        third = worker.child_pid
        assert third not in {None, second}
    assert worker.child_pid is None
    assert not psutil.pid_exists(third)


def test_a_child_sees_no_secret_and_has_limits(worker, blob):
    worker.read(multi_order(blob))
    child = psutil.Process(worker.child_pid)
    assert not any(name.startswith("MMHUB") for name in child.environ())
    assert child.rlimit(psutil.RLIMIT_AS)[0] == 2 << 30
    assert child.rlimit(psutil.RLIMIT_CPU)[0] < 3600


def test_several_threads_may_ask_one_worker(worker, blob):
    digests = []
    threads = [threading.Thread(target=lambda: digests.append(worker.read(multi_order(blob))[0].digest())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests == [blob.digest()] * 6


# --- writing


@pytest.mark.parametrize("with_distance", [False, True])
def test_a_written_map_is_read_back_the_same_by_ligo_skymap_astropy_and_us(worker, blob, with_distance):
    skymap = skymaps.with_distance(blob, 100.0, 20.0) if with_distance else blob
    data = to_fits(skymap, object_id="S230518h")
    assert to_fits(skymap, object_id="S230518h") == data
    assert worker.read(data)[0].digest() == skymap.digest()
    ours = read_sky_map(io.BytesIO(data), moc=True)
    expected = skymaps.to_table(skymap)
    expected.sort("UNIQ")
    plain = Table.read(io.BytesIO(data), format="fits")
    for name in expected.colnames:
        np.testing.assert_array_equal(ours[name], expected[name])
        np.testing.assert_array_equal(plain[name], expected[name])
    assert ours.meta["objid"] == "S230518h"
    assert plain["PROBDENSITY"].unit == u.sr**-1
    assert ("DISTMU" in plain.colnames) == with_distance


def test_an_odd_object_name_fits_into_the_header(blob):
    name = "GRB\n\u00e9" + 100 * "x"
    assert fits.open(io.BytesIO(to_fits(blob, object_id=name)))[1].header["OBJECT"].startswith("GRB??xxx")


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_a_region_is_read_by_mocpy_with_the_right_area(blob, level):
    levels = Levels2D.of(blob)
    inside = levels.region(level)
    sky_fraction = healpix.area_sr(blob.lo[inside], blob.hi[inside]).sum() / (4 * np.pi)
    json_moc = MOC.from_json(to_moc(blob, level))
    text_moc = MOC.from_string(moc_json(blob, level), format="json")
    for moc in (json_moc, text_moc):
        assert moc.sky_fraction == pytest.approx(sky_fraction, rel=1e-9)
    assert levels.area_of_level(level) <= sky_fraction * 41252.97 * (1 + 1e-9)


def test_a_region_in_a_fits_file_is_read_by_mocpy(blob, tmp_path):
    path = tmp_path / "region.fits"
    path.write_bytes(to_moc_fits(blob, 0.9))
    assert to_moc_fits(blob, 0.9) == path.read_bytes()
    assert MOC.from_fits(path) == MOC.from_json(to_moc(blob, 0.9))


# --- recorded maps


def embedded(recorded):
    for path in sorted((recorded / "igwn").rglob("*.json")):
        skymap = (json.loads(path.read_text()).get("event") or {}).get("skymap")
        if skymap:
            yield path.name, base64.b64decode(skymap)
    guano = json.loads((recorded / "gcn/kafka/kafka_alert_swift_targeted_wskymap.json").read_text())
    yield "guano", base64.b64decode(guano["healpix_file"])


def maps(recorded):
    for path in sorted((recorded / "skymaps").iterdir()):
        yield path.name, path.read_bytes()
    yield from embedded(recorded)


@pytest.mark.recorded
def test_every_recorded_map_has_the_levels_that_ligo_skymap_finds(worker, recorded):
    rng = np.random.default_rng(7)
    coordinates = SkyCoord(rng.uniform(0, 360, 300) * u.deg, np.degrees(np.arcsin(rng.uniform(-1, 1, 300))) * u.deg)
    n_read = 0
    seen = set()
    for name, data in maps(recorded):
        if "moc_" in name or name.startswith("S190814bv") or data in seen:
            continue
        seen.add(data)
        skymap, remarks = worker.read(data)
        assert remarks == (), name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            table = read_sky_map(io.BytesIO(plain), moc=True)
        table.keep_columns(["UNIQ", "PROBDENSITY"])
        result = crossmatch(table, coordinates, contours=(0.5, 0.9))
        levels = Levels2D.of(skymap)
        hits = levels.lookup(healpix.pixels29(coordinates.ra.deg, coordinates.dec.deg))
        np.testing.assert_allclose(hits.searched_prob, result.searched_prob, rtol=0, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(hits.searched_area_deg2, result.searched_area, rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(
            [levels.area_of_level(0.5), levels.area_of_level(0.9)], result.contour_areas, rtol=1e-9, err_msg=name
        )
        n_read += 1
    assert n_read >= 10


@pytest.mark.recorded
def test_recorded_maps_have_their_documented_areas_and_distances(worker, recorded):
    manifest = json.loads((recorded / "manifest.json").read_text())
    checked = 0
    for entry in manifest:
        expected = entry["expect"]
        if not entry["file"].startswith("skymaps/") or "a90" not in expected:
            continue
        facts = summary(worker.read((recorded / entry["file"]).read_bytes())[0])
        assert facts.n_tiles == expected["n"]
        assert facts.area50_deg2 == pytest.approx(expected["a50"], rel=1e-6)
        assert facts.area90_deg2 == pytest.approx(expected["a90"], rel=1e-6)
        assert [facts.peak_ra_deg, facts.peak_dec_deg] == pytest.approx(expected["peak"], abs=1e-4)
        if "distmean" in expected:
            # The header's moments are those of the samples, ours those of the layers fitted to them.
            assert facts.dist_mean_mpc == pytest.approx(expected["distmean"], rel=0.01)
            assert facts.dist_std_mpc == pytest.approx(expected["diststd"], rel=0.05)
        else:
            assert facts.dist_mean_mpc is None
        checked += 1
    assert checked == 9


@pytest.mark.recorded
def test_recorded_coverage_maps_are_no_sky_maps(worker, recorded):
    for name in ("moc_MS181101ab_90.moc", "moc_sample_area.fits"):
        assert "coverage map" in refusal(worker, (recorded / "skymaps" / name).read_bytes())
