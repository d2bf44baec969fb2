"""Reports that come as text, JSON or CSV: the body of a request, as long as it may be."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from hub.api.only_reading import demand_writing
from hub.errors import InvalidRequest

MAX_BODY_BYTES = 4 << 20
"""Largest report: ten thousand pointings take less."""


async def text_of(request: Request) -> str:
    """Return the report that a request brings, where the API takes any in.

    Raises
    ------
    InvalidRequest
        It is no text in UTF-8.
    HTTPException
        503 where the API only reads, 413 where the report is larger than `MAX_BODY_BYTES`.
    """
    demand_writing(request, "reports are taken in by")
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY_BYTES:
            raise HTTPException(413, f"a report has at most {MAX_BODY_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the report is no text in UTF-8: {error}") from error
