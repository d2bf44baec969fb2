"""How the alerts of a source pass, over all workers that share it."""

from collections.abc import Iterable, Mapping
from typing import Any

from hub.services.bodies import Body

ALERTS = "alerts"
"""Fact that only a loop of alert packets has: how many it took."""

_SUMS = ("alerts_per_s", "lag", "packets_not_kept", "statements_not_recorded", "dated_ahead")
_WORST = ("lag_s", "matched_p50_s", "matched_p98_s", "ahead_s")


def alerts_of(workers: Iterable[Mapping[str, Any]]) -> Body | None:
    """Return the numbers of some loops of one source, from what each says of itself; None where none takes alert packets.

    Rates, alerts behind, what was shed and what is dated ahead are sums; times are those of the worst worker; the share of alerts
    in time is over all; rows of the archive are those of the latest count.
    """
    found = [facts for facts in workers if ALERTS in facts]
    if not found:
        return None
    return {
        "workers": len(found),
        **{name: round(sum(_numbers(found, name)), 2) for name in _SUMS},
        **{name: max(_numbers(found, name), default=None) for name in _WORST},
        "within_60_s": _share(found),
        **_latest_count(found),
    }


def _latest_count(found: Iterable[Mapping[str, Any]]) -> Body:
    """Return how many rows the archive had when a worker last counted them, and when that was."""
    counted = [
        (at, rows) for facts in found if (at := facts.get("archive_rows_at")) and (rows := facts.get("archive_rows")) is not None
    ]
    at, rows = max(counted, default=(None, None))
    return {"archive_rows": rows, "archive_rows_at": at}


def _numbers(found: Iterable[Mapping[str, Any]], name: str) -> list[float]:
    return [value for facts in found if isinstance(value := facts.get(name), int | float)]


def _share(found: Iterable[Mapping[str, Any]]) -> float | None:
    timed = [(facts["within_60_s"], facts["n_timed"]) for facts in found if facts.get("n_timed")]
    total = sum(number for _, number in timed)
    return round(sum(share * number for share, number in timed) / total, 4) if total else None


def dated_ahead_alarm(source: str, alerts: Body | None) -> list[str]:
    """Return what is wrong with the dates of the alerts of a source, of which `alerts_of` tells: one sentence, or none."""
    if alerts is None or alerts["ahead_s"] is None:
        return []
    sentence = (
        f"alerts of source {source} come before they were exposed, lately by up to {alerts['ahead_s']:.0f} s: their dates or the"
        f" clock of a machine are wrong; {alerts['dated_ahead']:.0f} so far, which are stored and matched but not timed"
    )
    return [sentence]
