"""Raw messages, the books of each source, dead letters and jobs."""

import threading

import pytest

from hub.errors import StorageError
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.storage import deadletters, envelopes, jobs
from hub.storage.engine import Store
from hub.storage.envelopes import MessageState, law_holds


def envelope(payload: bytes = b"bytes", source: str = "gcn", **changes: object) -> Envelope:
    return Envelope(payload=payload, source=source, received_at=Instant(7), **changes)  # type: ignore[arg-type]


def books(store: Store) -> dict[str, tuple[int, int, int, int, int]]:
    with store.reading() as session:
        counts = envelopes.counts(session)
    assert law_holds(counts)
    return {c.source: (c.received, c.stored, c.duplicates, c.dead_letters, c.in_flight) for c in counts}


def receive(store: Store, one: Envelope) -> envelopes.Reception:
    with store.transaction() as session:
        return envelopes.receive(session, one)


def finish(store: Store, one: Envelope, outcome: MessageState) -> None:
    with store.transaction() as session:
        envelopes.finish(session, one.digest, one.source, outcome)


def test_a_message_is_in_flight_until_it_has_an_outcome(store: Store) -> None:
    one = envelope(position="a/1", topic="t", media_type="text/xml", trust=Trust.TRUSTED)
    reception = receive(store, one)
    assert (reception.is_new, reception.state) == (True, MessageState.RECEIVED)
    assert books(store) == {"gcn": (1, 0, 0, 0, 1)}
    with store.reading() as session:
        assert envelopes.pending(session) == [one]
    finish(store, one, MessageState.STORED)
    assert books(store) == {"gcn": (1, 1, 0, 0, 0)}
    with store.reading() as session:
        assert envelopes.pending(session) == []
        message = envelopes.raw(session, one.digest)
    assert message is not None
    assert (message.payload, message.state, message.topic) == (b"bytes", MessageState.STORED, "t")


def test_deliveries_of_the_same_bytes_count_each(store: Store) -> None:
    one = envelope()
    receive(store, one)
    assert not receive(store, one).is_new
    finish(store, one, MessageState.STORED)
    assert books(store) == {"gcn": (2, 1, 1, 0, 0)}
    assert receive(store, one).state is MessageState.STORED
    finish(store, one, MessageState.DUPLICATE)
    finish(store, one, MessageState.STORED)  # nothing is in flight any more
    assert books(store) == {"gcn": (3, 1, 2, 0, 0)}


def test_the_same_bytes_from_two_sources_are_stored_for_one_and_a_duplicate_for_the_other(store: Store) -> None:
    first, second = envelope(source="gcn"), envelope(source="vtp")
    receive(store, first)
    assert receive(store, second).state is MessageState.RECEIVED
    finish(store, second, MessageState.STORED)
    finish(store, first, MessageState.STORED)
    assert books(store) == {"gcn": (1, 0, 1, 0, 0), "vtp": (1, 1, 0, 0, 0)}


def test_the_law_is_broken_by_a_message_without_an_outcome() -> None:
    counts = envelopes.SourceCounts(source="x", received=2, stored=1, duplicates=0, dead_letters=0, in_flight=0)
    assert not law_holds([counts])


def test_a_rolled_back_reception_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as session:
            envelopes.receive(session, envelope())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert books(store) == {}


def test_a_refused_message_keeps_its_reason_and_can_be_reopened(store: Store) -> None:
    one = envelope(b"\xff\x00", position="odd\udcff name")
    receive(store, one)
    with store.transaction() as session:
        deadletters.add(session, one, reason="no\x00good", format=None, adapter_version="1", at=Instant(9))
        envelopes.finish(session, one.digest, one.source, MessageState.DEAD)
    assert books(store) == {"gcn": (1, 0, 0, 1, 0)}
    with store.transaction() as session:
        letter = deadletters.get(session, one.digest[:10])
        assert letter == deadletters.listing(session)[0]
        assert letter is not None
        assert (letter.reason, letter.tries, letter.source) == ("no\\x00good", 1, "gcn")
        assert deadletters.get(session, one.digest[:3]) is None
        again = envelopes.reopen(session, one.digest)
        assert again is not None
        assert again.payload == one.payload
        assert envelopes.reopen(session, one.digest) is None
    assert books(store) == {"gcn": (1, 0, 0, 0, 1)}
    with store.transaction() as session:
        deadletters.add(session, one, reason="still bad", format="x", adapter_version="2", at=Instant(10))
        envelopes.finish(session, one.digest, one.source, MessageState.DEAD)
        letter = deadletters.get(session, one.digest)
        assert letter is not None
        assert (letter.reason, letter.tries, letter.first_at, letter.last_at) == ("still bad", 2, Instant(9), Instant(10))
    assert books(store) == {"gcn": (1, 0, 0, 1, 0)}


def test_a_released_container_is_forgotten_when_no_source_has_it_in_flight(store: Store) -> None:
    first, second = envelope(source="a"), envelope(source="b")
    for one in (first, first, second):
        receive(store, one)
    with store.transaction() as session:
        assert envelopes.release(session, first.digest, "a") == 2
        assert envelopes.raw(session, first.digest) is not None
        assert envelopes.release(session, first.digest, "b") == 1
        assert envelopes.raw(session, first.digest) is None


def test_a_job_asked_for_again_while_it_runs_is_not_lost(store: Store) -> None:
    with store.transaction() as session:
        for key in ("S1", "S2", "S1"):
            jobs.put(session, "event", key)
    with store.transaction() as session:
        taken = jobs.take(session, 10)
        assert [job.key for job in taken] == ["S1", "S2"]
        jobs.put(session, "event", "S2")
        for job in taken:
            jobs.done(session, job)
        assert [job.key for job in jobs.take(session, 10)] == ["S2"]


def test_a_late_done_does_not_take_away_a_job_that_was_finished_and_asked_for_anew(store: Store) -> None:
    with store.transaction() as session:
        jobs.put(session, "event", "S1")
        first = jobs.take(session, 1)[0]
        jobs.done(session, first)
        jobs.put(session, "event", "S1")
        jobs.done(session, first)
        assert [job.key for job in jobs.take(session, 10)] == ["S1"]


def test_writers_wait_for_each_other_and_readers_see_one_state(store: Store) -> None:
    """Four threads, each reading before it writes: every delivery is counted, none fails."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                with store.transaction() as session:
                    envelopes.counts(session)
                    envelopes.receive(session, envelope())
        except StorageError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    with store.reading() as session:
        before = envelopes.counts(session)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert envelopes.counts(session) == before
    assert failures == []
    assert books(store) == {"gcn": (40, 0, 0, 0, 40)}
