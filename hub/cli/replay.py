"""``mmhub replay``: messages of a night again, with their spacing, through the whole hub."""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.archive import Kept, kept_messages
from hub.cli.invocation import EXIT_FAILED, EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit, say

if TYPE_CHECKING:
    from hub.bootstrap import Hub
    from hub.model.envelope import Envelope

SOURCE = "replay"
"""What the books call messages that are replayed."""

NAP_S = 0.2
"""Longest wait before what is due is sent, seconds."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(replay)


def replay(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="DIR|FILE...", help="Message files, or what `mmhub listen` wrote (folder or JSON lines)."),
    ],
    speed: Annotated[str, typer.Option(metavar="X|max", help="So many times as fast as it was; max: without pauses.")] = "1",
    as_json: AsJson = False,
) -> None:
    """Take messages in with the pauses that they had, by their times of reception (or those of the files)."""
    factor = _factor(speed)
    settings = start(context)
    from hub.bootstrap import DEMO_MARK, create_database, make_data_dir, open_hub
    from hub.cli.progress import Progress

    messages, unreadable = kept_messages(paths, settings.intake.max_message_bytes)
    if not messages and not unreadable:
        raise typer.Exit(EXIT_NOTHING_FOUND)
    (make_data_dir(settings) / DEMO_MARK).unlink(missing_ok=True)
    totals: Counter[str] = Counter()
    with (
        create_database(settings) as store,
        open_hub(settings, store) as hub,
        Progress("messages", total=len(messages)) as progress,
    ):
        hub.flow.resume()
        for batch in _in_time(messages, factor, hub, settings.intake.alert_batch):
            for envelope, outcome in zip(batch, hub.flow.take(batch).outcomes, strict=True):
                totals[outcome.state.value] += 1
                if as_json:
                    emit(_line(envelope, outcome))
            progress.advance(len(batch), batch[-1].position or "")
        while hub.flow.step():
            pass
    if not as_json:
        say(
            ", ".join(f"{name}: {totals[name]}" for name in ("stored", "duplicate", "dead"))
            + f" of {sum(totals.values())} messages"
        )
    for sentence in unreadable:
        complain(f"mmhub: {sentence}")
    if unreadable:
        raise typer.Exit(EXIT_FAILED)


def _factor(speed: str) -> float | None:
    """Return how many times as fast, None for without pauses."""
    if speed in ("max", "0"):
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = -1.0
    if not 0 < factor < float("inf"):
        raise typer.BadParameter("it must be a number above 0, or max", param_hint="--speed")
    return factor


def _in_time(messages: list[Kept], factor: float | None, hub: "Hub", size: int) -> "Iterator[list[Envelope]]":
    """Yield batches of envelopes, each when it is due; messages of one moment go together."""
    from hub.bootstrap import now
    from hub.services.flow import in_batches

    begun = time.monotonic()
    first = messages[0].time_s if messages else 0.0
    moments = [messages] if factor is None else [list(group) for _, group in groupby(messages, key=lambda one: one.time_s)]
    for group in moments:
        due = begun if factor is None else begun + (group[0].time_s - first) / factor
        while (wait_s := due - time.monotonic()) > 0:
            if not hub.flow.step():
                time.sleep(min(NAP_S, wait_s))
        yield from in_batches((one.envelope(SOURCE, now()) for one in group), size)


def _line(envelope: "Envelope", outcome: Any) -> dict[str, Any]:
    return {
        "position": envelope.position,
        "state": outcome.state.value,
        "kind": outcome.kind,
        "event_id": outcome.event_id,
        "reason": outcome.reason or None,
    }
