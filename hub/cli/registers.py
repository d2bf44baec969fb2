"""``mmhub pointings fetch|withdraw|reported``: what others and the hub report at a register like the Treasure Map."""

from typing import Annotated

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson, present
from hub.cli.output import complain, emit, say

Event = Annotated[str, typer.Argument(help="Id of an event, or another name of it.", metavar="EVENT")]
Network = Annotated[str, typer.Option("--network", metavar="NAME", help="A table [networks.NAME] that tells pointings.")]


REPORTED_COLUMNS = ("network", "intent_id", "instrument", "field", "band", "status", "told", "answer", "number", "reason")
"""Columns of what registers were told."""


def add_to(group: typer.Typer) -> None:
    """Add the verbs of this file to those of pointings."""
    group.command()(fetch)
    group.command()(withdraw)
    group.command()(reported)


def fetch(context: typer.Context, event: Event, *, network: Network, as_json: AsJson = False) -> None:
    """Ask a register what others report of an event, and take it in. What cannot be understood is left out, with the reason.

    Exit code 3 where nothing is reported.
    """
    settings = start(context)
    from hub.bootstrap import now, open_database, open_register
    from hub.services import reported

    with open_register(settings, network) as register, open_database(settings) as store:
        body = reported.fetch(store, register, event, now=now())
    if as_json:
        emit(body)
    else:
        counts = "".join(f", {n} {word}" for word, n in body["by_status"].items())
        say(f"{body['n_pointings']} pointings of {body['event_id']} by {body['reported_by']} taken in{counts}")
        if body["n_elsewhere"]:
            say(f"{body['n_elsewhere']} others do not meet its map")
        for reason in body["reasons"]:
            complain(f"left out: {reason}")
        if (more := body["n_left_out"] - len(body["reasons"])) > 0:
            complain(f"left out: {more} more")
    if not body["n_pointings"]:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def withdraw(context: typer.Context, event: Event, *, network: Network, as_json: AsJson = False) -> None:
    """Withdraw everything that this hub's account has planned for an event at a register, as after a retraction.

    It may be said again: what is withdrawn already stays so. Exit code 3 where nothing was planned.
    """
    settings = start(context)
    from hub.bootstrap import open_register
    from hub.errors import InvalidRequest
    from hub.ports import WithdrawsPointings

    with open_register(settings, network) as register:
        if not isinstance(register, WithdrawsPointings):
            raise InvalidRequest(f"nothing can be withdrawn at {network}: it only tells")
        n = register.cancel_all(event)
    if as_json:
        emit({"event_id": event, "network": network, "n_withdrawn": n})
    else:
        say(f"{n} planned pointings of {event} withdrawn at {network}")
    if not n:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def reported(context: typer.Context, event: Event, *, as_json: AsJson = False) -> None:
    """List which of the hub's own pointings of an event registers were told of, and what they answered. Nobody is asked."""
    settings = start(context)
    from hub.bootstrap import open_database
    from hub.services import told_registers

    with open_database(settings) as store, store.reading() as session:
        found = told_registers.of_event(session, event)
    present(found, REPORTED_COLUMNS, as_json=as_json)
