"""``mmhub listen``: what arrives on Kafka topics, without storing it or taking anybody's place in the stream."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_NOTHING_FOUND, start
from hub.cli.listing import AsJson
from hub.cli.output import emit, say
from hub.errors import ConfigError, InvalidRequest

if TYPE_CHECKING:
    from adapters.transports.kafka.listening import Heard
    from hub.config import Settings

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

MANIFEST = "messages.jsonl"
"""File in the output folder with a line for each message; `mmhub replay` reads it."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(listen)


def listen(
    context: typer.Context,
    topics: Annotated[
        list[str], typer.Argument(metavar="TOPIC...", help="Names, families (gcn.notices.*) or expressions (^lsst-.*).")
    ],
    *,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose broker; needed where several sources have one.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="2h", help="Begin so long ago (s, m, h, d) instead of now.")] = None,
    until_eos: Annotated[bool, typer.Option("--until-eos", help="End where everything that is there was heard.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the messages in this folder, for `mmhub replay`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what lies in or comes to Kafka topics, until Ctrl-C. Nothing is stored and no place in the stream is kept."""
    settings = start(context)
    from hub.bootstrap import listen_to

    since_s = None if since is None else seconds(since)
    name = source or _only_source(settings)
    archive = None if output is None else _Archive(output)
    n_heard = 0
    try:
        for heard in listen_to(settings, name, topics, since_s=since_s, until_eos=until_eos):
            if heard is None:
                continue
            n_heard += 1
            record = _record(name, heard)
            if archive is not None and not heard.is_tombstone:
                archive.add(record, heard.payload)
            if as_json:
                emit({**record, **_payload(heard)})
            else:
                what = "(tombstone)" if heard.is_tombstone else f"{len(heard.payload)} bytes  {_glimpse(heard.payload)}"
                say(f"{record['received_at'] or '-'}  {record['position']}  {what}")
    except KeyboardInterrupt:  # how one ends it
        return
    if until_eos and not n_heard:
        raise typer.Exit(EXIT_NOTHING_FOUND)


def seconds(text: str) -> float:
    """Return a duration such as ``90s``, ``2h`` or ``1.5d`` in seconds.

    >>> seconds("2h"), seconds("1.5d")
    (7200.0, 129600.0)

    Raises
    ------
    InvalidRequest
        It is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise InvalidRequest(f"{text!r} is no duration: write a number and s, m, h or d, as in 2h")
    return float(found[1]) * _SECONDS[found[2]]


def _only_source(settings: "Settings") -> str:
    names = [name for name, one in settings.sources.items() if one.kind in ("kafka", "gcn-kafka")]
    if len(names) != 1:
        known = f"the settings have {', '.join(names)}" if names else "the settings have none with a Kafka broker"
        raise ConfigError(f"name the source whose broker is meant with --source NAME: {known}")
    return names[0]


class _Archive:
    """A folder of messages with a manifest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"the folder {folder} cannot be made: {error.strerror}") from error

    def add(self, record: dict[str, Any], payload: bytes) -> None:
        """Keep one message; the same message again replaces itself."""
        name = re.sub(r"[^A-Za-z0-9._-]", "_", str(record["position"])) + ".msg"
        try:
            is_new = not (self._folder / name).exists()
            (self._folder / name).write_bytes(payload)
            if is_new:
                with (self._folder / MANIFEST).open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({**record, "file": name}) + "\n")
        except OSError as error:
            raise ConfigError(f"the folder {self._folder} cannot be written: {error.strerror}") from error


def _record(source: str, heard: "Heard") -> dict[str, Any]:
    moment = None if heard.time_ms is None else datetime.fromtimestamp(heard.time_ms / 1000, UTC)
    return {
        "source": source,
        "topic": heard.topic,
        "partition": heard.partition,
        "offset": heard.offset,
        "position": f"{heard.topic}/{heard.partition}/{heard.offset}",
        "received_at": None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "alert_stream": heard.alert_stream,
        "trust": heard.trust.value,
        "size_bytes": len(heard.payload),
    }


def _payload(heard: "Heard") -> dict[str, str | None]:
    """Return the payload for JSON: as text where it is text, else in Base64; null for a tombstone."""
    if heard.is_tombstone:
        return {"payload": None}
    try:
        return {"payload": heard.payload.decode("utf-8")}
    except UnicodeDecodeError:
        return {"payload_base64": base64.b64encode(heard.payload).decode("ascii")}


def _glimpse(payload: bytes) -> str:
    text = payload[:200].decode("utf-8", "replace")
    return " ".join(text.split())[:60] if text.isprintable() or payload[:1] in (b"<", b"{") else "(binary)"
