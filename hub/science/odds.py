"""How much more probable one source is than two: the Bayes factor of a pair, and the prior odds that are shown beside it.

After Ashton et al. 2018 (ApJ 860, 6; arXiv:1712.05392) with independent time and place: ``B = I_sky I_time``, ``I_time = T / W``
where the times agree, T the time in which both were looked for. The prior odds are ``R_joint / (R_1 R_2 T)``, so T cancels in
their product: ``R_joint`` over the rate at which unrelated real events agree as well. The factor is never merged with a
false-alarm rate.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsPolicy:
    """Table ``[odds]`` of conf/coincidence.toml."""

    co_observing_s: float
    """T, seconds."""

    joint_hz: Mapping[str, float]
    """R_joint by kind of pair: how often a source shows itself in both ways."""


def bayes_factor(*, window_width_s: float, co_observing_s: float, overlap: float | None, in_window: bool) -> float:
    """Return the Bayes factor of a common source; a place that one of both does not have says nothing.

    Parameters
    ----------
    window_width_s
        W.
    co_observing_s
        T.
    overlap
        I_sky; None where one has no localization.
    in_window
        Whether the times agree.
    """
    if not in_window:
        return 0.0
    return (1.0 if overlap is None else overlap) * co_observing_s / window_width_s


def prior_odds(*, joint_hz: float, first_hz: float, second_hz: float, co_observing_s: float) -> float | None:
    """Return the prior odds of a common source; None where a rate is 0."""
    chance = first_hz * second_hz * co_observing_s
    return joint_hz / chance if chance > 0.0 and math.isfinite(joint_hz / chance) else None


def parse(row: Mapping[str, Any], year_s: float) -> OddsPolicy:
    """Return the policy; raises KeyError or ValueError where a key is missing, unknown or out of range."""
    if unknown := set(row) - {"co_observing_d", "joint_per_yr"}:
        raise ValueError(f"unknown key {min(unknown)!r} in odds")
    if not float(row["co_observing_d"]) > 0.0:
        raise ValueError("co_observing_d of odds must be above 0")
    joint = {kind: float(value) / year_s for kind, value in row["joint_per_yr"].items()}
    if any(not value >= 0.0 for value in joint.values()):
        raise ValueError("joint_per_yr of odds must be at least 0")
    return OddsPolicy(co_observing_s=float(row["co_observing_d"]) * 86_400.0, joint_hz=joint)
