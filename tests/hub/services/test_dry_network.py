"""A network that is not live is tried out and never asked; one that cannot be opened lets its requests wait."""

import pytest

from adapters.networks.simulated import SimulatedNetwork, SimulatedOptions
from hub.errors import NetworkRefused, Transient
from hub.model.followup import RequestState, Submission
from hub.services.dry_network import ClosedNetwork, DryNetwork, is_live
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import Sender, append_step
from hub.services.submission import Outcome
from hub.storage import followup as storage
from tests.adapters.networks.test_simulated import intent
from tests.support.followup import NOW, TurnedClock, open_gate


class RealNetwork(SimulatedNetwork):
    """As far as the hub knows there are telescopes behind it."""

    is_simulated = False


@pytest.fixture
def clock():
    return TurnedClock()


@pytest.fixture
def real(tmp_path, clock):
    options = SimulatedOptions(ledger=tmp_path / "ledger.sqlite", refuse_fraction=0.0, cloud_fraction=0.0)
    return RealNetwork(options, clock, 1)


def approved(store, network, clock):
    """Write one approved request and return what takes it further, and what looks at it."""
    asked = intent()
    with store.transaction() as session:
        storage.add_intent(session, asked)
        drafted = append_step(session, Submission(intent=asked, transitions=()), Outcome(RequestState.DRAFT), NOW)
        append_step(session, drafted, Outcome(RequestState.APPROVED), NOW)

    def present():
        with store.reading() as session:
            return storage.get(session, asked.intent_id)

    settings = FollowupSettings(poll_s=0.0)
    return Sender(store, {"simulated": network}, clock, settings, gate=open_gate), present


def test_a_request_of_a_network_that_is_not_live_ends_in_the_hub_with_the_reason(store, real, clock):
    sender, present = approved(store, DryNetwork(real), clock)
    for _ in range(3):
        sender.step()
        clock.forward(400)
    steps = present().transitions
    assert [step.state.value for step in steps] == ["draft", "approved", "rejected"]
    assert steps[-1].reason == "a dry run, nothing was sent: simulated is not live (networks.simulated.live)"
    assert real.arrivals() == ()


def test_a_dry_network_says_what_the_network_says_and_never_asks_it(real):
    dry = DryNetwork(real)
    assert (is_live(real), is_live(dry)) == (True, False)
    assert dry.dry_run(intent()) == real.dry_run(intent())
    assert dry.validate(intent(instrument="X")) == real.validate(intent(instrument="X"))
    assert dry.quota() == real.quota()
    with pytest.raises(NetworkRefused, match="not live"):
        dry.submit(intent())
    assert real.arrivals() == ()


def test_what_was_asked_while_it_was_live_is_found_watched_and_cancelled(real):
    booked = real.submit(intent())
    dry = DryNetwork(real)
    assert dry.find_by_marker(intent().intent_id) == booked
    assert dry.status(booked.remote_id) == booked
    assert dry.cancel(booked.remote_id).remote_state == "CANCELED"
    assert [one.is_cancelled for one in real.ledger()] == [True]


def test_requests_of_a_network_that_cannot_be_opened_wait_until_it_can(store, real, clock):
    sender, present = approved(store, ClosedNetwork("simulated", "networks.simulated: token is missing"), clock)
    sender.step()
    last = present().transitions[-1]
    assert (last.state, last.reason) == (RequestState.APPROVED, "networks.simulated: token is missing; nothing was sent")
    clock.forward(3600)
    settings = FollowupSettings()
    Sender(store, {"simulated": real}, clock, settings, gate=open_gate).step()
    assert present().state is RequestState.ACCEPTED
    assert len(real.ledger()) == 1


def test_a_network_that_cannot_be_opened_answers_nothing():
    closed = ClosedNetwork("lco", "no token")
    for question in (
        closed.quota,
        lambda: closed.dry_run(intent()),
        lambda: closed.submit(intent()),
        lambda: closed.find_by_marker("x"),
        lambda: closed.status("1"),
        lambda: closed.cancel("1"),
    ):
        with pytest.raises(Transient, match="no token; nothing was sent"):
            question()
    assert closed.validate(intent()) == []
