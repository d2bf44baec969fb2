"""``mmhub deadletter list|show|replay|drop``."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_FAILED, EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson, Limit, facts, present
from hub.cli.output import emit, say
from hub.errors import InvalidRequest

if TYPE_CHECKING:
    from hub.storage.deadletters import DeadLetter, LetterKind

group = typer.Typer(no_args_is_help=True, help="Look after messages that could not be used.")
"""Verbs below ``mmhub deadletter``."""

Digest = Annotated[str, typer.Argument(metavar="DIGEST", help="SHA-256 of the bytes, or its first 8 or more digits.")]
"""What names a dead letter."""

Digests = Annotated[list[str] | None, typer.Argument(metavar="DIGEST...", help="Digests, or their first 8 or more digits.")]
"""What names some."""

OfKind = Annotated[str | None, typer.Option("--kind", help="Only these: refused, or held for want of a schema.")]
"""Which sort of dead letter."""

EveryOne = Annotated[bool, typer.Option("--all", help="Every dead letter there is.")]
"""Instead of naming them."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="deadletter")


@group.command("list")
def list_(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None,
    kind: OfKind = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List messages that could not be used, the newest first."""
    settings = start(context)
    from hub.bootstrap import open_database
    from hub.services import deadletters

    with open_database(settings) as store:
        bodies = [_body(letter) for letter in deadletters.listing(store, source=source, kind=_kind(kind), limit=limit)]
    if not as_json:
        bodies = [body | {"digest": body["digest"][:12]} for body in bodies]
    present(bodies, ("digest", "kind", "source", "format", "tries", "last_at", "reason"), as_json=as_json)


@group.command()
def show(
    context: typer.Context,
    digest: Digest,
    raw: Annotated[bool, typer.Option("--raw", help="Write the bytes themselves to standard output.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show why a message could not be used, and where it came from."""
    settings = start(context)
    from hub.bootstrap import open_database
    from hub.services import deadletters

    with open_database(settings) as store:
        shown = deadletters.show(store, digest)
    message = shown.message
    if raw:
        sys.stdout.buffer.write(message.payload)
        return
    body = _body(shown.letter) | {
        "position": message.position,
        "topic": message.topic,
        "media_type": message.media_type,
        "trust": message.trust.value,
        "n_bytes": len(message.payload),
    }
    if as_json:
        emit(body)
    else:
        facts(body)
        say(f"begins    {message.payload[:60]!r}")


@group.command()
def replay(
    context: typer.Context, digests: Digests = None, every_one: EveryOne = False, kind: OfKind = None, as_json: AsJson = False
) -> None:
    """Take messages in again, after a fix. Exit code 1 if any is refused again."""
    settings = start(context)
    from hub.bootstrap import open_database, open_hub
    from hub.services import deadletters

    any_refused = False
    with open_database(settings) as store, open_hub(settings, store) as hub:
        for letter in _chosen(store, digests, every_one=every_one, kind=kind):
            outcome = deadletters.replay(store, hub.flow, letter.digest)
            any_refused |= outcome.kind == "rejected"
            said = {"digest": letter.digest, "state": outcome.state.value, "kind": outcome.kind, "reason": outcome.reason}
            emit(said) if as_json else say(" ".join([letter.digest[:12], outcome.kind, outcome.reason]).rstrip())
    if any_refused:
        raise typer.Exit(EXIT_FAILED)


@group.command()
def drop(
    context: typer.Context, digests: Digests = None, every_one: EveryOne = False, kind: OfKind = None, as_json: AsJson = False
) -> None:
    """Take messages off the list for good; their bytes stay, and the books still say that they were refused."""
    settings = start(context)
    from hub.bootstrap import open_database
    from hub.services import deadletters

    with open_database(settings) as store:
        for letter in _chosen(store, digests, every_one=every_one, kind=kind):
            deadletters.drop(store, letter.digest)
            emit(_body(letter)) if as_json else say(f"dropped {letter.digest}")


def _chosen(store: Any, digests: list[str] | None, *, every_one: bool, kind: str | None) -> "list[DeadLetter]":
    """Return the letters that were named, all of them found before anything is done to one."""
    from hub.services import deadletters

    if (every_one or kind is not None) == bool(digests):
        raise InvalidRequest("name the dead letters by their digests, or say --all or --kind")
    if digests:
        return list({letter.digest: letter for letter in (deadletters.show(store, digest).letter for digest in digests)}.values())
    letters = deadletters.listing(store, kind=_kind(kind))
    if not letters:
        raise typer.Exit(EXIT_NOTHING_FOUND)
    return letters


def _kind(name: str | None) -> "LetterKind | None":
    from hub.storage.deadletters import LetterKind

    if name is not None and name not in list(LetterKind):
        raise InvalidRequest(f"--kind is {' or '.join(LetterKind)}, not {name!r}")
    return None if name is None else LetterKind(name)


def _body(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "digest": letter.digest,
        "kind": letter.kind.value,
        "source": letter.source,
        "reason": letter.reason,
        "format": letter.format,
        "adapter_version": letter.adapter_version,
        "tries": letter.tries,
        "first_at": letter.first_at.to_utc_iso(),
        "last_at": letter.last_at.to_utc_iso(),
    }
