"""Hostile sky maps, and the notices that carry them."""

import base64
import gzip
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from hub.science import healpix
from tests.support import json_notices, skymaps
from tests.support.bombs import Bomb, family, moment
from tests.support.fits_cards import header_card, padded, primary, raw_fits, table_cards
from tests.support.skymaps import NUNIQ_HEADER, fits_bytes

UNIQ_COLUMNS = (("UNIQ", "K"), ("PROBDENSITY", "D"))
FLAT = (("PIXTYPE", "HEALPIX"), ("ORDERING", "NESTED"), ("COORDSYS", "C"), ("NSIDE", 8))


@cache
def good() -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of a good map."""
    table = skymaps.to_table(skymaps.gaussian_map(101.5, -20.25, 5, 4, 3))
    return {name: np.array(table[name]) for name in table.colnames}


def changed(name: str, index: Any, value: Any) -> bytes:
    """Return the good map with some values of a column replaced."""
    column = good()[name].copy()
    column[index] = value
    return fits_bytes(good() | {name: column}, NUNIQ_HEADER)


def rows(index: Any) -> bytes:
    """Return the good map with other rows."""
    return fits_bytes({name: column[index] for name, column in good().items()}, NUNIQ_HEADER)


def with_card(key: str, value: Any) -> bytes:
    """Return the good map with a card of its own."""
    return fits_bytes(good(), (*(card for card in NUNIQ_HEADER if card[0] != key), (key, value)))


def parents_and_children() -> bytes:
    """Return the good map twice, the second time one order finer."""
    children = (good()["UNIQ"][:, None] * 4 + np.arange(4)).ravel()
    density = np.concatenate((good()["PROBDENSITY"], np.repeat(good()["PROBDENSITY"], 4)))
    return fits_bytes({"UNIQ": np.concatenate((good()["UNIQ"], children)), "PROBDENSITY": density}, NUNIQ_HEADER)


def one_fine_pixel(order: int) -> bytes:
    """Return a whole sphere in which one pixel is that fine; flattened it would take gigabytes."""
    size = 1 << (2 * (29 - order))
    lo, hi = healpix.pixels_of_ranges(np.array([0, size]), np.array([size, healpix.N_PIX29]))
    table = skymaps.to_table(skymaps.from_pixels(lo, hi, np.ones(len(lo))))
    return fits_bytes({name: np.array(table[name]) for name in table.colnames}, NUNIQ_HEADER)


def flat(header: tuple[tuple[str, Any], ...] = FLAT, name: str = "PROB", n_pixels: int = 768) -> bytes:
    """Return a flat map."""
    return fits_bytes({name: np.full(n_pixels, 1.0 / n_pixels)}, header)


@cache
def zeros(mebibytes: int) -> bytes:
    """Return a gzip member of zeros without its end."""
    packer = zlib.compressobj(9, wbits=31)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (mebibytes - 1)


def gzip_bomb(n_rows: int, mebibytes: int = 1024) -> bytes:
    """Return a megabyte that holds a gigabyte of pixels."""
    return gzip.compress(raw_fits(*table_cards(16, n_rows, *UNIQ_COLUMNS))) + zeros(mebibytes)


def endless_header() -> bytes:
    """Return a header without end, 128 MB of cards in a fraction of that."""
    cards = ("COMMENT on and on and on".ljust(80) * (1 << 17)).encode()
    return gzip.compress(primary()[:2800].replace(b"END", b"HIP")) + gzip.compress(cards, 9) * 12


def bomb_before_the_table() -> bytes:
    """Return an image of half a gigabyte where the table should be."""
    image = padded(
        header_card("SIMPLE", "T"), header_card("BITPIX", 8), header_card("NAXIS", 1), header_card("NAXIS1", 512 << 20)
    )
    return gzip.compress(image) + zeros(512)


def refused() -> dict[str, Callable[[], bytes]]:
    """Return maps that no reader may use, by what is wrong with them."""
    return {
        **{f"one pixel {value}": lambda value=value: changed("PROBDENSITY", 3, value) for value in (np.nan, np.inf, -0.5)},
        "fifty times too much": lambda: fits_bytes(good() | {"PROBDENSITY": 50 * good()["PROBDENSITY"]}, NUNIQ_HEADER),
        "zero everywhere": lambda: changed("PROBDENSITY", slice(None), 0.0),
        "each pixel twice": lambda: rows(np.tile(np.arange(len(good()["UNIQ"])), 2)),
        "parents and children": parents_and_children,
        **{f"UNIQ {value}": lambda value=value: changed("UNIQ", 5, value) for value in (0, 1, 2, 3, -1, -(2**40), 2**62)},
        **{f"COORDSYS {frame}": lambda frame=frame: with_card("COORDSYS", frame) for frame in ("G", "E", "X" * 60)},
        "unknown ordering": lambda: flat((*FLAT[2:], ("ORDERING", "SPIRAL"))),
        "no ordering": lambda: flat(FLAT[2:]),
        "wrong columns": lambda: flat(name="FLUX"),
        "no density": lambda: fits_bytes({"UNIQ": good()["UNIQ"]}, NUNIQ_HEADER),
        "no whole sphere": lambda: flat(n_pixels=700),
        "another NSIDE": lambda: flat((*FLAT[:3], ("NSIDE", 1024))),
        "empty table": lambda: rows(slice(0, 0)),
        "truncated": lambda: rows(slice(None))[:-6000],
        "only a header": primary,
        **{
            f"{n_bytes} x {n_rows} bytes": lambda n_bytes=n_bytes, n_rows=n_rows: raw_fits(*table_cards(n_bytes, n_rows, *UNIQ_COLUMNS))
            for n_bytes, n_rows in ((16, 10**15), (10**15, 16), (2**40, 2**40), (16, -1), (9, 300), (16, "many"))
        },
        "flat map of nside 8192": lambda: gzip.compress(raw_fits(*table_cards(8, 12 << 26, ("PROB", "D"), ordering="NESTED"))),
        "1 MB for 1 GB, few rows": lambda: gzip_bomb(3_900_000),
        "1 MB for 1 GB, many rows": lambda: gzip_bomb(64 << 20),
        "bomb before the table": bomb_before_the_table,
        "endless header": endless_header,
        "gzip of damage": lambda: b"\x1f\x8b\x08\x00" + bytes(range(200)),
        "gzip cut off": lambda: gzip.compress(rows(slice(None)))[:-2000],
        "gzip of nothing": lambda: gzip.compress(b""),
        "gzip of gzip": lambda: gzip.compress(gzip.compress(rows(slice(None)))),
        "10 MB of noise": lambda: b"\x1f\x8b\x08\x00" + np.random.default_rng(1).bytes(4_000_000),
    }  # fmt: skip


def usable() -> dict[str, Callable[[], bytes]]:
    """Return maps with an oddity that spoils nothing."""
    return {
        "13 % of the sky missing": lambda: rows(np.argsort(good()["PROBDENSITY"])[len(good()["UNIQ"]) // 8 :]),
        "ordering that is not so": lambda: with_card("ORDERING", "NESTED"),
        "RING data called NESTED": flat,
        "bad DATE-OBS": lambda: with_card("DATE-OBS", "yesterday"),
        "leap second": lambda: with_card("DATE-OBS", "2016-12-31T23:59:60.5"),
        "two thousand odd cards": lambda: fits_bytes(good(), (*NUNIQ_HEADER, *((f"ODD{i}", i) for i in range(2_000)))),
        **{f"one pixel of order {order}": lambda order=order: one_fine_pixel(order) for order in (12, 14, 29)},
        "a bomb behind the table": lambda: gzip.compress(rows(slice(None))) + zeros(256),
    }


def no_map() -> dict[str, Callable[[], bytes]]:
    """Return what stands where a map should, and is none at a glance."""
    return {
        "HTML page": lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 100,
        "path": lambda: b"/etc/passwd",
        "URL": lambda: b"http://127.0.0.1:9/map.fits",
        "file URL": lambda: b"file:///etc/passwd",
    }


def with_circle(skymap: bytes, number: int) -> bytes:
    """Return a unified notice that states a circle and carries a map."""
    text = base64.b64encode(skymap).decode()
    notice = json_notices.gbm(id=[f"{880_000_000 + number}"], trigger_time=moment(number), healpix_file=text)
    del notice["healpix_url"]
    return json_notices.as_bytes(notice)


def gravitational_wave(skymap: bytes, number: int) -> bytes:
    """Return a gravitational-wave alert, which has no position but its map's."""
    alert = json_notices.igwn_alert(superevent_id=f"S25{moment(number)[5:10].replace('-', '')}{chr(97 + number // 336)}")
    alert["event"]["time"] = moment(number)
    alert["event"]["skymap"] = base64.b64encode(skymap).decode()
    return json_notices.as_bytes(alert)


def bombs() -> list[Bomb]:
    """Return the family: each map alone, in a notice with a circle, and some in a gravitational-wave alert."""
    bare = {**refused(), **usable()}
    carried = {
        what: lambda build=build, i=i: with_circle(build(), i)
        for i, (what, build) in enumerate({**refused(), **no_map()}.items())
    }
    in_alerts = {
        what: lambda build=build, i=i: gravitational_wave(build(), 100 + i)
        for i, (what, build) in enumerate({**refused(), **no_map()}.items())
        if i % 4 == 0
    }
    odd = {what: lambda build=build, i=i: with_circle(build(), 200 + i) for i, (what, build) in enumerate(usable().items())}
    return [
        *family("map alone", "either", bare),
        *family("map alone", "dead", no_map()),
        *family("map and circle", "stored", carried, remark=True),
        *family("map in an alert", "stored", in_alerts, remark=True),
        *family("odd map and circle", "stored", odd),
    ]
