"""The HTTP API as an ASGI application: one router for each subject, every error a problem, every route with its scope."""

from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api import (
    annotations,
    budget,
    bursts,
    catalogs,
    circulars,
    coincidences,
    counterparts,
    coverage,
    events,
    facilities,
    followup,
    groups,
    localizations,
    metrics,
    notices,
    observations,
    oidc,
    operations,
    outgoing,
    problems,
    rates,
    schemas,
    session,
    wire,
)
from hub.api.oidc import OidcDoor
from hub.api.paging import PREFIX
from hub.api.parameters import only_known_parameters
from hub.api.proxy import NO_PROXY, TrustedProxy
from hub.api.quota import Quota
from hub.api.security import demand_declarations
from hub.model.instant import Instant
from hub.ports import Clock
from hub.science.ranking import DEFAULT, Ranking
from hub.services.followup import FollowupService
from hub.services.push import Submit
from hub.storage.engine import Store
from hub.telemetry import get_logger
from hub.version import VERSION

_log = get_logger("api")
_DESCRIPTION = (
    "Coincidences between gravitational waves, neutrinos, gamma rays and survey alerts. Times are UTC, positions ICRS degrees, "
    "units stand in the names. Listings have cursors: follow links.next. Every error is application/problem+json."
)


SUBJECTS = (
    session,
    operations,
    events,
    localizations,
    coincidences,
    groups,
    bursts,
    rates,
    budget,
    observations,
    followup,
    outgoing,
    schemas,
    notices,
    circulars,
    annotations,
    coverage,
    counterparts,
    catalogs,
    facilities,
)
"""Modules whose routers make the API."""


def create_app(
    store: Store,
    *,
    closes_store: bool = False,
    submit: Submit | None = None,
    anonymous_read: bool = True,
    proxy: TrustedProxy = NO_PROXY,
    provider: OidcDoor | None = None,
    notices_per_minute: int = 120,
    clock: Clock | None = None,
    alarms: Callable[[], Sequence[str]] = tuple,
    archive: Path | None = None,
    catalogs_folder: Path | None = None,
    catalogs_used: Sequence[str] = (),
    ranking: Ranking = DEFAULT,
    followups: FollowupService | None = None,
) -> FastAPI:
    """Return the application on an open state database.

    Parameters
    ----------
    store
        Read, and never written where there is no ``submit``.
    closes_store
        Whether to close it when the server stops.
    submit
        Takes notices in (`hub.services.push.submission`); an API without it answers that it only reads.
    anonymous_read
        Whether anyone may read without a token.
    proxy
        Who is believed who somebody is.
    provider
        The OpenID provider by which persons may sign in.
    notices_per_minute
        Notices that one token may hand in.
    clock
        What tells the time; this machine's clock where not given.
    alarms
        Tells what is wrong that could not be written into the database.
    archive
        Folder of the alert archive, in which the ledgers of visits lie.
    catalogs_folder
        Folder of the catalogues of known sources.
    catalogs_used
        Names of those of them that candidates are looked up in; all where none is named.
    ranking
        Which terms the rank of candidates is the sum of.
    followups
        At which persons decide about requests to telescopes; an API without it answers that it only reads.
    """
    demand_declarations(subject.router for subject in (*SUBJECTS, oidc, metrics))
    tells = clock or _now

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        _log.info("API is up", version=VERSION)
        yield
        if closes_store:
            store.close()

    app = FastAPI(
        title="Multimessenger hub",
        version=VERSION,
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host header
        lifespan=lifespan,
    )
    app.state.store = store
    app.state.clock = tells
    app.state.alarms = alarms
    app.state.archive = archive
    app.state.catalogs = catalogs_folder
    app.state.catalogs_used = tuple(catalogs_used)
    app.state.ranking = ranking
    app.state.followups = followups
    app.state.anonymous_read = anonymous_read
    app.state.proxy = proxy
    app.state.oidc = provider
    app.state.takes_in = submit is not None
    app.state.notices = notices.NoticeDoor(submit=submit, clock=tells, per_minute=Quota(notices_per_minute, 60.0))
    app.state.sign_in = session.SignInDoor()
    problems.install(app)
    app.include_router(metrics.router, dependencies=[Depends(only_known_parameters)], responses=problems.PROBLEM_RESPONSES)
    app.include_router(oidc.router, prefix=PREFIX, responses=problems.PROBLEM_RESPONSES)  # providers add parameters of their own
    for subject in SUBJECTS:
        app.include_router(
            subject.router,
            prefix=PREFIX,
            dependencies=[Depends(only_known_parameters)],
            responses=problems.PROBLEM_RESPONSES,
        )
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # the framework's documented way to extend the document
    app.add_middleware(_Courtesy)
    return app


class _Courtesy:
    """Answers HEAD like GET without the body, tells browsers to take nothing for what it is not, and caches to share nothing.

    What somebody gets who has said who that is may be private to a group: a cache that others use must not keep it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        is_somebody = any(name in _WHO for name, _ in scope["headers"])

        async def send_courteously(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = _with_headers(message, is_somebody=is_somebody)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"} if is_head else scope, receive, send_courteously)


_WHO = frozenset({b"cookie", b"authorization"})
"""Headers of those who say who they are."""


def _with_headers(message: Message, *, is_somebody: bool) -> MutableMapping[str, Any]:
    extra = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
    headers = [*message["headers"], *extra]
    if is_somebody:
        headers = [
            (name, value.replace(b"public", b"private") if name.lower() == b"cache-control" else value) for name, value in headers
        ]
    return {**message, "headers": headers}


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document with the shape of problems instead of the framework's own errors."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            openapi_version=app.openapi_version,
        )
        shapes = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            shapes.pop(name, None)
        problem = wire.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        shapes |= problem.pop("$defs", {})
        shapes["Problem"] = problem
        app.openapi_schema = document
    return app.openapi_schema


def _now() -> Instant:
    return Instant.from_datetime(datetime.now(UTC))
