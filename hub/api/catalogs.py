"""The catalogues that candidates are looked up in."""

from pathlib import Path

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from hub.api import wire
from hub.api.paging import one_response, path
from hub.api.security import READS
from hub.catalogs.searching import infos_in
from hub.services.catalog_bodies import catalog_body

router = APIRouter(tags=["catalogs"], dependencies=[READS])


class Completeness(wire.Wire):
    """What part of the true hosts a catalogue holds."""

    distance_mpc: list[float]
    fraction: list[float]
    latitude_deg: list[float] = Field(description="Absolute galactic latitude")
    latitude_factor: list[float]
    source: str


class Catalog(wire.Wire):
    """A catalogue of known sources."""

    name: str
    recipe: str
    kinds: list[str]
    source: str
    digest: str = Field(description="Of the file that it was made from")
    n_rows: int
    refused: list[str] = Field(description="What of that file was set aside")
    completeness: Completeness | None


@router.get("/catalogs", response_model=wire.Whole[Catalog])
def list_catalogs(request: Request) -> Response:
    """List the catalogues on the disk of this hub, by name."""
    folder: Path | None = request.app.state.catalogs
    found = [catalog_body(one) for one in infos_in(folder)] if folder is not None else []
    return one_response(found, {"self": path("catalogs")})
