"""What a hub says of a coincidence to machines, as JSON values: the one content behind its JSON and its Avro.

Integers beyond 2**53 are text, because JavaScript and jq round them; numbers that are not finite are null. Texts are free of what
JSON readers and databases choke on: NUL and lone surrogates become U+FFFD.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.codecs.voevent.importance import importance_of
from hub.errors import DecodeError
from hub.model.coincidence import Score
from hub.model.notice import CiteKind
from hub.ports import Announcement, DecodedContext

SCHEMA = "mmhub.announcement/1"
"""Name and version of this content; `schemas/hub/1` says what it holds. A published version is never edited."""

KIND = "hub-message"
"""Kind of the context that such a message is to the hub that gets it."""

MEMBER_TEXTS = ("messenger", "mission", "survey", "state", "t0", "ivorn")
"""Facts of a member that are text."""

MEMBER_NUMBERS = ("ra_deg", "dec_deg", "far_hz", "level")
"""Facts of a member that are numbers."""

EXACT_INTEGER = 2**53
"""Largest integer that a JSON reader with double-precision numbers keeps."""

_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_SUMMARY = ("subject", "event_id", "coincidence_id", "version", "kind", "state", "issued_at")
"""What a listing shows of such a message."""


def content(announcement: Announcement) -> dict[str, Any]:
    """Return everything that an announcement says, in the order and under the names of `schemas/hub/1`."""
    pair, former = announcement.coincidence, announcement.former
    return {
        "schema": SCHEMA,
        "ivorn": clean(announcement.ivorn),
        "author": clean(announcement.author_ivorn),
        "subject": announcement.subject.value,
        "role": announcement.role.value,
        "issued_at": announcement.issued_at.to_utc_iso(),
        "supersedes": clean(former.ivorn) if former and former.kind is CiteKind.SUPERSEDES else None,
        "retracts": clean(former.ivorn) if former and former.kind is CiteKind.RETRACTION else None,
        "event_id": clean(announcement.key),
        "coincidence_id": clean(pair.coincidence_id),
        "version": pair.version,
        "kind": clean(pair.kind),
        "hypothesis": clean(pair.hypothesis),
        "state": pair.state.value,
        "is_live": pair.is_live,
        "t0": pair.t0.to_utc_iso() if pair.t0 else None,
        "importance": importance_of(pair),
        "position": _position(announcement),
        "members": [_member(facts) for facts in announcement.member_facts],
        "scores": [_score(score) for score in pair.shown_scores],
        "reasons": [clean(reason) for reason in pair.reasons],
        "cites": [{"ivorn": clean(cite.ivorn), "kind": cite.kind.value} for cite in announcement.cites],
        "localization_ids": [clean(name) for name in pair.localization_ids],
    }


def as_context(said: Mapping[str, Any], wire_format: str) -> DecodedContext:
    """Return what a hub's message is to a hub that receives it: context, told apart by its ivorn.

    Raises
    ------
    DecodeError
        It bears no ivorn.
    """
    ivorn = said.get("ivorn")
    if not isinstance(ivorn, str) or not ivorn.startswith("ivo://") or not ivorn.isprintable():
        raise DecodeError("the message of a hub bears no ivorn", format=wire_format)
    summary = {name: said[name] for name in _SUMMARY if isinstance(said.get(name), str | int)}
    return DecodedContext(kind=KIND, format=wire_format, summary={"ivorn": ivorn, **summary})


def clean(text: str) -> str:
    """Return a text without what JSON readers choke on."""
    return _FORBIDDEN.sub("\ufffd", text)


def jsonable(value: Any) -> Any:
    """Return a value as any JSON reader takes it, members of objects in the order of their names.

    >>> jsonable({"far": float("nan"), "id": 170123456789012345, "n": (1, 2)})
    {'far': None, 'id': '170123456789012345', 'n': [1, 2]}
    """
    match value:
        case None | bool():
            return value
        case str():
            return clean(str(value))
        case int():
            return value if abs(value) <= EXACT_INTEGER else str(value)
        case float():
            return number(value)
        case Mapping():
            return {clean(str(key)): jsonable(value[key]) for key in sorted(value, key=str)}
        case Iterable() if not isinstance(value, bytes | bytearray | memoryview):
            return [jsonable(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")


def number(value: Any) -> float | None:
    """Return a finite float; None where there is none."""
    return float(value) if value is not None and math.isfinite(value) else None


def _position(announcement: Announcement) -> dict[str, Any] | None:
    ra, dec = number(announcement.ra_deg), number(announcement.dec_deg)
    if ra is None or dec is None:
        return None
    return {"ra_deg": ra, "dec_deg": dec, "radius_deg": number(announcement.radius_deg)}


def _member(facts: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: clean(str(facts[name])) if facts.get(name) is not None else None for name in MEMBER_TEXTS}
    numbers = {name: number(facts.get(name)) for name in MEMBER_NUMBERS}
    n_detections = facts.get("n_detections")
    return {"kind": clean(str(facts["kind"])), "id": clean(str(facts["id"])), **texts, **numbers, "n_detections": n_detections}


def _score(score: Score) -> dict[str, Any]:
    return {
        "statistic": clean(score.statistic),
        "version": score.version,
        "value": number(score.value),
        "unit": clean(score.unit),
        "inputs": jsonable(score.inputs),
    }
