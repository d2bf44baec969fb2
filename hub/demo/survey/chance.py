"""Random numbers without a generator: each is a function of what it is drawn for, so no order and no batching can change it.

The mixing is that of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA 49(10), 453; variant 13 of Stafford).
"""

import math

import numpy as np
from numpy.typing import NDArray

from hub.science.compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(32)
_LOW32 = np.uint64(0xFFFFFFFF)


@compiled
def mix(state: np.uint64, value: int) -> np.uint64:
    """Return the state of a thing that is told from its siblings by a number."""
    z = (state ^ (np.uint64(value) * _GOLDEN)) + _GOLDEN
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return z ^ (z >> _S31)


@compiled
def uniform(state: np.uint64) -> float:
    """Return the uniform number in [0, 1) of a state."""
    return float(state >> _S11) * (1.0 / 9007199254740992.0)


@compiled
def low16(state: np.uint64) -> float:
    """Return a coarse uniform number in [0, 1), independent of the leading digits of `uniform`."""
    return float(state & np.uint64(0xFFFF)) * (1.0 / 65536.0)


@compiled
def gauss(state: np.uint64) -> float:
    """Return the standard normal number of a state (Box & Muller 1958)."""
    first = (float(state >> _S32) + 0.5) * (1.0 / 4294967296.0)
    second = float(state & _LOW32) * (2.0 * math.pi / 4294967296.0)
    return math.sqrt(-2.0 * math.log(first)) * math.cos(second)


@compiled
def poisson(state: np.uint64, mean: float) -> int:
    """Return the Poisson number of a state; a rounded normal one where the mean is above 30."""
    if mean > 30.0:
        return max(0, round(mean + math.sqrt(mean) * gauss(state)))
    limit = math.exp(-mean)
    number, product = 0, uniform(mix(state, 1))
    while product > limit:
        number += 1
        product *= uniform(mix(state, number + 1))
    return number


@compiled
def uniforms(state: np.uint64, rows: int, columns: int) -> NDArray[np.float64]:
    """Return uniform numbers, shape ``(rows, columns)``."""
    out = np.empty((rows, columns))
    for row in range(rows):
        own = mix(state, row)
        for column in range(columns):
            out[row, column] = uniform(mix(own, column))
    return out


def state_of(*numbers: int) -> np.uint64:
    """Return the state of a thing named by some numbers, e.g. a seed and a subject."""
    state = np.uint64(0)
    for number in numbers:
        state = np.uint64(mix(state, number))
    return state
