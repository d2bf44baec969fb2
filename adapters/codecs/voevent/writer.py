"""Announcements of coincidences as VOEvent 2.0, built with voevent-parse and checked against the schema before they leave.

voevent-parse's own ``add_how``, ``add_why(inferences=)`` and ``add_citations`` use ``collections.Iterable``, which Python 3.10
removed; its element classes work, so elements are built with those and appended here.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import voeventparse
from lxml import etree

from adapters.codecs.voevent.importance import importance_of
from hub.model.coincidence import Coincidence, Score
from hub.model.notice import Citation, CiteKind
from hub.ports import Announcement

COORD_SYSTEM = "UTC-ICRS-GEO"
"""Times are UTC, positions ICRS, both for the geocentre."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The complement of Char in XML 1.0 (production 2): control characters, surrogates, U+FFFE and U+FFFF.
_UCD_BY_UNIT = {"Hz": "arith.rate", "deg": "pos.angDistance", "s": "time.duration"}
_FACT_UNITS = {"ra_deg": ("deg", "pos.eq.ra"), "dec_deg": ("deg", "pos.eq.dec"), "radius_deg": ("deg", "pos.errorEllipse")}
_FACT_UCDS = {"id": "meta.id", "ivorn": "meta.ref.ivoid", "t0": "time.epoch"}


def render(announcement: Announcement) -> bytes:
    """Return the packet of an announcement: see `adapters.codecs.voevent.renderer.VoeventRenderer.render`."""
    if announcement.is_retraction and not any(cite.kind is CiteKind.RETRACTION for cite in announcement.cites):
        raise ValueError("a retraction must cite the packet that it retracts")
    stream, _, local = clean(announcement.ivorn).removeprefix("ivo://").partition("#")
    role = announcement.role
    packet = voeventparse.Voevent(stream=stream, stream_id=local, role=str(role))
    voeventparse.set_who(
        packet,
        date=announcement.issued_at.to_datetime(),
        author_ivorn=clean(announcement.author_ivorn).removeprefix("ivo://"),
    )
    _add_what(packet, announcement)
    _add_where_when(packet, announcement)
    _add_how(packet, announcement.coincidence)
    _add_why(packet, announcement)
    add_citations(packet, announcement.cites)
    return checked(packet)


def checked(packet: Any) -> bytes:
    """Return the bytes of a packet that is valid by the schema; raises ValueError where it is not."""
    try:
        voeventparse.assert_valid_as_v2_0(packet)
    except etree.DocumentInvalid as error:
        raise ValueError(f"the VOEvent would not be valid: {error}") from error
    return bytes(voeventparse.dumps(packet, pretty_print=True))


def _add_what(packet: Any, announcement: Announcement) -> None:
    pair = announcement.coincidence
    packet.What.extend(
        [
            voeventparse.Param("coincidence_id", clean(pair.coincidence_id), ucd="meta.id", ac=False),
            voeventparse.Param("coincidence_version", pair.version, ucd="meta.version"),
            voeventparse.Param("kind", clean(pair.kind), ucd="meta.code.class", ac=False),
            voeventparse.Param("hypothesis", clean(pair.hypothesis), ucd="meta.code", ac=False),
            voeventparse.Param("state", str(pair.state), ucd="meta.code.status", ac=False),
        ]
    )
    for index, facts in enumerate(announcement.member_facts, start=1):
        packet.What.append(voeventparse.Group(fact_params(facts), name=f"member_{index}"))
    if pair.scores:
        packet.What.append(voeventparse.Group(_score_params(pair.shown_scores), name="scores"))


def fact_params(facts: Mapping[str, Any]) -> list[Any]:
    """Return the facts that are known of something, at least one."""
    params = []
    for name, value in facts.items():
        if value is None:
            continue
        unit, ucd = _FACT_UNITS.get(name, (None, _FACT_UCDS.get(name)))
        params.append(param(name, value, unit, ucd))
    return params or [param("id", "unknown", None, "meta.id")]  # a group must not be empty


def _score_params(scores: Iterable[Score]) -> list[Any]:
    """Return one Param per score; names must be unique in a group, so versions of one statistic are numbered."""
    scores = list(scores)
    times = Counter(score.statistic for score in scores)
    seen: Counter[str] = Counter()
    params = []
    for score in scores:
        seen[score.statistic] += 1
        several = times[score.statistic] > 1
        name = f"{score.statistic}.v{score.version}.{seen[score.statistic]}" if several else score.statistic
        ucd = "stat.probability" if score.statistic.startswith("level") else _UCD_BY_UNIT.get(score.unit, "stat.value")
        written = param(name, score.value, score.unit, ucd)
        if score.value is None:
            written.append(element("Description", "not known"))
        params.append(written)
    return params


def param(name: str, value: Any, unit: str | None, ucd: str | None) -> Any:
    """Return a Param; numbers keep all their digits, other values than text and numbers are written as JSON."""
    match value:
        case bool() | dict() | list() | tuple():
            written, kind = json.dumps(value, sort_keys=True, default=str), "string"
        case int() | float():
            written, kind = repr(value), "int" if isinstance(value, int) else "float"
        case None:
            written, kind = "", "string"
        case _:
            written, kind = str(value), "string"
    return voeventparse.Param(
        clean(name), clean(written), unit=None if unit is None else clean(unit), ucd=ucd, dataType=kind, ac=False
    )


def _add_where_when(packet: Any, announcement: Announcement) -> None:
    """Write time and position where they are known; the schema lets each be absent, so nothing is invented for a missing one."""
    t0, ra, dec = announcement.coincidence.t0, announcement.ra_deg, announcement.dec_deg
    has_position = ra is not None and dec is not None and math.isfinite(ra) and math.isfinite(dec)
    if t0 is None and not has_position:
        packet.WhereWhen.append(element("Description", "Neither time nor position is known."))
        return
    data = etree.SubElement(packet.WhereWhen, "ObsDataLocation")
    etree.SubElement(data, "ObservatoryLocation", id="GEOLUN")
    location = etree.SubElement(data, "ObservationLocation")
    etree.SubElement(location, "AstroCoordSystem", id=COORD_SYSTEM)
    coords = etree.SubElement(location, "AstroCoords", coord_system_id=COORD_SYSTEM)
    if t0 is not None:
        instant = etree.SubElement(etree.SubElement(coords, "Time", unit="s"), "TimeInstant")
        instant.append(element("ISOTime", t0.to_utc_iso().removesuffix("Z")))
    if has_position:
        radius = announcement.radius_deg
        is_known = radius is not None and math.isfinite(radius) and radius > 0
        place = etree.SubElement(coords, "Position2D", unit="deg")
        place.extend([element("Name1", "RA"), element("Name2", "Dec")])
        value = etree.SubElement(place, "Value2")
        value.extend([element("C1", repr(ra)), element("C2", repr(dec))])
        # The schema demands a radius beside a position; 0 says that none is known.
        place.append(element("Error2Radius", repr(radius) if is_known else "0.0"))
        if is_known:
            packet.WhereWhen.append(element("Description", "Error2Radius is the 90 % radius."))


def _add_how(packet: Any, pair: Coincidence) -> None:
    how = etree.SubElement(packet, "How")
    how.append(element("Description", f"Found by the multimessenger hub with the rule {pair.hypothesis}."))
    localizations = ", ".join(pair.localization_ids)
    if localizations:
        how.append(element("Description", f"Localizations: {localizations}"))


def _add_why(packet: Any, announcement: Announcement) -> None:
    pair = announcement.coincidence
    importance = importance_of(pair)
    why = etree.SubElement(packet, "Why", {} if importance is None else {"importance": repr(importance)})
    why.append(element("Concept", f"coincidence;{pair.kind}"))
    if announcement.is_retraction:
        why.append(element("Description", "This coincidence is withdrawn."))
    for member in pair.members:
        why.append(voeventparse.Inference(relation="associated", name=clean(member.id), concept=clean(str(member.kind))))
    why.extend([element("Description", reason) for reason in pair.reasons])


def add_citations(packet: Any, cited: Iterable[Citation]) -> None:
    """Write what a packet cites, each once."""
    cites = dict.fromkeys((clean(cite.ivorn), str(cite.kind)) for cite in cited if cite.ivorn)
    if cites:  # an empty Citations is not valid
        citations = etree.SubElement(packet, "Citations")
        citations.extend([voeventparse.EventIvorn(ivorn, kind) for ivorn, kind in cites])


def element(name: str, content: str) -> etree._Element:
    """Return an element with some text."""
    element = etree.Element(name)
    element.text = clean(content)
    return element


def clean(content: str) -> str:
    """Return the text with what XML 1.0 cannot hold replaced by U+FFFD; escaping is lxml's work."""
    return _FORBIDDEN.sub("\ufffd", content)
