"""What a hub that was killed again and again has, against what it was given."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlmodel import col

from hub.archive.history import ArchiveHistory
from hub.model.instant import Instant
from hub.science.healpix import N_PIX29
from hub.storage.engine import Store
from hub.storage.envelopes import counts, law_holds
from hub.storage.tables import EventRow, NoticeRow, OutboxRow
from tests.torture import night
from tests.torture.night import Size
from tests.torture.steps import STEPS


@dataclass
class Report:
    """What a run came to."""

    kills: int = 0
    fell: Counter[str] = field(default_factory=Counter)
    """Blows per step; one may fall on several, as a hub has several threads."""

    lost: list[str] = field(default_factory=list)
    """What was acknowledged, and is not there: ``kafka 17``, ``vtp 230``, ``alert 4``."""

    doubled: list[str] = field(default_factory=list)
    """What is there more than once, or was never given."""

    books: list[str] = field(default_factory=list)
    law_holds: bool = False
    stuck: str = ""
    """Why the rest was not waited for."""

    exit_code: int | None = None
    """Of the last life, which was asked to end."""

    looks: int = 0
    forbidden: int = 0
    """How often the hub looked for packages that it must not load, and had one."""

    refused: list[str] = field(default_factory=list)
    """What authors were answered instead of an acknowledgement."""

    seconds: float = 0.0

    def add(self, steps: list[str]) -> None:
        """Count a blow."""
        self.kills += 1
        self.fell.update(steps or ["between two steps"])

    def untouched(self) -> list[str]:
        """Return the steps that no blow fell on."""
        return [step for step in STEPS if not self.fell[step]]

    def lost_of(self, sort: str) -> list[str]:
        """Return what is lost of ``kafka``, ``vtp`` or ``alert``."""
        return [name for name in self.lost if name.startswith(sort)]

    def is_clean(self) -> bool:
        """Tell whether everything is as it must be and every step was tried."""
        wrong = (self.lost, self.doubled, self.stuck, self.refused, self.forbidden, self.exit_code, self.untouched())
        return self.law_holds and bool(self.looks) and not any(wrong)

    def as_json(self) -> dict[str, Any]:
        """Return it for a person, long lists cut."""
        short = {name: value[:20] if isinstance(value, list) else value for name, value in self.__dict__.items()}
        return {**short, "n_lost": len(self.lost), "n_doubled": len(self.doubled), "untouched": self.untouched()}


def examine(store: Store, history: ArchiveHistory, size: Size, report: Report) -> None:
    """Compare what is there with what was given."""
    total = size.kafka_notices + size.vtp_notices
    with store.reading() as session:
        notices = Counter(session.scalars(select(col(NoticeRow.ivorn))))
        events = Counter(session.scalars(select(col(EventRow.event_id))))
        relayed = select(col(OutboxRow.ivorn)).where(col(OutboxRow.destination) == "relayed")
        sent = Counter(session.scalars(relayed))
        books = counts(session)
    everything = history.in_region(np.array([0]), np.array([N_PIX29]), Instant(0), Instant(2**62))
    alerts = Counter(number for batch in everything for number in batch.source_id.tolist())
    names = {night.ivorn(number): f"{'kafka' if number < size.kafka_notices else 'vtp'} {number}" for number in range(total)}
    report.lost = [name for ivorn, name in names.items() if ivorn not in notices]
    report.lost += [f"alert {number}" for number in range(size.alerts) if number + 1 not in alerts]
    report.lost += [f"relayed {name}" for ivorn, name in names.items() if ivorn in notices and ivorn not in sent]
    report.doubled = [str(name) for found in (notices, alerts, sent) for name, number in found.items() if number > 1]
    if history.count() > len(alerts):
        report.doubled.append(f"{history.count()} rows of {len(alerts)} alerts")
    report.doubled += [str(name) for name in notices if name not in names]
    if len(events) != len(notices):
        report.doubled.append(f"{len(events)} events of {len(notices)} notices")
    report.books = [
        f"{one.source}: {one.received} received = {one.stored} stored + {one.duplicates} duplicates + {one.dead_letters} dead letters"
        for one in books
    ]
    report.law_holds = law_holds(books) and not any(one.in_flight for one in books)
    stored = {one.source: one.stored for one in books}
    if not report.lost and sum(stored.values()) != total + size.alerts:
        report.doubled.append(f"booked as stored: {stored}, not {total} notices and {size.alerts} alerts")
