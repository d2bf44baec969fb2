"""The door of the survey alerts: messages to columns for the crossmatch, one message to everything it holds."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import fastavro
import numpy as np

from adapters.codecs.alerts import lsst, ztf
from adapters.codecs.alerts.container import MAGIC, Container, blocks, open_container
from adapters.codecs.alerts.lsst_schemas import LsstSchema, by_content, by_id, known_ids
from adapters.codecs.alerts.reading import Reading, problem, to_batch
from hub.errors import DecodeError, NotAMessage
from hub.model.alert import AlertDetail
from hub.model.instant import Instant
from hub.ports import AlertRows

MAX_PACKET_BYTES = 4 << 20
"""Largest single alert, bytes; the largest real one known has 0.3 MB."""

_HEADER_BYTES = 5
_ZTF_NAMES = {"ztf.alert": "ztf", "BabamulZtfAlert": "babamul-ztf"}


def is_alert_container(payload: bytes) -> bool:
    """Return whether the bytes are an Avro object container whose root record is a survey alert that the hub knows."""
    if not payload.startswith(MAGIC):
        return False
    try:
        name = open_container(payload).name
    except DecodeError:
        return False
    return name in _ZTF_NAMES or _is_lsst_name(name)


def decode_messages(payloads: Sequence[bytes]) -> AlertRows:
    """Decode messages into columns; a bad one does not stop the others.

    LSST packets are walked to their last byte without building records, so that cut-off and over-long ones are noticed here too.
    A message that cannot be read at all has one entry in ``refused``; of a container, each alert that breaks a rule has one,
    which begins with its number, while its other alerts have rows.

    Returns
    -------
    AlertRows
        About 40 us for an LSST packet without history, 12 us more for each earlier detection.
    """
    readings: dict[str, list[Reading]] = {}
    origins: dict[str, list[int]] = {}
    refused: list[tuple[int, str]] = []
    for index, payload in enumerate(payloads):
        try:
            survey, found, remarks = _slim(payload)
        except DecodeError as error:
            refused.append((index, error.reason))
        except Exception as error:  # noqa: BLE001 - one bad message must not stop the others, and fastavro has no base error
            refused.append((index, f"the alert cannot be decoded ({type(error).__name__})"))
        else:
            readings.setdefault(survey, []).extend(found)
            origins.setdefault(survey, []).extend([index] * len(found))
            refused.extend((index, remark) for remark in remarks)
    surveys = [survey for survey in readings if readings[survey]]
    return AlertRows(
        batches=tuple(to_batch(survey, readings[survey]) for survey in surveys),
        message_index=tuple(np.array(origins[survey], dtype=np.intp) for survey in surveys),
        refused=tuple(refused),
    )


def decode_details(payload: bytes) -> list[AlertDetail]:
    """Decode every alert of a message in full; of a container, those that break a rule are left out.

    Raises
    ------
    DecodeError
        It is no alert, cannot be understood, or no alert in it passes the checks.
    """
    try:
        survey, pairs = _full(payload)
        found = [(label, reading, record, problem(reading)) for label, reading, record in pairs]
    except DecodeError:
        raise
    except Exception as error:  # fastavro has no base error: IndexError, EOFError, UnicodeDecodeError ... escape it
        raise DecodeError(f"the alert cannot be decoded ({type(error).__name__})") from error
    good = [_detail(label, survey, reading, record) for label, reading, record, fault in found if fault is None]
    if found and not good:
        raise DecodeError(str(found[0][3]))
    return good


def _slim(payload: bytes) -> tuple[str, list[Reading], list[str]]:
    """Return the survey, the good readings and the sentences on the bad ones."""
    if payload[:1] == b"\0":
        reading = _packet(payload)[1]
        if (fault := problem(reading)) is not None:
            raise DecodeError(fault)
        return lsst.SURVEY, [reading], []
    container = _known_container(payload)
    if (schema := _lsst_schema(container)) is not None:
        readings = [lsst.from_walk(values) for _, _, values in _walked(payload, container, schema)]
        survey = lsst.SURVEY
    else:
        readings = [ztf.from_record(record) for record in _records(payload, container)]
        survey = ztf.SURVEY
    faults = [problem(reading) for reading in readings]
    good = [reading for reading, fault in zip(readings, faults, strict=True) if fault is None]
    return survey, good, [f"alert {n} of the container: {fault}" for n, fault in enumerate(faults, 1) if fault is not None]


def _full(payload: bytes) -> tuple[str, list[tuple[str, Reading, dict[str, Any]]]]:
    """Return the survey, and format, reading and record of each alert."""
    if payload[:1] == b"\0":
        schema, _ = _packet(payload)
        record = _lsst_record(payload[_HEADER_BYTES:], schema)
        return lsst.SURVEY, [(f"lsst-{schema.version}", lsst.from_record(record), record)]
    container = _known_container(payload)
    if (pinned := _lsst_schema(container)) is not None:
        records = [_lsst_record(data[start:], pinned) for data, start, _ in _walked(payload, container, pinned)]
        return lsst.SURVEY, [(f"lsst-{pinned.version}", lsst.from_record(record), record) for record in records]
    return ztf.SURVEY, [(_ztf_format(container, r), ztf.from_record(r), r) for r in _records(payload, container)]


def _packet(payload: bytes) -> tuple[LsstSchema, Reading]:
    """Walk a packet in Confluent framing: a zero byte, the schema id big-endian, the Avro body."""
    if len(payload) > MAX_PACKET_BYTES:
        raise DecodeError(f"the packet has {len(payload)} bytes, {MAX_PACKET_BYTES} are allowed")
    if len(payload) <= _HEADER_BYTES:
        raise DecodeError("the packet ends inside its header")
    schema_id = int.from_bytes(payload[1:_HEADER_BYTES], "big")
    schema = by_id(schema_id)
    if schema is None:
        versions = list(known_ids().values())
        raise DecodeError(f"schema id {schema_id} is not in the table of {len(versions)} LSST alert schemas")
    values: dict[str, Any] = {}
    end = schema.walk(payload, _HEADER_BYTES, values)
    if end != len(payload):
        raise DecodeError(f"{len(payload) - end} bytes follow the end of the packet")
    return schema, lsst.from_walk(values)


def _lsst_record(body: bytes, schema: LsstSchema) -> dict[str, Any]:
    """Decode a body that was walked before, so that fastavro cannot meet a wrong length, branch or count."""
    record: dict[str, Any] = fastavro.schemaless_reader(BytesIO(body), schema.schema, None, handle_unicode_errors="replace")
    return record


def _known_container(payload: bytes) -> Container:
    if not payload.startswith(MAGIC):
        raise NotAMessage("neither an alert packet in Confluent framing nor an Avro object container")
    container = open_container(payload)
    if container.name not in _ZTF_NAMES and not _is_lsst_name(container.name):
        raise NotAMessage(f"an Avro container of schema {container.name[:60]}, no alert format that the hub knows")
    return container


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


def _walked(payload: bytes, container: Container, schema: LsstSchema) -> Iterator[tuple[bytes, int, dict[str, Any]]]:
    """Yield the block, the start within it and the walked values of each LSST alert of a container."""
    for count, data in blocks(payload, container):
        position = 0
        for _ in range(count):
            values: dict[str, Any] = {}
            start, position = position, schema.walk(data, position, values)
            yield data, start, values
        _check_consumed(data, position)


def _records(payload: bytes, container: Container) -> Iterator[dict[str, Any]]:
    """Yield the records of a container, each read from at most `MAX_PACKET_BYTES`."""
    for count, data in blocks(payload, container):
        position = 0
        for _ in range(count):
            body = BytesIO(data[position : position + MAX_PACKET_BYTES])
            record = fastavro.schemaless_reader(body, container.schema, None)
            position += body.tell()
            yield record
        _check_consumed(data, position)


def _check_consumed(data: bytes, position: int) -> None:
    if position != len(data):
        raise DecodeError(f"{len(data) - position} bytes follow the last alert of a block")


def _ztf_format(container: Container, record: dict[str, Any]) -> str:
    """Return ``ztf-4.02``, ``babamul-ztf``; the packet names its version from 2.0 on, before that only the schema does."""
    version = record.get("schemavsn") or container.version
    base = _ZTF_NAMES[container.name]
    return f"{base}-{str(version)[:20]}" if version else base


def _detail(label: str, survey: str, reading: Reading, record: dict[str, Any]) -> AlertDetail:
    return AlertDetail(
        format=label,
        survey=survey,
        source_id=str(reading.source_id),
        object_id=reading.object_id or None,
        ra_deg=reading.ra_deg,
        dec_deg=reading.dec_deg,
        mjd_tai=reading.mid_mjd if survey == lsst.SURVEY else Instant(reading.mid_tai_us).mjd_tai,
        band=reading.band or None,
        flux_njy=_stated(reading.flux_njy),
        snr=_stated(reading.snr),
        reliability=_stated(reading.reliability),
        is_solar_system=reading.is_solar_system,
        n_history=reading.n_history,
        record=record,
    )


def _stated(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - NaN is the one number that differs from itself
