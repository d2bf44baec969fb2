"""``mmhub user add|list|groups|password|subject|disable|enable``."""

import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import start
from hub.cli.listing import AsJson, present
from hub.cli.output import emit, say
from hub.errors import InvalidRequest
from hub.model.token import Scope

if TYPE_CHECKING:
    from hub.model.instant import Instant
    from hub.model.person import Person

group = typer.Typer(no_args_is_help=True, help="Say which persons may sign in, and what each may do.")
"""Verbs below ``mmhub user``."""

COLUMNS = ("name", "groups", "scopes", "signs_in_by", "state", "created_at")
"""What a listing shows of each person."""

LONGEST_LINE = 4096
"""Most characters that are read of a file with a password."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the person, for good: what is approved is signed with it.")]
"""The person."""

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file", metavar="FILE", help="Its first line is the password; - for standard input. Else it is asked."
    ),
]
"""Where a password comes from that is not typed."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="user")


@group.command()
def add(
    context: typer.Context,
    name: Name,
    *,
    groups: Annotated[list[str] | None, typer.Option("--group", metavar="GROUP", help="May be repeated.")] = None,
    scopes: Annotated[
        list[Scope] | None, typer.Option("--scope", help="What the person may do; may be repeated. Default: read.")
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="SUBJECT",
            help="Who it is for the trusted proxy, or ISSUER|SUB of the OpenID provider; then no password is asked.",
        ),
    ] = None,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a person, with a password or with the subject that a trusted proxy or OpenID provider states."""
    settings = start(context)
    password = None if subject is not None and password_file is None else _password(password_file)
    from hub.bootstrap import create_database, now
    from hub.services import persons

    with create_database(settings) as store:
        person = persons.add(
            store,
            name=name,
            clock=now,
            groups=groups or (),
            scopes=scopes or (Scope.READ,),
            password=password,
            subject=subject,
        )
    _tell(person, now(), f"{name} may sign in", as_json=as_json)


@group.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List all persons by name, those who are shut out included."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import persons

    with open_database(settings) as store:
        bodies = [_body(person, now()) for person in persons.listing(store)]
    if not as_json:
        bodies = [body | {key: " ".join(body[key]) for key in ("groups", "scopes", "signs_in_by")} for body in bodies]
    present(bodies, COLUMNS, as_json=as_json)


@group.command("groups")
def groups_(
    context: typer.Context,
    name: Name,
    groups: Annotated[
        list[str] | None, typer.Argument(metavar="[GROUP]...", help="All of them; none takes the person out of all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a person belong to these groups and to no others."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import persons

    with open_database(settings) as store:
        person = persons.set_groups(store, name, groups or ())
    _tell(person, now(), f"{name} belongs to {', '.join(sorted(person.groups)) or 'no group'}", as_json=as_json)


@group.command()
def password(context: typer.Context, name: Name, password_file: PasswordFile = None, as_json: AsJson = False) -> None:
    """Give a person another password; every session of that person ends."""
    settings = start(context)
    new = _password(password_file)
    from hub.bootstrap import now, open_database
    from hub.services import persons

    with open_database(settings) as store:
        person = persons.set_password(store, name, new, clock=now)
    _tell(person, now(), f"{name} has a new password and must sign in again", as_json=as_json)


@group.command()
def subject(
    context: typer.Context,
    name: Name,
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="[SUBJECT]", help="Of the trusted proxy, or ISSUER|SUB of the OpenID provider; none takes it away."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say who a person is for the trusted proxy or OpenID provider; every session of that person ends."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import persons

    with open_database(settings) as store:
        person = persons.set_subject(store, name, subject, clock=now)
    said = f"signs in as {person.subject}" if person.subject else "signs in with a password only"
    _tell(person, now(), f"{name} {said}", as_json=as_json)


@group.command()
def disable(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Shut a person out at once; what the person decided stays."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import persons

    with open_database(settings) as store:
        person = persons.disable(store, name, clock=now)
    _tell(person, now(), f"{name} can no longer sign in", as_json=as_json)


@group.command()
def enable(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Let a person in again who was shut out, with the password or subject of before."""
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import persons

    with open_database(settings) as store:
        person = persons.enable(store, name)
    _tell(person, now(), f"{name} may sign in", as_json=as_json)


def _password(file: Path | None) -> str:
    """Return a password from a file, or asked twice at a terminal; never from the words of the command, which others see."""
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        raise InvalidRequest(
            "there is no terminal to ask for the password at: give --password-file FILE, or - for standard input"
        )
    first = getpass("password: ")
    if getpass("once more: ") != first:
        raise InvalidRequest("the two passwords are not the same")
    return first


def _first_line(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.readline(LONGEST_LINE).rstrip("\r\n")
        with file.open(encoding="utf-8") as lines:
            return lines.readline(LONGEST_LINE).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"the password cannot be read from {file}: {getattr(error, 'strerror', None) or 'no UTF-8'}"
        ) from error


def _tell(person: "Person", now: "Instant", sentence: str, *, as_json: bool) -> None:
    emit(_body(person, now)) if as_json else say(sentence)


def _body(person: "Person", now: "Instant") -> dict[str, Any]:
    from hub.services.persons import state_of

    return {
        "name": person.name,
        "groups": sorted(person.groups),
        "scopes": sorted(person.scopes),
        "signs_in_by": ["password"] * person.has_password + ["subject"] * (person.subject is not None),
        "subject": person.subject,
        "state": state_of(person, now),
        "created_at": person.created_at.to_utc_iso(),
        "disabled_at": person.disabled_at.to_utc_iso() if person.disabled_at else None,
    }
