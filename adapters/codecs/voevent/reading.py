"""What the parts of a packet mean, whoever sent it: numbers, roles, citations, positions, the leftover."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.codecs.voevent.packet import Packet, Param
from adapters.codecs.voevent.times import instant_of, is_barycentric, light_travel_to_geocentre_s
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind, Role
from hub.model.sky import Asymmetric, Circle, Region, StatedPosition, normalise_ra

ALL_SKY_DEG = 180.0
"""A radius from here on covers the sphere: no position (SNEWS writes 360)."""

PER_YEAR_S = 365.25 * 86_400
"""Seconds of the year that yearly rates refer to."""

_DEGREES_PER_UNIT = {"deg": 1.0, "degrees": 1.0, "degree": 1.0, "rad": math.degrees(1.0), "arcsec": 1 / 3600}
_UNIT_SECONDS = ((("yr", "year"), PER_YEAR_S), (("day",), 86_400.0))
_PER_SECOND = frozenset({"hz", "s-1", "/s", "1/s", "sec-1", "/sec", "1/sec"})
_TEST_FLAGS = ("Test_Submission", "Test_Notice", "Test", "InternalTest")


def number(written: str | None) -> float | None:
    """Return a finite number, None where the text is none."""
    if written is None or not written.isascii() or "_" in written:  # Python would read 1_000 and other scripts' digits
        return None
    try:
        value = float(written)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def probability(written: str | None) -> float | None:
    """Return a number between 0 and 1, None where the text is none."""
    value = number(written)
    return value if value is not None and 0 <= value <= 1 else None


def flag(packet: Packet, *names: str) -> bool:
    """Return whether any Param of these names says true, at the top level or in any group."""
    return any(param.name in names and param.value.lower() in ("true", "1", "yes") for param in packet.params)


def is_marked_as_test(packet: Packet) -> bool:
    """Return whether a flag in the packet says that it is a test."""
    return flag(packet, *_TEST_FLAGS)


def role_of(packet: Packet) -> tuple[Role, str | None]:
    """Return the role, and a sentence where the packet's word is not one of the standard's.

    ``observe`` (H.E.S.S.) can only mean the standard's word; every other unknown word (AMON's ``sim``) is a test, which is the
    safe side. Neither is ever live: see `is_live`.
    """
    word = packet.role.lower()
    if word in set(Role):
        return Role(word), None
    meant = Role.OBSERVATION if word == "observe" else Role.TEST
    return meant, f"the role {packet.role[:40]!r} is no VOEvent role and was read as {meant}"


def is_live(packet: Packet) -> bool:
    """Return whether a packet claims to be a real observation: exactly the standard's role, and no test flag."""
    return packet.role.lower() == "observation" and not is_marked_as_test(packet)


def citations_of(packet: Packet) -> tuple[Citation, ...]:
    """Return the citations that name an event; an unknown kind counts as followup, which changes nothing."""
    known = set(CiteKind)
    found = (
        Citation(ivorn=cited.ivorn, kind=CiteKind(kind) if (kind := cited.cite.lower()) in known else CiteKind.FOLLOWUP)
        for cited in packet.citations
        if cited.ivorn
    )
    return tuple(dict.fromkeys(found))


def event_time_of(packet: Packet) -> Instant | None:
    """Return the event's own time."""
    return instant_of(packet.wherewhen.time, packet.wherewhen.coord_system) if packet.wherewhen else None


def issued_at_of(packet: Packet) -> Instant | None:
    """Return when the author wrote the packet; Who/Date is UTC."""
    return instant_of(packet.date, "UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiusMeaning:
    """What the error radius of a stream means."""

    containment: float | None = None
    systematic_included: bool | None = None


def position_of(packet: Packet, meaning: RadiusMeaning) -> StatedPosition | None:
    """Return the stated position; None for every way of saying that there is none.

    GCN writes 0,0 where it has no position (with radius 0, or 360 for SNEWS). FK5 J2000 differs from ICRS by less than 0.1
    arcsec, so it is taken as ICRS; positions in other frames are not read.
    """
    where = packet.wherewhen
    if where is None or not set(where.coord_system.split("-")).isdisjoint({"FK4", "GALACTIC", "ECLIPTIC", "GEOD", "GEOC"}):
        return None
    scale = _DEGREES_PER_UNIT.get(where.unit.split("-")[0].strip() or "deg")
    ra, dec, radius = number(where.ra), number(where.dec), number(where.error_radius)
    if scale is None or ra is None or dec is None:
        return None
    ra, dec = ra * scale, dec * scale
    if not (-360 <= ra <= 720 and -90 <= dec <= 90) or (ra == 0 and dec == 0):
        return None
    if radius is not None and radius * scale >= ALL_SKY_DEG:
        return None
    region = _region(None if radius is None else radius * scale, where.errors, scale)
    return StatedPosition(
        ra_deg=normalise_ra(ra),
        dec_deg=dec,
        region=region,
        containment=meaning.containment if region else None,
        systematic_included=meaning.systematic_included if region else None,
    )


def _region(radius_deg: float | None, errors: tuple[str, str] | None, scale: float) -> Region | None:
    """Return the error region; a radius of 0 or less says nothing."""
    if errors is not None:
        in_ra, in_dec = number(errors[0]), number(errors[1])
        if in_ra is not None and in_dec is not None and in_ra > 0 and in_dec > 0:
            along, across = in_ra * scale, in_dec * scale
            return Asymmetric(ra_plus_deg=along, ra_minus_deg=along, dec_plus_deg=across, dec_minus_deg=across)
    return Circle(radius_deg=radius_deg) if radius_deg is not None and radius_deg > 0 else None


def far_hz(param: Param | None, default_unit: str) -> float | None:
    """Return a false-alarm rate in Hz from a Param by its unit: per year, day or second; None for any other unit."""
    rate = number(param.value) if param else None
    if param is None or rate is None or rate < 0:
        return None
    unit = (param.unit or default_unit).lower().replace(" ", "").replace("^", "")
    seconds = next((length for words, length in _UNIT_SECONDS if any(word in unit for word in words)), None)
    if seconds is None:
        seconds = 1.0 if unit in _PER_SECOND else None
    return None if seconds is None else rate / seconds


def extra_of(packet: Packet, used: Collection[str], remarks: Collection[str] = ()) -> Mapping[str, Any]:
    """Return all that no field of a notice holds, as JSON values; a Param in a group is called ``group.name``."""
    extra: dict[str, Any] = {
        (param.name if param.group is None else f"{param.group}.{param.name}"): param.value
        for param in packet.params
        if param.name and param.value and param.name not in used
    }
    remarks = [*remarks, *_time_remarks(packet, extra)]
    facts = {
        "description": packet.description,
        "references": list(packet.references),
        "concepts": list(packet.why.all_concepts),
        "names": list(packet.why.all_names),
        "importance": number(packet.why.importance),
        "coord_system": packet.wherewhen.coord_system if packet.wherewhen else None,
        "further_locations": packet.further_locations,
        "remarks": remarks,
    }
    return extra | {f"voevent.{name}": value for name, value in facts.items() if value not in (None, [], 0, "")}


def _time_remarks(packet: Packet, extra: dict[str, Any]) -> list[str]:
    where = packet.wherewhen
    if where is None or where.time is None:
        return []
    moment = event_time_of(packet)
    if moment is None:
        return [f"the event time {where.time[:60]!r} cannot be read"]
    position = position_of(packet, RadiusMeaning())
    if not is_barycentric(where.coord_system) or position is None:
        return []
    # The time scale is converted exactly. The light travel is told but not taken off: authors that write BARY do not always
    # mean it (Gaia's packets name the barycentre beside the word TCB), and it stays below 8.4 minutes.
    extra["voevent.light_travel_to_geocentre_s"] = round(
        light_travel_to_geocentre_s(moment, position.ra_deg, position.dec_deg), 3
    )
    return ["the event time is that of arrival at the barycentre; light_travel_to_geocentre_s earlier at the geocentre"]
