"""Bytes of a VOEvent or VTP transport document to what they mean."""

from adapters.codecs.gcn_classic.table import read_classic
from adapters.codecs.voevent import xml
from adapters.codecs.voevent.general import read_general
from adapters.codecs.voevent.packet import read_packet
from hub.ports import DecodedContext, DecodedNotice

TRANSPORT_FORMAT = "vtp-transport"
"""Format of VTP's own documents: iamalive, ack, nak, authenticate."""


def decode(payload: bytes, *, topic: str | None = None) -> DecodedNotice | DecodedContext:
    """Return what the bytes say.

    Parameters
    ----------
    payload
        The document as it came.
    topic
        Name of the stream that carried it, where the transport knows one.

    Raises
    ------
    DecodeError
        The document cannot be understood; `NotAMessage` where it is none of the two kinds.
    """
    root = xml.read_root(payload)
    if xml.local_name(root) == "Transport":
        summary = {name: value for name in ("Origin", "Response", "TimeStamp") if (value := xml.text(root, name))}
        return DecodedContext(kind="transport", format=TRANSPORT_FORMAT, summary={"role": root.get("role") or ""} | summary)
    packet = read_packet(root)
    return DecodedNotice(notice=read_classic(packet, topic) or read_general(packet, topic))
