"""``mmhub ingest``: message files into the hub, with everything that follows from them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.decode import walk
from hub.cli.files import read_up_to
from hub.cli.invocation import EXIT_FAILED, invocation, start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit, say, table

if TYPE_CHECKING:
    from hub.bootstrap import Hub
    from hub.storage.envelopes import SourceCounts

SOURCE = "file"
"""What the books call messages from files."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(ingest)


def ingest(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Message files; a folder is walked.", metavar="FILE...")],
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No table of events at the end.")] = False,
) -> None:
    """Take message files in, match and announce; print what became of them and the table of events, pairs and candidates.

    A file that is no message becomes a dead letter and stops no other. Exit code 1 only where a file cannot be read at all.
    """
    settings = start(context)
    from hub.bootstrap import DEMO_MARK, create_database, make_data_dir, open_hub
    from hub.cli.progress import Progress
    from hub.runtime.memory import spare
    from hub.services.flow import in_batches
    from hub.storage.envelopes import counts, law_holds

    if invocation(context).whole_process:
        spare()
    (make_data_dir(settings) / DEMO_MARK).unlink(missing_ok=True)
    paths = list(walk(files))
    unreadable: list[str] = []
    with (
        create_database(settings) as store,
        open_hub(settings, store) as hub,
        Progress("files", total=len(paths)) as progress,
    ):
        hub.flow.resume()
        with store.reading() as session:
            before = _totals(counts(session))
        arriving = _envelopes(paths, settings.intake.max_message_bytes, unreadable)
        for batch in in_batches(arriving, settings.intake.alert_batch):
            report = hub.flow.take(batch)
            for envelope, outcome in zip(batch, report.outcomes, strict=True):
                if as_json:
                    emit({"path": envelope.position, "state": outcome.state.value, **_outcome(outcome)})
            progress.advance(len(batch))
        hub.held.finish()
        _settle(hub)
        with store.reading() as session:
            books = counts(session)
        if not law_holds(books):
            complain("mmhub: the books do not balance: some message is unaccounted for")
            raise typer.Exit(EXIT_FAILED)
        if not as_json and not quiet:
            _summary(hub, {name: number - before[name] for name, number in _totals(books).items()})
    for path in unreadable:
        complain(f"mmhub: {path}")
    if unreadable:
        raise typer.Exit(EXIT_FAILED)


def _envelopes(paths: list[Path], max_bytes: int, unreadable: list[str]) -> "Any":
    from hub.bootstrap import now
    from hub.model.envelope import Envelope, Trust

    for path in paths:
        try:
            payload = read_up_to(path, max_bytes)
        except OSError as error:
            unreadable.append(f"{path} cannot be read: {error.strerror}")
            continue
        if payload is None:
            unreadable.append(f"{path} is larger than intake.max_message_bytes, {max_bytes} bytes")
            continue
        yield Envelope(payload=payload, source=SOURCE, received_at=now(), position=str(path), trust=Trust.TRUSTED)


def _settle(hub: "Hub") -> None:
    """Send what is due now; what waits for a later time is for `mmhub run`."""
    while hub.flow.step():
        pass


def _outcome(outcome: Any) -> dict[str, Any]:
    return {"kind": outcome.kind, "event_id": outcome.event_id, "reason": outcome.reason or None, "n_alerts": outcome.n_alerts}


def _totals(books: "Iterable[SourceCounts]") -> dict[str, int]:
    """Return what the books say of messages from files; each alert of a container is one."""
    of_files = [one for one in books if one.source == SOURCE]
    return {
        "received": sum(one.received for one in of_files),
        "stored": sum(one.stored for one in of_files),
        "duplicates": sum(one.duplicates for one in of_files),
        "dead letters": sum(one.dead_letters for one in of_files),
    }


def _summary(hub: "Hub", booked: Mapping[str, int]) -> None:
    from hub.services import overview

    say(", ".join(f"{name}: {number}" for name, number in booked.items()))
    with hub.store.reading() as session:
        for title, head, rows in (
            ("events", overview.EVENT_COLUMNS, overview.event_rows(session)),
            ("pairs of events", overview.PAIR_COLUMNS, overview.pair_rows(session)),
            ("candidates, the best of each event", overview.CANDIDATE_COLUMNS, overview.candidate_rows(session)),
        ):
            say("")
            say(f"{title}: {len(rows) or 'none'}")
            if rows:
                table(head, rows)
