"""The budget as a page of the hub's state shows it: promised false announcements against what was announced and taken back."""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from hub.model.instant import Instant
from hub.science.budget import MONTH_S, Budget, Share
from hub.services.bodies import jsonable, text, utc
from hub.storage import announced
from hub.storage.announced import Announced

BASIS = "unrelated objects expected by the measured background, else at most exp(-score) by the configured one"
"""What the expected false candidates follow from."""


def budget_body(session: Session, budget: Budget, now: Instant, *, days: float = MONTH_S / 86_400.0) -> dict[str, Any]:
    """Return the shares, what each may let out, and what left first within some days before a moment.

    A coincidence counts once. ``taken_back`` counts what left in that time and does not stand any more: the false announcements
    that are known to be false. ``spent_per_month`` is what the loosest coincidence that stands spends, 0 without any: a threshold
    at just that place lets out the same, and so many false ones a month.
    """
    since = now.plus_s(-days * 86_400.0)
    left = announced.since(session, since)
    rows = [_share(share, [one for one in left if one.rule == share.name], days) for _, share in sorted(budget.shares.items())]
    return {
        "false_per_month": budget.per_month,
        "shared_per_month": budget.shared_per_month,
        "promised_per_month": math.fsum(row["promised_per_month"] for row in rows),
        "spent_per_month": math.fsum(row["spent_per_month"] for row in rows),
        "promised_in_days": math.fsum(row["promised_in_days"] for row in rows),
        "days": days,
        "since": utc(since),
        "announced": len(left),
        "taken_back": sum(one.withdrawn_at is not None for one in left),
        "shares": rows,
        "last": [_announced(one) for one in left[:100]],
    }


def _share(share: Share, left: Sequence[Announced], days: float) -> dict[str, Any]:
    return {
        "rule": share.name,
        "kind": share.kind,
        "search": share.search,
        "share_per_month": share.per_month,
        "promised_per_month": share.promised_per_month,
        "max_joint_far_hz": share.threshold_hz / share.trials if share.events_per_month is None else None,
        "max_expected_per_event": None if share.events_per_month is None else share.per_month / share.events_per_month,
        "basis": "joint FAR x trials and rate of unrelated real events" if share.events_per_month is None else BASIS,
        "reason": text(share.reason),
        "promised_in_days": share.promised_per_month * days * 86_400.0 / MONTH_S,
        "announced": len(left),
        "taken_back": sum(one.withdrawn_at is not None for one in left),
        "spent_per_month": max((one.spends_per_month or 0.0 for one in left if one.withdrawn_at is None), default=0.0),
    }


def _announced(one: Announced) -> dict[str, Any]:
    return {
        "coincidence_id": one.coincidence_id,
        "rule": text(one.rule),
        "kind": text(one.kind),
        "version": one.version,
        "spends_per_month": jsonable(one.spends_per_month),
        "first_at": utc(one.first_at),
        "taken_back_at": utc(one.withdrawn_at),
    }
