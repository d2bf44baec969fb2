"""Ledgers of visits to a patch of sky, night by night."""

import numpy as np

from hub.archive.history import ArchiveHistory
from hub.archive.visits_ledger import VisitLedger
from hub.model.instant import Instant
from tests.support.visits import CAMERAS, TOPIC, alerts, camera_rows, pointing

FULL = {"LSST": {TOPIC}}
"""Topics of full streams."""

DAY_S = 86_400.0


def visit(history: ArchiveHistory, rng, at: Instant, where, *, number: int, band: str = "r", error: float = 100.0) -> None:
    """Append the alerts of one visit of the camera to a place (ra, dec in degrees); its depth is five times the error, nJy."""
    table = camera_rows(rng, pointing(*where), per_detector=12.0, visit=number, mid_tai_us=at.tai_us, error=error, band=band)
    history.append(alerts(table))


def settle(history: ArchiveHistory, now: Instant) -> VisitLedger:
    """Compute the ledgers of all nights."""
    ledger = VisitLedger(history, CAMERAS, quiet_s=0.0)
    ledger.update(FULL, now)
    return ledger


def sky_of_visits(folder, t0: Instant, where) -> ArchiveHistory:
    """Return an archive with six visits in four nights before and after a time, of two bands and two depths, and their ledgers."""
    history, rng = ArchiveHistory(folder), np.random.default_rng(11)
    plan = (
        (-20.0, "g", 100.0),
        (-3.0, "r", 100.0),
        (-2.98, "r", 1000.0),
        (-2.96, "g", 100.0),
        (0.1, "g", 1000.0),
        (0.12, "r", 100.0),
    )
    for number, (days, band, error) in enumerate(plan, start=2026030100001):
        visit(history, rng, t0.plus_s(days * DAY_S), where, number=number, band=band, error=error)
    settle(history, t0.plus_s(2 * DAY_S))
    return history
