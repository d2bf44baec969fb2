"""Requests to telescopes as VOEvent 2.0: what is to be observed, its pointings as a table, citing the event's own packet."""

from typing import Any

import voeventparse
from lxml import etree

from adapters.codecs.voevent.writer import add_citations, checked, clean, element, fact_params, param
from hub.model.notice import CiteKind
from hub.ports import PlanMessage

CANCELLED = ("cancelled", "replaced")
"""Words of a packet that retracts the one before."""

_COLUMNS = (
    ("status", None, "meta.code.status", "string"),
    ("time", None, "time.epoch", "string"),
    ("ra", "deg", "pos.eq.ra", "float"),
    ("dec", "deg", "pos.eq.dec", "float"),
    ("band", None, "instr.bandpass", "string"),
)


def render(plan: PlanMessage) -> bytes:
    """Return the packet of a request; raises ValueError as `adapters.codecs.voevent.writer.render`."""
    if plan.word in CANCELLED and not any(cite.kind is CiteKind.RETRACTION for cite in plan.cites):
        raise ValueError("a cancelled request must cite the packet that it retracts")
    stream, _, local = clean(plan.ivorn).removeprefix("ivo://").partition("#")
    packet = voeventparse.Voevent(stream=stream, stream_id=local, role=str(plan.role))
    author = clean(plan.author_ivorn).removeprefix("ivo://")
    voeventparse.set_who(packet, date=plan.issued_at.to_datetime(), author_ivorn=author)
    intent = plan.intent
    texts = (
        ("request_id", intent.intent_id, "meta.id"),
        ("word", plan.word, "meta.code.status"),
        ("target", intent.target, "meta.id;src"),
        ("purpose", intent.purpose, "meta.code"),
        ("network", intent.network, "instr.obsty"),
        ("instrument", intent.instrument, "instr"),
        ("urgency", intent.urgency.value, "meta.code"),
        ("window_start", intent.window_start.to_utc_iso(), "time.start"),
        ("window_end", intent.window_end.to_utc_iso(), "time.end"),
    )
    packet.What.extend([param(name, value, None, ucd) for name, value, ucd in texts])
    packet.What.append(voeventparse.Group(fact_params(plan.event_facts), name="event"))
    if plan.pointings:
        packet.What.append(_table(plan))
    packet.WhereWhen.append(element("Description", "The pointings stand in the table: a request is no observation of an event."))
    how = etree.SubElement(packet, "How")
    how.append(element("Description", f"Asked of {intent.network} by the multimessenger hub."))
    why = etree.SubElement(packet, "Why")
    why.append(element("Concept", f"followup;{plan.word}"))
    why.append(element("Description", plan.reason))
    add_citations(packet, plan.cites)
    return checked(packet)


def _table(plan: PlanMessage) -> Any:
    table = etree.Element("Table", name="pointings")
    for name, unit, ucd, kind in _COLUMNS:
        described = {"name": name, "ucd": ucd, "dataType": kind} | ({} if unit is None else {"unit": unit})
        etree.SubElement(table, "Field", described)
    data = etree.SubElement(table, "Data")
    for one in plan.pointings:
        row = etree.SubElement(data, "TR")
        pointing = one.pointing
        values = (pointing.status.value, pointing.at.to_utc_iso(), repr(one.ra_deg), repr(one.dec_deg), pointing.band)
        row.extend([element("TD", value) for value in values])
    return table
