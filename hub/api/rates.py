"""How often triggers come: what pairs are computed with."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from hub import resources
from hub.api import wire, wire_rates
from hub.api.paging import one_response, path
from hub.api.parameters import StoreDep, Time, moment
from hub.api.security import READS
from hub.science.rules import load_rules
from hub.services import rates

router = APIRouter(tags=["coincidences"], dependencies=[READS])


@router.get("/rates", response_model=wire.Whole[wire_rates.Rate])
def list_rates(
    request: Request, store: StoreDep, at: Annotated[Time, Query(description="Of a pair; now where not given")] = None
) -> Response:
    """List the rates that a pair at a time is computed with: configured, measured with its error, and storms."""
    rules = load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml"))
    with store.reading() as session:
        rows = rates.table(session, rules, moment(at) or request.app.state.clock())
    return one_response(rows, {"self": path("rates")})
