"""The front door: looks at the first bytes and hands them to the codec of their format."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.codecs import (
    alerts,
    avro_record,
    circulars,
    fits_look,
    gcn_unified,
    hub_avro,
    hub_json,
    igwn,
    json_text,
    snews,
    tns,
)
from adapters.codecs.gcn_unified import writer as hub_notice
from adapters.codecs.voevent.reader import decode as decode_voevent
from hub.errors import DecodeError, NotAMessage, SchemaUnknown
from hub.model.alert import AlertDetail
from hub.model.envelope import Envelope
from hub.ports import AlertRows, Decoded, DecodedAlerts, DecodedContext

MAX_BYTES = 256 * 1024 * 1024
"""Longest message of any kind: sky maps may be that long, the codecs of all else have smaller caps."""

NOT_A_MESSAGE = "not a message"
"""Reason for bytes of no known format."""

_CONTAINER_MAGIC = b"Obj\x01"
_CONFLUENT_MAGIC = 0
_CONFLUENT_HEADER = 5

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_LOOK = 4096
"""How far into a text the beginning of an XML document is looked for (mail headers stand before some)."""

_GCN_HEARTBEAT = "gcn.heartbeat"


class WireDecoder:
    """`hub.ports.Decoder` for every wire format that the hub reads.

    Parameters
    ----------
    streams
        The stream maps, and who knows schemas beyond the pinned ones; none where only the bytes shall tell.
    """

    def __init__(self, streams: alerts.Streams = alerts.NO_STREAMS) -> None:
        self._streams = streams

    def decode(self, envelope: Envelope) -> Decoded:
        """Return what the bytes say.

        Raises
        ------
        DecodeError
            They cannot be understood, with the reason as one sentence; `NotAMessage` where no format fits.
        """
        payload, topic = envelope.payload, envelope.topic
        if envelope.alert_stream is not None:
            return self._alerts(payload, envelope.alert_stream)
        if len(payload) > MAX_BYTES:
            raise NotAMessage(f"{len(payload)} bytes, more than the {MAX_BYTES} that any message may have")
        if payload.startswith(_CONTAINER_MAGIC):
            return self._container(payload, topic)
        if hub_avro.is_message(payload):
            return hub_avro.decode(payload)
        if _is_packet(payload):
            return self._packet(payload)
        if tns.is_zip(payload):
            return tns.decode_table(payload)
        if fits_look.is_fits(payload):
            return fits_look.decode(payload)
        return _text(payload, topic)

    def decode_packets(self, payloads: Sequence[bytes], alert_stream: str | None = None) -> AlertRows:
        """Decode many alert messages of one stream map into columns at once; a bad one does not stop the others."""
        return alerts.decode_messages(payloads, alert_stream, self._streams)

    def decode_details(self, payload: bytes, alert_stream: str | None = None) -> list[AlertDetail | DecodeError]:
        """Decode every alert of a message in full, cutouts and history included; a bad one of a container gives its fault.

        Raises
        ------
        DecodeError
            It is no alert or cannot be understood as a whole.
        """
        return alerts.decode_details(payload, alert_stream, self._streams)

    def _container(self, payload: bytes, topic: str | None) -> Decoded:
        """Return what an Avro object container holds, told by the name of its record."""
        if alerts.is_alert_container(payload):
            return self._alerts(payload, None)
        name = avro_record.container_name(payload)
        if igwn.AVRO_NAME.fullmatch(name):
            return igwn.decode_avro(payload, topic=topic)
        raise NotAMessage(f"an Avro container of {name[:60] or 'no record'!r}, which is no message that the hub knows")

    def _alerts(self, payload: bytes, alert_stream: str | None) -> DecodedAlerts:
        details = self.decode_details(payload, alert_stream)
        if not details:
            raise DecodeError("the container holds no alert")
        return DecodedAlerts(format=details[0].format or "alert")

    def _packet(self, payload: bytes) -> DecodedAlerts:
        try:
            return self._alerts(payload, None)
        except SchemaUnknown:
            raise
        except DecodeError as error:
            raise DecodeError(error.reason, format=f"lsst-{_packet_version(payload)}") from error


def _is_packet(payload: bytes) -> bool:
    """Return whether bytes are in Confluent framing: a zero, then a schema id, big-endian."""
    return (
        len(payload) > _CONFLUENT_HEADER
        and payload[0] == _CONFLUENT_MAGIC
        and int.from_bytes(payload[1:_CONFLUENT_HEADER], "big") in alerts.SCHEMA_IDS
    )


def _packet_version(payload: bytes) -> str:
    major, minor = divmod(int.from_bytes(payload[1:_CONFLUENT_HEADER], "big"), 100)
    return f"{major}.{minor}"


def _text(payload: bytes, topic: str | None) -> Decoded:
    head = payload[:_LOOK]
    for bom in _BOMS:
        head = head.removeprefix(bom)
    head = head.lstrip()
    if circulars.is_text_circular(payload):
        return circulars.decode_text(payload)
    if tns.is_table(head):
        return tns.decode_table(payload)
    if head.startswith((b"<", b"<\x00", b"\x00<")) or (b"<?xml" in head and b"VOEvent" in payload):
        return decode_voevent(payload, topic=topic)
    if head.startswith((b"{", b"[")):
        return _json(json_text.read(payload), topic)
    raise NotAMessage(NOT_A_MESSAGE)


def _json(value: Any, topic: str | None) -> Decoded:  # noqa: C901 - one question for each format
    """Return what a JSON document says, told by the fields that each format cannot be without."""
    if not isinstance(value, dict):
        raise NotAMessage("a JSON list, but a message is one object", format="json")
    if hub_json.is_message(value):
        return hub_json.decode(value)
    if hub_notice.is_message(value):
        return hub_notice.decode(value)
    if igwn.is_alert(value):
        return igwn.decode(value, topic=topic)
    if _is_gracedb_record(value):
        raise DecodeError("a GraceDB record, not a notice", format="json")
    if circulars.is_circular(value):
        return circulars.decode_json(value)
    if tns.is_object(value):
        return tns.decode_object(value)
    if snews.is_message(value):
        return snews.decode(value, topic=topic)
    if gcn_unified.is_unified(value):
        return gcn_unified.decode(value, topic=topic)
    if topic == _GCN_HEARTBEAT:
        return DecodedContext(kind="transport", format="gcn-heartbeat")
    raise NotAMessage(_why_no_notice(value), format="json")


def _is_gracedb_record(value: Mapping[str, Any]) -> bool:
    """Return whether an object is an internal message of GraceDB about one of its events or superevents."""
    return {"uid", "alert_type"} <= value.keys() and ("object" in value or "data" in value)


def _why_no_notice(value: Mapping[str, Any]) -> str:
    known = "a JSON document, but no notice that the hub knows"
    if str(value.get("$schema", "")).startswith(("https://json-schema.org/", "http://json-schema.org/")):
        return f"{known}: a JSON schema"
    if {"type", "fields", "name"} <= value.keys():
        return f"{known}: an Avro schema"
    if "diaSource" in value:
        return f"{known}: an LSST alert turned into JSON"
    return known
