"""Sending: at least once, pauses after passing faults, given up after lasting ones."""

from collections.abc import Callable

from hub.errors import Permanent, Transient, TransportError
from hub.model.notice import Role
from hub.model.outgoing import Outgoing
from hub.services.dispatch import LONGEST_PAUSE_S, Dispatch, DispatchReport
from hub.storage import outbox
from hub.storage.engine import Store
from hub.storage.outbox import OutboxEntry, OutboxState
from tests.support.followup import TurnedClock
from tests.support.words import T0


class Mailbox:
    """A sink that fails as it is told to."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fault: Callable[[str], TransportError | None] = lambda _: None

    def deliver(self, outgoing: Outgoing) -> None:
        if error := self.fault(outgoing.ivorn):
            raise error
        self.got.append(outgoing.ivorn)


def message(ivorn: str, destination: str = "file") -> Outgoing:
    return Outgoing(
        ivorn=ivorn,
        media_type="application/xml",
        payload=b"<x/>",
        destination=destination,
        role=Role.OBSERVATION,
        cites=(),
        created_at=T0,
    )


def put(store: Store, *messages: Outgoing) -> None:
    with store.transaction() as session:
        for one in messages:
            assert outbox.put(session, one)


def entry(store: Store, ivorn: str) -> OutboxEntry:
    with store.reading() as session:
        found = outbox.get(session, ivorn)
    assert found is not None
    return found


def test_messages_leave_once_in_the_order_of_writing(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    dispatch = Dispatch(store=store, sinks={"file": mailbox}, clock=clock)
    put(store, message("b"), message("a"))
    assert dispatch.step() == DispatchReport(sent=2)
    assert dispatch.step() == DispatchReport()
    assert mailbox.got == ["b", "a"]
    assert (entry(store, "a").state, entry(store, "a").tries, entry(store, "a").sent_at) == (OutboxState.SENT, 1, T0)


def test_pauses_grow_after_passing_faults_and_the_others_go_on(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    dispatch = Dispatch(store=store, sinks={"file": mailbox}, clock=clock)
    mailbox.fault = lambda ivorn: Transient("the disk is full") if ivorn == "a" else None
    put(store, message("a"), message("b"))
    assert dispatch.step() == DispatchReport(sent=1, delayed=1)
    pauses = []
    for _ in range(12):
        waiting = entry(store, "a")
        assert (waiting.state, waiting.error) == (OutboxState.WAITING, "the disk is full")
        pause = waiting.due_at.minus(clock())
        clock.forward(pause - 0.001)
        assert dispatch.step() == DispatchReport()
        clock.forward(0.001)
        assert dispatch.step() == DispatchReport(delayed=1)
        pauses.append(pause)
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST_PAUSE_S
    mailbox.fault = lambda _: None
    clock.forward(LONGEST_PAUSE_S)
    assert dispatch.drain() == DispatchReport(sent=1)
    assert (entry(store, "a").error, mailbox.got) == ("", ["b", "a"])


def test_a_lasting_fault_is_given_up_and_kept_for_a_person(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    dispatch = Dispatch(store=store, sinks={"file": mailbox}, clock=clock)
    mailbox.fault = lambda _: Permanent("the address is gone")
    put(store, message("a"))
    assert dispatch.step() == DispatchReport(failed=1)
    clock.forward(1e6)
    assert dispatch.step() == DispatchReport()
    assert (entry(store, "a").state, entry(store, "a").error) == (OutboxState.FAILED, "the address is gone")


def test_what_goes_elsewhere_waits_for_whoever_sends_there(store: Store) -> None:
    put(store, message("a", destination="carrier-pigeon"))
    assert Dispatch(store=store, sinks={}, clock=TurnedClock(T0)).step() == DispatchReport()
    with store.reading() as session:
        assert outbox.search(session)[0].state is OutboxState.WAITING


def test_a_crash_between_delivery_and_record_delivers_again(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)

    def dies(ivorn: str) -> None:
        mailbox.got.append(ivorn)
        raise KeyboardInterrupt

    mailbox.fault = dies
    put(store, message("a"))
    dispatch = Dispatch(store=store, sinks={"file": mailbox}, clock=clock)
    try:
        dispatch.step()
    except KeyboardInterrupt:
        mailbox.fault = lambda _: None
    assert entry(store, "a").state is OutboxState.WAITING
    assert dispatch.step() == DispatchReport(sent=1)
    assert mailbox.got == ["a", "a"]


def test_the_pause_stays_a_number_after_weeks_of_failures(store: Store) -> None:
    mailbox, clock = Mailbox(), TurnedClock(T0)
    mailbox.fault = lambda _: Transient("the disk is full")
    put(store, message("a"))
    with store.transaction() as session:
        for _ in range(1100):
            outbox.mark_failed(session, message("a"), "the disk is full", retry_at=T0)
    assert Dispatch(store=store, sinks={"file": mailbox}, clock=clock).step() == DispatchReport(delayed=1)
    assert entry(store, "a").due_at.minus(T0) == LONGEST_PAUSE_S
