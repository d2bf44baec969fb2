"""Good messages of every format, where their regions lie, and ways to spoil them there."""

import base64
import gzip
import random
import re
from collections.abc import Callable

from tests.support import bombs_maps, json_notices, lsst_packets, ztf_packets
from tests.support.voevents import voevent

Mutation = Callable[[bytes, int, random.Random], bytes]
"""Spoils a message at an offset."""

REGIONS = ("header", "numbers", "structure", "payload")
"""What is aimed at: how the message begins, its numbers, what holds it together, and all the rest."""

FERMI = b"""<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://nasa.gsfc.gcn/Fermi#GBM_Gnd_Pos_1" role="observation" version="2.0">
<Who><AuthorIVORN>ivo://nasa.gsfc.tan/gcn</AuthorIVORN><Date>2026-03-01T02:03:40</Date></Who>
<What><Param name="Packet_Type" value="112"/><Param name="TrigID" value="524666471"/>
<Group name="Trigger_ID"><Param name="Def_NOT_a_GRB" value="false"/></Group></What>
<WhereWhen><ObsDataLocation><ObservatoryLocation id="GEOLUN"/><ObservationLocation><AstroCoordSystem id="UTC-FK5-GEO"/>
<AstroCoords coord_system_id="UTC-FK5-GEO"><Time unit="s"><TimeInstant><ISOTime>2026-03-01T02:03:04.25</ISOTime></TimeInstant></Time>
<Position2D unit="deg"><Name1>RA</Name1><Name2>Dec</Name2><Value2><C1>186.6200</C1><C2>-48.8400</C2></Value2>
<Error2Radius>17.45</Error2Radius></Position2D></AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>
<Citations><EventIVORN cite="followup">ivo://nasa.gsfc.gcn/Fermi#GBM_Alert_1</EventIVORN></Citations>
</voe:VOEvent>"""


def _with_map(alert: dict[str, object], field: str) -> dict[str, object]:
    small = gzip.compress(bombs_maps.flat(), mtime=0)
    if field == "skymap":
        alert["event"] |= {"skymap": base64.b64encode(small).decode()}
        return alert
    return alert | {field: base64.b64encode(small).decode()}


SEEDS: dict[str, bytes] = {
    "voevent-1.1": voevent(version="1.1", params={"TrigID": 7}),
    "voevent-2.0": FERMI,
    "voevent-2.1": voevent(version="2.1", groups={"g": {"p": ("1.5", "deg")}}, cites=[("ivo://a/b#c", "supersedes")]),
    "gcn-unified": json_notices.as_bytes(json_notices.gbm()),
    "gcn-unified-icecube": json_notices.as_bytes(json_notices.icecube()),
    "gcn-unified-map": json_notices.as_bytes(_with_map(json_notices.guano(ra=101.0, dec=-20.0, ra_dec_error=5.0), "healpix_file")),
    "igwn-json": json_notices.as_bytes(_with_map(json_notices.igwn_with_coincidence(), "skymap")),
    "igwn-avro": json_notices.as_avro(_with_map(json_notices.igwn_alert(), "skymap")),
    "snews2": json_notices.as_bytes(json_notices.snews()),
    "circular": json_notices.as_bytes(json_notices.circular()),
    "lsst-framed": lsst_packets.framed("10.0", lsst_packets.record("10.0", history_mjd=(61_000.0, 61_001.0))),
    "lsst-container": lsst_packets.container(
        "10.0", [lsst_packets.record("10.0", diaSourceId=n) for n in (1, 2)], codec="deflate"
    ),
    "ztf-container": ztf_packets.container([ztf_packets.record()]),
    "fits-multi-order": bombs_maps.rows(slice(None)),
    "fits-flat": bombs_maps.flat(),
}  # fmt: skip

EXTREMES = (
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"9" * 400,
    b"null",
    b'""',
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"\x00",
    b"\xff" * 8,
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"<!DOCTYPE a>",
)
"""What stands where something sensible stood."""

_FITS_BLOCK = 2880
_PUNCTUATION = re.compile(rb"[<>{}\[\]\",:=/&]")
_DIGIT = re.compile(rb"[0-9]")


def regions(name: str, payload: bytes) -> dict[str, list[int]]:
    """Return the offsets of each region of a message."""
    every = range(len(payload))
    if name.startswith("fits"):
        table = range(_FITS_BLOCK, payload.index(b"END" + b" " * 77, _FITS_BLOCK) + 80)
        return {
            "header": list(range(_FITS_BLOCK)),
            "numbers": [i for i in table if 48 <= payload[i] <= 57],
            "structure": [i for i in table if payload[i] != 32],
            "payload": list(range(table.stop, len(payload))),
        }
    if payload.startswith((b"Obj\x01", b"\0")):
        start = 5 if payload[0] == 0 else payload.index(payload[-16:]) + 16  # behind the first sync marker of a container
        images = [found.start() for found in re.finditer(rb"SIMPLE  =", payload)]
        end = min(images, default=len(payload) - 16)
        return {
            "header": list(range(start)),
            "numbers": list(range(start, end)),
            "structure": [i for i in range(start, end) if payload[i] < 8] or list(range(start, end)),  # branches, counts, lengths
            "payload": list(range(end, len(payload))),
        }
    numbers, structure = ([found.start() for found in of.finditer(payload)] for of in (_DIGIT, _PUNCTUATION))
    taken = {*numbers, *structure}
    return {
        "header": list(every[:100]),
        "numbers": numbers,
        "structure": structure,
        "payload": [i for i in every if i not in taken],
    }


def flip_bits(payload: bytes, at: int, source: random.Random) -> bytes:
    changed = bytearray(payload)
    for offset in range(at, min(at + source.randint(1, 8), len(payload))):
        changed[offset] ^= 1 << source.randrange(8)
    return bytes(changed)


def cut(payload: bytes, at: int, source: random.Random) -> bytes:
    return payload[:at]


def drop_piece(payload: bytes, at: int, source: random.Random) -> bytes:
    return payload[:at] + payload[at + source.randint(1, 40) :]


def repeat_piece(payload: bytes, at: int, source: random.Random) -> bytes:
    end = at + source.randint(1, 80)
    return payload[:end] + payload[at:end] * source.randint(1, 20) + payload[end:]


def put_extreme(payload: bytes, at: int, source: random.Random) -> bytes:
    return payload[:at] + source.choice(EXTREMES) + payload[at + source.randint(0, 12) :]


def replace_run(payload: bytes, at: int, source: random.Random) -> bytes:
    """Replace the digits from here on, or the next eight bytes where there are none."""
    digits = re.compile(rb"[0-9]+").match(payload, at)
    return payload[:at] + source.choice(EXTREMES) + payload[digits.end() if digits else at + 8 :]


def splice(payload: bytes, at: int, source: random.Random) -> bytes:
    other = source.choice(list(SEEDS.values()))
    return payload[:at] + other[source.randrange(len(other)) :]


KINDS: tuple[Mutation, ...] = (flip_bits, cut, drop_piece, repeat_piece, put_extreme, replace_run, splice)


def mutations(name: str, region: str, count: int) -> list[bytes]:
    """Return mutations of one region of a seed, the kinds in equal parts; the same ones each time, the first ones of a longer list."""
    source = random.Random(f"{name} {region}")
    payload = SEEDS[name]
    places = regions(name, payload)[region]
    return [KINDS[i % len(KINDS)](payload, source.choice(places), source) for i in range(count)]
