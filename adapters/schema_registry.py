"""Avro schemas by the number that packets name them with: a folder of those met before, then a registry on the network.

A registry never changes what a number means (Confluent Schema Registry API, ``GET /schemas/ids/ID``), so a schema is fetched once
and kept for ever. It is checked before it is kept: whatever wrote it may not harm the reader. A number that the registry does not
know is asked for again after a while, because a producer may register its schema late.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import parse_schema, to_parsing_canonical_form

from adapters.avro_schema_safety import check_json_depth, check_schema
from hub.errors import DecodeError, SchemaUnknown, TransportError
from hub.telemetry import get_logger

Fetch = Callable[[str], bytes]
"""Gets the body behind a URL, with limits of size and time; raises `TransportError` where there is none."""

MAX_BYTES = 1 << 20
"""Largest schema, bytes; LSST's have 60 kB."""

ASK_AGAIN_S = 300.0
"""A number that was not there is not asked for more often than this, seconds."""

MAX_REMEMBERED = 1000
"""Most numbers that are remembered as not there; a stream of garbage names another with every packet."""


class SchemaRegistry:
    """Schemas by number, from any thread.

    Parameters
    ----------
    folder
        Where those that were fetched are kept, as ``ID.avsc``; None to keep none. A person may put a schema there, too.
    url
        Of the registry, without ``/schemas/ids``; empty for none.
    fetch
        Gets what is behind a URL; None for none.
    seconds
        A clock that never goes back, seconds.
    ask_again_s
        Least time between two questions for a number that was not there, seconds.
    """

    def __init__(
        self,
        *,
        folder: Path | None,
        seconds: Callable[[], float],
        url: str = "",
        fetch: Fetch | None = None,
        ask_again_s: float = ASK_AGAIN_S,
    ) -> None:
        self._folder = folder
        self._url = url.rstrip("/")
        self._fetch = fetch if self._url else None
        self._seconds = seconds
        self._ask_again_s = ask_again_s
        self._known: dict[int, Mapping[str, Any]] = {}
        self._absent: dict[int, tuple[float, str]] = {}
        self._turn = threading.Lock()

    def schema(self, schema_id: int) -> Mapping[str, Any]:
        """Return the schema of a number, in parsing canonical form, found harmless.

        Raises
        ------
        SchemaUnknown
            Nobody has it, at present; the sentence says who was asked.
        DecodeError
            It must not be used.
        """
        with self._turn:
            if (known := self._known.get(schema_id)) is not None:
                return known
            text = self._kept(schema_id)
            if text is None:
                text = self._fetched(schema_id)
                found = checked(text)
                self._keep(schema_id, found)
            else:
                found = checked(text)
            self._known[schema_id] = found
            return found

    def _kept(self, schema_id: int) -> bytes | None:
        """Return what the folder has; a person puts schemas there while the hub runs, so it is looked at each time."""
        if self._folder is None:
            return None
        try:
            return (self._folder / f"{schema_id}.avsc").read_bytes()
        except OSError:
            return None

    def _keep(self, schema_id: int, schema: Mapping[str, Any]) -> None:
        if self._folder is None:
            return
        unfinished = self._folder / f".{schema_id}.{os.getpid()}.unfinished"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("w", encoding="utf-8") as file:
                json.dump(schema, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._folder / f"{schema_id}.avsc")
        except OSError as error:  # the schema serves all the same, and is fetched again after the next start
            get_logger("schemas").warning("schema not kept", schema_id=schema_id, error=error.strerror)

    def _fetched(self, schema_id: int) -> bytes:
        if self._fetch is None:
            reason = f"nobody knows the schema {schema_id} yet: put it into the data folder as schemas/{schema_id}.avsc, or set"
            raise SchemaUnknown(f"{reason} intake.schema_registry", schema_id)
        now = self._seconds()
        asked_at, reason = self._absent.get(schema_id, (-self._ask_again_s, ""))
        if now - asked_at < self._ask_again_s:
            raise SchemaUnknown(reason, schema_id)
        try:
            return _schema_text(self._fetch(f"{self._url}/schemas/ids/{schema_id}"))
        except TransportError as error:
            reason = f"nobody knows the schema {schema_id} yet: the schema registry says: {error}"
        except DecodeError as error:
            reason = f"nobody knows the schema {schema_id} yet: {error.reason}"
        if len(self._absent) >= MAX_REMEMBERED:
            self._absent.clear()
        self._absent[schema_id] = (now, reason)
        raise SchemaUnknown(reason, schema_id)


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
