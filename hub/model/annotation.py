"""What others say about an event, an object or a place: names, classes, redshifts, positions; with source, time and version."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.model.instant import Instant


class TargetKind(StrEnum):
    """What a statement is about."""

    EVENT = "event"
    OBJECT = "object"
    """An object of a survey, ``SURVEY:ID``."""

    POSITION = "position"
    """A place on the sky, for whatever lies there."""


class AnnotationKind(StrEnum):
    """What a statement says."""

    CLASSIFICATION = "classification"
    """``{"class": "SN Ia"}``, perhaps with ``probability`` and ``scores``."""

    REDSHIFT = "redshift"
    """``{"z": 0.0098}``, perhaps with ``error``, ``limit`` (``upper``, ``lower``) and ``is_approximate``."""

    POSITION = "position"
    """``{"ra_deg": ..., "dec_deg": ...}``, perhaps with ``radius_arcsec``."""

    NAME = "name"
    """``{"name": "AT 2017gfo"}``."""

    HOST = "host"
    """``{"name": "NGC 4993"}``."""

    CANDIDATE = "candidate"
    """One row of a table: ``{"name": ..., "ra_deg": ..., "dec_deg": ...}``, perhaps with ``mag`` and ``filter``."""

    OBSERVATION = "observation"
    """A detection or limit: ``{"kind": "detection", "at": ..., "band": ..., "mag": ...}``, perhaps with ``limit_mag``."""


class AnnotationState(StrEnum):
    """How far a statement is believed."""

    STATED = "stated"
    """Its source says it in so many words."""

    PROPOSED = "proposed"
    """The hub found it in free text: it does nothing until a person accepts it."""

    ACCEPTED = "accepted"
    """A person accepted the proposal."""

    REJECTED = "rejected"
    """A person refused the proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One statement. It is never edited; only what a person decided about it changes."""

    annotation_id: str
    """`annotation_id` of what it says: the same statement has the same id on every hub."""

    target_kind: TargetKind
    target_id: str
    """Event: a name of it; object: ``SURVEY:ID``; position: a name of what was seen there."""

    kind: AnnotationKind
    value: Mapping[str, Any]
    """JSON; the keys are those of `AnnotationKind`."""

    source: str
    """Who says so: ``TNS``, ``gcn-circular``, a broker's name."""

    source_ref: str
    """What of that source: a circular's number, an object's name there, an alert."""

    version: str
    """Version of that thing; statements of an older version give way to those of the newest."""

    stated_at: Instant | None
    """When the source said so; None where it does not tell."""

    received_at: Instant
    """When the hub heard it."""

    state: AnnotationState = AnnotationState.STATED
    names: tuple[str, ...] = ()
    """Other names under which the target is found: internal names of surveys, other names of an event."""

    ra_deg: float | None = None
    """Place of the target, ICRS, where the source gives it: finds objects there."""

    dec_deg: float | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where in its source it was found: ``start``, ``end`` (characters), ``quote`` (the line)."""

    is_current: bool = True
    """Whether no newer version of the same thing has been heard."""

    decided_by: str | None = None
    """Who accepted or rejected it."""

    decided_at: Instant | None = None
    note: str = ""
    """Why, in the words of that person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedObject:
    """An object as a registry of transients (TNS) describes it."""

    registry: str
    """``TNS``."""

    name: str
    """Name without prefix: ``2017gfo``."""

    prefix: str
    """``AT``, ``SN``, ``TDE`` ...; empty where there is none."""

    ra_deg: float
    dec_deg: float
    classification: str | None = None
    """``SN Ia``, ``Kilonova`` ..., None while unclassified."""

    redshift: float | None = None
    host: str | None = None
    internal_names: tuple[str, ...] = ()
    """Names that surveys gave it: ``ZTF17aaaaaaa``, ``DLT17ck``."""

    discovered_at: Instant | None = None
    discovery_mag: float | None = None
    discovery_filter: str | None = None
    reported_by: str | None = None
    """Reporting group."""

    modified_at: Instant | None = None
    """When the registry's entry was changed last."""

    version: str = ""
    """Text that changes whenever the entry does."""


def annotation_id(
    *,
    source: str,
    source_ref: str,
    version: str,
    target: tuple[TargetKind, str],
    kind: AnnotationKind,
    value: Mapping[str, Any],
    stated_at: Instant | None,
) -> str:
    """Return the id of a statement: 24 hex digits of SHA-256 over who says what of what, in which version, and when."""
    words = [source, source_ref, version, target[0].value, target[1], kind.value, stated_at.tai_us if stated_at else None]
    text = json.dumps([*words, dict(value)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]
