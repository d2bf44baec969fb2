"""``mmhub decode``: what each file says, one line a message."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.files import read_up_to
from hub.cli.invocation import EXIT_FAILED, start
from hub.cli.output import emit, say


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(decode)


def decode(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Message files; a folder is walked.", metavar="FILE...")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Read them as alerts, by this stream map (a name, or a TOML file).")
    ] = None,
) -> None:
    """Say what messages mean, without storing anything. Exit code 1 if any file is rejected."""
    settings = start(context)
    from hub.bootstrap import open_decoder, open_skymap_reader
    from hub.cli.decoded import describe, headline

    any_rejected = False
    with open_skymap_reader(settings) as reader:
        decoder = open_decoder(settings, () if stream is None else (stream,))
        read = partial(describe, decoder=decoder, reader=reader, alert_stream=stream)
        for path in walk(files):
            for record in _records(path, read, settings.intake.max_message_bytes):
                any_rejected |= record["kind"] == "rejected"
                emit(record) if as_json else say(headline(record))
    if any_rejected:
        raise typer.Exit(EXIT_FAILED)


def walk(paths: list[Path]) -> Iterator[Path]:
    """Yield the named files; for a folder every file below it but hidden ones, sorted. A missing path or empty folder stays."""
    for path in paths:
        try:
            inside = sorted(entry for entry in path.rglob("*") if entry.is_file() and not _is_hidden(entry.relative_to(path)))
        except OSError:  # too long a name, a loop of links: whoever opens it says why not
            inside = []
        yield from inside or [path]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _records(path: Path, describe: "Describe", max_bytes: int) -> Iterator[dict[str, Any]]:
    try:
        data = read_up_to(path, max_bytes)
    except IsADirectoryError:
        yield _unread(path, "a folder without files")
    except (OSError, ValueError) as error:
        yield _unread(path, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    else:
        if data is None:
            yield _unread(path, f"larger than intake.max_message_bytes, {max_bytes} bytes")
        else:
            yield from describe(data, str(path))


def _unread(path: Path, reason: str) -> dict[str, Any]:
    return {"path": str(path), "index": 0, "kind": "rejected", "format": None, "reason": reason}


Describe = Callable[[bytes, str], Iterator[dict[str, Any]]]
"""Bytes and the name of their file to records."""
