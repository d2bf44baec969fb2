"""``mmhub run``: the hub itself, all roles or one of them."""

import asyncio
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.invocation import EXIT_FAILED, start
from hub.cli.listing import AsJson
from hub.cli.output import complain


class Part(StrEnum):
    """What a process does."""

    ALL = "all"
    INGEST = "ingest"
    DISPATCH = "dispatch"
    API = "api"


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(run)


def run(
    context: typer.Context,
    role: Annotated[Part, typer.Argument(help="One role, or all in one process.")] = Part.ALL,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="TCP port of the API; overrides api.port.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Take in what GCN and the inbox folder bring, send what is due, answer the API, until SIGTERM or Ctrl-C."""
    settings = start(context, api__port=port)
    from hub.bootstrap import DEMO_MARK, create_database, make_data_dir, open_gcn, open_hub
    from hub.cli.serve import api_loop, listening
    from hub.errors import ConfigError
    from hub.runtime.inbox import Inbox
    from hub.runtime.loops import dispatch_loop, inbox_loop, source_loop
    from hub.runtime.supervisor import Loop, Supervisor

    intake = settings.intake
    if role in (Part.ALL, Part.INGEST) and not (intake.inbox or settings.gcn.topics):
        nothing = "neither intake.inbox nor gcn.topics names anything, so there is nothing to take in"
        if role is Part.INGEST:
            raise ConfigError(nothing)
        complain(nothing)
    (make_data_dir(settings) / DEMO_MARK).unlink(missing_ok=True)
    with ExitStack() as stack:
        store = stack.enter_context(create_database(settings))
        loops = []
        if role is not Part.API:
            hub = stack.enter_context(open_hub(settings, store))
            if role in (Part.ALL, Part.INGEST):
                hub.flow.resume()
            if role in (Part.ALL, Part.INGEST) and intake.inbox:
                inbox = Inbox(Path(intake.inbox), max_bytes=intake.max_message_bytes, batch=intake.alert_batch)
                loops.append(Loop(name="inbox", body=inbox_loop(inbox, hub.flow, pause_s=intake.poll_s)))
            if role in (Part.ALL, Part.INGEST) and settings.gcn.topics:
                source = source_loop(partial(open_gcn, settings), hub.flow, batch=intake.alert_batch)
                loops.append(Loop(name="gcn", body=source))
            if role in (Part.ALL, Part.DISPATCH):
                loops.append(Loop(name="dispatch", body=dispatch_loop(hub.flow)))
        if role in (Part.ALL, Part.API):
            loops.append(Loop(name="api", body=api_loop(store, stack.enter_context(listening(settings.api, as_json=as_json)))))
        supervisor = Supervisor(loops)
        asyncio.run(supervisor.run())
    if supervisor.has_failed:
        raise typer.Exit(EXIT_FAILED)
