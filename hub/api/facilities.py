"""Observatories, and when they see a place."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from hub import resources
from hub.api import wire, wire_facilities
from hub.api.paging import one_response, path
from hub.api.parameters import Time, moment
from hub.api.security import READS
from hub.science.sites import Constraints, Site, load_sites
from hub.services import facilities
from hub.services.bodies import jsonable

router = APIRouter(tags=["facilities"], dependencies=[READS])

DEFAULT = Constraints()
"""What an observation needs where nobody says otherwise."""

Airmass = Annotated[float, Query(gt=1.0, le=38.0, allow_inf_nan=False, description="Largest airmass")]
Moon = Annotated[float, Query(ge=0.0, lt=180.0, allow_inf_nan=False, description="Smallest distance to the Moon, degrees")]
Sun = Annotated[float, Query(ge=-90.0, le=90.0, allow_inf_nan=False, description="Highest Sun, degrees")]


def _sites() -> tuple[Site, ...]:
    return load_sites(resources.read_text("conf/sites.toml"))


@router.get("/facilities", response_model=wire.Whole[wire_facilities.Facility])
def list_facilities() -> Response:
    """List the observatories that plans and visibility know."""
    return one_response([facilities.body(site) for site in _sites()], {"self": path("facilities")})


@router.get("/facilities/{facility_id}", response_model=wire.One[wire_facilities.Facility])
def get_facility(facility_id: str) -> Response:
    """Return one observatory, by its id or its name."""
    site = facilities.find(_sites(), facility_id)
    own = path("facilities", facilities.facility_id(site))
    links = {"self": own, "visibility": f"{own}/visibility", "objvissap": f"{own}/objvissap"}
    return one_response(facilities.body(site), links, location=own)


@router.get("/facilities/{facility_id}/visibility", response_model=wire.One[wire_facilities.Visibility])
def get_visibility(
    request: Request,
    facility_id: str,
    ra_deg: Annotated[float, Query(ge=0, le=360, allow_inf_nan=False, description="Right ascension, ICRS")],
    dec_deg: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, description="Declination, ICRS")],
    start: Annotated[Time, Query(description="Now where not given")] = None,
    end: Annotated[Time, Query(description="A day after the start where not given, 40 days at most")] = None,
    max_airmass: Airmass = DEFAULT.max_airmass,
    min_moon_separation_deg: Moon = DEFAULT.min_moon_separation_deg,
    max_sun_altitude_deg: Sun = DEFAULT.max_sun_altitude_deg,
) -> Response:
    """Return when a place can be observed from an observatory, and why not where it cannot."""
    site = facilities.find(_sites(), facility_id)
    needs = Constraints(
        max_airmass=max_airmass,
        min_moon_separation_deg=min_moon_separation_deg,
        max_sun_altitude_deg=max_sun_altitude_deg,
    )
    begin, until = facilities.span(moment(start) or request.app.state.clock(), moment(end))
    said = facilities.visibility(site, ra_deg % 360.0, dec_deg, begin, until, needs)
    own = path("facilities", facilities.facility_id(site))
    return one_response(jsonable(said), {"self": f"{own}/visibility", "facility": own})


@router.get(
    "/facilities/{facility_id}/objvissap",
    response_class=Response,
    responses={200: {"description": "VOTable of windows", "content": {facilities.MEDIA_TYPE: {}}}},
)
def get_objvissap(
    request: Request,
    facility_id: str,
    pos: Annotated[str, Query(alias="POS", max_length=200, description="Right ascension, comma, declination; ICRS, degrees")],
    time: Annotated[
        str | None, Query(alias="TIME", max_length=200, description="t_min/t_max, MJD UTC; now and a day later where not given")
    ] = None,
    min_vis_s: Annotated[float, Query(alias="MIN_VIS", ge=0, allow_inf_nan=False, description="Shortest window, seconds")] = 0.0,
    max_rows: Annotated[int | None, Query(alias="MAXREC", ge=0, le=1_000_000, description="Most rows")] = None,
) -> Response:
    """Return the same windows as a VOTable, in the shape of the Object Visibility Simple Access Protocol."""
    site = facilities.find(_sites(), facility_id)
    ra_deg, dec_deg = facilities.read_pos(pos)
    begin, until = facilities.read_time(time, request.app.state.clock())
    content = facilities.votable(site, ra_deg, dec_deg, begin, until, DEFAULT, min_vis_s, max_rows)
    return Response(content, media_type=facilities.MEDIA_TYPE)
