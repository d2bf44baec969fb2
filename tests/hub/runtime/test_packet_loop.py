"""The loop of a source of alert packets: archived, booked with its place, matched, and only then acknowledged."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.bootstrap import open_hub
from hub.errors import StorageError
from hub.model.alert import Words
from hub.model.packets import PacketBatch
from hub.ports import Health, Position
from hub.runtime.sources import SourceLoop
from hub.services.alert_intake import AlertIntake
from hub.services.alert_meter import AlertMeter
from hub.storage import envelopes, positions
from hub.storage.engine import Store, open_store, upgrade
from tests.support import small_world as world
from tests.support.packet_world import packet
from tests.support.words import T0

WAIT_S = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    upgrade(f"sqlite:///{tmp_path}/hub.db")
    opened = open_store(f"sqlite:///{tmp_path}/hub.db")
    yield opened
    opened.close()


class Batches:
    """A source of some batches of four packets, which notes what is done in which order."""

    def __init__(self, n_batches: int, end: Callable[[], None], lag_s: float | None = 0.0) -> None:
        self.did: list[str] = []
        self.lag_s = lag_s
        self._left = n_batches
        self._taken = 0
        self._end = end

    def take_packets(self, limit: int, timeout_s: float) -> PacketBatch | None:
        if not self._left:
            self._end()
            return None
        self._left -= 1
        self.did.append("take")
        first = self._taken
        self._taken += 4
        return PacketBatch(
            payloads=[packet(first + n) for n in range(4)],
            source="s",
            received_at=T0,
            topic=Words.constant("t", 4),
            partition=np.zeros(4, dtype=np.int32),
            offset=np.arange(first, first + 4),
            alert_stream="lsst",
        )

    def positions(self) -> tuple[Position, ...]:
        if not self._taken or self.did[-1] != "take":
            return ()
        return (Position(topic="t", partition=0, first_offset=self._taken - 4, next_offset=self._taken, n_messages=4),)

    def acknowledge(self) -> None:
        self.did.append("acknowledge")

    def stay(self, finished: threading.Event) -> None:
        self.did.append("stay")

    def health(self) -> Health:
        return Health(state="listening", facts={"lag_s": self.lag_s})


class Run:
    """A loop on such a source, run to the end of its batches."""

    def __init__(self, store: Store, tmp_path: Path, **options: Any) -> None:
        self.healths: list[Health] = []
        settings = world.settings_in(tmp_path)

        async def main() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            self.source = Batches(
                options.pop("n_batches", 2), lambda: loop.call_soon_threadsafe(stop.set), options.pop("lag_s", 0.0)
            )

            @contextmanager
            def opened() -> Iterator[Batches]:
                yield self.source

            with open_hub(settings, store, sinks={}) as hub:
                self.loop = SourceLoop(
                    "s",
                    opened,
                    hub.flow,
                    store,
                    batch=10,
                    meter=AlertMeter(lambda: T0, hub.history.count),
                    on_change=lambda: self.healths.append(self.loop.health()),
                    **options,
                )
                await self.loop.body(stop)
            self.healths.append(self.loop.health())

        asyncio.run(main())


def books(store: Store) -> tuple[int, int, int]:
    with store.reading() as session:
        (one,) = envelopes.counts(session)
        (place,) = positions.listing(session, "s")
    return one.received, one.stored, place.next_offset


def test_each_batch_is_stored_and_placed_before_it_is_acknowledged(store, tmp_path) -> None:
    run = Run(store, tmp_path)
    assert [one for one in run.source.did if one != "stay"] == ["take", "acknowledge"] * 2
    assert books(store) == (8, 8, 8)
    facts = run.healths[-1].facts
    assert (facts["taken"], facts["alerts"], facts["alerts_new"], facts["archive_rows"]) == (8, 8, 8, 8)


def test_while_the_archive_takes_nothing_nothing_is_taken_or_acknowledged_and_then_it_goes_on(
    store, tmp_path, monkeypatch
) -> None:
    failures = ["the disk is full"] * 2
    keep = AlertIntake._append

    def full(self, rows, batch):
        if failures:
            raise StorageError(failures.pop())
        return keep(self, rows, batch)

    monkeypatch.setattr(AlertIntake, "_append", full)
    run = Run(store, tmp_path)
    assert [one for one in run.source.did if one != "stay"] == ["take", "acknowledge"] * 2
    assert "stay" in run.source.did
    told = run.healths[0]
    assert told.alarms == ("nothing is taken in, because it cannot be stored: the disk is full",)
    assert told.state == "waiting for the store"
    assert run.healths[-1].alarms == ()
    assert run.healths[-1].facts["store_failures"] == 2
    assert books(store) == (8, 8, 8)


def test_a_matching_that_fails_makes_the_same_batch_come_again_and_stores_nothing_twice(store, tmp_path, monkeypatch) -> None:
    from hub.services.correlation import Correlation

    failures = ["the database is away"]
    match = Correlation.on_alerts

    def away(self, batch, payloads=None):
        if failures:
            raise StorageError(failures.pop())
        return match(self, batch, payloads)

    monkeypatch.setattr(Correlation, "on_alerts", away)
    Run(store, tmp_path)
    assert books(store) == (12, 8, 8)


def test_alerts_that_come_too_late_leave_their_rows_and_nothing_else(store, tmp_path, monkeypatch) -> None:
    seen: list[bool] = []
    accept = AlertIntake.accept

    def noting(self, batch, runs=(), *, envelope=None, in_full=True):
        seen.append(in_full)
        return accept(self, batch, runs, envelope=envelope, in_full=in_full)

    monkeypatch.setattr(AlertIntake, "accept", noting)
    run = Run(store, tmp_path, lag_s=700.0)
    assert seen == [False, False]
    assert books(store) == (8, 8, 8)
    (alarm,) = run.healths[0].alarms
    assert alarm.startswith("alerts are 700 s old when they come, more than 600 s: their rows are kept, but neither")
    Run(store, tmp_path, lag_s=None, n_batches=1)
    Run(store, tmp_path, lag_s=599.0, n_batches=1)
    assert seen == [False, False, True, True]
