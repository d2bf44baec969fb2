"""Messages that were kept: files, and the folders and JSON lines that ``mmhub listen`` writes, in the order of their times."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hub.cli.decode import walk
from hub.cli.files import read_up_to
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant

LINES = (".jsonl", ".ndjson")
"""Suffixes of files with one message a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One message, its bytes still on the disk where they are in a file of their own."""

    time_s: float
    """When it was received, seconds since 1970 UTC."""

    position: str
    topic: str | None
    load: Callable[[], bytes]
    alert_stream: str | None = None
    """Stream map by which it is read; None where nothing says."""

    trust: Trust = Trust.UNTRUSTED
    """As the archive says, and untrusted where it says nothing."""

    def envelope(self, source: str, received_at: Instant) -> Envelope:
        """Return it as if it arrived now."""
        return Envelope(
            payload=self.load(),
            source=source,
            received_at=received_at,
            position=self.position,
            topic=self.topic,
            alert_stream=self.alert_stream,
            trust=self.trust,
        )


def kept_messages(paths: list[Path], max_bytes: int) -> tuple[list[Kept], list[str]]:
    """Return the messages of files and folders in the order of their times, and a sentence for each that cannot be read.

    A file that a line of a manifest names is taken with the line's time, not once more by itself. Files without a line have the
    time of their last change.
    """
    found: list[Kept] = []
    faults: list[str] = []
    files = list(walk(paths))
    named: set[Path] = set()
    for path in files:
        if path.suffix in LINES:
            found.extend(_lines(path, max_bytes, faults, named))
    for path in files:
        if path.suffix in LINES or path.resolve() in named:
            continue
        try:
            data = read_up_to(path, max_bytes)
            time_s = path.stat().st_mtime
        except IsADirectoryError:
            faults.append(f"{path} is a folder without files")
            continue
        except (OSError, ValueError) as error:
            faults.append(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
            continue
        if data is None:
            faults.append(f"{path} is larger than intake.max_message_bytes, {max_bytes} bytes")
        else:
            found.append(Kept(time_s=time_s, position=str(path), topic=None, load=path.read_bytes))
    return sorted(found, key=lambda one: one.time_s), faults


def _lines(path: Path, max_bytes: int, faults: list[str], named: set[Path]) -> Iterator[Kept]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                    if not _is_tombstone(record):
                        yield _kept(record, path, number, max_bytes, named)
                except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
                    faults.append(f"{path}, line {number}, is no message: {_why(error)}")
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{path} cannot be read: {_why(error)}")


def _kept(record: Any, path: Path, number: int, max_bytes: int, named: set[Path]) -> Kept:
    if not isinstance(record, dict):
        raise TypeError("it is no JSON object")
    load: Callable[[], bytes]
    if "file" in record:
        file = (path.parent / str(record["file"])).resolve()
        if not file.is_relative_to(path.parent.resolve()):
            raise ValueError("its file lies outside of the folder")
        if file.stat().st_size > max_bytes:
            raise ValueError(f"its file is larger than {max_bytes} bytes")
        named.add(file)
        load = file.read_bytes
    elif "payload_base64" in record:
        load = partial(_given, base64.b64decode(record["payload_base64"], validate=True))
    else:
        load = partial(_given, str(record["payload"]).encode("utf-8"))
    told = record.get("received_at")
    moment = Instant.from_utc_iso(str(told)).to_datetime().timestamp() if told else path.stat().st_mtime
    topic = record.get("topic")
    position = str(record.get("position") or f"{path}:{number}")
    stream = record.get("alert_stream")
    return Kept(
        time_s=moment,
        position=position,
        topic=None if topic is None else str(topic),
        load=load,
        alert_stream=None if not stream else str(stream),
        trust=_trust(record.get("trust")),
    )


def _is_tombstone(record: Any) -> bool:
    """Return whether a line only says that a key is gone: there is nothing to take in."""
    return isinstance(record, dict) and "file" not in record and "payload" in record and record["payload"] is None


def _trust(word: Any) -> Trust:
    if word is None:
        return Trust.UNTRUSTED
    try:
        return Trust(word)
    except ValueError:
        raise ValueError("its trust is neither trusted nor untrusted") from None


def _given(payload: bytes) -> bytes:
    return payload


def _why(error: Exception) -> str:
    match error:
        case KeyError():
            return f"it has no {error.args[0]}"
        case OSError():
            return error.strerror or str(error)
        case binascii.Error():
            return f"its payload_base64 is none: {error}"
        case _:
            return str(error)
