"""A hub that hears a survey in full and has a night of its visits in the archive."""

from pathlib import Path

import numpy as np

from hub.archive.history import ArchiveHistory
from hub.archive.visits_ledger import VisitLedger
from hub.model.coverage import AlertStream, Selection, SelectionKind
from hub.model.instant import Instant
from hub.ports import Position
from hub.storage import alert_streams, positions
from tests.support.api_night import T0
from tests.support.visits import CAMERAS, TOPIC, alerts, camera_rows, pointing

RA, DEC = 197.45, -23.38
"""Where the maps of `tests.support.api_night` have their middle."""

FIRST = T0.plus_s(11.5 * 3600)
"""Middle of the first visit, the evening after the event."""

FULL = {"LSST": {TOPIC}}
"""Topics of full streams."""

N_READ = 1_000_000
"""Messages of the topic that were read, from the first one on; more than any night here has."""

SPACING_S = 37.0
DEAD = 120
"""A detector that never sends anything."""

LOST = (3, 55)
"""Visit (counted from 0) and detector whose alerts were lost."""


def hears(store, kind=SelectionKind.FULL, *, survey="LSST", since: Instant = T0, name="lsst", topic=TOPIC, n_read=N_READ):
    """Write down that a stream was listened to, that it brought alerts by a topic, and, of a full one, how many were read of it."""
    cuts = "" if kind is SelectionKind.FULL else "SNR above 8"
    selection = Selection(kind=kind, cuts=cuts)
    stream = AlertStream(name=name, survey=survey, selection=selection, sources=("rubin",), topics=((topic, since),))
    with store.transaction() as session:
        alert_streams.save(session, [stream], since)
        if n_read and kind is SelectionKind.FULL:
            run = Position(topic=topic, partition=0, first_offset=0, next_offset=n_read, n_messages=n_read)
            positions.advance(session, "rubin", [run])


def number(k):
    return 2017081700001 + k


def night(folder: Path, n_visits=6, *, per_detector=30.0) -> ArchiveHistory:
    """Return an archive with a night of visits around the map and its ledger: g and r in turn, the last one shallow and elsewhere."""
    history = ArchiveHistory(folder)
    rng = np.random.default_rng(17)
    offset = 0
    for k in range(n_visits):
        is_last = k == n_visits - 1
        where = pointing(RA + 0.4 * (k % 3) + 30.0 * is_last, DEC, angle_deg=11.0 * k)
        missing = [DEAD, LOST[1]] if k == LOST[0] else [DEAD]
        table = camera_rows(
            rng,
            where,
            per_detector=per_detector,
            missing=missing,
            visit=number(k),
            mid_tai_us=FIRST.plus_s(SPACING_S * k).tai_us,
            error=100.0 if k % 2 else 50.0,
            band="r" if k % 2 else "g",
            reason="science" if k < 4 else "too",
            target="lowdust" if k < 4 else "S170817a",
            offset=offset,
        )
        offset += table.num_rows
        history.append(alerts(table))
    VisitLedger(history, CAMERAS, quiet_s=0.0).update(FULL, FIRST.plus_s(3600))
    return history
