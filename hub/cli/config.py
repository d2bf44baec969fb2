"""``mmhub init`` and ``mmhub config show|check``."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.invocation import EXIT_FAILED, load_settings
from hub.cli.listing import AsJson
from hub.cli.output import emit, say, table
from hub.errors import ConfigError, NotFound

group = typer.Typer(no_args_is_help=True, help="Show or check the settings.")
"""Verbs below ``mmhub config``."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="config")
    app.command()(init)


@group.command()
def show(
    context: typer.Context,
    origin: Annotated[bool, typer.Option(help="Say which file or variable gave each value.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print every setting with its value; passwords are hidden."""
    rows = load_settings(context).show_origin()
    if as_json:
        for key, value, source in rows:
            emit({"key": key, "value": value, "origin": source})
    elif origin:
        table(("key", "value", "origin"), [(key, str(value), source) for key, value, source in rows])
    else:
        table(("key", "value"), [(key, str(value)) for key, value, _ in rows])


@group.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Try everything that the settings name: folders, database, the API's address, servers, each part. Exit code 1 if any fails.

    Nobody's place in a stream is touched and nothing is sent.
    """
    from hub.bootstrap import check_parts
    from hub.cli.trial import trials

    settings = load_settings(context).settings
    check_parts(settings)
    any_fails = False
    for name, found in trials(settings):
        any_fails |= bool(found.faults)
        if as_json:
            emit({"part": name, "fine": not found.faults, "says": list(found.faults) or found.fine.splitlines()})
        else:
            for sentence in found.faults or (found.fine,):
                for line in filter(None, map(str.strip, sentence.splitlines())):
                    say(f"{name}: {line}")
    if any_fails:
        raise typer.Exit(EXIT_FAILED)


@group.command()
def kinds(
    kind: Annotated[str | None, typer.Argument(help="Show the options of one kind.")] = None, as_json: AsJson = False
) -> None:
    """List the kinds of sources, destinations and telescope networks, or the options of one of them."""
    from hub.bootstrap import part_kinds

    found = [one for one in part_kinds() if kind in (None, one.kind)]
    if not found:
        raise NotFound(f"there is no kind {kind!r}; there are {', '.join(sorted({one.kind for one in part_kinds()}))}")
    if as_json:
        for one in found:
            options = [{"key": key, "default": default, "meaning": meaning} for key, default, meaning in one.options]
            emit({"kind": one.kind, "part": one.part, "summary": one.summary, "options": options})
        return
    if kind is None:
        table(("kind", "part", "what"), [(one.kind, one.part, one.summary) for one in found])
        return
    for one in found:
        say(f"{one.part} {one.kind}: {one.summary}")
        table(("key", "default", "meaning"), one.options)


def init(
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("mmhub.toml"),
    force: Annotated[bool, typer.Option(help="Overwrite a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a settings file that lists every key, its default and what it means."""
    from hub import resources
    from hub.config import DEFAULT_FILE

    try:
        with file.open("wb" if force else "xb") as out:
            out.write(_commented_out(resources.read_text(DEFAULT_FILE)).encode())
    except FileExistsError as error:
        raise ConfigError(f"{file} is there already; --force overwrites it") from error
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}") from error
    emit({"path": str(file)}) if as_json else say(f"wrote {file}: uncomment what you want to change")


def _commented_out(text: str) -> str:
    """Return the defaults with every value commented out, so that a later hub's defaults still apply."""
    return "".join(f"#{line}" if "=" in line and not line.startswith("#") else line for line in text.splitlines(keepends=True))
