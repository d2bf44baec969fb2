"""Who may ask what: each route declares the scope that its caller needs, and a route without a declaration stops the start.

A caller shows a token as ``Authorization: Bearer mmh_...`` and nowhere else: no cookies, no parameters. Decisions rest on the
route that the framework chose by the path of the connection, never on an URL made from the Host header.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request

from hub.errors import NotAuthenticated, NotAuthorized, StorageError
from hub.model.token import Scope, Token
from hub.services import tokens
from hub.telemetry import get_logger

SAFE_METHODS = frozenset({"GET", "HEAD"})
"""Methods that change nothing (RFC 9110, section 9.2.1) and that the API has."""

_log = get_logger("api")


class Needs:
    """The declaration of a route: a dependency that lets a caller pass or refuses it."""

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope
        """None for what anyone may ask, always."""

    def __call__(self, request: Request) -> Token | None:
        """Return the token of the caller, None for an anonymous one.

        Raises
        ------
        NotAuthenticated
            A token is needed or the one that was shown is not valid.
        NotAuthorized
            The token is valid and lacks the scope.
        """
        if self.scope is None:
            return None
        state = request.app.state
        is_open = self.scope is Scope.READ and request.method in SAFE_METHODS and state.anonymous_read
        shown = _shown(request.headers.getlist("authorization"))
        if shown is None:
            if is_open:
                return None
            raise NotAuthenticated(f"this needs a token with the scope {self.scope.value}")
        token = tokens.authenticate(state.store, shown, now=state.clock())
        if not is_open and self.scope not in token.scopes:
            raise NotAuthorized(f"the token lacks the scope {self.scope.value}", scope=self.scope.value)
        if state.takes_in:  # an API that only reads does not even write down who did
            try:
                return tokens.note_use(state.store, token, now=state.clock())
            except StorageError as error:
                _log.warning("use of a token not noted", caller=token.name, reason=str(error))
        return token


OPEN = Depends(Needs(None))
"""For routes that anyone may ask: where everything is, and whether the hub is there."""

READS = Depends(Needs(Scope.READ))
"""For routes that only look."""

Submitter = Annotated[Token, Depends(Needs(Scope.NOTICE_SUBMIT))]
"""The caller of a route that takes notices in."""


def declared_scopes(routers: Iterable[APIRouter]) -> Iterator[tuple[APIRoute, list[Scope | None]]]:
    """Yield each route with the scopes that it declares."""
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute), "routers of the API hold nothing else"
            yield route, scopes_of(route.dependant)


def scopes_of(dependant: Dependant) -> list[Scope | None]:
    """Return the scopes that a route declares; None stands for anyone."""
    return [need.scope for need in _needs([dependant])]


def demand_declarations(routers: Iterable[APIRouter]) -> None:
    """Refuse routers in which a route does not say who may ask it.

    Raises
    ------
    RuntimeError
        Naming the route.
    """
    for route, scopes in declared_scopes(routers):
        if not scopes:
            raise RuntimeError(f"{route.path} does not declare who may ask it: give it OPEN, READS or Depends(Needs(...))")
        if not (route.methods or set()) <= SAFE_METHODS and not set(scopes) - {None, Scope.READ}:
            raise RuntimeError(f"{route.path} changes something and needs a scope that says what")


def _needs(dependants: Iterable[Dependant]) -> Iterator[Needs]:
    for dependant in dependants:
        if isinstance(dependant.call, Needs):
            yield dependant.call
        yield from _needs(dependant.dependencies)


def _shown(headers: list[str]) -> str | None:
    """Return the token of the Authorization header, None where there is no such header."""
    if not headers:
        return None
    scheme, _, value = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not value.strip():
        raise NotAuthenticated("the Authorization header must be one, and read: Bearer, a space, the token")
    return value.strip()
