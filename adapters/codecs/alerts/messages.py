"""The door of the survey alerts: messages to columns for the crossmatch, one message to everything it holds."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import fastavro
import numpy as np
from numpy.typing import NDArray

from adapters.codecs.alerts import lsst, ztf
from adapters.codecs.alerts.avro_projection import Messages
from adapters.codecs.alerts.lsst_schemas import LsstSchema, by_content, by_id, from_registry, known_ids
from adapters.codecs.alerts.mapped import MappedReader
from adapters.codecs.alerts.packets import (
    HEADER_BYTES,
    MAX_PACKET_BYTES,
    NO_HEADER,
    Schemas,
    check_consumed,
    container_records,
    no_schemas,
    records,
    schema_id_of,
    too_long,
)
from adapters.codecs.alerts.reading import Reading, problem, to_batch, unreadable, untimely
from adapters.codecs.alerts.stream_map import StreamMap
from adapters.codecs.avro_container import MAGIC, Container, blocks, open_container
from hub.errors import DecodeError, NotAMessage, SchemaUnknown
from hub.model.alert import AlertBatch, AlertDetail, ObjectStatement, concatenate
from hub.model.instant import Instant
from hub.ports import AlertRows
from hub.telemetry import get_logger

_ZTF_NAMES = {"ztf.alert": "ztf", "BabamulZtfAlert": "babamul-ztf"}
_SIMULATED_NAMES = {"elasticc.v0_9.alert": "elasticc-0.9"}
"""Containers of simulated alerts with the field names of LSST's version 4.1: shown to a person, never matched."""

SCHEMA_IDS = range(1, 10_000_000)
"""Numbers that schemas have: LSST's are 100 x major + minor, registries count from 1 or from 100,000 on. Without a stream map,
other bytes behind a zero are no packet."""

SIMULATED = "a simulated alert of the ELAsTiCC challenge, which must not meet real events"
"""Why simulated alerts are refused."""


def is_alert_container(payload: bytes) -> bool:
    """Return whether the bytes are an Avro object container whose root record is a survey alert that the hub knows."""
    if not payload.startswith(MAGIC):
        return False
    try:
        name = open_container(payload).name
    except DecodeError:
        return False
    return _is_known(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The stream maps that a decoder has, and who knows schemas beyond the pinned ones."""

    maps: Mapping[str, StreamMap]
    """By the names that envelopes bear."""

    schemas: Schemas = no_schemas

    def named(self, name: str | None) -> StreamMap | None:
        """Return the map of a name, None for none.

        Raises
        ------
        DecodeError
            There is no such map.
        """
        if name is None:
            return None
        if (stream := self.maps.get(name)) is None:
            raise DecodeError(f"there is no stream map {name[:60]!r}")
        return stream


NO_STREAMS = Streams(maps={})
"""What reads by the bytes alone."""


def decode_messages(payloads: Sequence[bytes], name: str | None = None, streams: Streams = NO_STREAMS) -> AlertRows:
    """Decode messages of one stream map into columns; a bad one does not stop the others.

    LSST packets in Confluent framing become columns together, without an object for any of them; each is walked to its last byte,
    so that cut-off and over-long ones are noticed here too. All other messages are read one by one.
    A message that cannot be read at all has one entry in ``refused``; of a container, each alert that breaks a rule has one,
    which begins with its number, while its other alerts have rows. A message whose schema nobody knows is held.

    Parameters
    ----------
    payloads
        The messages.
    name
        The stream map to read them by; None where the bytes alone must tell.
    streams
        The maps.

    Returns
    -------
    AlertRows
        With provenance, but for the places of the packets. About 2 us for an LSST packet without history and 0.5 us more for each
        earlier detection in it, and 0.5 to 3 ms for a ZTF container, which has to be decoded whole.
    """
    found = _Found()
    try:
        stream = streams.named(name)
    except DecodeError as error:
        found.refused += [(index, error.reason) for index in range(len(payloads))]
        return found.rows()
    is_built_in = stream is None or stream.reader != "mapped"
    is_framed = np.fromiter((is_built_in and payload[:1] == b"\0" for payload in payloads), dtype=np.bool_, count=len(payloads))
    if is_framed.any():
        _take_framed(payloads, np.flatnonzero(is_framed), streams.schemas, stream, found)
    for index in np.flatnonzero(~is_framed).tolist():
        with _guarded([index], found):
            _take_one(index, payloads[index], streams, stream, found)
    return found.rows()


@dataclass(slots=True, kw_only=True)
class _Found:
    """What was read of a batch so far."""

    pieces: list[tuple[AlertBatch, NDArray[np.intp]]] = field(default_factory=list)
    """Rows, and the message of each."""

    readings: dict[str, list[tuple[int, Reading, str]]] = field(default_factory=dict)
    """By survey: message, alert and format of what was read one by one."""

    refused: list[tuple[int, str]] = field(default_factory=list)
    held: list[tuple[int, str]] = field(default_factory=list)
    statements: list[tuple[int, ObjectStatement]] = field(default_factory=list)

    def rows(self) -> AlertRows:
        """Return everything in the order of the messages."""
        batches, indices = [], []
        for survey, readings in self.readings.items():
            messages, alerts, formats = zip(*readings, strict=True)
            self.pieces.append((to_batch(survey, alerts, formats), np.array(messages, dtype=np.intp)))
        for survey in dict.fromkeys(batch.survey for batch, _ in sorted(self.pieces, key=lambda piece: int(piece[1][0]))):
            pieces = [(batch, index) for batch, index in self.pieces if batch.survey == survey]
            batch, index = pieces[0]
            if len(pieces) > 1:
                index = np.concatenate([one for _, one in pieces])
                order = np.argsort(index, kind="stable")
                batch, index = concatenate([one for one, _ in pieces]).take(order), index[order]
            batches.append(batch)
            indices.append(index)
        return AlertRows(
            batches=tuple(batches),
            message_index=tuple(indices),
            refused=tuple(sorted(self.refused, key=lambda entry: entry[0])),
            statements=tuple(self.statements),
            held=tuple(sorted(self.held, key=lambda entry: entry[0])),
        )


@contextmanager
def _guarded(index: Sequence[int], found: _Found) -> Iterator[None]:
    """Turn what goes wrong with some messages into their sentences."""
    try:
        yield
    except SchemaUnknown as error:
        found.held += [(each, error.reason) for each in index]
    except DecodeError as error:
        found.refused += [(each, error.reason) for each in index]
    except Exception as error:  # noqa: BLE001 - one bad message must not stop the others, and fastavro has no base error
        get_logger("alerts").warning("alert broke its reader", error=type(error).__name__, exc_info=error)
        found.refused += [(each, _unforeseen(error)) for each in index]


def _take_framed(
    payloads: Sequence[bytes], index: NDArray[np.intp], schemas: Schemas, stream: StreamMap | None, found: _Found
) -> None:
    """Read LSST packets, those of each schema together."""
    messages = Messages.of(payloads).take(index)
    is_long = messages.lengths > MAX_PACKET_BYTES
    ids = messages.schema_ids()
    found.refused += [(int(index[row]), too_long(int(messages.lengths[row]))) for row in np.flatnonzero(is_long)]
    found.refused += [(int(at), NO_HEADER) for at in index[~is_long & (ids < 0)]]
    for schema_id in np.unique(ids[~is_long & (ids >= 0)]).tolist():
        rows = np.flatnonzero(~is_long & (ids == schema_id))
        with _guarded(index[rows].tolist(), found):
            schema = _schema(schema_id, schemas, SCHEMA_IDS if stream is None else None)
            read = lsst.to_rows(schema.projector.project(messages.take(rows).behind(HEADER_BYTES)), schema.version)
            found.refused += [(int(index[rows[row]]), fault) for row, fault in read.faults]
            if len(read.batch):
                at = index[rows[read.index]]
                if stream is not None and stream.survey != lsst.SURVEY:
                    found.refused += [(each, _wrong_survey(lsst.SURVEY, stream)) for each in at.tolist()]
                else:
                    found.pieces.append((read.batch, at))


def decode_details(payload: bytes, name: str | None = None, streams: Streams = NO_STREAMS) -> list[AlertDetail | DecodeError]:
    """Decode every alert of a message in full; of a container, what is wrong stands in the place of an alert that breaks a rule.

    An LSST alert whose time alone is not believable is given with that as its ``refusal``. So is a simulated one, whose fluxes
    have no stated unit and are left out. `decode_messages` refuses both, but a person may want to see them.

    Raises
    ------
    DecodeError
        It is no alert or cannot be understood as a whole.
    """
    try:
        stream = streams.named(name)
        if stream is not None and stream.reader == "mapped":
            return _mapped_details(payload, stream, streams.schemas)
        survey, found = _full(payload, streams, stream)
        if stream is not None:
            _check_survey(survey, stream)
    except DecodeError:
        raise
    except Exception as error:  # fastavro has no base error: IndexError, EOFError, UnicodeDecodeError ... come out of it
        raise DecodeError(_unforeseen(error)) from error
    if payload[:1] == b"\0" and isinstance(fault := found[0][1], str):
        raise DecodeError(fault, format=found[0][0])
    return [
        DecodeError(reading, format=label) if isinstance(reading, str) else _detail(label, survey, reading, record)
        for label, reading, record in found
    ]


def _take_one(index: int, payload: bytes, streams: Streams, stream: StreamMap | None, found: _Found) -> None:
    """Read a message that is no packet of LSST; nothing of one that cannot be read at all is kept."""
    if stream is None or stream.reader != "mapped":
        _take_container(index, payload, stream, found)
        return
    reader = MappedReader(stream)
    results: list[Reading | str] = []
    said: list[ObjectStatement] = []
    for record in records(payload, stream, streams.schemas):
        results.append(reading := _checked(reader.read, record))
        if stream.annotations and not isinstance(reading, str) and reading.object_id:
            said += [_statement(stream.survey, reading, one) for one in reader.annotations(record)]
    if len(results) == 1 and isinstance(results[0], str) and not payload.startswith(MAGIC):
        raise DecodeError(results[0])
    _take_results(index, stream.survey, results, [stream.name] * len(results), found)
    found.statements += [(index, statement) for statement in said]


def _take_container(index: int, payload: bytes, stream: StreamMap | None, found: _Found) -> None:
    """Read a survey's own container, told by its name."""
    container = _known_container(payload)
    if container.name in _SIMULATED_NAMES:
        raise DecodeError(SIMULATED)
    schema = _lsst_schema(container)
    if stream is not None:
        _check_survey(ztf.SURVEY if schema is None else lsst.SURVEY, stream)
    if schema is None:
        packets = list(container_records(payload, container))
        formats = [_ztf_format(container, each) for each in packets]
        _take_results(index, ztf.SURVEY, [_checked(ztf.from_record, each) for each in packets], formats, found)
        return
    read = lsst.to_rows(schema.projector.project(Messages.of(list(_bodies(payload, container, schema)))), schema.version)
    found.refused += [(index, _numbered(row + 1, fault)) for row, fault in read.faults]
    if len(read.batch):
        found.pieces.append((read.batch, np.full(len(read.batch), index, dtype=np.intp)))


def _take_results(index: int, survey: str, results: Sequence[Reading | str], formats: Sequence[str], found: _Found) -> None:
    for number, (result, label) in enumerate(zip(results, formats, strict=True), 1):
        if isinstance(result, str):
            found.refused.append((index, _numbered(number, result)))
        else:
            found.readings.setdefault(survey, []).append((index, result, label))


def _statement(survey: str, reading: Reading, said: Mapping[str, Any]) -> ObjectStatement:
    return ObjectStatement(
        survey=survey,
        object_id=reading.object_id,
        source_id=reading.source_id,
        mid_tai_us=reading.mid_tai_us,
        ra_deg=reading.ra_deg,
        dec_deg=reading.dec_deg,
        **said,
    )


def _numbered(number: int, fault: str) -> str:
    return f"alert {number} of the container: {fault}"


def _check_survey(survey: str, stream: StreamMap) -> None:
    if survey != stream.survey:
        raise DecodeError(_wrong_survey(survey, stream))


def _wrong_survey(survey: str, stream: StreamMap) -> str:
    return f"an alert of {survey} in {stream.name}, which is a stream of {stream.survey}"


def _mapped_details(payload: bytes, stream: StreamMap, schemas: Schemas) -> list[AlertDetail | DecodeError]:
    reader = MappedReader(stream)
    found: list[AlertDetail | DecodeError] = []
    for record in records(payload, stream, schemas):
        reading = _checked(reader.read, record, unreadable)
        if isinstance(reading, str):
            found.append(DecodeError(reading, format=stream.name))
        else:
            found.append(_detail(stream.name, stream.survey, reading, record, tuple(reader.annotations(record))))
    if not payload.startswith(MAGIC) and isinstance(found[0], DecodeError):
        raise found[0]
    return found


def _full(
    payload: bytes, streams: Streams, stream: StreamMap | None
) -> tuple[str, list[tuple[str, Reading | str, dict[str, Any]]]]:
    """Return the survey, and of each alert its format, its reading or what is wrong with it, and its record."""
    if payload[:1] == b"\0":
        schema = _packet(payload, streams.schemas, SCHEMA_IDS if stream is None else None)
        bodies = [payload[HEADER_BYTES:]]
    else:
        container = _known_container(payload)
        if (simulated := _SIMULATED_NAMES.get(container.name)) is not None:
            found = list(container_records(payload, container))
            return "ELAsTiCC", [(simulated, _checked(lsst.from_record, each, unreadable), each) for each in found]
        pinned = _lsst_schema(container)
        if pinned is None:
            found = list(container_records(payload, container))
            return ztf.SURVEY, [(_ztf_format(container, each), _checked(ztf.from_record, each), each) for each in found]
        schema, bodies = pinned, list(_bodies(payload, container, pinned))
    found = [_lsst_record(body, schema) for body in bodies]
    return lsst.SURVEY, [(f"lsst-{schema.version}", _checked(lsst.from_record, each, unreadable), each) for each in found]


def _checked(
    read: Callable[[Mapping[str, Any]], Reading],
    values: Mapping[str, Any],
    fault_of: Callable[[Reading], str | None] = problem,
) -> Reading | str:
    """Return the reading, or the sentence why the alert must not go on."""
    try:
        reading = read(values)
    except DecodeError as error:
        return error.reason
    return fault_of(reading) or reading


def _unforeseen(error: Exception) -> str:
    return f"the alert cannot be decoded ({type(error).__name__})"


def _packet(payload: bytes, schemas: Schemas, range_of_ids: range | None) -> LsstSchema:
    """Return the schema of a packet in Confluent framing, which was found to fit it to the last byte."""
    if len(payload) > MAX_PACKET_BYTES:
        raise DecodeError(too_long(len(payload)))
    schema = _schema(schema_id_of(payload), schemas, range_of_ids)
    if (fault := schema.projector.project(Messages.of([payload]).behind(HEADER_BYTES)).sentence(0)) is not None:
        raise DecodeError(fault)
    return schema


def _schema(schema_id: int, schemas: Schemas, range_of_ids: range | None) -> LsstSchema:
    """Return the schema of a number: a pinned one, or a registry's, of any number where the stream is known to be LSST's."""
    if (pinned := by_id(schema_id)) is not None:
        return pinned
    if range_of_ids is not None and schema_id not in range_of_ids:
        raise DecodeError(f"schema id {schema_id} is not in the table of {len(known_ids())} LSST alert schemas")
    return from_registry(schema_id, json.dumps(schemas(schema_id)))


def _lsst_record(body: bytes, schema: LsstSchema) -> dict[str, Any]:
    """Decode a body that was walked before, so that fastavro cannot meet a wrong length, branch or count."""
    record: dict[str, Any] = fastavro.schemaless_reader(BytesIO(body), schema.schema, None, handle_unicode_errors="replace")
    return record


def _known_container(payload: bytes) -> Container:
    if not payload.startswith(MAGIC):
        raise NotAMessage("neither an alert packet in Confluent framing nor an Avro object container")
    container = open_container(payload)
    if not _is_known(container.name):
        raise NotAMessage(f"an Avro container of schema {container.name[:60]}, no alert format that the hub knows")
    return container


def _is_known(name: str) -> bool:
    return name in _ZTF_NAMES or name in _SIMULATED_NAMES or _is_lsst_name(name)


def _is_lsst_name(name: str) -> bool:
    return name.startswith("lsst.v") and name.endswith(".alert")


def _lsst_schema(container: Container) -> LsstSchema | None:
    """Return the pinned schema of an LSST container, None for another survey's; a container's own LSST schema is never used."""
    if not _is_lsst_name(container.name):
        return None
    schema = by_content(container.schema)
    if schema is None:
        raise DecodeError(f"the container's schema {container.name[:60]} is none of the LSST alert schemas in the table")
    return schema


def _bodies(payload: bytes, container: Container, schema: LsstSchema) -> Iterator[bytes]:
    """Yield the bytes of each LSST alert of a container."""
    for count, data in blocks(payload, container):
        position = 0
        for _ in range(count):
            start = position
            position, fault = schema.projector.end_of(data, start)
            if fault is not None:
                raise DecodeError(fault)
            yield data[start:position]
        check_consumed(data, position)


def _ztf_format(container: Container, record: dict[str, Any]) -> str:
    """Return ``ztf-4.02``, ``babamul-ztf``; the packet names its version from 2.0 on, before that only the schema does."""
    version = record.get("schemavsn") or container.version
    base = _ZTF_NAMES[container.name]
    return f"{base}-{str(version)[:20]}" if version else base


def _detail(
    label: str, survey: str, reading: Reading, record: dict[str, Any], annotations: tuple[dict[str, Any], ...] = ()
) -> AlertDetail:
    is_simulated = label in _SIMULATED_NAMES.values()
    return AlertDetail(
        format=label,
        survey=survey,
        source_id=str(reading.source_id),
        object_id=reading.object_id or None,
        ra_deg=reading.ra_deg,
        dec_deg=reading.dec_deg,
        mjd_tai=_mjd_tai(label, reading),
        band=reading.band or None,
        flux_njy=None if is_simulated else _stated(reading.flux_njy),
        snr=_stated(reading.snr),
        reliability=_stated(reading.reliability),
        is_solar_system=reading.is_solar_system,
        n_history=reading.n_history,
        record=record,
        refusal=SIMULATED if is_simulated else untimely(reading),
        annotations=annotations,
    )


def _mjd_tai(label: str, reading: Reading) -> float:
    """Return the middle of the exposure; of the surveys' own packets on TAI as the packet states it, to the last digit."""
    on_tai = label.startswith("lsst-") or label in _SIMULATED_NAMES.values()
    return reading.mid_mjd if on_tai or not reading.mid_tai_us else Instant(reading.mid_tai_us).mjd_tai


def _stated(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - NaN is the one number that differs from itself
