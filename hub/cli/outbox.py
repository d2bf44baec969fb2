"""``mmhub outbox list|retry|drop``."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson, Limit, present
from hub.cli.output import emit, say
from hub.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Collection

    from hub.storage.outbox import OutboxEntry, OutboxState

group = typer.Typer(no_args_is_help=True, help="Look after messages on their way out.")
"""Verbs below ``mmhub outbox``."""

Destination = Annotated[str | None, typer.Option(help="Only those for this destination.")]
"""Narrows a listing or a choice."""

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Numbers of messages, as `mmhub outbox list` shows them.")]
"""What names some."""

EveryOne = Annotated[bool, typer.Option("--all", help="Every message that was not sent.")]
"""Instead of naming them."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="outbox")


@group.command("list")
def list_(
    context: typer.Context,
    destination: Destination = None,
    state: Annotated[str | None, typer.Option(help="Only those: waiting, sent, failed or dropped.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List messages to all destinations, the newest first, and how each destination stands."""
    settings = start(context)
    from hub.bootstrap import enabled_destinations, open_database
    from hub.services.bodies import outgoing_body, utc
    from hub.storage import outbox

    wanted = None if state is None else _state(state)
    with open_database(settings) as store, store.reading() as session:
        found = outbox.search(session, state=wanted, destination=destination, limit=limit)
        backlog = [one for one in outbox.backlog(session) if destination in (None, one.destination)]
    bodies: list[dict[str, Any]] = [outgoing_body(entry) for entry in found]
    present(bodies, ("message_id", "destination", "subject", "state", "tries", "created_at", "ivorn", "error"), as_json=as_json)
    if as_json:
        return
    known = enabled_destinations(settings)
    for one in backlog:
        since = f", the oldest since {utc(one.oldest_waiting)}" if one.oldest_waiting else ""
        why = f": {one.error}" if one.error else ""
        orphan = "" if one.destination in known or not one.waiting else "; the settings name no such destination"
        say(f"{one.destination}: {one.sent} sent, {one.waiting} waiting{since}, {one.failed} failed{why}{orphan}")


@group.command()
def retry(
    context: typer.Context, ids: Ids = None, every_one: EveryOne = False, destination: Destination = None, as_json: AsJson = False
) -> None:
    """Let messages that were not sent be sent at once: waiting and failed ones, and dropped ones that are named."""
    from hub.storage.outbox import OutboxState

    states = (OutboxState.WAITING, OutboxState.FAILED, *((OutboxState.DROPPED,) if ids else ()))
    _change(context, ids, destination, states, OutboxState.WAITING, every_one=every_one, as_json=as_json)


@group.command()
def drop(
    context: typer.Context, ids: Ids = None, every_one: EveryOne = False, destination: Destination = None, as_json: AsJson = False
) -> None:
    """Take messages out that were not sent. They stay known as the hub's own; `retry` with their numbers brings them back."""
    from hub.storage.outbox import OutboxState

    _change(
        context,
        ids,
        destination,
        (OutboxState.WAITING, OutboxState.FAILED),
        OutboxState.DROPPED,
        every_one=every_one,
        as_json=as_json,
    )


def _change(
    context: typer.Context,
    ids: list[int] | None,
    destination: str | None,
    states: "Collection[OutboxState]",
    becomes: "OutboxState",
    *,
    every_one: bool,
    as_json: bool,
) -> None:
    """Change the chosen messages that are in one of the states, all of them found before anything is done to one."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services.bodies import outgoing_body
    from hub.storage import outbox

    if (every_one or destination is not None) == bool(ids):
        raise InvalidRequest("name the messages by their numbers, or say --all or --destination")
    with open_database(settings) as store, store.transaction() as session:
        found = _named(session, ids) if ids else outbox.search(session, destination=destination, limit=None)
        chosen = {entry.sequence: entry for entry in found if entry.state in states}
        if becomes is outbox.OutboxState.DROPPED:
            outbox.drop(session, sorted(chosen))
        else:
            outbox.retry(session, sorted(chosen), now())
    for entry in sorted(chosen.values(), key=lambda entry: entry.sequence):
        outgoing = entry.outgoing
        said = f"{becomes.value}: {entry.sequence} {outgoing.ivorn} for {outgoing.destination}"
        emit(outgoing_body(replace(entry, state=becomes))) if as_json else say(said)
    if not chosen:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def _named(session: Any, ids: list[int]) -> "list[OutboxEntry]":
    from hub.services.queries import find_outgoing

    return [find_outgoing(session, number) for number in dict.fromkeys(ids)]


def _state(name: str) -> "OutboxState":
    from hub.storage.outbox import OutboxState

    try:
        return OutboxState(name)
    except ValueError as error:
        raise InvalidRequest(f"--state should be one of {', '.join(OutboxState)}, not {name!r}") from error
