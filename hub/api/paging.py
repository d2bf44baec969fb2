"""Pages of a listing: opaque cursors, the next link in body and header, answers that may be cached."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.errors import InvalidRequest
from hub.services.queries import Page

PREFIX = "/api/v1"
"""Where the API lives. Links are paths: nothing is ever taken from the Host header."""

IMMUTABLE = "public, max-age=31536000, immutable"
"""Cache-Control of what never changes under its address (RFC 8246)."""

_INT64 = 2**63
_SAFE_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w.+-]{0,60}/[A-Za-z0-9][\w.+-]{0,60}(; ?charset=[\w-]{1,20})?", re.ASCII)


def read_cursor(text: str | None, kinds: Sequence[type]) -> tuple[Any, ...] | None:
    """Return the key that `write_cursor` wrote, checked value by value; None without a cursor.

    Raises
    ------
    InvalidRequest
        It is none of this listing's cursors.
    """
    if text is None:
        return None
    try:
        values = json.loads(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidRequest("the cursor is not one that this listing gave", field="cursor") from error
    if not isinstance(values, list) or len(values) != len(kinds) or not all(map(_fits, values, kinds)):
        raise InvalidRequest("the cursor is not one that this listing gave", field="cursor")
    return tuple(values)


def write_cursor(key: Sequence[Any]) -> str:
    """Return an opaque text of a key."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode()


def page_response(request: Request, page: Page, **more: Any) -> JSONResponse:
    """Return a page with the links to itself and to the next one, and further members beside them."""
    here = str(request.scope["path"])
    links: dict[str, str | None] = {"self": _with_query(here, request), "next": None}
    headers = {}
    if page.last is not None:
        links["next"] = _with_query(here, request, cursor=write_cursor(page.last))
        headers["Link"] = f'<{links["next"]}>; rel="next"'
    return JSONResponse({"data": page.bodies, "links": links, **more}, headers=headers)


def one_response(body: Any, links: Mapping[str, str], *, location: str | None = None) -> JSONResponse:
    """Return one resource (or a short whole list) with its links; ``location`` is its own address where asked by another."""
    return JSONResponse({"data": body, "links": dict(links)}, headers={"Content-Location": location} if location else {})


def artefact_response(request: Request, content: bytes, *, media_type: str, filename: str) -> Response:
    """Return bytes that never change under their address, for saving: with ETag, 304 where the caller has them already."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": IMMUTABLE}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    headers |= {
        "Content-Disposition": f'attachment; filename="{filename}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    safe = media_type if _SAFE_MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream"
    response = Response(content, headers=headers)
    response.headers["Content-Type"] = safe
    return response


def path(*parts: str) -> str:
    """Return the path of a resource of the API, its names escaped."""
    return "/".join([PREFIX, *(quote(part, safe="") for part in parts)])


def _with_query(here: str, request: Request, **changes: str) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    query = urlencode([*kept, *changes.items()])
    return quote(here) + (f"?{query}" if query else "")


def _fits(value: Any, kind: type) -> bool:
    if kind is int:
        return type(value) is int and abs(value) < _INT64
    if kind is float:
        return type(value) in (int, float) and abs(value) < float("inf")
    if kind is str:
        return type(value) is str and "\x00" not in value and not re.search("[\ud800-\udfff]", value)
    return type(value) is kind
