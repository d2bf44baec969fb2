"""Postage stamps for the packets: a small pool of made-up cutouts with the layout and size of real ones.

A real stamp is a FITS file of three images: the 30 x 30 pixel cutout, its variance, and the point-spread function; 34,560 bytes
in all.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.demo.avro_rows import encode_bytes, encode_long

STAMP_PIXELS = 30
"""Side of a cutout in pixels."""

PSF_PIXELS = 41
"""Side of the image of the point-spread function in pixels."""

STAMP_BYTES = 34_560
"""Size of one stamp, bytes; the same as of a real one."""

VARIANTS = 4
"""Different stamps of each kind."""

SOURCE, NEGATIVE, DIPOLE, IN_GALAXY, MOVING, NOISE = range(6)
"""Kinds of stamp."""

_SEEING_PIXELS = 1.8


@dataclass(frozen=True, slots=True, kw_only=True)
class StampPool:
    """Encoded stamp triples, ready to be appended to a packet."""

    tails: tuple[bytes, ...]
    """Avro encoding of the fields cutoutDifference, cutoutScience, cutoutTemplate; index ``kind * VARIANTS + variant``."""


def make_stamps(rng: np.random.Generator) -> StampPool:
    """Return the pool: `VARIANTS` triples of each kind."""
    return StampPool(tails=tuple(_tail(kind, rng) for kind in range(NOISE + 1) for _ in range(VARIANTS)))


def _tail(kind: int, rng: np.random.Generator) -> bytes:
    template = 30.0 * rng.standard_normal((STAMP_PIXELS, STAMP_PIXELS))
    change = np.zeros_like(template)
    if kind == SOURCE:
        template += 9_000.0 * _spot(0, 0, _SEEING_PIXELS)
        change = 2_500.0 * _spot(0, 0, _SEEING_PIXELS)
    elif kind == NEGATIVE:
        template += 9_000.0 * _spot(0, 0, _SEEING_PIXELS)
        change = -2_500.0 * _spot(0, 0, _SEEING_PIXELS)
    elif kind == DIPOLE:
        template += 40_000.0 * _spot(0, 0, _SEEING_PIXELS)
        change = 2_000.0 * (_spot(1.5, 0.5, _SEEING_PIXELS) - _spot(-1.5, -0.5, _SEEING_PIXELS))
    elif kind == IN_GALAXY:
        template += 6_000.0 * _spot(float(rng.uniform(-7, 7)), float(rng.uniform(-7, 7)), 6.0)
        change = 3_000.0 * _spot(0, 0, _SEEING_PIXELS)
    elif kind == MOVING:
        change = 4_000.0 * _spot(0, 0, _SEEING_PIXELS)
    elif kind == NOISE:
        change = 400.0 * np.outer(rng.standard_normal(STAMP_PIXELS), np.ones(STAMP_PIXELS))
    noise = 40.0 * rng.standard_normal(template.shape)
    images = (change + noise, template + change + noise, template)
    return b"".join(encode_long(1) + encode_bytes(_fits(image)) for image in images)


def _spot(x: float, y: float, sigma: float) -> NDArray[np.float64]:
    """Return a Gaussian spot of peak 1, its centre given from the stamp's centre in pixels."""
    axis = np.arange(STAMP_PIXELS) - (STAMP_PIXELS - 1) / 2
    return np.asarray(np.exp(-((axis[None, :] - x) ** 2 + (axis[:, None] - y) ** 2) / (2 * sigma**2)))


def _fits(image: NDArray[np.float64]) -> bytes:
    from astropy.io import fits  # noqa: PLC0415 - half a second that only the demo pays

    axis = np.arange(PSF_PIXELS) - (PSF_PIXELS - 1) / 2
    psf = np.exp(-(axis[None, :] ** 2 + axis[:, None] ** 2) / (2 * _SEEING_PIXELS**2))
    primary = fits.PrimaryHDU(image.astype(">f4"))
    primary.header["BUNIT"] = "nJy"
    primary.header["ORIGIN"] = ("mmhub demo", "synthesised")
    out = io.BytesIO()
    fits.HDUList(
        [
            primary,
            fits.ImageHDU(np.full(image.shape, 1600.0, dtype=">f4"), name="UNCERT"),
            fits.ImageHDU((psf / psf.sum()).astype(">f8"), name="PSFIMAGE"),
        ]
    ).writeto(out)
    return out.getvalue()
