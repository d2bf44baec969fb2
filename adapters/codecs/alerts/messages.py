"""The door of the survey alerts: messages to columns for the crossmatch, one message to everything it holds."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import fastavro
import numpy as np

from adapters.codecs.alerts import lsst, ztf
from adapters.codecs.alerts.lsst_schemas import LsstSchema, by_content, by_id, from_registry, known_ids
from adapters.codecs.alerts.mapped import MappedReader
from adapters.codecs.alerts.packets import (
    HEADER_BYTES,
    MAX_PACKET_BYTES,
    Schemas,
    check_consumed,
    container_records,
    no_schemas,
    records,
    schema_id_of,
)
from adapters.codecs.alerts.reading import Reading, problem, to_batch, unreadable, untimely
from adapters.codecs.alerts.stream_map import StreamMap
from adapters.codecs.avro_container import MAGIC, Container, blocks, open_container
from hub.errors import DecodeError, NotAMessage, SchemaUnknown
from hub.model.alert import AlertDetail, ObjectStatement
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


def decode_messages(
    payloads: Sequence[bytes], names: Sequence[str | None] | None = None, streams: Streams = NO_STREAMS
) -> AlertRows:
    """Decode messages into columns; a bad one does not stop the others.

    LSST packets are walked to their last byte without building records, so that cut-off and over-long ones are noticed here too.
    A message that cannot be read at all has one entry in ``refused``; of a container, each alert that breaks a rule has one,
    which begins with its number, while its other alerts have rows. A message whose schema nobody knows is held.

    Parameters
    ----------
    payloads
        The messages.
    names
        For each message the stream map to read it by; None, for one or for all, where the bytes alone must tell.
    streams
        The maps.

    Returns
    -------
    AlertRows
        About 35 us for an LSST packet without history, 5 to 10 us more for each earlier detection in it, and 0.5 to 3 ms for a
        ZTF container, which has to be decoded whole.
    """
    readings: dict[str, list[Reading]] = {}
    origins: dict[str, list[int]] = {}
    refused: list[tuple[int, str]] = []
    held: list[tuple[int, str]] = []
    statements: list[tuple[int, ObjectStatement]] = []
    for index, (payload, name) in enumerate(zip(payloads, names or [None] * len(payloads), strict=True)):
        try:
            stream = streams.named(name)
            survey, found, remarks, said = _slim(payload, streams, stream)
        except SchemaUnknown as error:
            held.append((index, error.reason))
        except DecodeError as error:
            refused.append((index, error.reason))
        except Exception as error:  # noqa: BLE001 - one bad message must not stop the others, and fastavro has no base error
            get_logger("alerts").warning("alert broke its reader", error=type(error).__name__, exc_info=error)
            refused.append((index, _unforeseen(error)))
        else:
            readings.setdefault(survey, []).extend(found)
            origins.setdefault(survey, []).extend([index] * len(found))
            refused.extend((index, remark) for remark in remarks)
            statements.extend((index, statement) for statement in said)
    surveys = [survey for survey in readings if readings[survey]]
    return AlertRows(
        batches=tuple(to_batch(survey, readings[survey]) for survey in surveys),
        message_index=tuple(np.array(origins[survey], dtype=np.intp) for survey in surveys),
        refused=tuple(refused),
        statements=tuple(statements),
        held=tuple(held),
    )


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


def _slim(
    payload: bytes, streams: Streams, stream: StreamMap | None
) -> tuple[str, list[Reading], list[str], list[ObjectStatement]]:
    """Return the survey, the good readings, the sentences on the bad ones, and what a broker says of the good ones."""
    if stream is None:
        return *_built_in(payload, streams.schemas, range_of_ids=SCHEMA_IDS), []
    if stream.reader != "mapped":
        survey, good, remarks = _built_in(payload, streams.schemas, range_of_ids=None)
        _check_survey(survey, stream)
        return survey, good, remarks, []
    reader = MappedReader(stream)
    results: list[Reading | str] = []
    said: list[ObjectStatement] = []
    for record in records(payload, stream, streams.schemas):
        results.append(reading := _checked(reader.read, record))
        if stream.annotations and not isinstance(reading, str) and reading.object_id:
            said += [_statement(stream.survey, reading, one) for one in reader.annotations(record)]
    if len(results) == 1 and isinstance(results[0], str) and not payload.startswith(MAGIC):
        raise DecodeError(results[0])
    good = [result for result in results if not isinstance(result, str)]
    return stream.survey, good, _numbered(results), said


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


def _numbered(results: Sequence[Reading | str]) -> list[str]:
    return [f"alert {n} of the container: {fault}" for n, fault in enumerate(results, 1) if isinstance(fault, str)]


def _check_survey(survey: str, stream: StreamMap) -> None:
    if survey != stream.survey:
        raise DecodeError(f"an alert of {survey} in {stream.name}, which is a stream of {stream.survey}")


def _built_in(payload: bytes, schemas: Schemas, *, range_of_ids: range | None) -> tuple[str, list[Reading], list[str]]:
    """Read a survey's own packet, told by its bytes."""
    if payload[:1] == b"\0":
        _, values = _packet(payload, schemas, range_of_ids)
        reading = _checked(lsst.from_walk, values)
        if isinstance(reading, str):
            raise DecodeError(reading)
        return lsst.SURVEY, [reading], []
    container = _known_container(payload)
    if container.name in _SIMULATED_NAMES:
        raise DecodeError(SIMULATED)
    if (schema := _lsst_schema(container)) is not None:
        survey, results = lsst.SURVEY, [_checked(lsst.from_walk, values) for _, values in _walked(payload, container, schema)]
    else:
        survey, results = ztf.SURVEY, [_checked(ztf.from_record, record) for record in container_records(payload, container)]
    good = [result for result in results if not isinstance(result, str)]
    return survey, good, _numbered(results)


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
        schema, _ = _packet(payload, streams.schemas, SCHEMA_IDS if stream is None else None)
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
        schema, bodies = pinned, [body for body, _ in _walked(payload, container, pinned)]
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


def _packet(payload: bytes, schemas: Schemas, range_of_ids: range | None) -> tuple[LsstSchema, dict[str, Any]]:
    """Walk a packet in Confluent framing: a zero byte, the schema id big-endian, the Avro body.

    A schema that is not among the pinned ones comes from a registry, of any id where the stream is known to be LSST's.
    """
    if len(payload) > MAX_PACKET_BYTES:
        raise DecodeError(f"the packet has {len(payload)} bytes, {MAX_PACKET_BYTES} are allowed")
    schema_id = schema_id_of(payload)
    schema = by_id(schema_id)
    if schema is None:
        if range_of_ids is not None and schema_id not in range_of_ids:
            raise DecodeError(f"schema id {schema_id} is not in the table of {len(known_ids())} LSST alert schemas")
        schema = from_registry(schema_id, json.dumps(schemas(schema_id)))
    values: dict[str, Any] = {}
    end = schema.walk(payload, HEADER_BYTES, values)
    if end != len(payload):
        raise DecodeError(f"{len(payload) - end} bytes follow the end of the packet")
    return schema, values


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


def _walked(payload: bytes, container: Container, schema: LsstSchema) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield the bytes and the walked values of each LSST alert of a container."""
    for count, data in blocks(payload, container):
        position = 0
        for _ in range(count):
            values: dict[str, Any] = {}
            start, position = position, schema.walk(data, position, values)
            yield data[start:position], values
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
