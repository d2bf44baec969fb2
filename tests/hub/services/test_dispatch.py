"""Sending: at least once, each destination at its own pace and in order, pauses after passing faults, one process at a time."""

import threading
from pathlib import Path

import pytest

from hub.model.notice import Role
from hub.model.outgoing import Outgoing
from hub.services import dispatch as module
from hub.services.dispatch import LEASE_S, LONGEST_PAUSE_S, Dispatch, DispatchReport
from hub.storage import leases, outbox
from hub.storage.engine import Store
from hub.storage.outbox import OutboxEntry, OutboxState
from tests.contracts.sink import Mailbox
from tests.support.followup import TurnedClock
from tests.support.words import T0


def message(ivorn: str, destination: str = "file", key: str = "") -> Outgoing:
    return Outgoing(
        ivorn=ivorn,
        media_type="application/xml",
        payload=b"<x/>",
        destination=destination,
        key=key,
        role=Role.OBSERVATION,
        cites=(),
        created_at=T0,
    )


def put(store: Store, *messages: Outgoing) -> None:
    with store.transaction() as session:
        for one in messages:
            assert outbox.put(session, one)


def entry(store: Store, ivorn: str, destination: str = "file") -> OutboxEntry:
    with store.reading() as session:
        found = outbox.get(session, ivorn, destination)
    assert found is not None
    return found


def opened(store: Store, mailbox: Mailbox, clock: TurnedClock) -> Dispatch:
    return Dispatch(store=store, sinks={"file": mailbox}, clock=clock)


def test_messages_leave_once_in_the_order_of_writing(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    dispatch = opened(store, mailbox, clock)
    put(store, message("b"), message("a"))
    assert dispatch.step("file") == DispatchReport(sent=2)
    assert dispatch.step("file") == DispatchReport()
    assert mailbox.ivorns == ["b", "a"]
    assert (entry(store, "a").state, entry(store, "a").tries, entry(store, "a").sent_at) == (OutboxState.SENT, 1, T0)


def test_a_passing_fault_stops_its_destination_with_growing_pauses_and_keeps_the_order(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    dispatch = opened(store, mailbox, clock)
    mailbox.is_full("a")
    put(store, message("a"), message("b"))
    assert dispatch.step("file") == DispatchReport(delayed=1)
    pauses = []
    for _ in range(9):
        waiting = entry(store, "a")
        assert (waiting.state, waiting.error) == (OutboxState.WAITING, "the disk is full")
        pause = waiting.due_at.minus(clock())
        clock.forward(pause - 0.001)
        assert dispatch.step("file") == DispatchReport()
        clock.forward(0.001)
        assert dispatch.step("file") == DispatchReport(delayed=1)
        pauses.append(pause)
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert (mailbox.ivorns, entry(store, "b").tries) == ([], 0)
    mailbox.is_full("nothing")
    clock.forward(LONGEST_PAUSE_S)
    assert dispatch.drain() == DispatchReport(sent=2)
    assert (entry(store, "a").error, mailbox.ivorns) == ("", ["a", "b"])


def test_a_fault_of_one_destination_is_none_of_another(store: Store) -> None:
    broken, other, clock = Mailbox(), Mailbox(), TurnedClock(T0)
    broken.is_full()
    dispatch = Dispatch(store=store, sinks={"file": broken, "other": other}, clock=clock)
    put(store, message("a"), message("a", "other"), message("b"), message("b", "other"))
    assert dispatch.step_all() == DispatchReport(sent=2, delayed=1)
    assert other.ivorns == ["a", "b"]


def test_a_destination_that_stands_still_delays_no_other(store: Store) -> None:
    stuck, other, clock = Mailbox(), Mailbox(), TurnedClock(T0)
    stuck.gate.clear()
    dispatch = Dispatch(store=store, sinks={"stuck": stuck, "other": other}, clock=clock)
    put(store, message("a", "stuck"), message("a", "other"))
    thread = threading.Thread(target=dispatch.step, args=("stuck",))
    thread.start()
    try:
        assert stuck.entered.wait(60)
        assert dispatch.step("other") == DispatchReport(sent=1)
        put(store, message("b", "other"))
        assert dispatch.step("other") == DispatchReport(sent=1)
        assert (stuck.ivorns, other.ivorns) == ([], ["a", "b"])
    finally:
        stuck.gate.set()
        thread.join(60)
    assert stuck.ivorns == ["a"]


def test_a_lasting_fault_is_given_up_and_the_next_goes_on(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    dispatch = opened(store, mailbox, clock)
    mailbox.refuses("a")
    put(store, message("a"), message("b"))
    assert dispatch.step("file") == DispatchReport(failed=1, sent=1)
    clock.forward(1e6)
    assert dispatch.step("file") == DispatchReport()
    assert (entry(store, "a").state, entry(store, "a").error) == (OutboxState.FAILED, "the address is gone")
    assert mailbox.ivorns == ["b"]


def test_what_goes_to_a_closed_destination_waits(store: Store) -> None:
    put(store, message("a", destination="carrier-pigeon"))
    dispatch = Dispatch(store=store, sinks={}, clock=TurnedClock(T0))
    assert dispatch.step("carrier-pigeon") == dispatch.step_all() == DispatchReport()
    assert entry(store, "a", "carrier-pigeon").state is OutboxState.WAITING


def test_a_crash_between_delivery_and_record_delivers_the_same_bytes_again(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)

    def dies(outgoing: Outgoing) -> None:
        mailbox.got.append(outgoing)
        raise KeyboardInterrupt

    mailbox.fault = dies
    put(store, message("a"))
    dispatch = opened(store, mailbox, clock)
    try:
        dispatch.step("file")
    except KeyboardInterrupt:
        mailbox.fault = lambda _: None
    assert entry(store, "a").state is OutboxState.WAITING
    assert dispatch.step("file") == DispatchReport(sent=1)
    assert mailbox.got[0] == mailbox.got[1]
    assert len(mailbox.got) == 2


def test_the_pause_stays_a_number_after_weeks_of_failures(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    mailbox.is_full()
    put(store, message("a"))
    with store.transaction() as session:
        for _ in range(1100):
            outbox.mark_failed(session, message("a"), "the disk is full", retry_at=T0)
    assert opened(store, mailbox, clock).step("file") == DispatchReport(delayed=1)
    assert entry(store, "a").due_at.minus(T0) == LONGEST_PAUSE_S


def test_only_one_sends_to_a_destination_until_it_falls_silent_or_lets_go(store: Store) -> None:
    mine, theirs, clock = Mailbox(), Mailbox(), TurnedClock(T0)
    first, second = opened(store, mine, clock), opened(store, theirs, clock)
    put(store, message("a"))
    assert first.step("file") == DispatchReport(sent=1)
    put(store, message("b"))
    assert second.step("file") == DispatchReport()
    assert first.step("file") == DispatchReport(sent=1)
    clock.forward(LEASE_S - 1)
    put(store, message("c"))
    assert first.step("file") == DispatchReport(sent=1)  # and holds it for longer
    clock.forward(2)
    put(store, message("d"))
    assert second.step("file") == DispatchReport()
    clock.forward(LEASE_S)
    assert second.step("file") == DispatchReport(sent=1)
    put(store, message("e"))
    assert first.step("file") == DispatchReport()
    second.release_all()
    assert first.step("file") == DispatchReport(sent=1)
    assert (mine.ivorns, theirs.ivorns) == (["a", "b", "c", "e"], ["d"])


def test_who_lost_its_lease_in_the_middle_of_a_round_stops(store: Store) -> None:
    mine, theirs, clock = Mailbox(), Mailbox(), TurnedClock(T0)
    first, second = opened(store, mine, clock), opened(store, theirs, clock)
    put(store, message("a"), message("b"))

    def is_slow(_: Outgoing) -> Exception | None:
        clock.forward(LEASE_S + 1)
        mine.fault = lambda _: None
        second.step("file")
        return None

    mine.fault = is_slow
    assert first.step("file") == DispatchReport(sent=1)
    assert theirs.ivorns == ["a", "b"]  # the first one twice: at least once, the same bytes
    assert mine.ivorns == ["a"]


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="this system does not tell when a process began")
def test_the_lease_of_a_process_that_has_died_does_not_count(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    host, space, _, _ = module.this_process().split("/")
    dead = f"{host}/{space}/1/987654321987654321/1"  # process 1 lives, but began at another time
    with store.transaction() as session:
        assert leases.acquire(session, "dispatch/file", dead, now=T0, until=T0.plus_s(LEASE_S))
    put(store, message("a"))
    assert opened(store, mailbox, clock).step("file") == DispatchReport(sent=1)


def test_a_sink_that_breaks_leaves_the_message_waiting(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    mailbox.fault = lambda _: RuntimeError("a defect")
    put(store, message("a"))
    dispatch = opened(store, mailbox, clock)
    try:
        dispatch.step("file")
    except RuntimeError:
        mailbox.fault = lambda _: None
    assert entry(store, "a").state is OutboxState.WAITING
    assert dispatch.step("file") == DispatchReport(sent=1)
