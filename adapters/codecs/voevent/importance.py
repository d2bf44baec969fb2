"""How much a packet about a coincidence wants to be read before others."""

import math

from adapters.codecs.voevent.reading import PER_YEAR_S
from hub.model.coincidence import Coincidence


def importance_of(coincidence: Coincidence) -> float | None:
    """Return Why/importance: 1 / (1 + n), n the chance coincidences expected per year, of noise or of unrelated real events.

    Of both rates the larger counts.

    0 for a withdrawn pair; None where no joint rate is known. It orders packets for a reader and is no probability.
    """
    if coincidence.state == "withdrawn":
        return 0.0
    rates = coincidence.joint_rates
    rate = None if rates is None else rates.larger_hz
    if rate is None or not math.isfinite(rate) or rate < 0:
        return None
    return round(1.0 / (1.0 + rate * PER_YEAR_S), 6)
