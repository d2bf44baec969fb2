"""Every error as ``application/problem+json`` (RFC 9457): the framework's own, the hub's, and the unforeseen."""

import re
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from hub.errors import HubError, InvalidRequest, NotAuthenticated, NotAuthorized, NotFound, StorageError
from hub.services.bodies import jsonable
from hub.telemetry import get_logger

MEDIA_TYPE = "application/problem+json"
"""Media type of every error (RFC 9457, section 3)."""

_SECRET = re.compile(r"mmh_[^/\s'\"]+")
_HIDDEN = "mmh_(hidden)"
"""Stands in an error where a caller wrote a token by mistake: errors are pasted into reports."""

_log = get_logger("api")
_TITLES = {422: "Invalid request", 500: "Internal error", 503: "Database unavailable"}
_STATUS = {InvalidRequest: 422, NotFound: 404, NotAuthenticated: 401, NotAuthorized: 403, StorageError: 503}
_CHALLENGE = 'Bearer realm="mmhub"'


def install(app: FastAPI) -> None:
    """Make an application answer every error as a problem."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HubError, _of_hub)
    app.add_exception_handler(Exception, _of_surprise)


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    title: str | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **more: str | None,
) -> JSONResponse:
    """Return the answer of an error.

    Parameters
    ----------
    request
        What was asked; its path is the problem's ``instance``.
    status
        HTTP status.
    detail
        One sentence for a person.
    title
        A few words, which also make the ``type``; those of the status where not given.
    errors
        For each wrong field of the request ``field`` and ``reason``.
    headers
        Further header fields.
    more
        Further members; None leaves one out.
    """
    title = title or _TITLES.get(status) or HTTPStatus(status).phrase
    content: dict[str, Any] = {
        "type": f"urn:mmhub:problem:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": _SECRET.sub(_HIDDEN, detail),
        "instance": _SECRET.sub(_HIDDEN, request.scope["path"]),
        **{name: value for name, value in more.items() if value is not None},
    }
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(jsonable(content), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    details = {404: f"there is nothing at {path}", 405: f"{request.method} is not possible at {path}"}
    return problem(request, error.status_code, details.get(error.status_code, str(error.detail)), headers=error.headers)


def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"field": ".".join(map(str, one["loc"][1:])), "reason": str(one["msg"]).removeprefix("Value error, ")}
        for one in error.errors()
    ]
    named = ", ".join(dict.fromkeys(one["field"] for one in wrong if one["field"]))
    return problem(request, 422, f"the request cannot be understood: {named or 'see errors'}", errors=wrong)


def _of_hub(request: Request, error: Exception) -> JSONResponse:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
    if status is None:
        return _of_surprise(request, error)
    if isinstance(error, StorageError):
        _log.error("state database does not answer", reason=str(error))
        return problem(request, status, "the state database does not answer; try again later", headers={"Retry-After": "10"})
    if isinstance(error, NotAuthenticated):
        refused = ', error="invalid_token"' if "authorization" in request.headers else ""
        return problem(request, status, str(error), headers={"WWW-Authenticate": _CHALLENGE + refused})  # RFC 6750, section 3
    if isinstance(error, NotAuthorized):
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{error.scope}"'
        return problem(request, status, str(error), headers={"WWW-Authenticate": challenge}, scope=error.scope)
    field = getattr(error, "field", None)
    return problem(request, status, str(error), errors=[{"field": field, "reason": str(error)}] if field else ())


def _of_surprise(request: Request, error: Exception) -> JSONResponse:
    """Answer with an id that stands in the log beside the traceback, and with nothing else of the error."""
    error_id = secrets.token_hex(8)
    _log.error("unforeseen error", error_id=error_id, path=request.scope["path"], exc_info=error)
    return problem(request, 500, f"the hub failed; its log has the reason under {error_id}", error_id=error_id)


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": _TITLES.get(status) or HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (401, 403, 404, 422, 500, 503)
}
"""The errors of every route, for the OpenAPI document."""
