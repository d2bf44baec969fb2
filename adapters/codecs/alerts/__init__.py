"""Survey alerts: LSST packets in Confluent framing and object containers, ZTF and its re-publishers, and every mapped stream."""

from adapters.codecs.alerts.messages import NO_STREAMS, SCHEMA_IDS, Streams, decode_details, decode_messages, is_alert_container

__all__ = ["NO_STREAMS", "SCHEMA_IDS", "Streams", "decode_details", "decode_messages", "is_alert_container"]
