"""Cutouts of real size for the packets: the demo's pool, with templates of the sizes that real packets have."""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hub.demo import stamps
from hub.demo.avro_rows import encode_bytes, encode_long
from hub.demo.survey.chance import mix, uniform
from hub.demo.survey.light_curves import (
    ACTIVE_GALAXY,
    ARTEFACT,
    BAD_SITE,
    COUNTERPART,
    GHOST,
    KNOWN_ASTEROID,
    SUPERNOVA,
    UNKNOWN_ASTEROID,
)
from hub.science.compiled import compiled

EXTRA_BYTES = (0, 5_760, 5_760, 34_560)
"""By variant, how much larger the template's cutout is: real packets have 34,560, 40,320 and up to 69,120 bytes."""

VARIANTS = len(EXTRA_BYTES)
"""Ready-made cutouts of each kind."""

NO_CUTOUTS = encode_long(0) * 3
"""What a packet without cutouts ends with."""

_BLOCK = 2_880
_SEED = 20_260_101


@cache
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


@compiled
def stamp_of(kind: int, key: np.uint64, flux: float, is_dipole: bool, variants: int) -> int:
    """Return which of the ready-made cutouts a packet gets: kinds as `hub.demo.stamps` numbers them."""
    what = 1 if flux < 0.0 else 0
    if is_dipole:
        what = 2
    elif kind in (SUPERNOVA, ACTIVE_GALAXY, COUNTERPART):
        what = 3
    elif kind in (KNOWN_ASTEROID, UNKNOWN_ASTEROID):
        what = 4
    elif kind in (ARTEFACT, BAD_SITE, GHOST):
        what = 5
    return what * variants + int(uniform(mix(key, 9)) * variants)


@compiled
def stamps_of(
    kind: NDArray[np.int64], key: NDArray[np.uint64], flux: NDArray[np.float64], is_dipole: NDArray[np.bool_], variants: int
) -> NDArray[np.int64]:
    """Return `stamp_of` for many."""
    which = np.empty(len(kind), dtype=np.int64)
    for i in range(len(kind)):
        which[i] = stamp_of(kind[i], key[i], flux[i], is_dipole[i], variants)
    return which
