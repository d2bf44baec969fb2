"""The flow as every entrance calls it: batches, resumption, replay."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from hub.bootstrap import open_hub
from hub.model.envelope import Envelope, Trust
from hub.model.event import assemble
from hub.model.packets import PacketBatch
from hub.services.correlation import EVENT_JOB
from hub.services.flow import in_batches
from hub.storage import coincidences, events, jobs, notices
from hub.storage.engine import Store
from hub.storage.envelopes import MessageState
from hub.storage.tables import PacketRow
from tests.support import small_world as world
from tests.support.words import T0, grb, notice, stored


def env(payload: bytes) -> Envelope:
    return Envelope(payload=payload, source="file", received_at=T0, trust=Trust.TRUSTED)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from([b"\x00a", b"\x00b", b"<x/>", b""]), max_size=20), st.integers(1, 5))
def test_batches_hold_every_message_once_in_order_and_only_packets_together(payloads: list[bytes], size: int) -> None:
    arriving = [env(payload) for payload in payloads]
    batches = list(in_batches(arriving, size))
    assert [one for batch in batches for one in batch] == arriving
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert len(batch) == 1 or all(one.payload[:1] == b"\x00" for one in batch)


def test_a_start_runs_the_jobs_that_a_crash_left(store: Store, tmp_path: Path) -> None:
    said = {"S260301a": stored(notice()), "Fermi-1": stored(grb())}
    with store.transaction() as session:
        for event_id, one in said.items():
            notices.add(session, one, event_id)
            events.save(session, assemble(event_id, [one]))
            jobs.put(session, EVENT_JOB, event_id)
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking()) as hub:
        assert hub.flow.resume().correlation.versions == 1
        assert hub.flow.resume().correlation.versions == 0
        assert hub.flow.step() == 1
    with store.reading() as session:
        assert jobs.take(session, 9) == []
        assert len(coincidences.search(session)) == 1


def test_a_dead_letter_that_is_replayed_is_judged_anew(store: Store, tmp_path: Path) -> None:
    bad = env(b"no message")
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking()) as hub:
        report = hub.flow.take([bad])
        assert [one.state for one in report.outcomes] == [MessageState.DEAD]
        again = hub.flow.replay(bad.digest)
        assert again is not None
        assert again.state is MessageState.DEAD
        assert hub.flow.replay("0" * 64) is None


def test_a_job_about_nothing_is_done(store: Store, tmp_path: Path) -> None:
    with store.transaction() as session:
        jobs.put(session, EVENT_JOB, "no such event")
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking()) as hub:
        hub.flow.resume()
    with store.reading() as session:
        assert jobs.take(session, 9) == []


def test_under_overload_matches_are_found_and_only_their_packets_are_left_out(store: Store, tmp_path: Path) -> None:
    def kept() -> int:
        with store.reading() as session:
            return session.scalar(select(func.count()).select_from(PacketRow)) or 0

    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking()) as hub:
        world.deliver(hub, world.notices())
        batch = PacketBatch.of([one.envelope for one in world.alerts()])
        late = hub.flow.take_packets(batch, in_full=False)
        assert late.correlation.matched_alerts > 0
        assert late.correlation.candidates > 0
        assert kept() == 0
        assert hub.history.count() == late.intake.is_fresh.sum() > 0
        again = hub.flow.take_packets(batch)  # as a crash would have it, and caught up
        assert (again.intake.is_fresh.sum(), kept() > 0) == (0, True)
