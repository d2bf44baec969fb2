"""Which of the hub's own pointings registers such as the Treasure Map were told of, and what they answered, for a person."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from hub.model.pointing import OWN, Pointing
from hub.model.register import RegisterReport
from hub.services.bodies import Body, text, utc
from hub.services.queries import find_event
from hub.storage import followup, pointings, registers

TAKEN, REFUSED, UNKNOWN, NOT_REACHED = "taken", "refused", "unknown", "not reached"
"""Answers, in words: the last is of a fault by which nothing was stored."""


def of_event(session: Session, name: str) -> list[Body]:
    """Return what registers were told of the hub's own pointings of an event, by register, request, field and band.

    Raises
    ------
    NotFound
        There is no such event.
    """
    event_id = find_event(session, name).event_id
    own = {one.pointing_id: one for one in pointings.of_event(session, event_id) if one.reported_by == OWN}
    requests = {one.intent.intent_id for one in followup.of_event(session, event_id)}  # that the caller may see
    found = [
        _body(report, own[report.pointing_id])
        for report in registers.reports(session, event_id=event_id)
        if report.pointing_id in own and own[report.pointing_id].name.partition("/")[0] in requests
    ]
    return sorted(found, key=lambda body: (body["network"], *_place(own[body["pointing_id"]])))


def answer_of(report: RegisterReport) -> str:
    """Return what a register answered last, in a word."""
    if report.telling is not None:
        return UNKNOWN
    if report.refused is not None:
        return REFUSED
    return NOT_REACHED if report.reason or report.told is None else TAKEN


def _place(one: Pointing) -> tuple[str, int, str]:
    request, _, rest = one.name.partition("/")
    number, _, band = rest.partition("/")
    return request, int(number) if number.isdecimal() else 0, band


def _body(report: RegisterReport, one: Pointing) -> Body:
    words: Mapping[str, str | None] = {
        "told": None if report.told is None else report.told.value,
        "telling": None if report.telling is None else report.telling.value,
        "refused": None if report.refused is None else report.refused.value,
    }
    return {
        "network": text(report.network),
        "pointing_id": report.pointing_id,
        "event_id": text(report.event_id),
        "intent_id": one.name.partition("/")[0],
        "instrument": text(one.instrument),
        "field": _place(one)[1],
        "band": text(one.band),
        "status": one.status.value,
        "answer": answer_of(report),
        **words,
        "number": report.number,
        "reason": text(report.reason),
        "updated_at": utc(report.at),
    }
