"""The budget of false announcements."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from hub import resources
from hub.api import wire, wire_budget
from hub.api.paging import one_response, path
from hub.api.parameters import StoreDep
from hub.api.security import READS
from hub.errors import NotFound
from hub.science.rules import load_rules
from hub.services.budget import budget_body

router = APIRouter(tags=["coincidences"], dependencies=[READS])


@router.get("/budget", response_model=wire.One[wire_budget.Budget])
def get_budget(
    request: Request,
    store: StoreDep,
    days: Annotated[
        float, Query(ge=0.01, le=3650.0, allow_inf_nan=False, description="Count what left first in so many days until now")
    ] = 30.0,
) -> Response:
    """Return the shares of the budget of false announcements, and what was announced and taken back."""
    budget = load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml")).budget
    if budget is None:
        raise NotFound("the rules have no budget: everything leaves")
    with store.reading() as session:
        body = budget_body(session, budget, request.app.state.clock(), days=days)
    return one_response(body, {"self": path("budget")})
