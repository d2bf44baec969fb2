"""Whatever goes wrong in whatever order, a network has at most one request of ours, and none that was withdrawn."""

import contextlib
import itertools
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.networks.simulated import Fault, SimulatedNetwork, SimulatedOptions
from hub.model.followup import TERMINAL_STATES, RequestState, Submission
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import Sender, append_step
from hub.services.submission import NEXT_STATES, Outcome
from hub.storage import followup as storage
from hub.storage.engine import open_store, upgrade
from tests.adapters.networks.test_simulated import intent
from tests.support.followup import NOW, TurnedClock, open_gate

POINTS = ("before claim", "claimed", "answered", "recorded", "searched", "cancelled")
ACTIONS = st.one_of(
    st.just(("step", None)),
    st.tuples(st.just("crash"), st.sampled_from(POINTS)),
    st.tuples(st.just("forward"), st.sampled_from([1.0, 35.0, 301.0, 4000.0])),
    st.just(("withdraw", None)),
)


class Crash(BaseException):
    """The process is gone: nothing in the hub may catch this."""


def state_when_stopped(submission):
    waiting = {RequestState.DRAFT, RequestState.APPROVED}
    return RequestState.CANCELLED if submission.state in waiting else RequestState.CANCEL_REQUESTED


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.lists(st.sampled_from(Fault), max_size=4), actions=st.lists(ACTIONS, min_size=1, max_size=14))
def test_no_order_of_faults_crashes_and_retractions_books_twice_or_leaves_a_withdrawn_request(faults, actions):
    with tempfile.TemporaryDirectory() as folder:
        night(Path(folder), faults, actions)


def night(folder, faults, actions):
    clock = TurnedClock()
    options = SimulatedOptions(ledger=folder / "ledger.sqlite", refuse_fraction=0.0, cloud_fraction=0.0, faults=tuple(faults))
    network = SimulatedNetwork(options, clock, 1, wait=clock.forward)  # it outlives the hub's crashes
    upgrade(f"sqlite:///{folder / 'state.sqlite'}")
    store = open_store(f"sqlite:///{folder / 'state.sqlite'}")
    asked = intent()

    def present():
        with store.reading() as session:
            return storage.get(session, asked.intent_id)

    def step(crash_at=None):
        def hook(point):
            if point == crash_at:
                raise Crash

        with contextlib.suppress(Crash):
            Sender(store, {"simulated": network}, clock, FollowupSettings(poll_s=0.0), hook=hook, gate=open_gate).step()

    with store.transaction() as session:
        storage.add_intent(session, asked)
        submission = append_step(session, Submission(intent=asked, transitions=()), Outcome(RequestState.DRAFT), NOW)
        append_step(session, submission, Outcome(RequestState.APPROVED), NOW)
    withdrawn = False
    for action, what in actions:
        if action == "forward":
            clock.forward(what)
        elif action == "withdraw":
            submission = present()
            if submission.state not in TERMINAL_STATES | {RequestState.CANCEL_REQUESTED}:
                with store.transaction() as session:
                    append_step(session, submission, Outcome(state_when_stopped(submission)), clock())
                withdrawn = True
        else:
            step(what)
        assert len(network.ledger()) <= 1
    for _ in range(60):  # then nothing goes wrong any more
        step()
        clock.forward(400)
    final = present()
    states = [one.state for one in final.transitions]
    assert all(later in NEXT_STATES[earlier] for earlier, later in itertools.pairwise(states))
    assert final.state in TERMINAL_STATES, states
    booked = network.ledger()
    assert len(booked) <= 1
    if withdrawn:
        assert all(one.is_cancelled for one in booked) or final.state is RequestState.COMPLETED
    else:
        assert final.state is RequestState.COMPLETED
        assert len(booked) == 1
    store.close()
