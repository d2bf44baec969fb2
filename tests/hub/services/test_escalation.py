"""What nobody acknowledges goes from channel to channel, each step once, until somebody takes note of it."""

import threading

import pytest
from sqlalchemy import event as sql_event

from hub.errors import InvalidRequest, NotFound
from hub.model.followup import RequestState, Submission
from hub.services import escalation
from hub.services.escalation import Escalation, EscalationSettings
from hub.services.followup_gates import BY
from hub.services.sending import append_step, get_submission
from hub.services.submission import Outcome
from hub.storage import followup as storage
from hub.storage import followup_log, outbox
from hub.storage.engine import open_store, upgrade
from tests.adapters.networks.test_simulated import intent
from tests.support.followup import NOW, TurnedClock
from tests.support.postgres import open_new

CHANNELS = ("chat", "mail", "phone")
SETTINGS = EscalationSettings(channels=CHANNELS, after_s=600.0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request, tmp_path):
    if request.param == "sqlite":
        upgrade(f"sqlite:///{tmp_path}/hub.db")
        opened = open_store(f"sqlite:///{tmp_path}/hub.db")
    else:
        opened = open_new(request.getfixturevalue("postgres"))
    yield opened
    opened.close()


@pytest.fixture
def clock():
    return TurnedClock()


def ask(store, *states, number=1, by="policy", **changes):
    """Write a request down that went through some states."""
    asked = intent(number, **changes)
    with store.transaction() as session:
        storage.add_intent(session, asked)
        submission = Submission(intent=asked, transitions=())
        for state in (RequestState.DRAFT, *states):
            submission = append_step(session, submission, Outcome(state, detail={BY: by}), NOW)
    return asked.intent_id


def change(store, intent_id, state, at, by="person"):
    with store.transaction() as session:
        append_step(session, get_submission(session, intent_id), Outcome(state, detail={BY: by}), at)


def told(store):
    with store.reading() as session:
        return [(one.outgoing.destination, one.outgoing.ivorn) for one in reversed(outbox.search(session))]


def texts(store):
    with store.reading() as session:
        return [one.outgoing.payload.decode() for one in reversed(outbox.search(session, with_payload=True))]


def ack(store, intent_id, clock, **more):
    with store.transaction() as session:
        return escalation.acknowledge_in(session, intent_id, actor="person:ada", now=clock(), **more)


def alarms(store, clock):
    with store.reading() as session:
        return escalation.alarms(session, clock())


def turn(store, clock, seconds):
    clock.forward(seconds)
    return Escalation(store, clock, SETTINGS).step()


def test_an_awaited_approval_goes_to_one_channel_after_the_other_until_the_list_ends(store, clock):
    name = ask(store, RequestState.AWAITING_APPROVAL)
    assert turn(store, clock, 0) == 1
    assert turn(store, clock, 599) == 0
    assert turn(store, clock, 1) == 1
    assert turn(store, clock, 600) == 1
    assert alarms(store, clock) == []
    assert turn(store, clock, 600) == 1
    assert turn(store, clock, 6000) == 0
    assert [channel for channel, _ in told(store)] == list(CHANNELS)
    assert texts(store)[1].startswith("Approval needed: LSST:1 of S1 at simulated\n")
    assert f"mmhub followup ack {name}" in texts(store)[1]
    assert "channel 2 of 3" in texts(store)[1]
    (alarm,) = alarms(store, clock)
    assert f"nobody has acknowledged the approval that the request {name} waits for: all 3 channels were told" in alarm
    with store.reading() as session:
        assert [one.action for one in followup_log.search(session)] == ["escalation ended"]
    ack(store, name, clock)
    assert alarms(store, clock) == []


@pytest.mark.parametrize("end", ["acknowledged", "approved", "lapsed", "withdrawn", "rejected"])
def test_it_stops_when_somebody_took_note_or_nothing_waits_any_more(store, clock, end):
    name = ask(store, RequestState.AWAITING_APPROVAL, window_end=NOW.plus_s(700))
    assert turn(store, clock, 0) == 1
    match end:
        case "acknowledged":
            assert ack(store, name, clock, reason="on it; mmh_" + "A" * 43) == ["approval"]
            with store.reading() as session:
                (entry,) = followup_log.search(session)
            assert (entry.actor, entry.action, entry.intent_id) == ("person:ada", "acknowledge", name)
            assert "AAAA" not in str(entry.detail)
        case "approved":
            change(store, name, RequestState.APPROVED, clock())
        case "withdrawn":
            change(store, name, RequestState.CANCELLED, clock(), by="hub")
        case "rejected":
            change(store, name, RequestState.REJECTED, clock())
        case "lapsed":
            clock.forward(200)
    assert turn(store, clock, 600) == 0
    assert len(told(store)) == 1


def test_an_approval_that_lapsed_and_is_awaited_again_begins_with_the_first_channel(store, clock):
    name = ask(store, RequestState.AWAITING_APPROVAL)
    turn(store, clock, 0)
    change(store, name, RequestState.APPROVED, clock())
    assert turn(store, clock, 600) == 0
    change(store, name, RequestState.AWAITING_APPROVAL, clock())
    assert turn(store, clock, 0) == 1
    assert [channel for channel, _ in told(store)] == ["chat", "chat"]


def test_a_retraction_of_what_telescopes_were_asked_is_one_concern_of_its_event_until_it_is_acknowledged(store, clock):
    names = [ask(store, RequestState.APPROVED, RequestState.SENDING, RequestState.SUBMITTED, number=n) for n in (1, 2)]
    assert turn(store, clock, 0) == 0
    for name in names:
        change(store, name, RequestState.CANCEL_REQUESTED, clock(), by="hub")
    assert turn(store, clock, 0) == 1
    change(store, names[0], RequestState.CANCELLED, clock())  # the network confirms one: people do not know it yet
    assert turn(store, clock, 600) == 1
    assert texts(store)[-1].startswith("Retracted: S1, after telescopes were asked\n")
    for name in names:
        assert name in texts(store)[-1]
    assert ack(store, names[1], clock) == ["retraction"]
    assert turn(store, clock, 6000) == 0
    assert [channel for channel, _ in told(store)] == ["chat", "mail"]
    third = ask(store, RequestState.APPROVED, RequestState.SENDING, RequestState.SUBMITTED, number=3)
    clock.forward(1)
    change(store, third, RequestState.CANCEL_REQUESTED, clock(), by="hub")
    assert turn(store, clock, 0) == 1
    assert names[0] not in texts(store)[-1]


def test_what_was_never_sent_or_a_person_cancelled_needs_nobody(store, clock):
    ask(store, RequestState.CANCELLED, by="hub")
    name = ask(store, RequestState.APPROVED, RequestState.SENDING, RequestState.SUBMITTED, number=2)
    change(store, name, RequestState.CANCEL_REQUESTED, clock(), by="person")
    assert turn(store, clock, 6000) == 0
    with pytest.raises(InvalidRequest, match="nothing about the request"):
        ack(store, name, clock)
    with pytest.raises(NotFound):
        ack(store, "0" * 32, clock)


def test_after_a_long_stop_the_channels_still_get_their_time(store, clock):
    ask(store, RequestState.AWAITING_APPROVAL)
    turn(store, clock, 0)
    assert turn(store, clock, 86_400) == 1
    assert turn(store, clock, 0) == 0
    assert [channel for channel, _ in told(store)] == ["chat", "mail"]


def test_without_channels_nothing_happens(store, clock):
    ask(store, RequestState.AWAITING_APPROVAL)
    assert Escalation(store, clock, EscalationSettings()).step() == 0
    assert told(store) == []


class Killed(BaseException):
    """The process is gone."""


def test_each_step_happens_once_wherever_it_is_killed(store, clock):
    ask(store, RequestState.AWAITING_APPROVAL)
    left, killed = [0], 0

    def count(*_):
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    sql_event.listen(store.engine, "before_cursor_execute", count)
    try:
        for step in range(1, len(CHANNELS) + 1):
            for statement in range(1, 200):
                left[0] = statement
                try:
                    written = Escalation(store, clock, SETTINGS).step()
                except Killed:
                    killed += 1
                    continue
                assert written == 1
                break
            assert left[0] > 0, "it was never let through"
            left[0] = 0
            assert [channel for channel, _ in told(store)] == list(CHANNELS[:step])
            clock.forward(600)
    finally:
        sql_event.remove(store.engine, "before_cursor_execute", count)
    assert killed >= 10


def test_workers_side_by_side_take_each_step_once(store, clock):
    for number in range(1, 4):
        ask(store, RequestState.AWAITING_APPROVAL, number=number)
    for _ in range(2):
        together, written, failures = threading.Barrier(4), [], []

        def take(together=together, written=written, failures=failures):
            try:
                together.wait(120)
                written.append(Escalation(store, clock, SETTINGS).step())
            except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
                failures.append(error)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(240)
        assert failures == []
        assert sum(written) == 3
        clock.forward(600)
    assert len(set(told(store))) == len(told(store)) == 6
