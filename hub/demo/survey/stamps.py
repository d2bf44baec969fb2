"""Cutouts of real size for the packets: the demo's pool, with templates of the sizes that real packets have."""

import io

import numpy as np

from hub.demo import stamps
from hub.demo.avro_rows import encode_bytes, encode_long

EXTRA_BYTES = (0, 5_760, 5_760, 34_560)
"""By variant, how much larger the template's cutout is: real packets have 34,560, 40,320 and up to 69,120 bytes."""

VARIANTS = len(EXTRA_BYTES)
"""Ready-made cutouts of each kind."""

NO_CUTOUTS = encode_long(0) * 3
"""What a packet without cutouts ends with."""

_BLOCK = 2_880
_SEED = 20_260_101


def tails() -> tuple[bytes, ...]:
    """Return what packets end with, index ``kind * VARIANTS + variant``: the same in every night."""
    pool = stamps.make_stamps(np.random.default_rng(_SEED)).tails
    kinds = len(pool) // stamps.VARIANTS
    return tuple(
        _with_template(pool[kind * stamps.VARIANTS + variant % stamps.VARIANTS], EXTRA_BYTES[variant])
        for kind in range(kinds)
        for variant in range(VARIANTS)
    )


def _with_template(tail: bytes, extra: int) -> bytes:
    if not extra:
        return tail
    from astropy.io import fits  # noqa: PLC0415 - half a second that only a run pays

    template = tail[-stamps.STAMP_BYTES :]
    out = io.BytesIO()
    image = np.zeros((extra // _BLOCK - 1, _BLOCK // 4), dtype=">f4")
    fits.ImageHDU(image, name="CONTEXT").writeto(out)
    whole = out.getvalue()[-(extra):]
    return tail[: -len(encode_bytes(template))] + encode_bytes(template + whole)
