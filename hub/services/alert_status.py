"""How the alerts of a source pass, over all workers that share it."""

from collections.abc import Iterable, Mapping
from typing import Any

from hub.services.bodies import Body

ALERTS = "alerts"
"""Fact that only a loop of alert packets has: how many it took."""

_SUMS = ("alerts_per_s", "lag", "packets_not_kept", "statements_not_recorded")
_WORST = ("lag_s", "matched_p50_s", "matched_p98_s", "archive_rows")


def alerts_of(workers: Iterable[Mapping[str, Any]]) -> Body | None:
    """Return the numbers of some loops of one source, from what each says of itself; None where none takes alert packets.

    Rates, alerts behind and what was shed are sums; times are those of the worst worker; the share of alerts in time is over all.
    """
    found = [facts for facts in workers if ALERTS in facts]
    if not found:
        return None
    return {
        "workers": len(found),
        **{name: round(sum(_numbers(found, name)), 2) for name in _SUMS},
        **{name: max(_numbers(found, name), default=None) for name in _WORST},
        "within_60_s": _share(found),
    }


def _numbers(found: Iterable[Mapping[str, Any]], name: str) -> list[float]:
    return [value for facts in found if isinstance(value := facts.get(name), int | float)]


def _share(found: Iterable[Mapping[str, Any]]) -> float | None:
    timed = [(facts["within_60_s"], facts["n_timed"]) for facts in found if facts.get("n_timed")]
    total = sum(number for _, number in timed)
    return round(sum(share * number for share, number in timed) / total, 4) if total else None
