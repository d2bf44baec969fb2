"""What is asked before a request is sent costs the same however many were made before, and is what the rows say."""

import random
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from hub.model.followup import Intent, RequestState, Transition
from hub.science.followup_limits import breaker_opens, of_allocation, of_event, of_night, spent_by
from hub.services.consequences import Consequences
from hub.services.followup_asked import COUNTED_STATES, before, left_alone
from hub.storage import followup
from tests.hub.services.test_followup import Hub
from tests.support.followup import NOW
from tests.support.policies import policy_book

WIDE = (
    ("event = { requests = 5, seconds = 7200.0 }", "event = { requests = 100000, seconds = 1e9 }"),
    ("night = { requests = 50, seconds = 36000.0 }", "night = { requests = 100000, seconds = 1e9 }"),
    ("per_night = { requests = 20, seconds = 14400.0 }", "per_night = { requests = 100000, seconds = 1e9 }"),
    ("total = { requests = 500 }", "total = { requests = 100000 }"),
)
"""Changes of the shipped policy by which everything is counted and nothing is too much."""

BOOKED = (RequestState.DRAFT, RequestState.APPROVED, RequestState.SENDING, RequestState.ACCEPTED)


@pytest.fixture
def hub(tmp_path):
    night = Hub(tmp_path, book=policy_book(*WIDE))
    yield night
    night.store.close()


def made_before(session, number, *, states=BOOKED, hours_ago=0.5, seconds=120.0, **changes):
    """Write a request of before down, with its steps."""
    made = NOW.plus_s(-3600.0 * hours_ago)
    intent = Intent(
        intent_id=f"{number:032x}",
        event_id="S1",
        coincidence_id=None,
        target=f"LSST:{number}",
        ra_deg=10.0,
        dec_deg=10.0,
        network="simulated",
        instrument="1M0-SIMCAM",
        purpose="p",
        policy_version=1,
        window_start=made,
        window_end=NOW.plus_s(3600.0),
        exposures=({"filter": "g", "seconds": seconds, "count": 2},),
        max_airmass=2.0,
        reason="",
        created_at=made,
    )
    intent = replace(intent, **changes)
    followup.add_intent(session, intent)
    for step, state in enumerate(states, start=1):
        taken = Transition(
            intent_id=intent.intent_id, network=intent.network, number=step, state=state, at=intent.created_at.plus_s(step)
        )
        followup.append(session, taken)


class Reading:
    """Counts what a database is asked, and the rows that it gives."""

    def __init__(self, session):
        self.n_statements = self.n_rows = 0
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", self._asked)
        connection.connection.driver_connection.row_factory = self._row

    def _asked(self, *_):
        self.n_statements += 1

    def _row(self, _, row):
        self.n_rows += 1
        return row


def cost_of_a_gate(hub):
    with hub.store.reading() as session:
        reading = Reading(session)
        assert hub.service.gates.check(session, hub.submission_to_send, hub.network, hub.clock()) is None
        return reading.n_statements, reading.n_rows


def test_the_gate_before_a_sending_reads_as_much_after_a_thousand_requests_as_after_ten(hub):
    hub.plan()
    hub.service._promote()
    hub.submission_to_send = hub.submission
    assert hub.submission_to_send.state is RequestState.APPROVED
    costs = []
    for numbers in (range(10), range(10, 1000)):
        with hub.store.transaction() as session:
            for number in numbers:  # of the same event and of others, all of the last half hour
                made_before(session, number, event_id="G298048" if number % 2 else "S1")
        costs.append(cost_of_a_gate(hub))
    assert costs[0] == costs[1]
    assert costs[1][1] < 30


def test_sums_and_breakers_are_those_of_the_requests_one_by_one(hub):
    rng = random.Random(7)
    ends = [state for state in RequestState if state not in (RequestState.DRAFT, RequestState.SENDING)]
    with hub.store.transaction() as session:
        for number in range(300):
            states = (RequestState.DRAFT, RequestState.APPROVED, RequestState.SENDING, rng.choice(ends))[: rng.randint(1, 4)]
            made_before(
                session,
                number,
                states=states,
                hours_ago=rng.choice([0.01, 0.2, 1.0, 23.9, 24.1, 50.0]) + rng.random() / 100.0,
                seconds=rng.choice([0.1, 0.3, 60.0, 120.7]),
                event_id=rng.choice(["S1", "S2"]),
                network=rng.choice(["simulated", "other"]),
                instrument=rng.choice(["1M0-SIMCAM", "2M0"]),
                due_at=rng.choice([None, None, NOW.plus_s(3600.0)]),
            )
    book = hub.service.gates.book
    allocation = book.policy.allocations["simulated"]
    night = NOW.plus_s(-24 * 3600.0)
    payer = (allocation.network, allocation.instrument)
    with hub.store.reading() as session:
        left_out = followup.intents_in(session, COUNTED_STATES)[3].intent_id
        known = before(session, book.policy, NOW)
        asked = replace(known, intents=tuple(one for one in known.intents if one.intent_id != left_out)).asked(None, NOW)
        for wanted, options in (
            (of_event(asked, "S1"), {"event_id": "S1"}),
            (of_night(asked), {"after": night}),
            (of_allocation(asked, allocation), {"paid_by": payer}),
            (of_night(of_allocation(asked, allocation)), {"after": night, "paid_by": payer}),
        ):
            found = followup.spent(session, COUNTED_STATES, without=left_out, **options)
            assert found.requests == spent_by(wanted).requests > 0
            assert found.seconds == pytest.approx(spent_by(wanted).seconds, abs=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_a_breaker_opens_by_the_newest_answers_of_its_network_alone(hub, seed):
    rng = random.Random(seed)
    breaker = hub.service.policy.breaker
    answers = []
    with hub.store.transaction() as session:
        for number in range(20):
            became = rng.choice([RequestState.UNKNOWN] * 6 + [RequestState.REJECTED, RequestState.ACCEPTED])
            ago = rng.choice([0.05, 0.1, 0.3, 0.7, 1.2, 2.0]) + number / 1e4
            network = "other" if number % 5 == 0 else "simulated"
            states = (RequestState.DRAFT, RequestState.APPROVED, RequestState.SENDING, became)
            made_before(session, number, states=states, hours_ago=ago, network=network)
            if network == "simulated":
                answers.append((ago - 4.0 / 3600.0, became is not RequestState.ACCEPTED))
    with hub.store.reading() as session:
        found = left_alone(session, hub.service.policy, NOW)
    assert found.get("simulated", "") == breaker_opens(breaker, answers)


def test_what_follows_from_one_step_reads_the_history_of_that_request_alone(hub):
    told = []

    def tells(_, submission, __):
        told.append(submission.intent.intent_id)
        return 1

    sizes = []
    for numbers in (range(10), range(10, 500)):
        with hub.store.transaction() as session:
            for number in numbers:
                made_before(session, number)
        consequences = Consequences(hub.store, hub.clock, (tells,))
        assert consequences.step() == numbers.stop, "a hub that starts looks at each"
        del told[:]
        with hub.store.transaction() as session:
            moved = f"{numbers.stop - 1:032x}"
            step = Transition(intent_id=moved, network="simulated", number=5, state=RequestState.SCHEDULED, at=NOW)
            followup.append(session, step)
        with texts_read() as read:
            assert consequences.step(moved=True) == 1
        assert told == [moved]
        sizes.append(sum(read))
    assert sizes[1] - sizes[0] < 64 * 500, "an id and a number of each, and no document"
    assert sizes[0] > 500, "the documents of one"


@contextmanager
def texts_read():
    """Give a list that gets how much text each row brings that is read meanwhile."""
    read = []

    def opened(_, __, connection):
        connection.connection.driver_connection.row_factory = note

    def note(_, row):
        read.append(sum(len(value) for value in row if isinstance(value, str)))
        return row

    event.listen(Session, "after_begin", opened)
    try:
        yield read
    finally:
        event.remove(Session, "after_begin", opened)
