"""Several senders at once on PostgreSQL, where transactions really run side by side."""

import threading
from contextlib import closing

import pytest

from adapters.networks.simulated import SimulatedNetwork, SimulatedOptions
from hub.model.followup import RequestState, Submission
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import Sender, append_step
from hub.services.submission import Outcome
from hub.storage import followup as storage
from tests.adapters.networks.test_simulated import intent
from tests.support.followup import NOW, TurnedClock, open_gate
from tests.support.postgres import open_new

pytestmark = pytest.mark.postgres
N_SENDERS = 4
N_REQUESTS = 10


@pytest.fixture
def store(postgres):
    with closing(open_new(postgres)) as opened:
        yield opened


def test_senders_side_by_side_book_each_request_once(store, tmp_path):
    clock = TurnedClock()
    asked = [intent(number) for number in range(N_REQUESTS)]
    with store.transaction() as session:
        for one in asked:
            storage.add_intent(session, one)
            submission = append_step(session, Submission(intent=one, transitions=()), Outcome(RequestState.DRAFT), NOW)
            append_step(session, submission, Outcome(RequestState.APPROVED), NOW)
    options = SimulatedOptions(ledger=tmp_path / "ledger.sqlite", refuse_fraction=0.0, cloud_fraction=0.0)
    together = threading.Barrier(N_SENDERS)
    met = threading.local()
    failures = []

    def hook(point):
        if point == "before claim" and not getattr(met, "yet", False):
            met.yet = True
            together.wait(timeout=120)  # all stand before the same claim

    def send():
        try:
            Sender(
                store, {"simulated": SimulatedNetwork(options, clock, 1)}, clock, FollowupSettings(), hook=hook, gate=open_gate
            ).step()
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            failures.append(error)

    threads = [threading.Thread(target=send) for _ in range(N_SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    booked = SimulatedNetwork(options, clock, 1).ledger()
    assert sorted(one.marker for one in booked) == sorted(one.intent_id for one in asked)
    with store.reading() as session:
        for one in asked:
            states = [step.state.value for step in storage.get(session, one.intent_id).transitions]
            assert states == ["draft", "approved", "sending", "accepted"]
