"""How bright things are: kinds, what each of a kind is like, and its difference flux at a time."""

import math

import numpy as np
from numpy.typing import NDArray

from hub.demo.survey.chance import gauss, mix, uniform
from hub.science.compiled import compiled

(
    VARIABLE_STAR,
    ACTIVE_GALAXY,
    SUPERNOVA,
    FLARE,
    FAST_TRANSIENT,
    GHOST,
    BAD_SITE,
    KNOWN_ASTEROID,
    UNKNOWN_ASTEROID,
    ARTEFACT,
    COUNTERPART,
) = range(11)
"""Kinds of source; `GHOST` to `BAD_SITE` and `ARTEFACT` are false."""

KIND_NAMES = (
    "variable star",
    "active galaxy",
    "supernova",
    "flare",
    "fast transient",
    "ghost",
    "bad site",
    "known asteroid",
    "unknown asteroid",
    "artefact",
    "counterpart",
)
"""Names of the kinds, by number."""

BLOCK_NIGHTS = (0, 0, 64, 1, 8, 1, 0, 4, 4, 0, 0)
"""Nights whose new objects of a kind are drawn together; 0 for what is always there."""

BLOCKS_BEFORE = (0, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0)
"""Earlier blocks whose objects may still be seen."""

FIRST_NIGHT = 60_000
"""Night that blocks and ids count from: 2023-02-25."""

FAINTEST_SUPERNOVA_AB = 23.8
"""Supernovae with fainter peaks are not drawn."""

RISE_DAYS = 18.0
"""From explosion to peak of a supernova."""

BAD_SITE_CHANCE = 0.35
"""Part of the visits in which a bad place gives a false detection."""

Parameters = tuple[float, float, float, float, float, float, float]
"""What one object is like; the meaning depends on the kind."""

_NANO = 3631e9  # nJy of AB magnitude 0 (Oke & Gunn 1983)


@compiled
def flux_of(magnitude: float) -> float:
    """Return the flux of an AB magnitude in nJy."""
    return float(_NANO * 10.0 ** (-0.4 * magnitude))


@compiled
def parameters(kind: int, key: np.uint64, block: int) -> Parameters:
    """Return what an object is like; that of a counterpart is set by who puts it there."""
    one, two, three = mix(key, 11), mix(key, 12), mix(key, 13)
    if kind == VARIABLE_STAR:
        is_eclipsing = 1.0 if uniform(mix(key, 14)) < 0.2 else 0.0
        return 10.0 ** (2.55 + 0.55 * gauss(one)), 10.0 ** (2.7 * uniform(two) - 0.7), uniform(three), is_eclipsing, 0.0, 0.0, 0.0
    if kind == ACTIVE_GALAXY:
        a, b, c = mix(key, 14), mix(key, 15), mix(key, 16)
        return (
            10.0 ** (2.7 + 0.4 * gauss(one)),
            10.0 ** (1.3 + 1.5 * uniform(two)),
            10.0 ** (1.3 + 1.5 * uniform(three)),
            10.0 ** (1.3 + 1.5 * uniform(a)),
            uniform(b),
            uniform(c),
            uniform(mix(key, 17)),
        )
    if kind == SUPERNOVA:  # counts of peaks rise by 10^(0.45 m)
        peak = max(17.0, FAINTEST_SUPERNOVA_AB + math.log10(uniform(one) + 1e-12) / 0.45)
        begins = FIRST_NIGHT + BLOCK_NIGHTS[SUPERNOVA] * (block + uniform(two)) + 0.5
        return begins, flux_of(peak), 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == FLARE:
        return FIRST_NIGHT + block + 0.5 + uniform(two), 10.0 ** (3.4 + 1.2 * uniform(one)), 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == FAST_TRANSIENT:
        begins = FIRST_NIGHT + BLOCK_NIGHTS[FAST_TRANSIENT] * (block + uniform(two)) + 0.5
        return begins, flux_of(max(16.0, 21.0 + math.log10(uniform(one) + 1e-12) / 0.5)), 0.0, 0.0, 0.0, 0.0, 0.0
    if kind in (KNOWN_ASTEROID, UNKNOWN_ASTEROID):
        faintest, brightest = (22.5, 17.5) if kind == KNOWN_ASTEROID else (24.0, 21.0)
        magnitude = max(brightest, faintest + math.log10(uniform(one) + 1e-12) / 0.35)
        angle = math.radians(250.0 + 15.0 * gauss(two))
        speed = 0.2 * (0.6 + 0.8 * uniform(three))
        return flux_of(magnitude), speed * math.sin(angle), speed * math.cos(angle), 0.0, 0.0, 0.0, 0.0
    return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


@compiled
def flux_at(  # noqa: C901 - a branch for each kind
    kind: int, par: Parameters, mjd: float, band: int, kilonova: NDArray[np.float64]
) -> float:
    """Return the difference flux in nJy.

    Parameters
    ----------
    kind, par
        Of the object.
    mjd
        TAI.
    band
        0 to 5.
    kilonova
        Flux of AT2017gfo at 40 Mpc, nJy, shape ``(6, n)``, in steps of a twentieth of a day from the merger.
    """
    if kind == VARIABLE_STAR:
        cycle = mjd / par[1] + par[2]
        cycle -= math.floor(cycle)
        colour = 1.2 if band <= 1 else (1.0 if band == 2 else 0.83)
        if par[3] > 0.0:
            return -3.0 * par[0] * colour if cycle < 0.12 else 0.0
        return par[0] * colour * math.sin(2.0 * math.pi * cycle)
    if kind == ACTIVE_GALAXY:
        colour = 1.3 if band <= 1 else (1.0 if band == 2 else 0.77)
        total = math.sin(2.0 * math.pi * (mjd / par[1] + par[4])) + math.sin(2.0 * math.pi * (mjd / par[2] + par[5]))
        return par[0] * colour * (total + math.sin(2.0 * math.pi * (mjd / par[3] + par[6])))
    if kind == SUPERNOVA:
        age = mjd - par[0]
        if age <= 0.0:
            return 0.0
        decline = 0.06 if band <= 1 else (0.045 if band == 2 else 0.03)
        rise = min(1.0, age / RISE_DAYS)
        return float(par[1] * rise * rise * 10.0 ** (-0.4 * decline * max(0.0, age - RISE_DAYS)))
    if kind == FLARE:
        age = mjd - par[0]
        colour = 1.5 if band <= 1 else (1.0 if band == 2 else 0.67)
        return par[1] * colour * math.exp(-age / 0.015) if 0.0 < age < 1.0 else 0.0
    if kind == FAST_TRANSIENT:  # an afterglow: flat for half an hour, then t^-1.2
        age = mjd - par[0]
        return float(par[1] * (1.0 + age * 48.0) ** -1.2) if 0.0 < age < 16.0 else 0.0
    if kind in (KNOWN_ASTEROID, UNKNOWN_ASTEROID):
        return par[0] * (0.85 if band <= 1 else (1.0 if band == 2 else 1.15))
    if kind == COUNTERPART:
        place = (mjd - par[0]) * 20.0
        if place <= 0.0:
            return 0.0
        return float(par[1] * kilonova[band, min(kilonova.shape[1] - 1, int(place))])
    return 0.0
