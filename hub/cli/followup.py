"""``mmhub followup list|show|decide``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.files import read_up_to
from hub.cli.invocation import reading
from hub.cli.listing import AsJson, Limit, collect, facts, present
from hub.cli.output import emit, say, table

if TYPE_CHECKING:
    from hub.services.followup_facts import PolicyBook

MAX_POLICY_BYTES = 1 << 20
"""Largest file of a policy."""

group = typer.Typer(no_args_is_help=True, help="Look at requests to telescopes.")
"""Verbs below ``mmhub followup``."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="followup")


@group.command("list")
def list_(
    context: typer.Context,
    event: Annotated[str | None, typer.Option(help="Only those because of this event.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List follow-up requests, the newest first."""
    from hub.services import queries

    with reading(context) as session:
        bodies = collect(lambda n, last: queries.followup_page(session, event_name=event, limit=n, before=last), limit)
    present(bodies, ("intent_id", "event_id", "target", "network", "instrument", "state", "updated_at"), as_json=as_json)


@group.command()
def show(
    context: typer.Context,
    intent_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a request.")],
    as_json: AsJson = False,
) -> None:
    """Show one follow-up request with the visibility of its target and every step."""
    from hub.services import queries

    with reading(context) as session:
        body = queries.followup_request(session, intent_id)
    if as_json:
        emit(body)
        return
    facts(body, leave_out=("visibility", "transitions"))
    for name, columns in (
        ("visibility", ("site", "is_observable", "window_start", "window_end", "best_airmass", "reason")),
        ("transitions", ("number", "state", "at", "remote_id", "remote_state", "reason")),
    ):
        if body[name]:
            table(columns, [[row[column] for column in columns] for row in body[name]])


@group.command()
def decide(
    context: typer.Context,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Id of an event, or another name of it.")],
    *,
    candidate: Annotated[
        str | None, typer.Option("--candidate", metavar="ID", help="An object, with or without SURVEY:; else the event itself.")
    ] = None,
    hypothesis: Annotated[str | None, typer.Option("--hypothesis", help="Only this one of conf/coincidence.toml.")] = None,
    policy: Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="Another policy than the hub's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what the follow-up policy would do now, and why. Nothing is written or sent."""
    from hub.bootstrap import now
    from hub.services import followup_facts

    book = _book(policy)
    with reading(context) as session:
        found = followup_facts.decisions(session, event, now=now(), candidate=candidate, hypothesis=hypothesis, book=book)
    for body in found:
        emit(body) if as_json else _tell(body)


def _book(file: Path | None) -> "PolicyBook":
    from hub.errors import ConfigError
    from hub.services import followup_facts

    if file is None:
        return followup_facts.shipped()
    try:
        data = read_up_to(file, MAX_POLICY_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    if data is None:
        raise ConfigError(f"{file} is no policy: it is larger than {MAX_POLICY_BYTES} bytes")
    try:
        return followup_facts.book_of(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is no text in UTF-8") from error


def _tell(body: dict[str, Any]) -> None:
    what = body["event_id"] if body["candidate"] is None else f"{body['candidate']} for {body['event_id']}, {body['hypothesis']}"
    by = f" by the rule {body['rule']!r}" if body["rule"] else ""
    say(f"{what}: {body['verdict']}{by}")
    for reason in body["reasons"]:
        say(f"  {reason}")
    if body["allocations"]:
        say(f"  asked: {', '.join(body['allocations'])} for {body['template']}, {body['urgency']}, {body['seconds']:g} s at most")
    if body["stand_by"]:
        say(f"  standing by: {', '.join(body['stand_by'])}")
    for refused in body["refused"].values():
        if refused not in body["reasons"]:
            say(f"  not asked: {refused}")
    for name, reasons in body["dry_run"].items():
        say(f"  dry run at {name}: {'; '.join(reasons)}")
    for remark in body["remarks"]:
        say(f"  {remark}")
    for name, reasons in body["passed_over"].items():
        say(f"  the rule {name!r} does not match: {'; '.join(reasons)}")
