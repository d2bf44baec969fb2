"""``mmhub serve``: the HTTP API on a database that is there."""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.invocation import EXIT_FAILED, start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.api.oidc import OidcDoor
    from hub.config import ApiSection
    from hub.science.ranking import Ranking
    from hub.services.followup import FollowupService
    from hub.services.push import Submit
    from hub.storage.engine import Store

GRACE_S = 10
"""Time that open requests have to end once the server is asked to stop, seconds."""

MAX_CONNECTIONS = 512
"""More at once are answered 503."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(serve)


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen at; overrides api.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="TCP port, 0 for a free one; overrides api.port.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Answer the HTTP API from the database until SIGTERM or Ctrl-C; nothing is taken in or sent."""
    settings = start(context, api__host=host, api__port=port)
    from hub.bootstrap import open_database, ranking_for
    from hub.runtime.supervisor import Loop, Supervisor

    with open_database(settings) as store, listening(settings.api, as_json=as_json) as door:
        supervisor = Supervisor(
            [
                Loop(
                    name="api",
                    body=api_loop(
                        store,
                        door,
                        settings.api,
                        archive=settings.archive_folder,
                        catalogs_folder=settings.catalogs_folder,
                        catalogs_used=settings.catalogs.use,
                        ranking=ranking_for(settings),
                    ),
                )
            ]
        )
        asyncio.run(supervisor.run())
    if supervisor.has_failed:
        raise typer.Exit(EXIT_FAILED)


@contextmanager
def listening(api: "ApiSection", *, as_json: bool = False) -> "Iterator[socket.socket]":
    """Give a listening socket, and say where it is: to a person on standard error, or as ``{"url": ...}`` on standard output.

    Raises
    ------
    ConfigError
        The address cannot be had.
    """
    with bound(api) as door:
        shown = f"[{api.host}]" if ":" in api.host else api.host
        url = f"http://{shown}:{door.getsockname()[1]}/api/v1"
        emit({"url": url}) if as_json else complain(f"the API answers at {url}")
        yield door


def bound(api: "ApiSection") -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises
    ------
    ConfigError
        The address cannot be had; an `OSError`, where that was the reason, is its cause.
    """
    family = socket.AF_INET6 if ":" in api.host else socket.AF_INET
    if "\0" in api.host:
        raise ConfigError("api.host: an address has no NUL in it")
    try:
        return socket.create_server((api.host, api.port), family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]
        remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "")
        raise ConfigError(f"api.host and api.port: cannot listen at {api.host} port {api.port}: {reason}{remedy}") from error


_REMEDIES = {
    errno.EADDRINUSE: ": set another port, or stop the program that has it",
    errno.EADDRNOTAVAIL: ": set an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them",
    errno.EACCES: ": set a port above 1023",
}


def api_loop(
    store: "Store",
    door: socket.socket,
    api: "ApiSection",
    *,
    submit: "Submit | None" = None,
    alarms: Callable[[], Sequence[str]] = tuple,
    archive: Path | None = None,
    catalogs_folder: Path | None = None,
    catalogs_used: Sequence[str] = (),
    ranking: "Ranking | None" = None,
    followups: "FollowupService | None" = None,
    provider: "OidcDoor | None" = None,
) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Return the body of a loop that serves the API on a listening socket until it is told to stop.

    Parameters
    ----------
    store
        What is served.
    door
        From `listening`.
    api
        Who may read, and how fast notices may come.
    submit
        Takes notices in; an API without it only reads.
    alarms
        Tells what is wrong that could not be written into the database.
    archive
        Folder of the alert archive.
    catalogs_folder
        Folder of the catalogues of known sources.
    catalogs_used
        Names of those of them that candidates are looked up in; all where none is named.
    ranking
        Which terms the rank of candidates is the sum of; as shipped where not given.
    followups
        At which persons decide about requests to telescopes.
    provider
        The OpenID provider by which persons may sign in.
    """
    import uvicorn

    from hub.api.app import create_app
    from hub.api.proxy import trusted_proxy
    from hub.science.ranking import DEFAULT

    class Server(uvicorn.Server):
        """A server that leaves signals to the supervisor."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    async def body(stop: asyncio.Event) -> None:
        server = Server(
            uvicorn.Config(
                create_app(
                    store,
                    submit=submit,
                    anonymous_read=api.anonymous_read,
                    proxy=trusted_proxy(api.proxy_header, api.proxy_addresses),
                    notices_per_minute=api.notices_per_minute,
                    alarms=alarms,
                    archive=archive,
                    catalogs_folder=catalogs_folder,
                    catalogs_used=catalogs_used,
                    ranking=ranking or DEFAULT,
                    followups=followups,
                    provider=provider,
                ),
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the address of a caller is that of the connection, whatever X-Forwarded-For says
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[door]))
            stopping = group.create_task(stop.wait())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            stopping.cancel()

    return body
