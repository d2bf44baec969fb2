"""What a packet says of the object beside its detections: the diaObject, or what is known of an asteroid and its orbit."""
# ruff: noqa: PLR0917 - compiled functions are called by position

import math

import numpy as np
from numpy.typing import NDArray

from hub.demo.packet_layout import PROCESSING_DAYS
from hub.demo.survey.chance import low16, mix, uniform
from hub.demo.survey.past import Scratch
from hub.demo.survey.record_writing import Pen, put_record
from hub.demo.survey.slots import Plans
from hub.demo.survey.world import FIRST_SOLAR_SYSTEM_ID, Visits
from hub.science.compiled import compiled


@compiled
def fill_object(
    visits: Visits,
    v: int,
    object_id: int,
    ra: float,
    dec: float,
    flux: float,
    error: float,
    n: int,
    n_seen: int,
    scratch: Scratch,
) -> float:
    """Fill in the diaObject as it stands with this source; return its first detection.

    The first ``n`` of the scratch are what visits before made of it, of which ``n_seen`` detected it.
    """
    reals, integers = scratch.reals, scratch.integers
    for i in range(19):
        reals[i] = 0.0
    for i in range(8):
        integers[i] = 0
    first = visits.told[v]
    for i in range(n - 1, -1, -1):
        if scratch.is_detected[i]:
            u = scratch.visit[i]
            band = visits.band[u]
            first = visits.told[u]
            reals[7 + band] += scratch.numbers[i, 2]
            reals[13 + band] += scratch.numbers[i, 3] ** 2
            integers[2 + band] += 1
    band = visits.band[v]
    reals[7 + band] += flux
    reals[13 + band] += error**2
    integers[2 + band] += 1
    for band in range(6):
        count = integers[2 + band]
        reals[7 + band] = reals[7 + band] / count if count else math.nan
        reals[13 + band] = math.sqrt(reals[13 + band]) / count if count else math.nan
    reals[0], reals[1], reals[2], reals[3], reals[4] = visits.told[v] + PROCESSING_DAYS, ra, dec, 2e-5, 2e-5
    reals[5], reals[6] = first, visits.told[v]
    integers[0], integers[1] = object_id, n_seen + 1
    return float(first)


@compiled
def put_solar(
    out: NDArray[np.uint8],
    at: int,
    plans: Plans,
    ra: float,
    dec: float,
    source_id: int,
    solar_id: int,
    reals: NDArray[np.float64],
    integers: NDArray[np.int64],
    pens: Pen,
) -> int:
    """Write ssSource and mpc_orbits of a known asteroid; return the place behind them."""
    state = mix(np.uint64(solar_id), 1)
    reals[0], reals[1], reals[2], reals[3], reals[4], reals[5], reals[6] = ra, 0.0, 0.0, 0.0, ra + 1e-5, dec + 1e-5, 0.07
    integers[0], integers[1], integers[2] = source_id, solar_id, solar_id - FIRST_SOLAR_SYSTEM_ID
    out[at] = 2
    at = put_record(out, at + 1, plans.solar, reals, integers, pens)
    a, e = 2.0 + 1.2 * uniform(state), 0.3 * low16(state)
    reals[0], reals[1], reals[2], reals[3], reals[4], reals[5] = a, a * (1.0 - e), e, 12.0 * uniform(mix(state, 2)), 100.0, 50.0
    reals[6], reals[7], reals[8], reals[9] = 60_000.0, 61_000.0, 17.0, 0.15
    integers[0] = integers[1] = integers[2] = solar_id - FIRST_SOLAR_SYSTEM_ID
    out[at] = 2
    return put_record(out, at + 1, plans.orbit, reals, integers, pens)
