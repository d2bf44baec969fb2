"""Sky maps that ride inside a notice, as text or as bytes; they are handed on unread."""

import base64
import binascii
from typing import Any

MAX_BYTES = 8 * 1024 * 1024
"""Largest embedded map, as it came (perhaps gzipped); real ones have 0.8 MB."""


def embedded_map(value: Any) -> tuple[bytes | None, str | None]:
    """Return the FITS bytes of an embedded map, or None with the sentence why there are none.

    Parameters
    ----------
    value
        Base64 text (JSON) or bytes (Avro); anything else is refused in the sentence, never raised: a notice outlives its map.
    """
    match value:
        case None | "" | b"":
            return None, None
        case bytes() if len(value) > MAX_BYTES:
            return None, f"the embedded map has {len(value)} bytes, more than the {MAX_BYTES} allowed"
        case bytes():
            data = value
        case str() if len(value) > MAX_BYTES * 4 // 3 + 4:
            return None, f"the embedded map has {len(value)} characters of base64, more than {MAX_BYTES} bytes"
        case str():
            try:
                data = base64.b64decode("".join(value.split()), validate=True)
            except (binascii.Error, ValueError):
                return None, "the embedded map is not base64"
        case _:
            return None, "the embedded map is neither text nor bytes"
    if not data.startswith((b"SIMPLE", b"\x1f\x8b")):
        return None, "the embedded map is neither FITS nor gzip"
    return data, None
