"""``mmhub decode``: what each file says, one line a message."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.invocation import EXIT_FAILED, start
from hub.cli.output import emit, say


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(decode)


def decode(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Message files; a folder is walked.", metavar="FILE...")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say what messages mean, without storing anything. Exit code 1 if any file is rejected."""
    settings = start(context)
    from hub.bootstrap import open_decoder, open_skymap_reader
    from hub.cli.decoded import describe, headline

    any_rejected = False
    with open_skymap_reader(settings) as reader:
        decoder = open_decoder(settings)
        for path in walk(files):
            for record in _records(
                path, lambda data, name: describe(data, name, decoder, reader), settings.intake.max_message_bytes
            ):
                any_rejected |= record["kind"] == "rejected"
                emit(record) if as_json else say(headline(record))
    if any_rejected:
        raise typer.Exit(EXIT_FAILED)


def walk(paths: list[Path]) -> Iterator[Path]:
    """Yield the named files; for a folder every file below it but hidden ones, sorted. A missing path is yielded too."""
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.rglob("*") if entry.is_file())
            yield from (entry for entry in inside if not any(part.startswith(".") for part in entry.relative_to(path).parts))
        else:
            yield path


def _records(path: Path, describe: Any, max_bytes: int) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        yield {"path": str(path), "index": 0, "kind": "rejected", "format": None, "reason": f"cannot be read: {reason}"}
        return
    if len(data) > max_bytes:
        yield {
            "path": str(path),
            "index": 0,
            "kind": "rejected",
            "format": None,
            "reason": f"larger than intake.max_message_bytes, {max_bytes} bytes",
        }
        return
    yield from describe(data, str(path))
