"""Scores of reliability of what single visits detect, as the packets of the simulated survey have them."""

import numpy as np
from numpy.typing import NDArray

from hub.demo.survey.chance import mix
from hub.demo.survey.packets import reliability_of
from hub.demo.survey.world import Found, Visits
from hub.science.compiled import compiled


@compiled
def reliabilities(visits: Visits, v: int, found: Found) -> NDArray[np.float64]:
    """Return the reliability of each detection of a visit."""
    told = np.empty(len(found.kind))
    for row in range(len(found.kind)):
        snr = abs(found.numbers[row, 2]) / found.numbers[row, 3]
        told[row] = reliability_of(found.kind[row], mix(found.key[row], visits.number[v]), snr)
    return told
