"""Decoded messages as records with the keys that scripts rely on: the contract of ``mmhub decode --json``."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

from hub.cli.output import cell_text, finite
from hub.errors import DecodeError, NotAMessage, SkymapRefused
from hub.model.alert import AlertDetail
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.model.notice import Notice
from hub.ports import Decoded, DecodedAlerts, DecodedContext, DecodedNotice, Decoder, SkymapReader
from hub.science.levels import summary as summarise

_NOT_A_MESSAGE = "not a message"


def describe(
    data: bytes, path: str, decoder: Decoder, reader: SkymapReader, alert_stream: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one record for each message in some bytes: ``path``, ``index``, ``kind``, ``format``, then the kind's own keys.

    ``alert_stream`` is the map to read alerts by; None where the bytes alone must tell. Bytes that cannot be understood give one
    record of kind ``rejected`` with a ``reason``; nothing is raised for them.
    """
    envelope = Envelope(
        payload=data,
        source="file",
        received_at=Instant.from_datetime(datetime.now(UTC)),
        position=path,
        alert_stream=alert_stream,
    )
    try:
        decoded = decoder.decode(envelope)
        records = list(_of_decoded(decoded, envelope, decoder, reader))
    except DecodeError as error:
        records = [_rejected(error)]
    for index, record in enumerate(records):
        yield {"path": path, "index": index} | record


def headline(record: Mapping[str, Any]) -> str:
    """Return a record as one line for a person."""
    start = f"{record['path']}[{record['index']}]: {record['kind']}"
    match record["kind"]:
        case "rejected":
            return f"{start}: {record['reason']}"
        case "notice":
            event = f"{record['mission']} {record['event_id'] or '-'} {record['stage']}"
            return f"{start} {record['format']} {event} {record['t0'] or '-'} {_place(record)}"
        case "alert":
            return (
                f"{start} {record['format']} {record['source_id']} of {record['object_id'] or '-'} {_place(record)} "
                f"{record['band'] or '-'} {cell_text(record['flux_njy'])} nJy"
                + (f" (intake refuses it: {record['refused_by_intake']})" if "refused_by_intake" in record else "")
            )
        case "skymap":
            return f"{start} {record['format']} {record['n_tiles']} tiles, 90 % in {cell_text(record['area90_deg2'])} deg2"
        case _:
            return f"{start} {record['format']}"


def _of_decoded(decoded: Decoded, envelope: Envelope, decoder: Decoder, reader: SkymapReader) -> Iterator[dict[str, Any]]:
    data = envelope.payload
    match decoded:
        case DecodedNotice(notice=notice):
            yield _notice(notice, reader)
        case DecodedAlerts():
            for detail in decoder.decode_details(data, envelope.alert_stream):
                yield _rejected(detail) if isinstance(detail, DecodeError) else _alert(detail)
        case DecodedContext(kind="skymap"):
            yield _bare_map(decoded.format, data, reader)
        case DecodedContext():
            yield {"kind": decoded.kind, "format": decoded.format} | {"summary": finite(decoded.summary)}
        case _:
            assert_never(decoded)


def _notice(notice: Notice, reader: SkymapReader) -> dict[str, Any]:
    position = notice.position
    record = {
        "kind": "notice",
        "format": notice.format,
        "ivorn": notice.ivorn,
        "stream": notice.stream,
        "mission": notice.mission,
        "instrument": notice.instrument,
        "messenger": notice.messenger.value,
        "role": notice.role.value,
        "stage": notice.stage.value,
        "event_id": notice.event_key,
        "aliases": list(notice.aliases),
        "t0": notice.t0.to_utc_iso() if notice.t0 else None,
        "ra_deg": position.ra_deg if position else None,
        "dec_deg": position.dec_deg if position else None,
        "radius_deg": position.radius_deg if position else None,
        "containment": position.containment if position else None,
        "systematic_included": position.systematic_included if position else None,
        "far_hz": notice.far_hz,
        "classification": dict(notice.classification),
        "skymap": None,
    }
    if notice.skymap is None:
        return record if notice.skymap_refused is None else record | {"skymap_refused": notice.skymap_refused}
    try:
        return record | {"skymap": _map_numbers(notice.skymap, reader)}
    except SkymapRefused as error:
        return record | {"skymap_refused": str(error)}


def _alert(detail: AlertDetail) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": "alert",
        "format": detail.format,
        "source_id": detail.source_id,
        "object_id": detail.object_id,
        "ra_deg": detail.ra_deg,
        "dec_deg": detail.dec_deg,
        "mjd_tai": detail.mjd_tai,
        "band": detail.band,
        "flux_njy": detail.flux_njy,
        "snr": detail.snr,
        "reliability": detail.reliability,
        "is_solar_system": detail.is_solar_system,
        "n_history": detail.n_history,
    }
    if detail.annotations:
        record["annotations"] = list(detail.annotations)
    return record if detail.refusal is None else record | {"refused_by_intake": detail.refusal}


def _bare_map(form: str, data: bytes, reader: SkymapReader) -> dict[str, Any]:
    try:
        return {"kind": "skymap", "format": form} | _map_numbers(data, reader)
    except SkymapRefused as error:
        return {"kind": "rejected", "format": form, "reason": f"the sky map is refused: {error}"}


def _map_numbers(data: bytes, reader: SkymapReader) -> dict[str, Any]:
    skymap, _ = reader.read(data)
    summary = summarise(skymap)
    return {
        "n_tiles": summary.n_tiles,
        "area50_deg2": summary.area50_deg2,
        "area90_deg2": summary.area90_deg2,
        "dist_mean_mpc": summary.dist_mean_mpc,
        "dist_std_mpc": summary.dist_std_mpc,
    }


def _rejected(error: DecodeError) -> dict[str, Any]:
    reason = error.reason
    if isinstance(error, NotAMessage) and not reason.startswith(_NOT_A_MESSAGE):
        reason = f"{_NOT_A_MESSAGE}: {reason}"
    return {"kind": "rejected", "format": error.format, "reason": reason}


def _place(record: Mapping[str, Any]) -> str:
    if record["ra_deg"] is None:
        return "no position"
    return f"({record['ra_deg']:.5f}, {record['dec_deg']:+.5f}) deg"
