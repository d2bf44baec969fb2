"""``mmhub followup``: look at requests, ask the policy, and do what needs a person."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.files import read_up_to
from hub.cli.invocation import load_settings, reading, start
from hub.cli.listing import AsJson, Limit, collect, facts, present
from hub.cli.output import emit, say, table

if TYPE_CHECKING:
    from hub.services.followup import FollowupService
    from hub.services.followup_facts import PolicyBook
    from hub.storage.engine import Store

MAX_POLICY_BYTES = 1 << 20
"""Largest file of a policy."""

group = typer.Typer(no_args_is_help=True, help="Look at requests to telescopes.")
"""Verbs below ``mmhub followup``."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="followup")


OfEvent = Annotated[str | None, typer.Option("--event", metavar="EVENT", help="Only those because of this event.")]
"""The event that a listing is of."""


@group.command("list")
def list_(
    context: typer.Context,
    event: OfEvent = None,
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
    from hub.bootstrap import now, policy_book
    from hub.services import followup_facts

    book = policy_book(load_settings(context).settings) if policy is None else _book(policy)
    with reading(context) as session:
        found = followup_facts.decisions(session, event, now=now(), candidate=candidate, hypothesis=hypothesis, book=book)
    for body in found:
        emit(body) if as_json else _tell(body)


def _book(file: Path) -> "PolicyBook":
    from hub.errors import ConfigError
    from hub.services import followup_facts

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
        what = [f"{name} for {body['templates'][name]}" for name in body["allocations"]]
        say(f"  asked: {', '.join(what)}, {body['urgency']}, {body['seconds']:g} s at most")
    for name, why in body["chosen"].items():
        say(f"  template at {name}: {why}")
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


# ------------------------------------------------------------------------------------------------------------ what persons do


By = Annotated[str, typer.Option("--by", metavar="PERSON", help="Who does it: a name of `mmhub user list`.")]
"""The person in whose name something is done."""

Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the log.")]
"""Reason for the log."""

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a request.")]
"""A request."""


@group.command()
def plan(
    context: typer.Context,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Id of an event, or another name of it.")],
    *,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Write down what the policy makes of an event and its announced candidates now: decisions, and drafts where it asks."""
    from hub.bootstrap import now, open_followups
    from hub.services import followup_bodies, queries
    from hub.services.followup_planning import plan_again

    settings = start(context)
    with open_followups(settings) as (store, followups):
        actor, seen = _acting(store, by)
        with seen.reading() as session:
            queries.find_event(session, event)
        found = plan_again(store, followups, event, actor=actor, clock=now)
    for decision in found:
        body = followup_bodies.decision_body(decision)
        emit(body) if as_json else say(f"{body['target']}, {body['purpose']}: {body['verdict']}: {'; '.join(body['reasons'])}")


@group.command()
def submit(
    context: typer.Context,
    intent_id: Id,
    *,
    live: Annotated[bool, typer.Option("--live", help="Send it; otherwise only say what would be sent.")] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="PERSON", help="Who sends it, with --live.")] = None,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Say what would be sent for a request, and what keeps it in the hub; with --live approve it and send what is due."""
    from hub.bootstrap import now, open_followups
    from hub.errors import InvalidRequest
    from hub.model.followup import RequestState
    from hub.services import followup_bodies
    from hub.services.followup_desk import submission_of

    settings = start(context)
    with open_followups(settings) as (store, followups):
        if live:
            if by is None:
                raise InvalidRequest("--live needs --by: somebody sends it", field="--by")
            actor, seen = _acting(store, by)
            with seen.reading() as session:
                state = submission_of(session, intent_id).state
            if state in (RequestState.DRAFT, RequestState.AWAITING_APPROVAL):
                followups.desk.approve(intent_id, actor=actor, reason=reason)
            followups.step()
        with store.reading() as session:
            body = followup_bodies.request(session, intent_id, followups.gates, now())
            intent = submission_of(session, intent_id).intent
        network = followups.gates.networks.get(intent.network)
        trial = None if network is None or live else network.dry_run(intent)
    told = {**body, "dry_run": None if trial is None else {"payload": dict(trial.payload), "reasons": list(trial.reasons)}}
    if as_json:
        emit(told)
        return
    facts(body, leave_out=("visibility", "transitions", "fields"))
    if trial is not None:
        say("nothing was sent; with --live this would be:")
        say(json.dumps(dict(trial.payload), indent=1, ensure_ascii=False, default=str))
        for why in trial.reasons:
            say(f"  the network would refuse it: {why}")


@group.command()
def approve(
    context: typer.Context,
    intent_id: Id,
    *,
    by: By,
    payload: Annotated[
        str | None, typer.Option("--payload", metavar="HASH", help="Only if this is what it asks for (payload_hash of `status`).")
    ] = None,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Let a request be sent as it is, until the approval lapses (`[approval]` of the policy)."""
    from hub.bootstrap import open_followups

    with open_followups(start(context)) as (store, followups):
        actor, seen = _acting(store, by, intent_id)
        followups.desk.approve(intent_id, actor=actor, payload=payload, reason=reason)
        _present(seen, followups, intent_id, as_json=as_json)


@group.command()
def cancel(context: typer.Context, intent_id: Id, *, by: By, reason: Why = "", as_json: AsJson = False) -> None:
    """Stop a request: at once where it was not sent, otherwise at the network, again and again until that confirms it."""
    from hub.bootstrap import open_followups

    with open_followups(start(context)) as (store, followups):
        actor, seen = _acting(store, by, intent_id)
        followups.desk.cancel(intent_id, actor=actor, reason=reason)
        _present(seen, followups, intent_id, as_json=as_json)


@group.command()
def ack(context: typer.Context, intent_id: Id, *, by: By, reason: Why = "", as_json: AsJson = False) -> None:
    """Take note of an approval that is awaited, or of a retraction: no other channel is told of it (`[escalation]`)."""
    from hub.bootstrap import now, open_followups
    from hub.services import escalation

    with open_followups(start(context)) as (store, _):
        actor, _ = _acting(store, by, intent_id)
        with store.transaction() as session:
            kinds = escalation.acknowledge_in(session, intent_id, actor=actor, now=now(), reason=reason)
    if as_json:
        emit({"intent_id": intent_id, "acknowledged": kinds, "actor": actor})
    else:
        say(f"{by} has taken note of the {' and the '.join(kinds)}")


@group.command()
def status(
    context: typer.Context,
    intent_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A request; the networks where not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how a request is and what keeps it in the hub; or how each network is, and which requests need a person."""
    from hub.bootstrap import now, open_followups
    from hub.services import followup_bodies
    from hub.services.bodies import followup_body

    with open_followups(start(context)) as (store, followups):
        if intent_id is not None:
            _present(store, followups, intent_id, as_json=as_json)
            return
        with store.reading() as session:
            networks = followup_bodies.networks(session, followups.gates, now())
            waiting = [followup_body(one) for one in followup_bodies.for_a_person(session)]
    if as_json:
        for body in networks:
            emit(body)
        for body in waiting:
            emit(body)
        return
    table(
        ("network", "left alone", "requests"),
        [
            [one["network"], one["reason"] or "no", ", ".join(f"{n} {state}" for state, n in one["requests"].items())]
            for one in networks
        ],
    )
    if waiting:
        say("these need a person:")
        present(waiting, ("intent_id", "event_id", "target", "network", "state", "reason"), as_json=False)


@group.command()
def log(
    context: typer.Context,
    intent_id: Annotated[str | None, typer.Option("--request", metavar="ID", help="Only about this request.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List who did what about follow-up and why, the newest first."""
    from hub.services import followup_bodies

    with reading(context) as session:
        bodies = collect(
            lambda n, last: followup_bodies.log_page(session, intent_id=intent_id, limit=n, before=last[0] if last else None),
            limit,
        )
    present(bodies, ("number", "at", "actor", "action", "intent_id", "network", "reason"), as_json=as_json)


@group.command()
def skipped(
    context: typer.Context,
    event: OfEvent = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List what the policy asks for nothing, with the reasons, the newest first."""
    from hub.model.followup_decision import Verdict
    from hub.services import followup_bodies, queries

    with reading(context) as session:
        event_id = None if event is None else queries.find_event(session, event).event_id
        bodies = collect(
            lambda n, last: followup_bodies.decision_page(
                session, event_id=event_id, verdict=Verdict.SKIP, limit=n, before=(last[0], last[1]) if last else None
            ),
            limit,
        )
    present(bodies, ("event_id", "target", "purpose", "rule", "reasons", "decided_at"), as_json=as_json)


@group.command()
def reconcile(
    context: typer.Context,
    intent_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A request of unknown fate.")] = None,
    *,
    found: Annotated[str | None, typer.Option("--found", metavar="REMOTE", help="The network has it under this id.")] = None,
    absent: Annotated[bool, typer.Option("--absent", help="The network does not have it.")] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="PERSON", help="Who found that out.")] = None,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Ask the networks about what is open; or write down what a person found out about a request that nobody can look up."""
    from hub.bootstrap import open_followups
    from hub.errors import InvalidRequest

    with open_followups(start(context)) as (store, followups):
        if intent_id is None:
            if found is not None or absent:
                raise InvalidRequest("say of which request", field="ID")
            moved = followups.reconcile()
            emit({"moved": moved}) if as_json else say(f"{moved} steps")
            return
        if (found is None) is not absent or by is None:
            raise InvalidRequest("say --found REMOTE or --absent, and --by whom", field="--found")
        actor, seen = _acting(store, by, intent_id)
        followups.desk.settle(intent_id, actor=actor, remote_id=found, reason=reason)
        _present(seen, followups, intent_id, as_json=as_json)


@group.command()
def stop(
    context: typer.Context,
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="Name of a network, or all.")],
    *,
    by: By,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Send nothing to a network until `mmhub followup resume`; cancelling goes on."""
    _say_stop(context, network, by, reason, is_stop=True, as_json=as_json)


@group.command()
def resume(
    context: typer.Context,
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="Name of a network, or all.")],
    *,
    by: By,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Let a network that was stopped, or whose circuit breaker is open, go on."""
    _say_stop(context, network, by, reason, is_stop=False, as_json=as_json)


def _say_stop(context: typer.Context, network: str, by: str, reason: str, *, is_stop: bool, as_json: bool) -> None:
    from hub.bootstrap import open_followups
    from hub.services import followup_bodies

    with open_followups(start(context)) as (store, followups):
        actor, _ = _acting(store, by)
        desk = followups.desk
        said = (desk.stop if is_stop else desk.resume)(network, actor=actor, reason=reason)
    body = followup_bodies.stop_body(said)
    emit(body) if as_json else say(f"{said.network} {'is stopped' if is_stop else 'goes on'}")


def _acting(store: "Store", name: str, intent_id: str | None = None) -> "tuple[str, Store]":
    """Return how a person signs who may decide, and what the person sees, the request among it: as over HTTP.

    Raises
    ------
    NotFound
        There is no such person, or no such request for the person: it is private to a group of others.
    NotAuthorized
        The person may not.
    """
    from hub.model.token import Scope
    from hub.services import persons
    from hub.services.followup_desk import submission_of
    from hub.storage.engine import SeenStore

    person = persons.entitled(store, name, Scope.FOLLOWUP_APPROVE)
    seen = SeenStore(store, lambda: person.groups)
    if intent_id is not None:
        with seen.reading() as session:
            submission_of(session, intent_id)
    return person.signature, seen


def _present(store: "Store", followups: "FollowupService", intent_id: str, *, as_json: bool) -> None:
    from hub.bootstrap import now
    from hub.services import followup_bodies

    with store.reading() as session:
        body = followup_bodies.request(session, intent_id, followups.gates, now())
    if as_json:
        emit(body)
        return
    facts(body, leave_out=("visibility", "transitions", "fields"))
