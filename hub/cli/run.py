"""``mmhub run``: the hub itself, all roles or one of them."""

import asyncio
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
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
    """Take in what the sources bring, match it, send what is due, answer the API, until SIGTERM or Ctrl-C."""
    settings = start(context, api__port=port)
    from hub.bootstrap import (
        DEMO_MARK,
        check_parts,
        create_database,
        enabled_destinations,
        enabled_sources,
        make_data_dir,
        open_hub,
        open_sink,
        open_source,
    )
    from hub.cli.serve import api_loop, listening
    from hub.errors import ConfigError
    from hub.runtime.loops import dispatch_loop, source_loop
    from hub.runtime.supervisor import Loop, Supervisor

    check_parts(settings)
    takes_in = role in (Part.ALL, Part.INGEST)
    sources = enabled_sources(settings) if takes_in else {}
    if takes_in and not sources:
        nothing = "no table [sources.NAME] stands in the settings, so there is nothing to take in"
        if role is Part.INGEST:
            raise ConfigError(nothing)
        complain(nothing)
    (make_data_dir(settings) / DEMO_MARK).unlink(missing_ok=True)
    with ExitStack() as stack:
        store = stack.enter_context(create_database(settings))
        loops = []
        if role is not Part.API:
            sends = role in (Part.ALL, Part.DISPATCH)
            destinations = enabled_destinations(settings) if sends else {}
            sinks = {name: stack.enter_context(open_sink(settings, store, name)) for name in destinations}
            hub = stack.enter_context(open_hub(settings, store, sinks=sinks))
            if takes_in:
                hub.flow.resume()
            for name in sources:
                opened = partial(open_source, settings, store, name)
                loops.append(Loop(name=name, body=source_loop(opened, hub.flow, batch=settings.intake.alert_batch)))
            if sends:
                loops.append(Loop(name="dispatch", body=dispatch_loop(hub.flow)))
        if role in (Part.ALL, Part.API):
            loops.append(Loop(name="api", body=api_loop(store, stack.enter_context(listening(settings.api, as_json=as_json)))))
        supervisor = Supervisor(loops)
        asyncio.run(supervisor.run())
    if supervisor.has_failed:
        raise typer.Exit(EXIT_FAILED)
