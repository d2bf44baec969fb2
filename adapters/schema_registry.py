"""Avro schemas by the number that packets name them with: a folder of those met before, then a registry on the network.

Reading a packet never waits for the network: a number that nobody here knows makes its packet wait, and a loop of its own asks
the registry (`SchemaRegistry.ask`), one number at a time. A registry never changes what a number means (Confluent Schema Registry
API, ``GET /schemas/ids/ID``), so a schema is fetched once and kept for ever. It is checked before it is kept: whatever wrote it
may not harm the reader, and one that could is remembered as refused. A number that is not there is asked for again after a
growing while, because a producer may register its schema late; a registry that does not answer is left alone for a growing while.
"""

import json
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import fastavro
from fastavro.schema import parse_schema, to_parsing_canonical_form

from adapters.avro_schema_safety import check_json_depth, check_schema
from hub.errors import DecodeError, SchemaUnknown, Transient, TransportError
from hub.telemetry import get_logger

_T = TypeVar("_T")

Fetch = Callable[[str], bytes]
"""Gets the body behind a URL, with limits of size and time; raises `TransportError` where there is none."""

MAX_BYTES = 1 << 20
"""Largest schema, bytes; LSST's have 60 kB."""

ASK_AGAIN_S = 300.0
"""A number that was not there is not asked for sooner than this, seconds; doubles with each time."""

PAUSE_S = 60.0
"""A registry that did not answer is left alone so long, seconds; doubles with each time."""

LONGEST_PAUSE_S = 6 * 3600.0
"""No number is left alone for longer, seconds."""

LONGEST_SILENCE_S = 3600.0
"""No registry is left alone for longer, seconds."""

REFUSED_S = 6 * 3600.0
"""So long a schema that must not be used stays refused, seconds; then the registry is asked whether it was mended."""

MAX_PER_HOUR = 60
"""Most questions to a registry within an hour."""

MAX_REMEMBERED = 1000
"""Most numbers that are remembered as not there or refused; a stream of garbage names another with every packet."""


@dataclass(frozen=True, slots=True)
class _Absent:
    """What is known of a number that was not there."""

    reason: str
    tries: int
    again_at: float


@dataclass(frozen=True, slots=True)
class _Refused:
    """A schema that must not be used, and until when it is not asked for, by the clock on the wall: it outlives the process."""

    reason: str
    until: float


class SchemaRegistry:
    """Schemas by number, from any thread.

    Parameters
    ----------
    folder
        Where those that were fetched are kept, as ``ID.avsc``, and why others were refused, as ``ID.refused.json``; None to keep
        none. A person may put a schema there, too.
    url
        Of the registry, without ``/schemas/ids``; empty for none.
    fetch
        Gets what is behind a URL; None for none.
    seconds
        A clock that never goes back, seconds.
    wall
        The clock on the wall, seconds since 1970.
    """

    def __init__(
        self,
        *,
        folder: Path | None,
        seconds: Callable[[], float],
        url: str = "",
        fetch: Fetch | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._url = url.rstrip("/")
        self._fetch = fetch if self._url else None
        self._seconds = seconds
        self._wall = wall
        self._known: dict[int, Mapping[str, Any]] = {}
        self._absent: dict[int, _Absent] = {}
        self._refused: dict[int, _Refused] = {}
        self._asked_at: deque[float] = deque()
        self._silent_until = 0.0
        self._silences = 0
        self._turn = threading.Lock()
        self._asking = threading.Lock()

    def schema(self, schema_id: int) -> Mapping[str, Any]:
        """Return the schema of a number, in parsing canonical form, found harmless; asks nobody on the network.

        Raises
        ------
        SchemaUnknown
            Nobody here has it, at present; the sentence says what is done about it.
        DecodeError
            It must not be used.
        """
        with self._turn:
            if (known := self._known.get(schema_id)) is not None:
                return known
            if (text := self._kept(f"{schema_id}.avsc")) is not None:
                self._known[schema_id] = found = checked(text)
                return found
            if (refused := self._refusal(schema_id)) is not None:
                raise DecodeError(refused.reason)
            raise SchemaUnknown(self._why_unknown(schema_id), schema_id)

    def is_settled(self, schema_id: int) -> bool:
        """Return whether packets of a number need not wait: its schema is here, or is known to be none that may be used."""
        try:
            self.schema(schema_id)
        except SchemaUnknown:
            return False
        except DecodeError:  # a file in the folder may be half written: only what the registry gave is refused for good
            with self._turn:
                return self._refusal(schema_id) is not None
        return True

    def is_due(self, schema_id: int) -> bool:
        """Return whether the registry may be asked for a number now."""
        now = self._seconds()
        with self._turn:
            absent = self._absent.get(schema_id)
            return self._may_ask(now) and (absent is None or now >= absent.again_at)

    def ask(self, schema_id: int) -> bool:
        """Ask the registry for a number, if it may be asked now; return whether its packets need not wait any longer.

        Takes as long as the registry does, and keeps nobody else waiting meanwhile.
        """
        if not self._asking.acquire(blocking=False):
            return False
        try:
            if self.is_settled(schema_id):
                return True
            if not self.is_due(schema_id):
                return False
            with self._turn:
                self._asked_at.append(self._seconds())
            self._learn(schema_id)
            return self.is_settled(schema_id)
        finally:
            self._asking.release()

    def _may_ask(self, now: float) -> bool:
        while self._asked_at and now - self._asked_at[0] >= 3600.0:
            self._asked_at.popleft()
        return self._fetch is not None and now >= self._silent_until and len(self._asked_at) < MAX_PER_HOUR

    def _learn(self, schema_id: int) -> None:
        """Fetch one schema, and keep it or what is wrong with it."""
        assert self._fetch is not None
        try:
            text = _schema_text(self._fetch(f"{self._url}/schemas/ids/{schema_id}"))
        except Transient as error:
            self._fell_silent(str(error), schema_id)
        except TransportError as error:
            self._is_absent(schema_id, f"the schema registry says: {error}")
        except DecodeError as error:
            self._is_absent(schema_id, error.reason)
        else:
            self._take(schema_id, text)

    def _take(self, schema_id: int, text: bytes) -> None:
        try:
            found = checked(text)
        except DecodeError as error:
            refused = _Refused(f"the schema {schema_id} must not be used: {error.reason}", self._wall() + REFUSED_S)
            self._keep(f"{schema_id}.refused.json", {"reason": refused.reason, "until": refused.until})
            with self._turn:
                _remember(self._refused, schema_id, refused)
                self._silences = 0
            return
        self._keep(f"{schema_id}.avsc", found)
        with self._turn:
            self._known[schema_id] = found
            self._absent.pop(schema_id, None)
            self._silences = 0

    def _is_absent(self, schema_id: int, reason: str) -> None:
        with self._turn:
            self._silences = 0
            former = self._absent.get(schema_id)
            tries = 1 if former is None else former.tries + 1
            pause_s = min(LONGEST_PAUSE_S, ASK_AGAIN_S * 2.0 ** min(tries - 1, 20))
            _remember(self._absent, schema_id, _Absent(reason, tries, self._seconds() + pause_s))

    def _fell_silent(self, reason: str, schema_id: int) -> None:
        with self._turn:
            pause_s = min(LONGEST_SILENCE_S, PAUSE_S * 2.0 ** min(self._silences, 20))
            self._silences += 1
            self._silent_until = self._seconds() + pause_s
            former = self._absent.get(schema_id)
            # The next number gets its turn before this one: it may be this one that the registry chokes on.
            again_at = self._silent_until + PAUSE_S
            _remember(self._absent, schema_id, _Absent(f"the schema registry: {reason}", former.tries if former else 1, again_at))
        get_logger("schemas").warning("schema registry does not answer", pause_s=pause_s, reason=reason)

    def _why_unknown(self, schema_id: int) -> str:
        nobody = f"nobody knows the schema {schema_id} yet"
        if self._fetch is None:
            return f"{nobody}: put it into the data folder as schemas/{schema_id}.avsc, or set intake.schema_registry"
        absent = self._absent.get(schema_id)
        return f"{nobody}: the schema registry is asked in the background" if absent is None else f"{nobody}: {absent.reason}"

    def _refusal(self, schema_id: int) -> _Refused | None:
        """Return why a schema must not be used, None where that is not known or was long ago."""
        refused = self._refused.get(schema_id)
        if refused is None and (text := self._kept(f"{schema_id}.refused.json")) is not None:
            refused = _read_refusal(text)
            if refused is not None:
                _remember(self._refused, schema_id, refused)
        now = self._wall()
        return refused if refused is not None and now < refused.until <= now + REFUSED_S else None

    def _kept(self, name: str) -> bytes | None:
        """Return what the folder has; a person puts schemas there while the hub runs, so it is looked at each time."""
        if self._folder is None:
            return None
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None

    def _keep(self, name: str, value: Mapping[str, Any]) -> None:
        if self._folder is None:
            return
        unfinished = self._folder / f".{name}.{secrets.token_hex(8)}.unfinished"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("w", encoding="utf-8") as file:
                json.dump(value, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._folder / name)
        except OSError as error:  # the schema serves all the same, and is fetched again after the next start
            get_logger("schemas").warning("schema not kept", name=name, error=error.strerror)


def _remember(known: dict[int, _T], schema_id: int, value: _T) -> None:
    """Remember something of a number, and forget the oldest where there are too many."""
    known.pop(schema_id, None)
    while len(known) >= MAX_REMEMBERED:
        known.pop(next(iter(known)))
    known[schema_id] = value


def _read_refusal(text: bytes) -> _Refused | None:
    try:
        said = json.loads(text)
        return _Refused(str(said["reason"]), float(said["until"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def checked(text: bytes) -> Mapping[str, Any]:
    """Return an Avro schema in parsing canonical form.

    Raises
    ------
    DecodeError
        It is none, is no record, or could harm its reader: recursive, too deep, too long, or with values that take no bytes.
    """
    if not 0 < len(text) <= MAX_BYTES:
        raise DecodeError(f"the schema has {len(text)} bytes; 1 to {MAX_BYTES} are allowed")
    try:
        stated = json.loads(text)
        check_json_depth(stated)
        if not isinstance(stated, dict) or stated.get("type") != "record":
            raise DecodeError("the schema is no record")
        canonical: Mapping[str, Any] = json.loads(to_parsing_canonical_form(parse_schema(stated)))
        check_schema(parse_schema(json.loads(json.dumps(canonical))))
    except fastavro.schema.UnknownType as error:
        raise DecodeError(f"the schema names a type that it does not define: {str(error.name)[:60]}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, fastavro.schema.SchemaParseException) as error:
        raise DecodeError("the schema is no valid Avro schema") from error
    return canonical


def _schema_text(body: bytes) -> bytes:
    """Return the schema out of an answer, ``{"schema": "..."}``."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DecodeError("the schema registry did not answer with JSON") from error
    text = answer.get("schema") if isinstance(answer, dict) else None
    if not isinstance(text, str):
        raise DecodeError("the schema registry's answer holds no schema")
    return text.encode()
