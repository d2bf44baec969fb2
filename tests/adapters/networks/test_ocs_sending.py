"""The hub's sender and LCO's portal with a lossy stretch between them: whatever is lost, one request is there at the end, or none."""

import pytest

from adapters.networks.ocs_words import marker
from hub.model.followup import RequestState, Submission
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import Sender, append_step
from hub.services.submission import Outcome
from hub.storage import followup as storage
from hub.storage.engine import open_store, upgrade
from tests.support.followup import open_gate
from tests.support.ocs import make_intent, make_network, now
from tests.support.portal_relay import Loss, relay
from tests.support.withdrawing import withdraw_all

pytestmark = pytest.mark.portal

AT_ONCE = FollowupSettings(settle_s=0.0, sending_timeout_s=0.0, retry_s=0.0, poll_s=0.0)


class Crash(BaseException):
    """The process is gone: nothing in the hub may catch this."""


class Hub:
    """A sender, its state database and one intent that was approved."""

    def __init__(self, store, network, intent):
        self.store = store
        self.intent = intent
        self.network = network
        self.sender = Sender(store, {"lco": network}, now, AT_ONCE, gate=open_gate)
        with store.transaction() as session:
            storage.add_intent(session, intent)
            drafted = append_step(session, Submission(intent=intent, transitions=()), Outcome(RequestState.DRAFT), now())
            append_step(session, drafted, Outcome(RequestState.APPROVED), now())

    @property
    def submission(self):
        with self.store.reading() as session:
            return storage.get(session, self.intent.intent_id)

    def crash_at(self, point):
        """Let the sender die at a point; the next one knows only what is in the database."""

        def hook(reached):
            if reached == point:
                raise Crash

        with pytest.raises(Crash):
            Sender(self.store, {"lco": self.network}, now, AT_ONCE, hook=hook, gate=open_gate).step()

    def step_until(self, state):
        for _ in range(6):
            if self.submission.state is state:
                return
            self.sender.step()
        assert self.submission.state is state, self.submission.transitions

    def withdraw(self):
        with self.store.transaction() as session:
            append_step(session, self.submission, Outcome(RequestState.CANCEL_REQUESTED), now())


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


def booked(portal, intent):
    return [group["state"] for group in portal.groups() if group["name"] == marker(intent.intent_id)]


@pytest.mark.parametrize("loss", [Loss.NONE, Loss.ANSWER, Loss.QUESTION, Loss.BAD_GATEWAY])
def test_whatever_is_lost_one_request_is_there_and_it_is_withdrawn_as_one(portal, store, loss):
    intent = make_intent(f"sending-{loss}")
    with relay(portal.url) as between:
        hub = Hub(store, make_network(between.url), intent)
        between.losses = [Loss.NONE, loss]  # the trial goes through, the submission does not
        hub.step_until(RequestState.ACCEPTED)
        assert booked(portal, intent) == ["PENDING"]
        n_sent = sum(line.startswith("POST /api/requestgroups/ ") for line in between.questions)
        assert n_sent == (2 if loss is Loss.QUESTION else 1)
        was_unknown = RequestState.UNKNOWN in [step.state for step in hub.submission.transitions]
        assert was_unknown is (loss is not Loss.NONE)
        hub.withdraw()
        between.losses = [loss]
        hub.step_until(RequestState.CANCELLED)
    assert booked(portal, intent) == ["CANCELED"]


@pytest.mark.parametrize("point", ["before claim", "claimed", "answered", "recorded"])
def test_a_sender_that_dies_at_any_point_leaves_one_request(portal, store, point):
    intent = make_intent(f"crash-{point}")
    hub = Hub(store, make_network(portal.url), intent)
    hub.crash_at(point)
    hub.step_until(RequestState.ACCEPTED)
    assert booked(portal, intent) == ["PENDING"]


def test_a_sender_that_dies_after_it_cancelled_leaves_none(portal, store):
    intent = make_intent("crash-cancelled")
    hub = Hub(store, make_network(portal.url), intent)
    hub.step_until(RequestState.ACCEPTED)
    hub.withdraw()
    hub.crash_at("cancelled")
    hub.step_until(RequestState.CANCELLED)
    assert booked(portal, intent) == ["CANCELED"]


def test_a_search_that_is_lost_never_leads_to_a_second_request(portal, store):
    intent = make_intent("sending-search")
    with relay(portal.url) as between:
        hub = Hub(store, make_network(between.url), intent)
        between.losses = [Loss.NONE, Loss.ANSWER, Loss.ANSWER, Loss.BAD_GATEWAY, Loss.QUESTION]
        hub.step_until(RequestState.ACCEPTED)
    assert booked(portal, intent) == ["PENDING"]


def test_what_completes_after_it_was_withdrawn_is_taken_as_a_fact(portal, store):
    intent = make_intent("sending-late")
    hub = Hub(store, make_network(portal.url), intent)
    hub.step_until(RequestState.ACCEPTED)
    visit = portal.schedule(hub.submission.remote_id)
    portal.report(visit, "ATTEMPTED")
    hub.step_until(RequestState.IN_PROGRESS)
    hub.withdraw()
    hub.step_until(RequestState.CANCELLED)
    portal.report(visit, "COMPLETED")
    hub.step_until(RequestState.COMPLETED)


def test_what_had_ended_when_it_was_withdrawn_says_so(portal, store):
    intent = make_intent("sending-too-late")
    hub = Hub(store, make_network(portal.url), intent)
    hub.step_until(RequestState.ACCEPTED)
    visit = portal.schedule(hub.submission.remote_id)
    portal.report(visit, "COMPLETED")
    hub.withdraw()
    hub.step_until(RequestState.COMPLETED)
    assert "Cannot transition" in hub.submission.transitions[-1].reason


def test_of_twenty_submitted_groups_a_retraction_cancels_twenty(portal, store):
    found = withdraw_all(portal, store, 20)
    assert (found.submitted, found.cancelled, found.confirmed) == (20, 20, 20)


def test_a_cancellation_that_never_reached_the_portal_is_told_by_the_count(portal, store):
    with relay(portal.url) as between:
        between.draw = lambda: Loss.QUESTION if between.questions[-1].endswith("/cancel/ HTTP/1.1") else Loss.NONE
        found = withdraw_all(portal, store, 2, url=between.url)
    assert (found.submitted, found.cancelled, found.confirmed) == (2, 0, 0)


def test_a_portal_that_has_had_enough_is_left_alone_as_long_as_it_says(strict_portal, store):
    network = make_network(strict_portal.url)
    first = Hub(store, network, make_intent("throttled-1"))
    first.step_until(RequestState.ACCEPTED)
    second = Hub(store, network, make_intent("throttled-2"))
    for _ in range(3):
        second.sender.step()
    states = [step.state for step in second.submission.transitions]
    assert states == [RequestState.DRAFT, RequestState.APPROVED, RequestState.SENDING, RequestState.APPROVED]
    last = second.submission.transitions[-1]
    assert "429 too many requests; it wants to be asked again in" in last.reason
    assert last.detail["retry_at_tai_us"] > now().plus_s(80_000).tai_us
    assert len(strict_portal.groups()) == 1
