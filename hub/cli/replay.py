"""``mmhub replay``: messages of a night again, with their spacing, through the whole hub; announced only where that is wanted."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.archive import Kept, kept_messages
from hub.cli.invocation import EXIT_FAILED, EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit, say
from hub.errors import ConfigError, InvalidRequest

if TYPE_CHECKING:
    from hub.bootstrap import Hub
    from hub.config import Settings
    from hub.model.envelope import Envelope, Trust
    from hub.storage.engine import Store

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
    *,
    announce: Annotated[
        bool, typer.Option("--announce", help="Send what follows to every destination, and ask telescopes, as if it were now.")
    ] = False,
    trust: Annotated[
        str | None, typer.Option(metavar="trusted|untrusted", help="How far all are believed, whatever the archive says.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Stream map for messages of which the archive names none.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take messages in with the pauses that they had, by their times of reception (or those of the files).

    Nothing is announced and no telescope is asked, unless --announce is given. Messages are believed as the archive of `mmhub
    listen` says, and not at all where nothing says it: --trust overrides that.
    """
    factor, believed = _factor(speed), _trust(trust)
    settings = start(context)
    from hub.bootstrap import DEMO_MARK, create_database, make_data_dir
    from hub.cli.progress import Progress

    messages, unreadable = kept_messages(paths, settings.intake.max_message_bytes)
    messages = [
        replace(one, alert_stream=one.alert_stream or stream, trust=one.trust if believed is None else believed)
        for one in messages
    ]
    _must_be_there({one.alert_stream for one in messages if one.alert_stream} | ({stream} if stream else set()), settings)
    if not messages and not unreadable:
        raise typer.Exit(EXIT_NOTHING_FOUND)
    (make_data_dir(settings) / DEMO_MARK).unlink(missing_ok=True)
    totals: Counter[str] = Counter()
    with (
        create_database(settings) as store,
        _opened(settings, store, announce=announce) as hub,
        Progress("messages", total=len(messages)) as progress,
    ):
        step = hub.flow.step if announce else _nothing
        for batch in _in_time(messages, factor, step, settings.intake.alert_batch):
            for envelope, outcome in zip(batch, hub.flow.take(batch).outcomes, strict=True):
                totals[outcome.state.value] += 1
                if as_json:
                    emit(_line(envelope, outcome))
            progress.advance(len(batch), batch[-1].position or "")
        while step():
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


@contextmanager
def _opened(settings: "Settings", store: "Store", *, announce: bool) -> "Iterator[Hub]":
    """Give the hub that messages are replayed into; without ``announce`` one that has no destination and asks no telescope.

    Raises
    ------
    InvalidRequest
        Nothing is to be announced, and a hub that would announce it works on the same database.
    """
    from hub.bootstrap import open_hub
    from hub.storage import envelopes, queues

    if announce:
        complain("mmhub: what follows from the replay is announced to every destination and to telescopes, as if it were now")
    else:
        _must_be_alone(store)
    with store.reading() as session:
        is_work_left = bool(queues.jobs_waiting(session) or envelopes.pending(session))
    if announce or is_work_left:
        with open_hub(settings, store) as hub:  # what others left undone is announced as they would have
            hub.flow.resume()
            if announce:
                yield hub
                return
    quiet = settings.model_copy(
        update={
            "destinations": {},
            "announce": settings.announce.model_copy(update={"enabled": False}),
            "followup": settings.followup.model_copy(update={"enabled": False}),
        }
    )
    with open_hub(quiet, store, sinks={}) as hub:
        yield hub


def _must_be_there(streams: set[str], settings: "Settings") -> None:
    from hub.bootstrap import stream_maps

    maps = stream_maps(settings)
    for name in sorted(streams - set(maps)):
        raise ConfigError(
            f"stream {name!r}: there is no such stream map; there are {', '.join(sorted(maps))}, and intake.streams_dir may name "
            "a folder of others"
        )


def _must_be_alone(store: "Store") -> None:
    from hub.bootstrap import now
    from hub.services import status

    moment = now()
    with store.reading() as session:
        is_running = any(runs for _, runs in status.numbers(session).components(moment))
    if is_running:
        raise InvalidRequest(
            "a hub runs on this database and would announce what is replayed: name another folder with --data-dir, stop the hub, "
            "or say --announce"
        )


def _nothing() -> int:
    return 0


def _trust(word: str | None) -> "Trust | None":
    if word is None:
        return None
    from hub.model.envelope import Trust

    try:
        return Trust(word)
    except ValueError:
        raise typer.BadParameter("it must be trusted or untrusted", param_hint="--trust") from None


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


def _in_time(
    messages: list[Kept],
    factor: float | None,
    step: Callable[[], int],
    size: int,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> "Iterator[list[Envelope]]":
    """Yield batches of envelopes, each when it is due; messages of one moment go together. ``step`` is called meanwhile."""
    from hub.bootstrap import now
    from hub.services.flow import in_batches

    begun = clock()
    first = messages[0].time_s if messages else 0.0
    moments = [messages] if factor is None else [list(group) for _, group in groupby(messages, key=lambda one: one.time_s)]
    for group in moments:
        due = begun if factor is None else begun + (group[0].time_s - first) / factor
        while (wait_s := due - clock()) > 0:
            if not step():
                sleep(min(NAP_S, wait_s))
        yield from in_batches((one.envelope(SOURCE, now()) for one in group), size)


def _line(envelope: "Envelope", outcome: Any) -> dict[str, Any]:
    return {
        "position": envelope.position,
        "state": outcome.state.value,
        "kind": outcome.kind,
        "event_id": outcome.event_id,
        "reason": outcome.reason or None,
    }
