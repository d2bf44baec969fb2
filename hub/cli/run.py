"""``mmhub run``: the hub itself, all roles or one of them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.invocation import EXIT_FAILED, start

if TYPE_CHECKING:
    from hub.bootstrap import Hub
    from hub.config import Settings


class Part(StrEnum):
    """What a process does."""

    ALL = "all"
    INGEST = "ingest"
    DISPATCH = "dispatch"
    API = "api"


STEP_S = 1.0
"""Pause between two looks at the outbox, seconds."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(run)


def run(
    context: typer.Context,
    role: Annotated[Part, typer.Argument(help="One role, or all in one process.")] = Part.ALL,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="TCP port of the API; overrides api.port.")] = None,
) -> None:
    """Take in what appears in the inbox folder, send what is due, answer the API, until SIGTERM or Ctrl-C."""
    settings = start(context, api__port=port)
    from hub.bootstrap import DEMO_MARK, create_database, open_hub
    from hub.cli.serve import api_loop, listening
    from hub.errors import ConfigError
    from hub.runtime.supervisor import Loop, Supervisor

    if role is Part.INGEST and not settings.intake.inbox:
        raise ConfigError("intake.inbox names no folder, so there is nothing to take in")
    (settings.hub.data_dir / DEMO_MARK).unlink(missing_ok=True)
    with ExitStack() as stack:
        store = stack.enter_context(create_database(settings))
        loops = []
        if role is not Part.API:
            hub = stack.enter_context(open_hub(settings, store))
            if role in (Part.ALL, Part.INGEST) and settings.intake.inbox:
                loops.append(Loop(name="ingest", body=_ingest_loop(hub, settings)))
            if role in (Part.ALL, Part.DISPATCH):
                loops.append(Loop(name="dispatch", body=_dispatch_loop(hub)))
        if role in (Part.ALL, Part.API):
            loops.append(Loop(name="api", body=api_loop(store, stack.enter_context(listening(settings.api)))))
        supervisor = Supervisor(loops)
        asyncio.run(supervisor.run())
    if supervisor.has_failed:
        raise typer.Exit(EXIT_FAILED)


def _ingest_loop(hub: "Hub", settings: "Settings") -> Callable[[asyncio.Event], Awaitable[None]]:
    from hub.runtime.inbox import Inbox

    inbox = Inbox(Path(settings.intake.inbox), max_bytes=settings.intake.max_message_bytes, batch=settings.intake.alert_batch)

    async def body(stop: asyncio.Event) -> None:
        await asyncio.to_thread(hub.flow.resume)
        while not stop.is_set():
            taken = await asyncio.to_thread(inbox.take, hub.flow)
            if not taken:
                await _pause(stop, settings.intake.poll_s)

    return body


def _dispatch_loop(hub: "Hub") -> Callable[[asyncio.Event], Awaitable[None]]:
    async def body(stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not await asyncio.to_thread(hub.flow.step):
                await _pause(stop, STEP_S)

    return body


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
