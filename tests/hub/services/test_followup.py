"""Follow-up from the coincidence to the telescope: once, never for a test, cancelled on retraction, whatever crashes in between."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.networks.simulated import Fault, SimulatedNetwork, SimulatedOptions
from hub.errors import ConfigError, InvalidRequest, NetworkRefused, NotFound, TransportError
from hub.model.coincidence import PairState
from hub.model.followup import RequestState, payload_hash
from hub.model.notice import Stage
from hub.services.followup import FollowupService
from hub.services.followup_policy import FollowupSettings
from hub.storage import followup as storage
from hub.storage import followup_decisions
from hub.storage.engine import open_store, upgrade
from hub.storage.tables import IntentRow
from tests.support.followup import TurnedClock, make_candidate, make_coincidence, make_event, make_hypothesis, stand
from tests.support.policies import policy_book

ROOT = Path(__file__).parents[3]


class RealNetwork(SimulatedNetwork):
    """The same network under the claim of real telescopes."""

    is_simulated = False
    host = "portal.example.org"


class Stopped(Exception):
    """The night ends here."""


def stop_at(point):
    """Return a hook that ends the night at a point."""

    def hook(reached):
        if reached == point:
            raise Stopped

    return hook


class Hub:
    """A store, a network, a clock and the service, as a night has them."""

    def __init__(self, folder, *, network=SimulatedNetwork, options=None, settings=None, hook=None, policy=(), book=None):
        self.clock = TurnedClock()
        url = f"sqlite:///{folder / 'state.sqlite'}"
        upgrade(url)
        self.store = open_store(url)
        quiet = {"ledger": folder / "ledger.sqlite", "refuse_fraction": 0.0, "cloud_fraction": 0.0}
        self.network = network(SimulatedOptions(**{**quiet, **(options or {})}), self.clock, 1)
        chosen = FollowupSettings(**{"poll_s": 0.0, **(settings or {})})
        hooks = {"hook": hook} if hook else {}
        self.service = FollowupService(
            self.store, {"simulated": self.network}, self.clock, chosen, book or policy_book(*policy), **hooks
        )

    def plan(self, *, coincidence=None, event=None, candidate=None, hypothesis=None):
        coincidence, event = coincidence or make_coincidence(), event or make_event()
        candidate = candidate or make_candidate()
        with self.store.transaction() as session:
            stand(session, event=event, candidate=candidate, coincidence=coincidence)
            return self.service.plan(session, coincidence, event, candidate, hypothesis or make_hypothesis())

    def withdraw(self):
        with self.store.transaction() as session:
            return self.service.withdraw(session, make_coincidence())

    @property
    def decisions(self):
        with self.store.reading() as session:
            return followup_decisions.search(session)

    def run(self, n=1, seconds=60.0):
        for _ in range(n):
            self.service.step()
            self.clock.forward(seconds)

    @property
    def submissions(self):
        with self.store.reading() as session:
            return storage.of_event(session, "G298048")

    @property
    def submission(self):
        (one,) = self.submissions
        return one

    @property
    def states(self):
        return [step.state.value for step in self.submission.transitions]

    def get(self, intent):
        with self.store.reading() as session:
            return storage.get(session, intent.intent_id)

    @property
    def n_booked(self):
        return len(self.network.ledger())


@pytest.fixture
def hub(tmp_path):
    opened = []

    def build(**parts):
        opened.append(Hub(tmp_path, **parts))
        return opened[-1]

    yield build
    for one in opened:
        one.store.close()


def test_a_request_goes_from_draft_to_completed(hub):
    night = hub()
    intent = night.plan()
    assert intent.target == "LSST:170000000000000001"
    assert [site.site for site in intent.visibility if site.is_observable] == ["CTIO"]
    night.run(20)
    assert night.states == ["draft", "approved", "sending", "accepted", "scheduled", "in_progress", "completed"]
    assert night.submission.transitions[-1].remote_state == "COMPLETED"
    assert night.n_booked == 1


def test_the_same_need_is_planned_and_sent_once_however_often_it_comes(hub):
    night = hub()
    first = night.plan()
    night.run(2)
    again = night.plan(coincidence=make_coincidence(version=2))
    night.run(2)
    assert again.intent_id == first.intent_id
    assert len(night.submissions) == 1
    assert night.n_booked == 1


@pytest.mark.parametrize(
    "parts",
    [
        {"coincidence": make_coincidence(is_live=False)},
        {"event": make_event(is_live=False)},
        {"event": make_event(is_trusted=False)},
        {"event": make_event(stage=Stage.RETRACTION)},
        {"coincidence": make_coincidence(state=PairState.WITHDRAWN)},
        {"candidate": make_candidate(state=PairState.WITHDRAWN)},
        {"hypothesis": make_hypothesis(followup=False)},
    ],
    ids=["not live", "test event", "untrusted", "retracted", "withdrawn", "candidate withdrawn", "no follow-up"],
)
def test_nothing_is_planned_for_what_must_never_reach_a_telescope(hub, parts):
    night = hub()
    assert night.plan(**parts) is None
    night.run(3)
    assert night.submissions == []
    assert night.n_booked == 0


def test_the_kill_switch_stops_planning_and_sending_but_not_cancelling(hub):
    night = hub()
    night.plan()
    stopped = hub(settings={"enabled": False})
    assert stopped.plan(candidate=make_candidate(object_id="2")) is None
    stopped.run(3)
    assert stopped.n_booked == 0
    stopped.withdraw()
    assert stopped.states[-1] == "cancelled"


def test_an_event_gets_no_more_requests_than_the_policy_allows_and_the_better_one_gets_them(hub):
    night = hub(policy=[("event = { requests = 5,", "event = { requests = 1,")])
    poor = {
        "candidate": make_candidate(object_id="2", place=(197.6, -23.5), score=1.0),
        "coincidence": make_coincidence(object_id="2"),
    }
    assert night.plan(**poor) is not None
    best = night.plan()
    night.run(3)
    assert {one.intent.target[-1]: one.state for one in night.submissions} == {
        "1": RequestState.SCHEDULED,
        "2": RequestState.DRAFT,
    }
    assert night.network.ledger()[0].marker == best.intent_id
    assert night.n_booked == 1


def test_no_more_is_asked_in_a_day_than_the_budget(hub):
    night = hub(policy=[("night = { requests = 50,", "night = { requests = 1,")])
    night.plan()
    night.run(1)
    other = {
        "coincidence": make_coincidence("S2", "2"),
        "event": make_event("S2"),
        "candidate": make_candidate("S2", "2", place=(200.0, -25.0)),
    }
    intent = night.plan(**other)
    night.run(3)
    assert night.n_booked == 1
    assert night.get(intent).state is RequestState.DRAFT
    night.clock.forward(86_401 - 240)
    night.run(1)
    assert night.n_booked == 2


def test_a_target_that_no_site_sees_is_skipped_with_the_reasons_and_never_sent(hub):
    night = hub()
    assert night.plan(candidate=make_candidate(place=(10.0, 80.0))) is None
    night.run(3)
    assert night.submissions == []
    (skipped,) = night.decisions
    assert skipped.is_skip
    assert any("not observable: CTIO: never above the horizon" in one for one in skipped.reasons)
    assert night.n_booked == 0


def test_the_second_network_gets_the_target_that_the_first_cannot_see(hub):
    second = """
[[allocation]]
name = "second"
network = "simulated"
instrument = "2M0"
sites = ["SAAO", "CTIO"]

[[allocation]]"""
    night = hub(
        policy=[
            ('sites = ["CTIO"]', 'sites = ["Tenerife"]'),
            ("[[allocation]]", second),
            ('allocations = ["simulated"]', 'allocations = ["simulated", "second"]'),
            ("window_h = 24.0", "window_h = 5.0"),
        ]
    )
    assert night.plan().instrument == "2M0"


def test_a_site_that_nobody_knows_is_refused_at_the_start(hub):
    with pytest.raises(ConfigError, match="Atlantis"):
        hub(policy=[('sites = ["CTIO"]', 'sites = ["Atlantis"]')])


def test_a_request_that_waits_past_its_window_is_not_sent(hub):
    night = hub()
    night.plan()
    night.clock.forward(25 * 3600)
    night.run()
    assert night.states == ["draft", "expired"]
    assert night.n_booked == 0


def test_what_the_network_declines_is_rejected_with_its_words(hub):
    night = hub(options={"refuse_fraction": 1.0})
    night.plan()
    night.run(3)
    assert night.states == ["draft", "approved", "sending", "rejected"]
    assert "declined" in night.submission.transitions[-1].reason


def test_what_the_network_cannot_do_is_rejected_without_being_sent(hub):
    night = hub(options={"filters": ("z",)})
    night.plan()
    night.run()
    assert night.states == ["draft", "approved", "rejected"]
    assert "no filter g" in night.submission.transitions[-1].reason


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.ERROR_AFTER_BOOKING])
def test_a_lost_answer_is_found_again_by_our_id_and_never_sent_twice(hub, fault):
    night = hub(options={"faults": (fault,)})
    night.plan()
    night.run(20)
    assert night.states[:5] == ["draft", "approved", "sending", "unknown", "scheduled"]
    assert night.states[-1] == "completed"
    assert night.n_booked == 1


def test_what_never_arrived_is_sent_again_only_after_the_pause(hub):
    night = hub(options={"faults": (Fault.LOST_ON_THE_WAY,)}, settings={"settle_s": 200.0})
    night.plan()
    night.run(3)
    assert night.states[-1] == "unknown"
    night.run(20)
    assert night.states[:6] == ["draft", "approved", "sending", "unknown", "approved", "sending"]
    assert night.n_booked == 1


def test_a_network_that_cannot_be_searched_is_never_asked_again(hub):
    night = hub(options={"faults": (Fault.LOST_ON_THE_WAY,), "can_find": False})
    night.plan()
    night.run(60, seconds=3600)
    assert night.states[-1] == "unknown"
    assert night.n_booked == 0


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.TOO_MANY])
def test_a_refused_connection_is_tried_again_with_growing_pauses(hub, fault):
    night = hub(options={"faults": (fault,) * 3})
    night.plan()
    for _ in range(60):
        night.service.step()
        night.clock.forward(10)
    sendings = [step.at for step in night.submission.transitions if step.state is RequestState.SENDING]
    pauses = [later.minus(earlier) for earlier, later in itertools.pairwise(sendings)]
    assert len(sendings) == 4
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]
    assert night.n_booked == 1


def test_a_request_that_was_not_sent_is_cancelled_at_once_by_a_retraction(hub):
    night = hub()
    night.plan()
    (stopped,) = night.withdraw()
    assert stopped.state is RequestState.CANCELLED
    night.run(3)
    assert night.states == ["draft", "cancelled"]
    assert night.n_booked == 0


def test_a_booked_request_is_cancelled_at_the_network_and_confirmed(hub):
    night = hub()
    night.plan()
    night.run(1)
    night.withdraw()
    night.run(1)
    assert night.states == ["draft", "approved", "sending", "accepted", "cancel_requested", "cancelled"]
    assert [entry.is_cancelled for entry in night.network.ledger()] == [True]
    assert night.withdraw() == ()


def test_a_retraction_during_the_call_cancels_what_was_booked(hub):
    def retract(point):
        if point == "answered" and night.submission.state is RequestState.SENDING:
            night.withdraw()

    night = hub(hook=retract)
    night.plan()
    night.run(3)
    assert night.states == ["draft", "approved", "sending", "cancel_requested", "cancel_requested", "cancelled"]
    assert [entry.is_cancelled for entry in night.network.ledger()] == [True]


def test_a_retraction_just_before_the_claim_stops_the_sending(hub):
    def retract(point):
        if point == "before claim":
            night.withdraw()

    night = hub(hook=retract)
    night.plan()
    night.run(3)
    assert night.states == ["draft", "approved", "cancelled"]
    assert night.n_booked == 0


@pytest.mark.parametrize(("fault", "n_booked"), [(Fault.DROP_REPLY, 1), (Fault.LOST_ON_THE_WAY, 0)])
def test_a_retraction_of_what_is_unknown_searches_and_cancels(hub, fault, n_booked):
    night = hub(options={"faults": (fault,)}, settings={"settle_s": 90.0})
    night.plan()
    night.run(1)
    assert night.states[-1] == "unknown"
    night.withdraw()
    night.run(6)
    assert night.states[-1] == "cancelled"
    assert [entry.is_cancelled for entry in night.network.ledger()] == [True] * n_booked


def test_a_cancel_that_comes_too_late_says_what_happened(hub):
    night = hub()
    night.plan()
    night.run(1)
    night.clock.forward(7200)
    night.withdraw()
    night.run(1)
    assert night.states[-2:] == ["cancel_requested", "completed"]
    assert "cannot be cancelled" in night.submission.transitions[-1].reason


def test_a_cancel_is_repeated_until_the_network_answers(hub):
    class Deaf(SimulatedNetwork):
        n_calls = 0

        def cancel(self, remote_id):
            self.n_calls += 1
            if self.n_calls < 4:
                raise TransportError("no answer")
            return super().cancel(remote_id)

    night = hub(network=Deaf)
    night.plan()
    night.run(1)
    night.withdraw()
    night.run(6)
    assert night.states[-2:] == ["cancel_requested", "cancelled"]
    assert night.network.n_calls == 4


def test_a_network_that_reports_an_impossible_state_is_not_believed(hub):
    class Confused(SimulatedNetwork):
        def status(self, remote_id):
            told = super().status(remote_id)
            return (
                type(told)(remote_id=remote_id, remote_state="??", state="draft")
                if self.ledger() and night.states[-1] == "accepted"
                else told
            )

    night = hub(network=Confused)
    night.plan()
    night.run(5)
    assert night.states[-1] == "accepted"


LIVE = (
    ("enabled = false\nhosts = []", 'enabled = true\nhosts = ["portal.example.org"]'),
    ('sites = ["CTIO"]', 'sites = ["CTIO"]\nhost = "portal.example.org"'),
)
"""Changes of a policy that let requests out."""

BY_HAND = (
    ("confirmed = true\nannounced = true                     #", "confirmed = false\nannounced = true                     #"),
)
"""Change of a policy after which the rule for kilonovae never matches: a person is asked."""


def test_a_real_network_hears_nothing_while_it_is_a_dry_run(hub):
    night = hub(network=RealNetwork)
    night.plan()
    night.run(3)
    assert night.states == ["draft"]
    assert night.n_booked == 0


@pytest.mark.parametrize(
    "lacking",
    [
        [LIVE[1]],
        [LIVE[0]],
        [LIVE[1], (LIVE[0][0], 'enabled = true\nhosts = ["other.example.org"]')],
    ],
    ids=["not live", "no host", "another host"],
)
def test_an_approval_by_policy_alone_never_reaches_a_real_network(hub, lacking):
    careless = hub(network=RealNetwork, policy=LIVE, hook=stop_at("before claim"))
    careless.plan()
    with pytest.raises(Stopped):
        careless.run(1)
    assert careless.states == ["draft", "approved"]
    careful = hub(network=RealNetwork, policy=lacking)  # a setting was taken back before the sending
    careful.run(3)
    assert careful.states == ["draft", "approved"]
    assert careful.n_booked == 0
    hub(network=RealNetwork, policy=LIVE).run(1)
    assert careful.n_booked == 1


def test_a_person_approves_what_the_policy_does_not_ask_for_by_itself(hub):
    night = hub(network=RealNetwork, policy=[*LIVE, *BY_HAND])
    intent = night.plan()
    night.run(3)
    assert night.states == ["draft", "awaiting_approval"]
    night.service.desk.approve(intent.intent_id, actor="person:maria")
    night.run(1)
    assert night.states[-2:] == ["sending", "accepted"]
    with pytest.raises(InvalidRequest, match="only one that awaits approval"):
        night.service.desk.approve(intent.intent_id, actor="person:maria")


def test_an_approval_lapses_and_then_a_person_must_approve_again(hub):
    night = hub(policy=BY_HAND)
    intent = night.plan()
    night.run(1)
    night.service.desk.stop("simulated", actor="person:maria")
    night.service.desk.approve(intent.intent_id, actor="person:maria")
    night.run(2)
    assert night.states[-1] == "approved"
    night.clock.forward(6 * 3600)
    night.service.desk.resume("simulated", actor="person:maria")
    night.run(2)
    assert night.states[-1] == "awaiting_approval"
    assert "the approval by person:maria has lapsed" in night.submission.transitions[-1].reason
    night.service.desk.approve(intent.intent_id, actor="person:maria")
    night.run(1)
    assert night.n_booked == 1


def test_an_approval_is_of_what_was_looked_at_and_of_nothing_else(hub):
    night = hub(policy=BY_HAND)
    intent = night.plan()
    night.run(1)
    with pytest.raises(InvalidRequest, match="look again"):
        night.service.desk.approve(intent.intent_id, actor="person:maria", payload="0" * 64)
    night.service.desk.approve(intent.intent_id, actor="person:maria", payload=payload_hash(intent))
    with night.store.transaction() as session:  # somebody writes another exposure into the database
        row = session.get(IntentRow, intent.intent_id)
        row.document = {**row.document, "exposures": [{"filter": "z", "seconds": 3000.0, "count": 1}]}
        session.add(row)
    night.run(2)
    assert night.states[-1] == "awaiting_approval"
    assert "not what was approved" in night.submission.transitions[-1].reason
    assert night.n_booked == 0


def test_a_person_can_cancel_one_request_once(hub):
    night = hub()
    intent = night.plan()
    night.service.desk.cancel(intent.intent_id, actor="person:maria")
    assert night.states[-1] == "cancelled"
    with pytest.raises(InvalidRequest):
        night.service.desk.cancel(intent.intent_id, actor="person:maria")
    with pytest.raises(NotFound):
        night.service.desk.cancel("0" * 32, actor="person:maria")
    night.plan(coincidence=make_coincidence(version=2))
    night.run(3)
    assert night.states == ["draft", "cancelled"]  # what a person cancelled stays so


def test_two_senders_with_the_same_view_book_once(hub):
    def race(point):
        if point == "before claim" and night.submission.state is RequestState.APPROVED:
            rival.service.step()

    rival = hub()
    night = hub(hook=race)
    night.plan()
    night.run(2)
    assert night.states.count("sending") == 1
    assert night.n_booked == 1


def crash(folder, point, *, seconds=0.0, fate="keep"):
    """Run the hub in a process of its own; return its exit code and the state that it ended in."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.support.followup_crash", str(folder), point, str(seconds), fate]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return ended.returncode, ended.stdout.strip().splitlines()[-1:] or [ended.stderr[-2000:]]


def plan_one(folder):
    """Write an approved request, as the correlation does before anything is sent."""
    night = Hub(folder)
    night.plan()
    night.store.close()


def ledger(folder):
    return SimulatedNetwork(SimulatedOptions(ledger=folder / "ledger.sqlite"), TurnedClock(), 1).ledger()


@pytest.mark.parametrize("point", ["before claim", "claimed", "booked", "answered", "recorded"])
def test_a_kill_at_any_point_of_sending_leaves_exactly_one_request_at_the_network(tmp_path, point):
    plan_one(tmp_path)
    assert crash(tmp_path, point)[0] == -signal.SIGKILL
    n_before = len(ledger(tmp_path))
    assert n_before == (point in ("booked", "answered", "recorded"))
    assert crash(tmp_path, "none", seconds=60) == (0, ["completed"])
    assert len(ledger(tmp_path)) == 1


def test_a_kill_while_searching_and_again_while_resending_leaves_exactly_one_request(tmp_path):
    plan_one(tmp_path)
    assert crash(tmp_path, "claimed")[0] == -signal.SIGKILL
    assert crash(tmp_path, "searched", seconds=60)[0] == -signal.SIGKILL
    assert crash(tmp_path, "booked", seconds=1000)[0] == -signal.SIGKILL
    assert crash(tmp_path, "searched", seconds=2000)[0] == -signal.SIGKILL
    assert crash(tmp_path, "none", seconds=3000)[0] == 0
    assert len(ledger(tmp_path)) == 1


@pytest.mark.parametrize(
    ("sending", "withdrawing"), [("claimed", "withdrawn"), ("booked", "cancelled"), ("recorded", "cancelled")]
)
def test_a_kill_while_sending_and_another_while_cancelling_leaves_nothing_booked(tmp_path, sending, withdrawing):
    plan_one(tmp_path)
    assert crash(tmp_path, sending)[0] == -signal.SIGKILL
    assert crash(tmp_path, withdrawing, seconds=30, fate="withdraw")[0] == -signal.SIGKILL
    assert crash(tmp_path, "none", seconds=60, fate="withdraw") == (0, ["cancelled"])
    assert all(entry.is_cancelled for entry in ledger(tmp_path))
    assert len(ledger(tmp_path)) == (sending != "claimed")


def test_a_sender_that_stood_still_after_its_claim_does_not_call_any_more(tmp_path):
    """Another one has taken its silence for a crash, and sent what it did not find at the network."""
    stood_still = []

    def hook(point):
        if point != "claimed" or stood_still:
            return
        stood_still.append(point)
        for _ in range(14):
            hub.clock.forward(60.0)
            other.step()

    hub = Hub(tmp_path, hook=hook)
    other = FollowupService(hub.store, {"simulated": hub.network}, hub.clock, FollowupSettings(poll_s=0.0), policy_book())
    hub.plan()
    hub.run(3)
    assert stood_still == ["claimed"]
    assert [one.marker for one in hub.network.ledger()] == [hub.submission.intent.intent_id]
    assert hub.states[:7] == ["draft", "approved", "sending", "unknown", "approved", "sending", "accepted"]


@pytest.mark.parametrize(("pause_s", "is_called"), [(9.0, True), (11.0, False), (290.0, False)])
def test_a_claim_that_no_call_follows_at_once_is_given_up(tmp_path, pause_s, is_called):
    pauses = [pause_s]

    def hook(point):
        if point == "claimed" and pauses:
            hub.clock.forward(pauses.pop())

    hub = Hub(tmp_path, hook=hook)
    hub.plan()
    hub.service.step()
    assert len(hub.network.ledger()) == is_called
    hub.run(3)
    assert len(hub.network.ledger()) == 1
    assert (
        "the hub stood still between its claim and the call" in [step.reason for step in hub.submission.transitions]
    ) is not is_called


def test_what_is_withdrawn_between_claim_and_call_is_not_sent(tmp_path):
    withdrawn = []

    def hook(point):
        if point == "claimed":
            withdrawn.append(hub.withdraw())

    hub = Hub(tmp_path, hook=hook)
    hub.plan()
    hub.run(5)
    assert len(withdrawn) == 1
    assert not hub.network.ledger()
    assert hub.states == ["draft", "approved", "sending", "cancel_requested", "cancelled"]
    assert hub.submission.transitions[-1].reason == "nothing was sent: it was withdrawn before the call"


def test_what_a_network_says_is_kept_without_the_secrets_in_it(tmp_path):
    key = "0123456789abcdef0123456789abcdef01234567"

    class Echoes(SimulatedNetwork):
        def submit(self, asked):
            raise NetworkRefused(f"unknown credential Token {key} of user ops")

    hub = Hub(tmp_path, network=Echoes)
    hub.plan()
    hub.run()
    assert hub.states[-1] == "rejected"
    assert hub.submission.transitions[-1].reason == "unknown credential ********** of user ops"
