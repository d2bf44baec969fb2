"""What may be asked: the query parameters of the listings. An unknown one is refused, so that a slip never widens an answer."""

import math
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request

from hub.errors import InvalidRequest, NotFound
from hub.model.instant import Instant
from hub.services import queries
from hub.storage.engine import SeenStore, Store

DEFAULT_LIMIT = 50
"""Bodies on a page."""

MAX_LIMIT = 1000
"""Most bodies on a page."""

_MJD_RANGE = (41317.0, 200_000.0)
_GPS_RANGE = (0.0, 1e11)


def parse_time(text: str) -> Instant:
    """Return the instant of ISO 8601 UTC text, ``mjd:60000.5`` (UTC) or ``gps:1187008882.4``.

    Raises
    ------
    ValueError
        It is none of these, or outside 1972 to about 2400.
    """
    kind, _, number = text.partition(":")
    if kind == "mjd":
        return Instant.from_mjd_utc(_between(number, *_MJD_RANGE))
    if kind == "gps":
        return Instant.from_gps_s(_between(number, *_GPS_RANGE))
    return Instant.from_utc_iso(text)


def get_store(request: Request) -> Store:
    """Return the open state database of the application, as the caller may see it."""
    return SeenStore(request.app.state.store, lambda: getattr(request.state, "groups", frozenset()))


def demand_seen(store: Store, names: Iterable[str]) -> None:
    """Refuse to do anything about an event that the caller may not see; what writes sees everything, as the hub does.

    Raises
    ------
    NotFound
        As for an event that there is not.
    """
    with store.reading() as session:
        for name in names:
            queries.find_event(session, name)


def demand_reported(store: Store, event_ids: Iterable[str]) -> None:
    """Refuse a report of an event that the caller may not see, without the event's id, which the caller may not know.

    Raises
    ------
    NotFound
        There is one.
    """
    try:
        demand_seen(store, event_ids)
    except NotFound:
        raise NotFound("the report names an event that there is not") from None


def only_known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have, and NUL characters anywhere.

    Raises
    ------
    InvalidRequest
        Naming the parameter.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = {field.alias for field in route.dependant.query_params}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise InvalidRequest(f"there is no parameter {name!r} here; known: {', '.join(sorted(known)) or 'none'}", field=name)
        if "\x00" in value:
            raise InvalidRequest(f"the parameter {name} has a NUL character", field=name)
    if "\x00" in request.scope["path"]:
        raise InvalidRequest("the address has a NUL character")


def _between(text: str, low: float, high: float) -> float:
    value = float(text)
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"must lie between {low:g} and {high:g}")
    return value


def moment(value: str | None) -> Instant | None:
    """Return the instant of a `Time` parameter."""
    return None if value is None else parse_time(value)


def _is_time(value: str | None) -> str | None:
    moment(value)
    return value


def _names(value: Any) -> Any:
    """Split ``a,b`` in each of the values of a repeatable parameter."""
    return [part for one in value for part in one.split(",")] if isinstance(value, list) else value


StoreDep = Annotated[Store, Depends(get_store)]
"""The open state database."""

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Most bodies on this page")]
"""Size of a page."""

Cursor = Annotated[str | None, Field(max_length=2000, description="Opaque; from the next link of the page before")]
"""Where a page begins."""

Name = Annotated[str | None, Field(max_length=200)]
"""A name to compare with."""

Comma = BeforeValidator(_names)
"""Lets ``a,b`` stand for two values."""

Time = Annotated[
    str | None,
    AfterValidator(_is_time),
    Field(description="ISO 8601 UTC, mjd:60000.5 or gps:1187008882.4", examples=["2017-08-17T12:41:04Z"]),
]
"""A moment, checked; `moment` reads it."""

Number = Annotated[float | None, Field(allow_inf_nan=False)]
"""A finite number."""
