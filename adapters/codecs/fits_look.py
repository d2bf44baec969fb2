"""A light look at FITS bytes: whether they hold a sky map, from the headers alone."""

import zlib
from typing import Any

from hub.errors import NotAMessage
from hub.ports import DecodedContext

FORMAT = "fits"
GZIP_MAGIC = b"\x1f\x8b"
FITS_MAGIC = b"SIMPLE  ="

LOOK_BYTES = 1024 * 1024
"""How much of the (unpacked) file is looked at; the headers of real maps end after 20 kB."""

BLOCK = 2880
CARD = 80
DENSITY_COLUMNS = frozenset({"PROB", "PROBABILITY", "PROBDENSITY"})
"""Columns of which a sky map has one."""

_SUMMARY = {
    "OBJECT": "object",
    "INSTRUME": "instrument",
    "DATE-OBS": "date_obs",
    "CREATOR": "creator",
    "ORDERING": "ordering",
    "NAXIS2": "n_rows",
    "DISTMEAN": "dist_mean_mpc",
    "DISTSTD": "dist_std_mpc",
}
"""Header keyword to key of the summary."""

Header = dict[str, str]


def is_fits(payload: bytes) -> bool:
    """Return whether bytes begin as a FITS file, gzipped or not."""
    return payload.startswith(FITS_MAGIC) or (payload.startswith(GZIP_MAGIC) and _unpacked(payload, 16).startswith(FITS_MAGIC))


def decode(payload: bytes) -> DecodedContext:
    """Return the context that a bare sky map is.

    Raises
    ------
    NotAMessage
        It is a FITS file of another kind: a plain MOC, a catalogue, an image.
    """
    data = _unpacked(payload, LOOK_BYTES) if payload.startswith(GZIP_MAGIC) else payload[:LOOK_BYTES]
    for header in _headers(data):
        names = [header.get(f"TTYPE{i}", "").upper() for i in range(1, _whole(header, "TFIELDS", most=999) + 1)]
        if DENSITY_COLUMNS.intersection(names):
            summary: dict[str, Any] = {key: header[keyword] for keyword, key in _SUMMARY.items() if header.get(keyword)}
            return DecodedContext(kind="skymap", format=FORMAT, summary=summary | {"columns": names})
    raise NotAMessage("a FITS file without a sky map", format=FORMAT)


def _unpacked(payload: bytes, most: int) -> bytes:
    """Return at most so many bytes of what gzip packed; nothing where it is damaged at once."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(payload[:LOOK_BYTES], most)
    except zlib.error:
        return b""


def _headers(data: bytes) -> list[Header]:
    """Return the headers of all units that begin inside the bytes, jumping over their data (FITS standard 4.0, section 4.4.1)."""
    found: list[Header] = []
    offset = 0
    while offset < len(data):
        header, offset = _header(data, offset)
        if not header:
            break
        found.append(header)
        size = abs(_whole(header, "BITPIX", most=64)) // 8
        axes = _whole(header, "NAXIS", most=9)
        for axis in range(1, axes + 1):
            size *= _whole(header, f"NAXIS{axis}", most=2**40)
        size = size + _whole(header, "PCOUNT", most=2**40) if axes else 0
        offset += -(-size // BLOCK) * BLOCK
    return found


def _header(data: bytes, offset: int) -> tuple[Header, int]:
    """Return the cards up to END and the offset behind their last block; no cards where there is no END."""
    cards: Header = {}
    for start in range(offset, len(data) - CARD + 1, CARD):
        card = data[start : start + CARD].decode("ascii", "replace")
        keyword = card[:8].strip()
        if keyword == "END":
            used = start + CARD - offset
            return cards, offset + -(-used // BLOCK) * BLOCK
        if card[8:10] == "= ":
            cards.setdefault(keyword, _value(card[10:]))
    return {}, len(data)


def _value(text: str) -> str:
    """Return the value of a card without its comment and quotes."""
    stripped = text.strip()
    if stripped.startswith("'"):
        return stripped[1:].partition("'")[0].strip().replace("\x00", "")
    return stripped.partition("/")[0].strip().replace("\x00", "")


def _whole(header: Header, keyword: str, *, most: int) -> int:
    try:
        value = int(header.get(keyword, "0")[:20])
    except ValueError:
        return 0
    return max(-most, min(value, most))
