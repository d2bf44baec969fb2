"""``mmhub token create|list|revoke``."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import start
from hub.cli.listing import AsJson, present
from hub.cli.output import complain, emit, say
from hub.model.token import Scope

if TYPE_CHECKING:
    from hub.model.instant import Instant
    from hub.model.token import Token

group = typer.Typer(no_args_is_help=True, help="Say who may do what over the HTTP API.")
"""Verbs below ``mmhub token``."""

COLUMNS = ("token_id", "name", "scopes", "is_trusted", "state", "created_at", "expires_at", "last_used_at")
"""What a listing shows of each token."""

_UNITS_S = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6})([mhdw])", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no time: write a number and m, h, d or w, as in 30d")
    return int(found[1]) * _UNITS_S[found[2]]


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="token")


@group.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is or what it is for; notices come from http:NAME.")],
    scope: Annotated[list[Scope], typer.Option(help="What it allows; may be repeated.")],
    expires: Annotated[
        float, typer.Option(metavar="TIME", parser=_seconds, help="How long it lives: 45m, 12h, 30d, 8w.")
    ] = "90d",  # type: ignore[assignment]  # the parser makes it seconds
    *,
    trusted: Annotated[bool, typer.Option("--trusted", help="Believe its notices: they may lead to announcements.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, once: the hub itself keeps only a digest."""
    settings = start(context)
    from hub.bootstrap import create_database, now
    from hub.services import tokens

    with create_database(settings) as store:
        issued = tokens.create(store, name=name, scopes=set(scope), clock=now, lifetime_s=expires, is_trusted=trusted)
    if as_json:
        emit({"token": issued.secret, **_body(issued.token, now())})
    else:
        say(issued.secret)
        complain(f"the token of {name}, valid until {issued.token.expires_at.to_utc_iso()}; it is shown only now")


@group.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List all tokens, the newest first; not the tokens themselves, which nobody has but their holders."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import tokens

    with open_database(settings) as store:
        bodies = [_body(token, now()) for token in tokens.listing(store)]
    if not as_json:
        bodies = [body | {"scopes": " ".join(body["scopes"])} for body in bodies]
    present(bodies, COLUMNS, as_json=as_json)


@group.command()
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a token.")],
    as_json: AsJson = False,
) -> None:
    """Make a token useless from now on."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import tokens

    with open_database(settings) as store:
        token = tokens.revoke(store, name, clock=now)
    emit(_body(token, now())) if as_json else say(f"the token {token.name} is revoked")


def _body(token: "Token", now: "Instant") -> dict[str, Any]:
    from hub.services.tokens import state_of

    return {
        "token_id": token.token_id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "is_trusted": token.is_trusted,
        "state": state_of(token, now),
        "created_at": token.created_at.to_utc_iso(),
        "expires_at": token.expires_at.to_utc_iso(),
        "revoked_at": token.revoked_at.to_utc_iso() if token.revoked_at else None,
        "last_used_at": token.last_used_at.to_utc_iso() if token.last_used_at else None,
    }
