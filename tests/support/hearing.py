"""A hub whose archive gets visits one by one, for tests of what may be said of the time between them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hub.archive.history import ArchiveHistory
from hub.archive.visits_ledger import VisitLedger
from hub.model.coverage import SelectionKind
from hub.ports import Position
from hub.services import coverage, searched
from hub.storage import positions
from hub.storage.engine import Store
from tests.support.searched import DEC, FIRST, RA, hears
from tests.support.visits import CAMERAS, TOPIC, alerts, camera_rows, pointing

DAY_S = 86_400.0
FINK = "fink_lsst_kn"


@dataclass
class Hub:
    """A hub whose archive gets one visit in some nights, each around the same place."""

    store: Store
    folder: Path
    source: str = "rubin"
    offset: int = 0
    """Next one of partition 0."""

    others: dict[int, int] = field(default_factory=dict)
    """Next one of the other partitions."""

    n: int = 0
    history: ArchiveHistory = field(init=False)

    def __post_init__(self) -> None:
        self.history = ArchiveHistory(self.folder)
        self.ledger = VisitLedger(self.history, CAMERAS, quiet_s=0.0)

    def visit(
        self,
        day: float,
        topic: str = TOPIC,
        *,
        number: int | None = None,
        per_detector: float = 8.0,
        after: int = 0,
        n_alerts: int | None = None,
        partitions: int = 1,
    ) -> int:
        """Let the alerts of a visit, or the first of them, come by a topic, some offsets after those that came before.

        Of several partitions each but the first gets 20 alerts.
        """
        self.n += 1
        number = number or 2017081700000 + self.n
        rows = camera_rows(
            np.random.default_rng(self.n),
            pointing(RA, DEC),
            per_detector=per_detector,
            visit=number,
            mid_tai_us=FIRST.plus_s(day * DAY_S).tai_us,
            topic=topic,
            offset=self.offset + after,
        )
        rows = rows.slice(0, n_alerts)
        for partition in range(1, partitions):
            some, rows = rows.slice(0, 20), rows.slice(20)
            self._partition(some, topic, partition)
        if partitions > 1:
            place = rows.schema.get_field_index("offset")
            rows = rows.set_column(place, "offset", pa.array(np.arange(rows.num_rows) + self.offset + after))
        self.history.append(alerts(rows))
        run = Position(
            topic=topic,
            partition=0,
            first_offset=self.offset + after,
            next_offset=self.offset + after + rows.num_rows,
            n_messages=rows.num_rows,
        )
        with self.store.transaction() as session:
            positions.advance(session, self.source, [run])
        self.offset += after + rows.num_rows
        return number

    def _partition(self, rows: pa.Table, topic: str, partition: int) -> None:
        begin = self.others.get(partition, 0)
        self.others[partition] = begin + rows.num_rows
        columns = {"partition": np.full(rows.num_rows, partition), "offset": np.arange(rows.num_rows) + begin}
        for name, values in columns.items():
            rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values))
        self.history.append(alerts(rows))
        run = Position(
            topic=topic,
            partition=partition,
            first_offset=begin,
            next_offset=begin + rows.num_rows,
            n_messages=rows.num_rows,
        )
        with self.store.transaction() as session:
            positions.advance(session, self.source, [run])

    def full(self, day: float, topic: str = TOPIC, name: str = "lsst") -> None:
        """Say that a full stream brought its first alert."""
        hears(self.store, since=FIRST.plus_s(day * DAY_S), name=name, topic=topic, n_read=0)

    def filtered(self, day: float, topic: str = FINK) -> None:
        hears(self.store, SelectionKind.FILTERED, since=FIRST.plus_s(day * DAY_S), name="fink-lsst", topic=topic)

    def update(self, day: float = 400.0) -> int:
        """Write the ledgers, as of some day."""
        with self.store.reading() as session:
            surveys = searched.surveys_in_full(coverage.heard(session))
        return self.ledger.update(surveys, FIRST.plus_s(day * DAY_S))

    def ask(self, start: float, end: float, **more: Any) -> dict[str, Any]:
        """Ask about the place from some day to another."""
        begin, until = FIRST.plus_s(start * DAY_S), FIRST.plus_s(end * DAY_S)
        with self.store.reading() as session:
            return searched.at_position(session, self.folder, ra_deg=RA, dec_deg=DEC, start=begin, end=until, **more)

    def share(self, start: float, end: float) -> dict[str, Any]:
        """Ask what share of a map around the place was searched."""
        begin, until = FIRST.plus_s(start * DAY_S), FIRST.plus_s(end * DAY_S)
        with self.store.reading() as session:
            return searched.of_event(session, self.folder, "S170817a", start=begin, end=until, now=until)

    def visits(self, start: float, end: float) -> list[int]:
        return [int(one) for one in sorted({one["visit"] for one in self.ask(start, end)["visits"]})]

    def by_filter_first(
        self, day: float, number: int, *, n_first: int | None, per_detector: float = 2.0, partition: int = 0
    ) -> int:
        """Let a filter bring some alerts of a visit, or all, and the full topic all of them afterwards; return how many."""
        own = {"per_detector": per_detector, "visit": number, "mid_tai_us": FIRST.plus_s(day * DAY_S).tai_us}
        some = camera_rows(np.random.default_rng(number), pointing(RA, DEC), topic=FINK, offset=0, **own)
        every = camera_rows(np.random.default_rng(number), pointing(RA, DEC), topic=TOPIC, offset=self.offset, **own)
        self.history.append(alerts(some.slice(0, n_first)))
        if partition:
            self._partition(every, TOPIC, partition)
        else:
            self.history.append(alerts(every))
            self.book(every.num_rows)
        return every.num_rows

    def rows(self, rows: pa.Table) -> None:
        """Let rows come by the full topic, and book them."""
        self.history.append(alerts(rows))
        self.book(rows.num_rows)

    def book(self, n: int, topic_id: str = "") -> None:
        """Write down that the next messages of partition 0 came."""
        end = self.offset + n
        run = Position(topic=TOPIC, partition=0, first_offset=self.offset, next_offset=end, n_messages=n, topic_id=topic_id)
        with self.store.transaction() as session:
            positions.advance(session, self.source, [run])
        self.offset = end
