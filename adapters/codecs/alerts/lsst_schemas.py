"""The pinned table of LSST alert schemas: the only schemas that an LSST packet is ever read with."""

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import Any

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from adapters.codecs.alerts.avro_projection import Projector, make_projector
from adapters.codecs.alerts.lsst import WANTS
from hub import resources
from hub.errors import DecodeError

FOLDER = "schemas/lsst"
"""Where the schemas lie, one resolved schema in parsing canonical form each."""

WANTED = frozenset(path for want in WANTS for path in want.paths)
"""Paths that the batch reads, under the names of every version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LsstSchema:
    """One version, ready for reading."""

    version: str
    """``10.0``."""

    schema: Any
    """What fastavro parsed, for decoding in full."""

    projector: Projector
    """Reads `WANTS` and walks over everything else, to the last byte."""


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
    return LsstSchema(version=version, schema=parse_schema(schema), projector=make_projector(schema, WANTS))


NEEDED = (
    ("diaSource.diaSourceId",),
    ("diaSource.ra",),
    ("diaSource.dec", "diaSource.decl"),
    ("diaSource.midpointMjdTai", "diaSource.midPointTai"),
)
"""What a schema must have to be an LSST alert's, under one of its names each."""


@lru_cache(maxsize=16)
def from_registry(schema_id: int, text: str) -> LsstSchema:
    """Return a schema that is not pinned, out of its canonical form: of a version that is newer than this hub.

    Raises
    ------
    DecodeError
        It has not the fields that an alert must have, or a form that LSST's schemas never had.
    """
    schema = json.loads(text)
    present = {f"diaSource.{name}" for name in _source_fields(schema)}
    if missing := [names[0] for names in NEEDED if not present.intersection(names)]:
        raise DecodeError(f"the schema {schema_id} is no LSST alert's: it has no {', '.join(missing)}")
    try:
        projector = make_projector(schema, WANTS)
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeError(f"the schema {schema_id} is written in a way that no LSST schema is: {str(error)[:100]}") from error
    major, minor = divmod(schema_id, 100)
    return LsstSchema(version=f"{major}.{minor}", schema=parse_schema(schema), projector=projector)


def _source_fields(schema: Any) -> list[str]:
    fields = {field["name"]: field["type"] for field in schema.get("fields", ())}
    kind = fields.get("diaSource")
    return [field["name"] for field in kind["fields"]] if isinstance(kind, dict) and "fields" in kind else []


@cache
def _id_by_fingerprint() -> dict[str, int]:
    table = json.loads(resources.read_bytes(f"{FOLDER}/fingerprints.json"))
    return {entry["SHA-256"]: entry["id"] for entry in table.values()}


def by_content(parsed: Any) -> LsstSchema | None:
    """Return the pinned schema that a container's own, parsed schema equals in canonical form, None where there is none."""
    schema_id = _id_by_fingerprint().get(fingerprint(to_parsing_canonical_form(parsed), "SHA-256"))
    return None if schema_id is None else by_id(schema_id)
