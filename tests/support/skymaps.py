"""Synthetic sky maps for tests: smooth blobs on adaptive grids, random partitions, distance layers, FITS bytes of any dialect."""

import io
from functools import cache

import numpy as np
from astropy.io import fits
from astropy.table import Table
from ligo.skymap.distance import moments_to_parameters

from hub.model.sky import Skymap
from hub.science import healpix


def gaussian_density(ra_deg, dec_deg, sigma_deg):
    """Return a function of (n, 2) radians to an unnormalised Gaussian of the angular distance."""
    ra0, dec0, sigma = np.radians([ra_deg, dec_deg, sigma_deg])

    def density(points):
        ra, dec = points.T
        half = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
        return np.exp(-((2 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))) ** 2) / (2 * sigma**2))

    return density


def adaptive_map(density, *, top_nside=16, rounds=8):
    """Return a map on BAYESTAR's adaptive grid: 21,504 tiles by default."""
    order = top_nside.bit_length() - 1
    base = 12 * top_nside**2
    keep = base // 4

    def evaluate(order, ipix):
        size = np.int64(1) << (2 * (29 - order))
        lo = ipix * size
        ra, dec = healpix.centres(lo, lo + size)
        return lo, lo + size, density(np.radians(np.column_stack((ra, dec))))

    lo, hi, p = evaluate(order, np.arange(base, dtype=np.int64))
    for _ in range(rounds):
        prob = p * (hi - lo).astype(float)
        split = np.argpartition(prob, len(prob) - keep)[len(prob) - keep :]
        stay = np.setdiff1d(np.arange(len(prob)), split)
        quarter = (hi[split] - lo[split]) // 4
        new_lo = (lo[split][:, None] + quarter[:, None] * np.arange(4)).ravel()
        new_hi = new_lo + np.repeat(quarter, 4)
        ra, dec = healpix.centres(new_lo, new_hi)
        new_p = density(np.radians(np.column_stack((ra, dec))))
        lo, hi, p = (np.concatenate((old[stay], new)) for old, new in ((lo, new_lo), (hi, new_hi), (p, new_p)))
    return from_pixels(lo, hi, p)


def from_pixels(lo, hi, probdensity, *, normalise=True, **layers):
    """Return a map of pixels in any order."""
    i = np.argsort(lo)
    lo, hi, p = np.asarray(lo)[i], np.asarray(hi)[i], np.asarray(probdensity, dtype=float)[i]
    if normalise:
        p = p / (p * healpix.area_sr(lo, hi)).sum()
    return Skymap(lo=lo, hi=hi, probdensity=p, **{name: np.asarray(layer, dtype=float)[i] for name, layer in layers.items()})


@cache
def gaussian_map(ra_deg, dec_deg, sigma_deg, top_nside=16, rounds=8):
    """Return a Gaussian blob on the adaptive grid."""
    return adaptive_map(gaussian_density(ra_deg, dec_deg, sigma_deg), top_nside=top_nside, rounds=rounds)


def flat_map(density, order):
    """Return a map of all pixels of one order."""
    size = np.int64(1) << (2 * (29 - order))
    lo = np.arange(12 << (2 * order), dtype=np.int64) * size
    ra, dec = healpix.centres(lo, lo + size)
    return from_pixels(lo, lo + size, density(np.radians(np.column_stack((ra, dec)))))


def with_distance(skymap, mean_mpc, std_mpc):
    """Return the map with layers whose conditional moments are as given (arrays or numbers, Mpc)."""
    n = len(skymap.lo)
    mu, sigma, norm = moments_to_parameters(np.broadcast_to(mean_mpc, n).copy(), np.broadcast_to(std_mpc, n).copy())
    return Skymap(lo=skymap.lo, hi=skymap.hi, probdensity=skymap.probdensity, distmu=mu, distsigma=sigma, distnorm=norm)


def random_pixels(rng, n_splits, *, deepest=29, start=range(12)):
    """Return a random partition into pixels: one of them is split into four, again and again."""
    pixels = [(0, i) for i in start]
    for _ in range(n_splits):
        order, ipix = pixels.pop(int(rng.integers(len(pixels))) if rng.random() < 0.5 else -1)
        if order == deepest:
            pixels.insert(0, (order, ipix))
            continue
        children = [(order + 1, 4 * ipix + k) for k in range(4)]
        rng.shuffle(children)
        pixels.extend((int(o), int(i)) for o, i in children)
    lo = np.array([i << (2 * (29 - o)) for o, i in pixels], dtype=np.int64)
    hi = np.array([(i + 1) << (2 * (29 - o)) for o, i in pixels], dtype=np.int64)
    ascending = np.argsort(lo)
    return lo[ascending], hi[ascending]


def to_table(skymap):
    """Return the map as the table that ligo.skymap works with."""
    columns = {"UNIQ": healpix.uniq_of_ranges(skymap.lo, skymap.hi), "PROBDENSITY": skymap.probdensity}
    if skymap.has_distance:
        columns |= {"DISTMU": skymap.distmu, "DISTSIGMA": skymap.distsigma, "DISTNORM": skymap.distnorm}
    return Table(columns)


def fits_bytes(columns, header=(), *, formats=None):
    """Return a FITS file with one binary table of the named columns and extra header cards."""
    formats = formats or {}
    codes = {"f8": "D", "f4": "E", "i8": "K", "i4": "J"}
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column(name=name, array=array, format=formats.get(name, codes.get(np.asarray(array).dtype.str[1:], "D")))
            for name, array in columns.items()
        ]
    )
    for key, value in header:
        hdu.header[key] = value
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    return buffer.getvalue()


NUNIQ_HEADER = (("PIXTYPE", "HEALPIX"), ("ORDERING", "NUNIQ"), ("COORDSYS", "C"), ("INDXSCHM", "EXPLICIT"))
