"""The pinned table of LSST alert schemas: the only schemas that an LSST packet is ever read with."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from adapters.codecs.alerts.avro_projection import Step, compile_walk
from hub import resources

FOLDER = "schemas/lsst"
"""Where the schemas lie, one resolved schema in parsing canonical form each."""

WANTED = frozenset(
    {
        "diaSource." + name
        for name in (
            *(
                "diaSourceId",
                "diaObjectId",
                "ssObjectId",
                "ra",
                "dec",
                "decl",
                "midpointMjdTai",
                "midPointTai",
                "band",
                "filterName",
            ),
            *("psfFlux", "psfFluxErr", "psFlux", "psFluxErr", "snr", "reliability", "isNegative", "is_negative"),
            "pixelFlags_saturatedCenter",
        )
    }
) | {"prvDiaSources.midpointMjdTai", "prvDiaSources.midPointTai", "diaObject.firstDiaSourceMjdTai"}
"""Paths that the batch reads, under the names of every version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LsstSchema:
    """One version, ready for reading."""

    version: str
    """``10.0``."""

    schema: Any
    """What fastavro parsed, for decoding in full."""

    walk: Step
    """Reads the `WANTED` values and passes over everything else, to the last byte."""


@cache
def known_ids() -> dict[int, str]:
    """Return schema id on the wire to version: id = 100 x major + minor (lsst/alert_packet README)."""
    versions = [PurePosixPath(name).stem for name in resources.listing(FOLDER) if name.endswith(".avsc")]
    return {100 * int(version.split(".")[0]) + int(version.split(".")[1]): version for version in versions}


@cache
def by_id(schema_id: int) -> LsstSchema | None:
    """Return the schema of a wire id, None for an id outside the table."""
    version = known_ids().get(schema_id)
    if version is None:
        return None
    schema = json.loads(resources.read_bytes(f"{FOLDER}/{version}.avsc"))
    return LsstSchema(version=version, schema=parse_schema(schema), walk=compile_walk(schema, WANTED))


@cache
def _id_by_fingerprint() -> dict[str, int]:
    table = json.loads(resources.read_bytes(f"{FOLDER}/fingerprints.json"))
    return {entry["SHA-256"]: entry["id"] for entry in table.values()}


def by_content(parsed: Any) -> LsstSchema | None:
    """Return the pinned schema that a container's own, parsed schema equals in canonical form, None where there is none."""
    schema_id = _id_by_fingerprint().get(fingerprint(to_parsing_canonical_form(parsed), "SHA-256"))
    return None if schema_id is None else by_id(schema_id)
