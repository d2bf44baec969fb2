"""``mmhub backfill``: the alerts of a topic from a time on, as if they came now, without announcing."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.invocation import EXIT_FAILED, EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit, say
from hub.errors import ConfigError, InvalidRequest

if TYPE_CHECKING:
    from adapters.transports.kafka.listening import Heard
    from hub.config import Settings
    from hub.model.packets import PacketBatch
    from hub.services.flow import PacketFlowReport

MAX_BATCH_BYTES = 64 << 20
"""Most bytes of packets that are held at once; the last one may go beyond."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(backfill)


def backfill(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Name, family (lsst.*) or expression (^lsst-.*).")],
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="Begin with what was written then (UTC, ISO 8601).")],
    *,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The source whose broker has it; default: the one that reads topics, or this one."),
    ] = None,
    announce: Annotated[bool, typer.Option("--announce", help="Announce what follows, as if it were found now.")] = False,
    followup: Annotated[bool, typer.Option("--followup", help="With --announce: also ask telescopes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take in the alerts that lie in a topic, from a time to what is there now, and match them with all events.

    The place of the source in the topic stays where it is, and no group is joined, so a hub may run meanwhile. Alerts that are
    known already do no harm. Nothing is announced, and no telescope is asked, unless wanted.
    """
    from hub.cli.moments import read_moment
    from hub.cli.rematch import what_leaves

    moment, leaves = read_moment("--from", begin), what_leaves(announce=announce, followup=followup)
    assert moment is not None, "the option is required"
    settings = start(context)
    if source is None:
        source = _source_of(settings, topic)
    elif source not in settings.sources:
        raise ConfigError(f"there is no table [sources.{source}] in the settings")
    from hub.bootstrap import create_database, listen_to, now, open_hub

    since_s = now().minus(moment)
    if since_s < 0:
        raise InvalidRequest(f"--from {begin} lies in the future", field="--from")
    totals: Counter[str] = Counter()
    broken: set[str] = set()
    with create_database(settings) as store, open_hub(settings, store, sinks={}, leaves=leaves) as hub:
        for batch in _batches(settings, source, listen_to(settings, source, [topic], since_s=since_s, until_eos=True)):
            report = hub.flow.take_packets(batch)
            totals += _counted(report)
            broken |= set(report.correlation.broken)
            if as_json:
                emit({**_counted(report), "last": batch.envelope(len(batch) - 1).position})
    if not totals["packets"]:
        raise typer.Exit(EXIT_NOTHING_FOUND)
    if not as_json:
        say(", ".join(f"{name}: {totals[name]}" for name in ("packets", "alerts", "new", "refused", "matched", "candidates")))
    for name in sorted(broken):
        complain(f"mmhub: the event {name} could not be evaluated: try `mmhub rematch --event {name}`")
    if broken:
        raise typer.Exit(EXIT_FAILED)


def _source_of(settings: "Settings", topic: str) -> str:
    """Return the source that names a topic among its own, else the only one that reads topics.

    Raises
    ------
    ConfigError
        There is none, or which one is meant cannot be told.
    """
    from hub.bootstrap import enabled_sources

    topics = {name: one.options.get("topics") for name, one in enabled_sources(settings).items()}
    named = [name for name, its in topics.items() if isinstance(its, list | tuple) and topic in its]
    found = named or [name for name, its in topics.items() if its]
    if not found:
        raise ConfigError("no source of the settings reads topics: give one a table [sources.NAME]")
    if len(found) > 1:
        raise ConfigError(f"{topic} may be of {' or '.join(found)}: say which with --source NAME")
    return found[0]


def _counted(report: "PacketFlowReport") -> Counter[str]:
    return Counter(
        {
            "packets": len(report.intake.n_alerts),
            "alerts": int(report.intake.n_alerts.sum()),
            "new": sum(one.n_new for one in report.intake.alerts),
            "refused": len(report.intake.reasons),
            "matched": report.correlation.matched_alerts,
            "candidates": report.correlation.candidates,
        }
    )


def _batches(settings: "Settings", source: str, heard: "Iterator[Heard | None]") -> "Iterator[PacketBatch]":
    """Yield what lies in a topic as batches of alert packets.

    Raises
    ------
    InvalidRequest
        There is something else in it.
    """
    waiting: list[Heard] = []
    size = 0
    for one in heard:
        if one is None or one.is_tombstone:
            continue
        _must_be_alert(one)
        waiting.append(one)
        size += len(one.payload)
        if len(waiting) >= settings.intake.alert_batch or size >= MAX_BATCH_BYTES:
            yield _batch(source, waiting)
            waiting, size = [], 0
    if waiting:
        yield _batch(source, waiting)


def _must_be_alert(heard: "Heard") -> None:
    from hub.model.outgoing import HUB_FRAME

    is_framed = heard.payload[:1] == b"\x00" and not heard.payload.startswith(HUB_FRAME)
    if heard.alert_stream is None and not is_framed:
        raise InvalidRequest(
            f"what lies at {heard.topic}/{heard.partition}/{heard.offset} is no alert packet, and only alerts are taken in by "
            "backfill; for notices use `mmhub listen --since ... --until-eos --output DIR` and `mmhub replay DIR`"
        )


def _batch(source: str, heard: "list[Heard]") -> "PacketBatch":
    import numpy as np

    from hub.bootstrap import now
    from hub.model.alert import Words
    from hub.model.packets import PacketBatch

    return PacketBatch(
        payloads=[one.payload for one in heard],
        source=source,
        received_at=now(),
        topic=Words.of([one.topic for one in heard]),
        partition=np.array([one.partition for one in heard], dtype=np.int32),
        offset=np.array([one.offset for one in heard], dtype=np.int64),
        alert_stream=heard[0].alert_stream,
        trust=heard[0].trust,
    )
