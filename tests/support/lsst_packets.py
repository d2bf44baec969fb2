"""LSST alert packets of our own making, in every schema version of the pinned table."""

import io
import json
from typing import Any

import fastavro

from hub import resources

OLD_NAMES = {"dec": "decl", "midpointMjdTai": "midPointTai", "band": "filterName", "psfFlux": "psFlux", "psfFluxErr": "psFluxErr"}
"""Names of versions 3 and 4."""

SOURCE = {
    "diaSourceId": 170094456523456557,
    "diaObjectId": 313893023095193658,
    "ssObjectId": 0,
    "ra": 197.45,
    "dec": -23.3815,
    "midpointMjdTai": 61234.5,
    "band": "i",
    "psfFlux": -1500.0,
    "psfFluxErr": 250.0,
    "snr": 6.0,
    "reliability": 0.75,
    "isNegative": True,
}
"""What `record` says of the detection where the version has such a field; floats are exact in 32 bits."""


def plain_schema(version: str) -> Any:
    """Return a pinned schema as it is written."""
    return json.loads(resources.read_bytes(f"schemas/lsst/{version}.avsc"))


def schema(version: str) -> Any:
    """Return a pinned schema, parsed."""
    return fastavro.parse_schema(json.loads(resources.read_bytes(f"schemas/lsst/{version}.avsc")))


def records(node: Any) -> dict[str, Any]:
    """Return every record that a schema defines, by name."""
    if isinstance(node, list):
        return {name: record for branch in node for name, record in records(branch).items()}
    match node:
        case {"type": "record", "name": name, "fields": fields}:
            return {name: node} | records([field["type"] for field in fields])
        case {"type": "array", "items": items}:
            return records(items)
        case _:
            return {}


def blank(node: Any, defined: dict[str, Any]) -> Any:
    """Return a value that a schema allows: null where it may be, else nothing or zero."""
    if isinstance(node, list):
        return None if "null" in node else blank(node[0], defined)
    kind = node if isinstance(node, str) else node["type"]
    if kind == "record":
        return {field["name"]: blank(field["type"], defined) for field in node["fields"]}
    simple = {"long": 0, "int": 0, "float": 0.0, "double": 0.0, "boolean": False, "string": "", "bytes": b"", "array": []}
    return simple[kind] if kind in simple else blank(defined[kind], defined)


def _named(values: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return those of the values that a record has, under its names."""
    return {name: value for new, value in values.items() if (name := new if new in fields else OLD_NAMES.get(new, "")) in fields}


FORCED = {"midpointMjdTai": 61233.0, "band": "i", "psfFlux": 0.0, "psfFluxErr": 100.0}
"""What `record` says of a forced source unless told otherwise."""


def record(
    version: str,
    history_mjd: tuple[float, ...] = (),
    first_mjd: float | None = None,
    *,
    history: tuple[dict[str, Any], ...] = (),
    forced: tuple[dict[str, Any], ...] = (),
    **source: Any,
) -> dict[str, Any]:
    """Return a packet: one detection, earlier ones at the given times or as told, forced photometry, cutouts of a few bytes."""
    root = schema(version)
    defined = records(root)
    packet = blank(root, defined)
    values = SOURCE | source
    packet["diaSource"] |= _named(values, packet["diaSource"])
    packet[next(name for name in ("diaSourceId", "alertId") if name in packet)] = values["diaSourceId"]
    if forced:
        look = blank(f"{root['name'].removesuffix('alert')}diaForcedSource", defined)
        packet["prvDiaForcedSources"] = [look | _named(FORCED | one, look) for one in forced]
    told = (*({"midpointMjdTai": mjd, "isNegative": None} for mjd in history_mjd), *history)
    if told:
        earlier = blank(f"{root['name'].removesuffix('alert')}diaSource", defined)
        packet["prvDiaSources"] = [
            earlier | _named(SOURCE | {"diaSourceId": 1000 + n} | one, earlier) for n, one in enumerate(told)
        ]
    about_object = blank(f"{root['name'].removesuffix('alert')}diaObject", defined)
    about_object |= _named({"diaObjectId": values["diaObjectId"] or 0, "firstDiaSourceMjdTai": first_mjd}, about_object)
    packet["diaObject"] = about_object if values["diaObjectId"] else None
    for cutout in ("cutoutDifference", "cutoutScience", "cutoutTemplate"):
        if cutout in packet:
            packet[cutout] = b"SIMPLE  = our own"
    return packet


def body(version: str, packet: dict[str, Any]) -> bytes:
    """Return the Avro body of a record."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema(version), packet)
    return out.getvalue()


def framed(version: str, packet: dict[str, Any] | None = None, **source: Any) -> bytes:
    """Return a packet in Confluent framing."""
    major, minor = (int(part) for part in version.split("."))
    return b"\0" + (100 * major + minor).to_bytes(4, "big") + body(version, packet or record(version, **source))


def container(version: str, packets: list[dict[str, Any]], codec: str = "null") -> bytes:
    """Return an object container."""
    out = io.BytesIO()
    fastavro.writer(out, schema(version), packets, codec=codec)
    return out.getvalue()
