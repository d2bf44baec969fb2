"""Hostile alert packets and Avro containers."""

import io
import json
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import fastavro

from tests.support import json_notices, lsst_packets, ztf_packets
from tests.support.bombs import Bomb, family

SYNC = bytes(range(16))
HEADER_BYTES = 5
ROOTS = ("ztf.alert", "lsst.v10_0.alert", "igwn.alerts.Alert")
"""Names that make a container look like one of ours."""


def number(value: int) -> bytes:
    """Return a whole number as Avro writes it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", value)
    return out.getvalue()


def sized(data: bytes) -> bytes:
    """Return bytes behind their length."""
    return number(len(data)) + data


def container(schema: Any, count: int, block: bytes, codec: bytes = b"null") -> bytes:
    """Return a container with one block, whatever sense it makes."""
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    metadata = sized(b"avro.schema") + sized(text) + sized(b"avro.codec") + sized(codec)
    return b"Obj\x01" + number(2) + metadata + number(0) + SYNC + number(count) + sized(block) + SYNC


def root(name: str, kind: Any) -> dict[str, Any]:
    """Return a record of one field."""
    return {"type": "record", "name": name, "fields": [{"name": "a", "type": kind}]}


def recursive(name: str) -> bytes:
    """Return a container whose list is as deep as its bytes are many."""
    node = {"type": "record", "name": "node", "fields": [{"name": "next", "type": ["null", "node"]}]}
    return container(root(name, node), 1, b"\x02" * 100_000 + b"\0")


def zero_width(name: str, items: Any) -> bytes:
    """Return a container that claims a hundred million items that take no bytes."""
    return container(root(name, {"type": "array", "items": items}), 1, number(10**8) + b"\0")


@cache
def deflate_bomb(mebibytes: int) -> bytes:
    """Return raw deflate of zeros: after a full flush each megabyte is packed alike, so that the bomb costs nothing to build."""
    packer = zlib.compressobj(9, wbits=-15)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (mebibytes - 1) + packer.flush()


@cache
def packet(**source: Any) -> bytes:
    """Return a good packet with one earlier detection."""
    return lsst_packets.framed("10.0", lsst_packets.record("10.0", history_mjd=(61_000.0,), diaSourceId=77_000, **source))


def at_difference(one: bytes, other: bytes, put: bytes, *, drop: int = 1) -> bytes:
    """Return the first packet with its first byte that differs from the second replaced."""
    place = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[:place] + put + one[place + drop :]


def boolean_of_7() -> bytes:
    """Return a packet in which a truth value is 7."""
    return at_difference(packet(isNegative=True), packet(isNegative=False), b"\x07")


def union(index: int) -> bytes:
    """Return a packet with a branch that its union does not have."""
    return at_difference(packet(reliability=0.5), packet(reliability=None), number(index))


def band_length(length: int) -> bytes:
    """Return a packet whose band claims a length."""
    return at_difference(packet(band="i"), packet(band="iii"), number(length))


def history_count(count: int) -> bytes:
    """Return a packet that claims a number of earlier detections."""
    with_none = lsst_packets.framed("10.0", lsst_packets.record("10.0", diaSourceId=77_000))
    return at_difference(packet(), with_none, number(1) + number(count), drop=2)


def overlong_varint() -> bytes:
    """Return a packet whose first whole number has a megabyte."""
    return packet()[:HEADER_BYTES] + b"\xff" * 1_000_000 + b"\x01" + packet()[HEADER_BYTES + 3 :]


def _packets() -> dict[str, Callable[[], bytes]]:
    body = packet()[HEADER_BYTES:]
    return {
        **{f"schema id {n}": lambda n=n: b"\0" + n.to_bytes(4, "big") + body for n in (0, 1, 99, 1199, 9_999, 2**32 - 1)},
        **{f"cut after {i * len(body) // 10} bytes": lambda i=i: packet()[: HEADER_BYTES + i * len(body) // 10] for i in range(10)},
        **{f"cut after {n} bytes of header": lambda n=n: packet()[:n] for n in range(1, 5)},
        "7000 bytes behind": lambda: packet() + bytes(7_000),
        "union index -1": lambda: union(-1),
        "union index 2^40": lambda: union(2**40),
        "overlong varint": overlong_varint,
        **{f"length {n}": lambda n=n: band_length(n) for n in (2**31, 2**40, 2**62, -1, -(2**62))},
        **{f"count {n}": lambda n=n: history_count(n) for n in (10**8, 2**40, 2**62, -(2**40))},
        "packet of 5 MB": lambda: packet() + bytes(5 << 20),
        **{
            f"{name} {value}": lambda name=name, value=value: packet(**{name: value})
            for name, values in {
                "ra": (float("nan"), float("inf"), -1.0, 360.0),
                "dec": (float("nan"), float("-inf"), 90.0001),
                "midpointMjdTai": (float("nan"), 0.0, 1e300),
                "psfFlux": (float("inf"),),
                "snr": (float("-inf"),),
                "band": ("infrared", "\u0131", "i\n"),
            }.items()
            for value in values
        },
    }  # fmt: skip


def _containers() -> dict[str, Callable[[], bytes]]:
    empty = {"type": "record", "name": "empty", "fields": []}
    return {
        **{f"{name}, recursive": lambda name=name: recursive(name) for name in ROOTS},
        **{f"{name}, 10^8 nulls": lambda name=name: zero_width(name, "null") for name in ROOTS},
        **{f"{name}, 10^8 empty records": lambda name=name: zero_width(name, empty) for name in ROOTS},
        **{
            f"{name}, 1 MB for 1 GiB": lambda name=name: container(root(name, "bytes"), 1, deflate_bomb(1024), b"deflate")
            for name in ROOTS
        },
        **{f"{name}, 10^8 records": lambda name=name: container(root(name, "long"), 10**8, bytes(100)) for name in ROOTS},
        **{f"{name}, no block": lambda name=name: container(root(name, "long"), 0, b"")[:-18] for name in ROOTS},
        "schema nested 100000 deep": lambda: container(b'{"type":' * 100_000 + b'"int"' + b"}" * 100_000, 1, b"\0"),
        "schema of [": lambda: container(b"[" * 100_000, 1, b"\0"),
        "schema that is none": lambda: container(b"\xff\xfe", 1, b"\0"),
        "schema of 2 MB": lambda: container(b'"' + b"x" * (2 << 20) + b'"', 1, b"\0"),
        "snappy": lambda: container(ztf_packets.SCHEMA, 1, b"", b"snappy"),
        "deflate that is none": lambda: container(ztf_packets.SCHEMA, 1, b"\xff" * 99, b"deflate"),
        "only its first bytes": lambda: b"Obj\x01",
        "10^9 entries of metadata": lambda: b"Obj\x01" + number(10**9) + bytes(100),
        "a good one cut off": lambda: ztf_packets.container([ztf_packets.record(candid=77)])[:-30],
        "gravitational-wave alert cut off": lambda: json_notices.as_avro(json_notices.igwn_alert())[:-30],
        "a stranger's": lambda: container(root("other.thing", "long"), 1, number(7)),
    }


def bombs() -> list[Bomb]:
    """Return the family."""
    return [
        *family("packet", "dead", _packets()),
        *family("packet", "either", {"truth value 7": boolean_of_7}),
        *family("container", "dead", _containers()),
    ]
