"""Localizations: their numbers, and their maps as files that never change."""

import json
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire
from hub.api.paging import artefact_response, one_response, path
from hub.api.parameters import StoreDep
from hub.api.security import READS
from hub.science.skymap_fits import to_fits, to_moc
from hub.services import queries

router = APIRouter(tags=["localizations"], dependencies=[READS])


@router.get(
    "/localizations/{localization_id}.fits",
    response_class=Response,
    responses={200: {"description": "Multi-order HEALPix map", "content": {"application/fits": {}}}, 304: {}},
)
def get_fits(request: Request, store: StoreDep, localization_id: str) -> Response:
    """Return the map as a multi-order FITS file, as ligo.skymap reads it."""
    with store.reading() as session:
        found = queries.find_localization(session, localization_id)
    name = f"{found.localization_id}.fits"
    return artefact_response(request, to_fits(found.skymap), media_type="application/fits", filename=name)


@router.get(
    "/localizations/{localization_id}.moc.json",
    response_class=Response,
    responses={200: {"description": "MOC 2.0, JSON form", "content": {"application/json": {}}}, 304: {}},
)
def get_moc(
    request: Request,
    store: StoreDep,
    localization_id: str,
    level: Annotated[float, Query(gt=0, le=1, allow_inf_nan=False, description="Probability inside the region")] = 0.9,
) -> Response:
    """Return the smallest region that reaches a probability as a MOC."""
    with store.reading() as session:
        found = queries.find_localization(session, localization_id)
    content = json.dumps(to_moc(found.skymap, level), separators=(",", ":")).encode()
    name = f"{found.localization_id}.{level:g}.moc.json"
    return artefact_response(request, content, media_type="application/json", filename=name)


@router.get("/localizations/{localization_id}", response_model=wire.One[wire.Localization])
def get_localization(store: StoreDep, localization_id: str) -> Response:
    """Return the numbers of a localization."""
    with store.reading() as session:
        body = queries.localization(session, localization_id)
    own = path("localizations", localization_id)
    return one_response(body, {"self": own, "fits": f"{own}.fits", "moc": f"{own}.moc.json"})
