"""Documents for a person to finish and to send: a GCN Circular, a report to the Treasure Map, one to the Transient Name Server.

Nothing here is sent by anybody but that person: what is published cannot be taken back, and doubles are a nuisance to all readers
(nasa-gcn/gcn.nasa.gov#813). What the hub does not know stands in the draft as `FILL_IN`, so that no draft can be sent as it is.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, NotFound
from hub.model.coincidence import Candidate, PairState
from hub.model.event import Event, EventState
from hub.model.followup import RequestState, Submission
from hub.model.pointing import Pointing, PointingStatus
from hub.services.bodies import Body, jsonable, text, utc
from hub.services.queries import find_event
from hub.storage import candidates, followup, pointings

FILL_IN = "[FILL IN]"
"""Stands where a person has to say something."""

MAX_CANDIDATES = 20
"""Candidates of a circular's table; readers want the best."""

_AT_TYPE = 1
"""TNS's number of a possible supernova (``PSN``), the type of a report of a transient of unknown kind; believed."""


def circular(session: Session, name: str) -> Body:
    """Return the draft of a GCN Circular about what was observed because of an event.

    Raises
    ------
    NotFound
        There is no such event.
    """
    event = find_event(session, name)
    done = _completed(session, event)
    best = candidates.of_event(session, event.event_id, state=PairState.OPEN, limit=MAX_CANDIDATES)
    found = [one for one in best if one.confirmed]
    reported = [one for one in pointings.of_event(session, event.event_id) if one.status is PointingStatus.COMPLETED]
    what = "observations because of" if done else "a search for counterparts of"
    when = f"{event.mission}, {utc(event.t0)}" if event.t0 else event.mission
    lines = [f"{FILL_IN}: authors and affiliations", "", f"We report on {what} {event.event_id} ({when}).", ""]
    if event.state is not EventState.ACTIVE:
        lines += [f"The event is {event.state.value}: {FILL_IN}, whether this circular is still wanted.", ""]
    lines += _observations(done, reported)
    lines += _table(found)
    lines += [f"{FILL_IN}: magnitudes, limits and their calibration; what they mean.", ""]
    return _draft(
        "gcn-circular",
        event,
        {"subject": f"{event.event_id}: {FILL_IN} {'candidates' if found else 'observations'}", "body": "\n".join(lines)},
        remarks=["a circular cannot be deleted, only corrected", "its subject must begin with the name of the event"],
    )


def treasure_map(session: Session, name: str) -> Body:
    """Return the draft of a report of completed pointings to the Treasure Map, those of the hub's own requests.

    Raises
    ------
    NotFound
        There is no such event.
    InvalidRequest
        No request of the hub for it is completed.
    """
    event = find_event(session, name)
    done = _completed(session, event)
    if not done:
        raise InvalidRequest(f"no request of this hub for {event.event_id} is completed: there is nothing to report")
    rows = [
        {
            "ra": one.intent.ra_deg,
            "dec": one.intent.dec_deg,
            "instrumentid": FILL_IN,
            "instrument": text(one.intent.instrument),
            "time": FILL_IN,
            "known_since": utc(one.transitions[-1].at),
            "status": PointingStatus.COMPLETED.value,
            "band": text(str(band)),
            "depth": FILL_IN,
            "depth_unit": "ab_mag",
            "pos_angle": FILL_IN,
        }
        for one in done
        for band in dict.fromkeys(exposure.get("filter") or FILL_IN for exposure in one.intent.exposures)
    ]
    return _draft(
        "treasure-map",
        event,
        {"graceid": text(event.event_id), "pointings": rows},
        remarks=[
            "the map accepts the same pointing twice",
            "times are those of the exposures, which the network does not tell the hub",
        ],
    )


def tns(session: Session, name: str, object_id: str) -> Body:
    """Return the draft of an AT report of a candidate to the Transient Name Server.

    Parameters
    ----------
    session
        Of the database.
    name
        Of the event, any.
    object_id
        Of the candidate, with or without ``SURVEY:``.

    Raises
    ------
    NotFound
        There is no such event, or no such open candidate.
    """
    event = find_event(session, name)
    survey, _, rest = object_id.partition(":")
    found = candidates.search(session, event_id=event.event_id, object_id=object_id, state=PairState.OPEN)
    found += candidates.search(session, event_id=event.event_id, survey=survey, object_id=rest, state=PairState.OPEN)
    one = next(iter(found), None)
    if one is None:
        raise NotFound(f"{event.event_id} has no open candidate {object_id}")
    report = {
        "ra": {"value": jsonable(one.ra_deg), "error": FILL_IN, "units": "arcsec"},
        "dec": {"value": jsonable(one.dec_deg), "error": FILL_IN, "units": "arcsec"},
        "reporting_group_id": FILL_IN,
        "discovery_data_source_id": FILL_IN,
        "reporter": FILL_IN,
        "discovery_datetime": utc(one.first_detection),
        "at_type": _AT_TYPE,
        "internal_name": text(f"{one.survey}:{one.object_id}"),
        "remarks": text(f"in the localization of {event.event_id}; {FILL_IN}"),
        "non_detection": {"obsdate": FILL_IN, "limiting_flux": FILL_IN, "flux_units": FILL_IN, "filter_value": FILL_IN},
        "photometry": {
            "photometry_group": {
                "0": {"obsdate": utc(one.first_detection), "flux": FILL_IN, "flux_units": FILL_IN, "filter_value": FILL_IN}
            }
        },
    }
    return _draft(
        "tns-at-report",
        event,
        {"at_report": {"0": report}},
        remarks=[
            f"{text(one.survey)} found it: whether it reports its own discoveries must be asked first",
            "the names of the fields are believed to be those of TNS's bulk report",
        ],
    )


def _draft(kind: str, event: Event, document: Body, *, remarks: Sequence[str]) -> Body:
    return {
        "kind": kind,
        "is_draft": True,
        "event_id": text(event.event_id),
        "is_live": event.is_live,
        "document": document,
        "remarks": [
            *remarks,
            *([] if event.is_live else ["the event is a test, a mock or from an untrusted source: not to be sent"]),
        ],
    }


def _completed(session: Session, event: Event) -> list[Submission]:
    return [one for one in followup.of_event(session, event.event_id) if one.state is RequestState.COMPLETED]


def _observations(done: Sequence[Submission], reported: Sequence[Pointing]) -> list[str]:
    lines = []
    for one in done:
        filters = ", ".join(
            f"{exposure.get('count', 1)} x {exposure['seconds']:g} s {exposure['filter']}" for exposure in one.intent.exposures
        )
        lines.append(
            f"{one.intent.target} (RA {one.intent.ra_deg:.5f}, Dec {one.intent.dec_deg:+.5f}) with {one.intent.instrument} of"
            f" {one.intent.network}: {filters}, completed by {utc(one.transitions[-1].at)}."
        )
    for instrument in sorted({one.instrument for one in reported}):
        own = [one for one in reported if one.instrument == instrument]
        lines.append(f"{instrument} observed {len(own)} fields from {utc(own[0].at)} to {utc(own[-1].at)}, as reported.")
    return [*(lines or [f"Nothing was observed by request of this hub: {FILL_IN}."]), ""]


def _table(found: Sequence[Candidate]) -> list[str]:
    if not found:
        return ["No confirmed candidate is known to this hub.", ""]
    rows = [
        f"{one.survey}:{one.object_id} | {one.ra_deg:.5f} | {one.dec_deg:+.5f} | {utc(one.first_detection)} | {one.n_detections}"
        for one in found
    ]
    return [
        "Candidates, the best ranked first:",
        "",
        "object | RA (deg) | Dec (deg) | first detection (UTC) | detections",
        *rows,
        "",
    ]
