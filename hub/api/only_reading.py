"""What a route that changes something says where the API only reads: `mmhub serve` beside a hub, or a copy of its database."""

from starlette.exceptions import HTTPException
from starlette.requests import Request


def only_reads(what: str) -> str:
    """Return the sentence that says where something is done instead, which ``what`` begins: ``reports are taken in by``."""
    return f"this API only reads: {what} the one that `mmhub run` starts"


def demand_writing(request: Request, what: str) -> None:
    """Let a request pass where the API also writes.

    Raises
    ------
    HTTPException
        503, with `only_reads` of ``what``.
    """
    if not request.app.state.takes_in:
        raise HTTPException(503, only_reads(what))
