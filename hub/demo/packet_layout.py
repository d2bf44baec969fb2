"""How LSST alert packets are laid out: what everything that makes them relies on, checked against the schema."""

import json
from typing import Any

from hub import resources
from hub.errors import ConfigError

PROCESSING_DAYS = 45.0 / 86_400
"""From the middle of the exposure to ``timeProcessedMjdTai``."""

FIELDS = (
    "diaSourceId",
    "observation_reason",
    "target_name",
    "diaSource",
    "prvDiaSources",
    "prvDiaForcedSources",
    "diaObject",
    "ssSource",
    "mpc_orbits",
    "cutoutDifference",
    "cutoutScience",
    "cutoutTemplate",
)
"""Fields of a packet, in order."""


def packet_layout(version: str) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """Return the schema of a version, and for each field of a packet the fields of its record; none where it is no record.

    Raises
    ------
    ConfigError
        The schema is laid out otherwise than the packets that are made here.
    """
    schema: dict[str, Any] = json.loads(resources.read_text(f"schemas/lsst/{version}.avsc"))
    if tuple(field["name"] for field in schema["fields"]) != FIELDS:
        raise ConfigError(f"the schema {version} has other fields than the simulation writes")
    for field in schema["fields"]:
        branches = field["type"]
        if isinstance(branches, list) and (len(branches) != 2 or branches[0] != "null"):
            raise ConfigError(f"the schema {version}: {field['name']} is no union of null and one type")
    return schema, {field["name"]: _fields_of(field["type"]) for field in schema["fields"]}


def _fields_of(kind: Any) -> list[dict[str, Any]]:
    inner = kind[-1] if isinstance(kind, list) else kind
    if isinstance(inner, dict) and inner["type"] == "array":
        inner = inner["items"]
    return inner["fields"] if isinstance(inner, dict) and inner["type"] == "record" else []
