"""The schemas of what the hub sends, in the shape of a Confluent registry: whose clients take the API for one."""

import json
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from starlette.responses import JSONResponse, Response

from hub import resources
from hub.api import wire
from hub.api.security import READS
from hub.errors import NotFound

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
"""Media type of a Confluent registry's answers."""

TABLE = "schemas/hub/ids.json"
"""Schema id to file."""

router = APIRouter(dependencies=[READS])


@router.get("/schemas/ids/{schema_id}", response_model=wire.RegisteredSchema, tags=["schemas"])
def get_schema(
    schema_id: Annotated[int, PathParameter(ge=0, lt=2**31)],
    subject: Annotated[str | None, Query(max_length=255, description="Taken and ignored: registry clients send it")] = None,
    form: Annotated[str | None, Query(alias="format", max_length=40, description="Taken and ignored")] = None,
    fetch_max_id: Annotated[bool, Query(alias="fetchMaxId", description="Taken and ignored")] = False,
) -> Response:
    """Return the Avro schema behind an id on the wire."""
    name = _table().get(str(schema_id))
    if name is None:
        raise NotFound(f"schema id {schema_id} is none of this hub's")
    return JSONResponse({"schema": _compact(name)}, media_type=MEDIA_TYPE)


@cache
def _table() -> dict[str, str]:
    table: dict[str, str] = json.loads(resources.read_text(TABLE))
    return table


@cache
def _compact(name: str) -> str:
    return json.dumps(json.loads(resources.read_text(name)), separators=(",", ":"))
