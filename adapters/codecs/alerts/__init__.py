"""Survey alerts: LSST packets in Confluent framing and object containers, ZTF and its re-publishers in object containers."""

from adapters.codecs.alerts.messages import decode_details, decode_messages, is_alert_container

__all__ = ["decode_details", "decode_messages", "is_alert_container"]
