"""What surveys searched: at a position, of an event's map, visit by visit."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire, wire_visits
from hub.api.paging import one_response, page_response, path, read_cursor
from hub.api.parameters import DEFAULT_LIMIT, Cursor, Limit, Name, Number, StoreDep, Time, moment
from hub.api.security import READS
from hub.services import searched

router = APIRouter(tags=["coverage"], dependencies=[READS])

NO_ARCHIVE = Path("no-archive")
"""A folder without ledgers, for an application that was given none."""


def get_archive(request: Request) -> Path:
    """Return the folder of the archive, in which the ledgers lie."""
    folder: Path | None = request.app.state.archive
    return folder or NO_ARCHIVE


ArchiveDep = Annotated[Path, Depends(get_archive)]
Band = Annotated[str | None, Query(max_length=40, description="g, r ...; all where not given")]
Survey = Annotated[Name, Query(description="LSST ...; all where not given")]


@router.get("/coverage", response_model=wire.One[wire_visits.PositionCoverage])
def get_coverage(
    request: Request,
    store: StoreDep,
    archive: ArchiveDep,
    ra_deg: Annotated[float, Query(ge=0, le=360, allow_inf_nan=False, description="Right ascension, ICRS")],
    dec_deg: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, description="Declination, ICRS")],
    start: Annotated[Time, Query(alias="from", description="30 days before the end where not given")] = None,
    end: Annotated[Time, Query(alias="to", description="Now where not given")] = None,
    band: Band = None,
    survey: Survey = None,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
) -> Response:
    """Return when a position was last searched, how deep and in which bands; unknown for surveys that are not heard in full."""
    with store.reading() as session:
        body = searched.at_position(
            session,
            archive,
            ra_deg=ra_deg % 360.0,
            dec_deg=dec_deg,
            start=moment(start),
            end=moment(end) or request.app.state.clock(),
            band=band,
            survey=survey,
            limit=limit,
        )
    return one_response(body, {"self": path("coverage"), "visits": path("visits")})


@router.get("/events/{event_id}/coverage", response_model=wire.One[wire_visits.EventCoverage])
def get_event_coverage(
    request: Request,
    store: StoreDep,
    archive: ArchiveDep,
    event_id: str,
    depth: Annotated[Number, Query(description="Least depth that counts, AB magnitude at 5 sigma")] = None,
    start: Annotated[Time, Query(alias="from", description="The event's time where not given")] = None,
    until: Annotated[Time, Query(description="Now, or 14 days after the beginning, where not given")] = None,
    band: Band = None,
    survey: Survey = None,
    limit: Annotated[Limit, Query(description="Visits that are listed; all count")] = DEFAULT_LIMIT,
) -> Response:
    """Return the share of an event's map that was searched in a window to a depth, each place once, by visit and programme."""
    with store.reading() as session:
        body = searched.of_event(
            session,
            archive,
            event_id,
            start=moment(start),
            end=moment(until),
            now=request.app.state.clock(),
            depth_ab=depth,
            band=band,
            survey=survey,
            limit=limit,
        )
    own = path("events", body["event_id"])
    links = {"self": f"{own}/coverage", "event": own, "localization": path("localizations", body["localization_id"])}
    return one_response(body, links, location=f"{own}/coverage")


@router.get("/visits", response_model=wire_visits.VisitPage)
def list_visits(
    request: Request,
    store: StoreDep,
    archive: ArchiveDep,
    night: Annotated[
        str | None, Query(max_length=40, description="Date on which it begins, 2026-11-23; the last one where not given")
    ] = None,
    survey: Survey = None,
    incomplete: Annotated[bool, Query(description="Only visits with missing detectors")] = False,
    limit: Annotated[Limit, Query()] = DEFAULT_LIMIT,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """List the visits of a night, the latest first, with the detectors that sent alerts and those that should have."""
    before = read_cursor(cursor, (int, str))
    with store.reading() as session:
        page, said = searched.visit_page(
            session,
            archive,
            night=searched.night_named(night) if night is not None else None,
            survey=survey,
            incomplete_only=incomplete,
            limit=limit,
            before=(before[0], before[1]) if before else None,
        )
    return page_response(request, page, coverage=[one.body() for one in said])
