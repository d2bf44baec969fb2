"""VOEvent 2.0 documents in the form of GCN's classic notices, written from a few facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from hub.model.instant import Instant

NAMESPACE = "http://www.ivoa.net/xml/VOEvent/v2.0"
"""XML namespace of VOEvent 2.0 (IVOA Recommendation 2011-07-11)."""

MADE_UP = "-demo"
"""Ends every identifier of the demo, so that none is that of a real notice."""

Param = tuple[str, str, str | None]
"""Name, value, unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classic:
    """What a classic notice says."""

    ivorn: str
    author: str
    """Short name of the author."""

    date: Instant
    params: Sequence[Param]
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    t0: Instant
    ra_deg: float
    """0 together with the others where the notice has no position, as GCN writes it."""

    dec_deg: float
    error_deg: float
    importance: float
    cites: str | None = None
    """The ivorn that this notice follows up."""

    summary: str


def voevent(notice: Classic) -> bytes:
    """Return the document; the same facts give the same bytes."""
    root = etree.Element(
        f"{{{NAMESPACE}}}VOEvent", {"ivorn": notice.ivorn, "role": "observation", "version": "2.0"}, nsmap={"voe": NAMESPACE}
    )
    who = etree.SubElement(root, "Who")
    _text(who, "AuthorIVORN", "ivo://nasa.gsfc.tan/gcn")
    _text(etree.SubElement(who, "Author"), "shortName", notice.author)
    _text(who, "Date", notice.date.to_utc_iso()[:19])
    _text(who, "Description", "Synthesised by the demo of the multimessenger hub; not sent by GCN.")
    _what(root, notice)
    _where_when(root, notice)
    why = etree.SubElement(root, "Why", {"importance": f"{notice.importance:.2f}"})
    inference = etree.SubElement(why, "Inference", {"probability": "0.5"})
    _text(inference, "Concept", "process.variation.burst;em.gamma" if "Fermi" in notice.author else "process.variation.burst;em")
    if notice.cites is not None:
        citations = etree.SubElement(root, "Citations")
        etree.SubElement(citations, "EventIVORN", {"cite": "followup"}).text = notice.cites
    _text(root, "Description", notice.summary)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _what(root: etree._Element, notice: Classic) -> None:
    what = etree.SubElement(root, "What")
    for name, value, unit in notice.params:
        etree.SubElement(what, "Param", {"name": name, "value": value} | ({} if unit is None else {"unit": unit}))
    for name, members in notice.groups.items():
        group = etree.SubElement(what, "Group", {"name": name})
        for member, value in members.items():
            etree.SubElement(group, "Param", {"name": member, "value": value})


def _where_when(root: etree._Element, notice: Classic) -> None:
    location = etree.SubElement(etree.SubElement(root, "WhereWhen"), "ObsDataLocation")
    etree.SubElement(location, "ObservatoryLocation", {"id": "GEOLUN"})
    observed = etree.SubElement(location, "ObservationLocation")
    etree.SubElement(observed, "AstroCoordSystem", {"id": "UTC-FK5-GEO"})
    coords = etree.SubElement(observed, "AstroCoords", {"coord_system_id": "UTC-FK5-GEO"})
    instant = etree.SubElement(etree.SubElement(coords, "Time", {"unit": "s"}), "TimeInstant")
    _text(instant, "ISOTime", notice.t0.to_utc_iso()[:22])
    position = etree.SubElement(coords, "Position2D", {"unit": "deg"})
    _text(position, "Name1", "RA")
    _text(position, "Name2", "Dec")
    value = etree.SubElement(position, "Value2")
    _text(value, "C1", f"{notice.ra_deg:.4f}")
    _text(value, "C2", f"{notice.dec_deg:.4f}")
    _text(position, "Error2Radius", f"{notice.error_deg:.4f}")


def _text(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = text


def tjd_and_sod(moment: Instant) -> tuple[str, str]:
    """Return truncated Julian day and second of the UTC day, as classic notices state times."""
    clock = moment.to_utc_iso()
    seconds = int(clock[11:13]) * 3600 + int(clock[14:16]) * 60 + float(clock[17:-1])
    return str(int(moment.mjd_utc) - 40_000), f"{seconds:.2f}"
