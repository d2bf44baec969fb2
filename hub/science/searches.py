"""Searches for coincidences of gravitational waves with triggers of others: windows, rates and thresholds by profile.

A profile is somebody's set of numbers: ``gwcelery`` those of the alert system of LIGO, Virgo and KAGRA, ``raven`` the defaults of
the library that it calls.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.errors import InvalidRequest
from hub.model.joint_rates import JointRates
from hub.science.significance import not_rarer, random_association, random_targeted, targeted, untargeted, with_sky

__all__ = ["YEAR_S", "FarMethod", "JointRates", "Search", "joint_rates", "parse"]

YEAR_S = 365 * 86_400.0
"""Seconds in the year of the configured rates, 365 days as gwcelery and ligo-raven count."""


class FarMethod(StrEnum):
    """How a pair's joint false-alarm rate is computed."""

    UNTARGETED = "untargeted"
    TARGETED = "targeted"
    FEEDS = "feeds"
    """Detectors of one kind, of which several must fire within the window."""

    ANSWERING = "answering"
    """A search that was made because of the other member, by the probability that it states for its find. Pairs come to it by
    themselves; no rule names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search; mappings are by profile."""

    name: str
    """External trigger and kind of gravitational wave, e.g. ``GRB-CBC``."""

    window_s: tuple[float, float]
    """External trigger minus gravitational wave, inclusive, seconds."""

    method: FarMethod
    rate_hz: Mapping[str, float]
    """Mean rate of unrelated external triggers; empty for a targeted search."""

    max_gw_far_hz: Mapping[str, float]
    """Targeted: largest false-alarm rate of a gravitational wave that is searched around."""

    max_external_far_hz: Mapping[str, float]
    """Targeted: largest false-alarm rate of an external trigger that the search finds."""

    gw_rate_hz: float
    """Rate of public alerts of gravitational waves of that kind, real ones included."""

    @property
    def width_s(self) -> float:
        """Width of the window, seconds."""
        return self.window_s[1] - self.window_s[0]


def joint_rates(
    search: Search,
    *,
    far_gw_hz: float,
    profile: str,
    overlap: float | None = None,
    rate_hz: float | None = None,
    gw_rate_hz: float | None = None,
    far_external_hz: float | None = None,
    max_gw_far_hz: float | None = None,
    max_external_far_hz: float | None = None,
) -> JointRates:
    """Return the rates of a coincidence.

    Parameters
    ----------
    search
        Which search.
    far_gw_hz
        False-alarm rate of the gravitational wave.
    profile
        Whose numbers stand where the others are not given.
    overlap
        Overlap integral of the two maps; None where one has none.
    rate_hz
        Of external triggers. A targeted search goes by the false-alarm rate of its trigger instead, whatever is given.
    gw_rate_hz
        Of gravitational-wave alerts at least as significant, real ones included; never less than `far_gw_hz`, for noise is among
        them.
    far_external_hz
        False-alarm rate of the external trigger; targeted searches need it.
    max_gw_far_hz, max_external_far_hz
        Thresholds of a targeted search.

    Raises
    ------
    InvalidRequest
        A targeted search without the external trigger's false-alarm rate, or a number that is none of its kind.
    """
    for name, value in (
        ("false-alarm rate of the gravitational wave", far_gw_hz),
        ("overlap", overlap),
        ("rate of external triggers", rate_hz),
        ("rate of gravitational waves", gw_rate_hz),
        ("false-alarm rate of the external trigger", far_external_hz),
        ("largest false-alarm rate of gravitational waves", max_gw_far_hz),
        ("largest false-alarm rate of external triggers", max_external_far_hz),
    ):
        if value is not None and not (math.isfinite(value) and value >= 0.0):
            raise InvalidRequest(f"the {name} must be a number of at least 0, not {value:g}")
    alike_hz = max(search.gw_rate_hz if gw_rate_hz is None else gw_rate_hz, far_gw_hz)
    if search.method is FarMethod.TARGETED:
        if far_external_hz is None:
            raise InvalidRequest(f"{search.name} is a targeted search: it needs the false-alarm rate of the external trigger")
        rate = far_external_hz
        largest_hz = search.max_external_far_hz[profile] if max_external_far_hz is None else max_external_far_hz
        time_only = targeted(
            window_width_s=search.width_s,
            first_far_hz=far_gw_hz,
            second_far_hz=far_external_hz,
            max_first_far_hz=search.max_gw_far_hz[profile] if max_gw_far_hz is None else max_gw_far_hz,
            max_second_far_hz=largest_hz,
        )
        chance = random_targeted(
            window_width_s=search.width_s,
            gw_rate_hz=alike_hz,
            max_gw_rate_hz=search.gw_rate_hz,
            far_hz=far_external_hz,
            max_far_hz=largest_hz,
        )
    else:
        rate = search.rate_hz[profile] if rate_hz is None else rate_hz
        time_only = untargeted(window_width_s=search.width_s, rate_hz=rate, far_hz=far_gw_hz)
        chance = random_association(window_width_s=search.width_s, rate_hz=rate, gw_rate_hz=alike_hz, overlap=None)
    chance = not_rarer(chance, time_only)
    return JointRates.together(
        time_only=time_only,
        spacetime=with_sky(time_only, overlap),
        random_association=chance if overlap is None else with_sky(chance, overlap),
        random_association_time_only=chance,
        rate_hz=rate,
    )


def parse(row: Mapping[str, Any], profiles: Sequence[str], rates: Mapping[str, float]) -> Search:
    """Return the search that a row of conf/coincidence.toml describes.

    Raises
    ------
    KeyError, TypeError, ValueError
        A key is missing, unknown or no number; the sentence names it.
    """
    known = {"name", "window_s", "method", "rate_per_yr", "max_gw_far_hz", "max_external_far_hz", "gw_rate"}
    unknown = set(row) - known
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r} in search {row.get('name')!r}")
    low, high = (float(value) for value in row["window_s"])
    if not low < high:
        raise ValueError(f"window_s of search {row['name']!r} must be [smaller, larger]")
    method = FarMethod(row["method"])
    needed = ("rate_per_yr",) if method is FarMethod.UNTARGETED else ("max_gw_far_hz", "max_external_far_hz")
    tables = {key: {name: float(row[key][name]) for name in profiles} for key in needed}
    return Search(
        name=row["name"],
        window_s=(low, high),
        method=method,
        rate_hz={name: value / YEAR_S for name, value in tables.get("rate_per_yr", {}).items()},
        max_gw_far_hz=tables.get("max_gw_far_hz", {}),
        max_external_far_hz=tables.get("max_external_far_hz", {}),
        gw_rate_hz=rates[row["gw_rate"]],
    )
