"""Joint false-alarm rates of two triggers. Rates in Hz, windows in seconds.

The formulae are those of the RAVEN pipeline (ligo-raven 3.3, `coinc_far`), after Urban 2016 (PhD thesis, UW Milwaukee) and
Piotrzkowski et al. (arXiv:2111.12814), with the overlap integral computed exactly.
"""

import itertools
import math
from collections.abc import Sequence

from hub.model.joint_rates import JointFar

__all__ = [
    "JointFar",
    "answering",
    "not_rarer",
    "of_feeds",
    "random_association",
    "random_targeted",
    "several",
    "targeted",
    "untargeted",
    "with_sky",
]


def untargeted(*, window_width_s: float, rate_hz: float, far_hz: float | None) -> JointFar:
    """Return how often an unrelated trigger falls into the window around a noise event: ``W R F``."""
    if far_hz is None:
        return JointFar(value_hz=None, reason="the notice states no false-alarm rate")
    return JointFar(value_hz=window_width_s * rate_hz * far_hz, reason="window width x rate of unrelated triggers x FAR")


def targeted(
    *,
    window_width_s: float,
    first_far_hz: float | None,
    second_far_hz: float | None,
    max_first_far_hz: float,
    max_second_far_hz: float,
) -> JointFar:
    """Return the joint rate of a targeted sub-threshold search: ``z (1 - ln(z / z_max))`` with ``z = W F_1 F_2``.

    Beyond the thresholds of the search the formula turns negative, so such a pair has no rate.
    """
    if first_far_hz is None or second_far_hz is None:
        return JointFar(value_hz=None, reason="a notice states no false-alarm rate")
    if first_far_hz > max_first_far_hz or second_far_hz > max_second_far_hz:
        return JointFar(value_hz=None, reason="outside the thresholds of the targeted search")
    z = window_width_s * first_far_hz * second_far_hz
    z_max = window_width_s * max_first_far_hz * max_second_far_hz
    if z == 0.0:
        return JointFar(value_hz=0.0, reason="a member has a false-alarm rate of 0")
    return JointFar(value_hz=z * (1.0 - math.log(z / z_max)), reason="targeted search: z (1 - ln(z / z_max))")


def random_association(*, window_width_s: float, rate_hz: float, gw_rate_hz: float, overlap: float | None) -> JointFar:
    """Return how often unrelated real events would agree as well: ``W R R_gw / I``, ``W R R_gw`` without a place.

    ``gw_rate_hz`` is the rate of all gravitational-wave alerts at least as significant, real ones included: where noise is rare,
    most chance coincidences are of real events, and a false-alarm rate alone says too little.
    """
    by_time = JointFar(
        value_hz=window_width_s * rate_hz * gw_rate_hz,
        reason="window width x rate of the ones x rate of the others",
    )
    return by_time if overlap is None else with_sky(by_time, overlap)


def random_targeted(
    *, window_width_s: float, gw_rate_hz: float, max_gw_rate_hz: float, far_hz: float | None, max_far_hz: float
) -> JointFar:
    """Return how often unrelated real events would agree as well in a targeted search: ``z (1 - ln(z / z_max))``, z = W R_gw F.

    Two numbers rank a pair of a targeted search, so what is at least as rare is more than the product: all pairs with a smaller
    one, whichever of the two makes it small. It is the noise number with rates of alerts in place of false-alarm rates.

    Parameters
    ----------
    window_width_s
        W.
    gw_rate_hz
        Rate of the gravitational-wave alerts at least as significant, real ones included.
    max_gw_rate_hz
        Rate of all that the search looks around; where the other is larger, that one.
    far_hz
        False-alarm rate of the external trigger; None where it states none.
    max_far_hz
        Largest one that the search finds.
    """
    if far_hz is None:
        return JointFar(value_hz=None, reason="a notice states no false-alarm rate")
    if far_hz > max_far_hz:
        return JointFar(value_hz=None, reason="outside the thresholds of the targeted search")
    z, z_max = window_width_s * gw_rate_hz * far_hz, window_width_s * max(gw_rate_hz, max_gw_rate_hz) * max_far_hz
    if z == 0.0:
        return JointFar(value_hz=0.0, reason="a member comes at a rate of 0")
    reason = "targeted search: z (1 - ln(z / z_max)) with the rate of alerts at least as significant"
    return JointFar(value_hz=z * (1.0 - math.log(z / z_max)), reason=reason)


def not_rarer(chance: JointFar, noise: JointFar) -> JointFar:
    """Return how often unrelated events would agree, which is at least as often as noise alone: it is among them."""
    if chance.value_hz is None or noise.value_hz is None or chance.value_hz >= noise.value_hz:
        return chance
    return JointFar(value_hz=noise.value_hz, reason="at least as often as noise alone")


def with_sky(time_only: JointFar, overlap: float | None) -> JointFar:
    """Return the space-time rate: the time-only one divided by the overlap integral."""
    if time_only.value_hz is None:
        return time_only
    if overlap is None:
        return JointFar(value_hz=None, reason="a member has no localization, so only its time counts")
    if overlap <= 0.0:
        return JointFar(value_hz=None, reason="the localizations do not overlap")
    if not math.isfinite(time_only.value_hz / overlap):
        reason = f"the localizations overlap by {overlap:.3g} only, and the rate divided by that is larger than any number"
        return JointFar(value_hz=None, reason=reason)
    return JointFar(value_hz=time_only.value_hz / overlap, reason=f"{time_only.reason}, divided by the overlap integral")


def answering(*, p_value: float, searched_hz: float) -> JointFar:
    """Return how often a search around events finds something as improbable by chance: ``p R``, R the rate of searched events."""
    return JointFar(value_hz=p_value * searched_hz, reason="probability that the search states x rate of searched events")


def of_feeds(rates_hz: Sequence[float], *, at_least: int, window_width_s: float) -> JointFar:
    """Return how often r of n detectors fire within a window that is symmetric around the first, of which one half counts."""
    value = several(rates_hz, at_least=at_least, window_width_s=0.5 * window_width_s)
    return JointFar(value_hz=value, reason=f"{at_least} of {len(rates_hz)} detectors within half the window")


def several(rates_hz: Sequence[float], *, at_least: int, window_width_s: float) -> float:
    """Return how often r of n independent Poisson feeds fire within a window: the sum over their subsets of ``r W^(r-1) prod f``.

    For equal rates that is ``r C(n, r) f^r W^(r-1)``. The window is the longest time from the first trigger of a coincidence to
    the last; clock errors widen it before. It is the leading order: rates times the window must be small.

    Parameters
    ----------
    rates_hz
        Of each feed.
    at_least
        r, from 2 to the number of feeds.
    window_width_s
        W.

    Raises
    ------
    ValueError
        r is not between 2 and the number of feeds.
    """
    if not 2 <= at_least <= len(rates_hz):
        raise ValueError(f"a coincidence is of 2 to {len(rates_hz)} feeds, not of {at_least}")
    products = math.fsum(math.prod(subset) for subset in itertools.combinations(rates_hz, at_least))
    return at_least * window_width_s ** (at_least - 1) * products
