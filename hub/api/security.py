"""Who may ask what: each route declares the scope that its caller needs, and a route without a declaration stops the start.

A program shows a token as ``Authorization: Bearer mmh_...`` and nowhere else; there are no parameters. A person's browser
shows the cookie of a session, which is never a token, to routes that are open to persons. Whatever changes something needs
the session's token in ``X-CSRF-Token`` beside it, since browsers send cookies unasked. Decisions rest on the route that the
framework chose by the path of the connection, never on an URL made from the Host header.
"""

import hmac
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hub.errors import NotAuthenticated, NotAuthorized, StorageError
from hub.model.person import Person
from hub.model.token import Scope, Token
from hub.services import sessions, tokens
from hub.services.sessions import SignedIn
from hub.telemetry import get_logger

SAFE_METHODS = frozenset({"GET", "HEAD"})
"""Methods that change nothing (RFC 9110, section 9.2.1) and that the API has."""

COOKIE = "__Host-mmhub-session"
"""Name of the cookie of a session; by its prefix browsers take it only over https, for this host alone and for every path."""

CSRF_HEADER = "X-CSRF-Token"
"""Header with what follows from the session's secret, which pages of other sites cannot know."""

Caller = Token | Person
"""Who asks: a program by its token, or a person by a session."""

_log = get_logger("api")


class Way(StrEnum):
    """What a route needs that is no scope."""

    SIGN_IN = "sign in"
    """Nothing yet: its caller proves who it is. For the routes that open sessions."""

    SESSION = "session"
    """The session of a person, whatever the person may do; a token is not one."""


class Needs:
    """The declaration of a route: a dependency that lets a caller pass or refuses it."""

    def __init__(self, scope: Scope | Way | None, *, persons: bool = False) -> None:
        self.scope = scope
        """None for what anyone may ask, always."""

        self.persons = persons
        """Whether persons may ask it by a session, too."""

    def __call__(self, request: Request) -> Caller | SignedIn | None:
        """Return who asks: the token, the person, for a route that needs a session that; None for an anonymous caller.

        Raises
        ------
        NotAuthenticated
            A token or session is needed, or the one that was shown is not valid.
        NotAuthorized
            The caller is known and lacks the scope.
        HTTPException
            403: a session without its ``X-CSRF-Token``; a subject that somebody else than the trusted proxy states.
        """
        request.app.state.proxy.subject(request)  # who states a subject and is not the proxy gets no further
        caller = self._found(request)
        person = caller.person if isinstance(caller, SignedIn) else caller
        request.state.groups = person.groups if isinstance(person, Person) else frozenset()  # of whom it may see what is private
        return caller

    def _found(self, request: Request) -> Caller | SignedIn | None:
        match self.scope:
            case None | Way.SIGN_IN:
                return None
            case Way.SESSION:
                return _signed_in(request, _cookie(request))
            case Scope() as scope:
                return self._caller(request, scope)

    def _caller(self, request: Request, scope: Scope) -> Caller | None:
        state = request.app.state
        is_open = scope is Scope.READ and request.method in SAFE_METHODS and state.anonymous_read
        shown = _shown(request.headers.getlist("authorization"))
        if shown is None and self.persons and (secret := _cookie(request)) is not None:
            return _person(request, secret, scope, is_open=is_open)
        if shown is None:
            if is_open:
                return None
            raise NotAuthenticated(f"this needs a token with the scope {scope.value}")
        token = tokens.authenticate(state.store, shown, now=state.clock())
        if not is_open and scope not in token.scopes:
            raise NotAuthorized(f"the token lacks the scope {scope.value}", scope=scope.value)
        if state.takes_in:  # an API that only reads does not even write down who did
            try:
                return tokens.note_use(state.store, token, now=state.clock())
            except StorageError as error:
                _log.warning("use of a token not noted", caller=token.name, reason=str(error))
        return token


OPEN = Depends(Needs(None))
"""For routes that anyone may ask: where everything is, and whether the hub is there."""

READS = Depends(Needs(Scope.READ, persons=True))
"""For routes that only look."""

Annotator = Annotated[Caller, Depends(Needs(Scope.ANNOTATE, persons=True))]
"""The caller of a route that takes in what somebody reports, or says of what is there."""

Submitter = Annotated[Token, Depends(Needs(Scope.NOTICE_SUBMIT))]
"""The caller of a route that takes notices in: a program, whose token says whether it is trusted."""

SIGNS_IN = Depends(Needs(Way.SIGN_IN))
"""For the routes that open sessions."""

OfSession = Annotated[SignedIn, Depends(Needs(Way.SESSION))]
"""The person who asks, with the session."""


def declared_scopes(routers: Iterable[APIRouter]) -> Iterator[tuple[APIRoute, list[Scope | Way | None]]]:
    """Yield each route with the scopes that it declares."""
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute), "routers of the API hold nothing else"
            yield route, scopes_of(route.dependant)


def scopes_of(dependant: Dependant) -> list[Scope | Way | None]:
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


def _cookie(request: Request) -> str | None:
    return request.cookies.get(COOKIE)


def _person(request: Request, secret: str, scope: Scope, *, is_open: bool) -> Person | None:
    try:
        person = _signed_in(request, secret).person
    except NotAuthenticated:
        if is_open:  # browsers go on to show a cookie whose session is over
            return None
        raise
    if not is_open and scope not in person.scopes:
        raise NotAuthorized(f"{person.name} lacks the scope {scope.value}", scope=scope.value)
    return person


def _signed_in(request: Request, secret: str | None) -> SignedIn:
    """Return the session of a request, used to change something only with the token that follows from its secret."""
    if secret is None:
        raise NotAuthenticated("this needs the session of a person: sign in")
    state = request.app.state
    found = sessions.authenticate(state.store, secret, now=state.clock())
    if request.method not in SAFE_METHODS:
        shown = request.headers.getlist(CSRF_HEADER)
        if len(shown) != 1 or not hmac.compare_digest(shown[0].encode(), found.csrf_token.encode()):
            raise HTTPException(
                403, f"what changes something needs the session's token in {CSRF_HEADER}: GET /api/v1/session tells it"
            )
    if state.takes_in:
        try:
            return sessions.note_use(state.store, found, now=state.clock())
        except StorageError as error:
            _log.warning("use of a session not noted", caller=found.person.signature, reason=str(error))
    return found


def _shown(headers: list[str]) -> str | None:
    """Return the token of the Authorization header, None where there is no such header."""
    if not headers:
        return None
    scheme, _, value = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not value.strip():
        raise NotAuthenticated("the Authorization header must be one, and read: Bearer, a space, the token")
    return value.strip()
