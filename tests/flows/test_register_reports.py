"""The hub's own requests at a Treasure Map on loopback: told once as planned, then completed or cancelled, withdrawn with the event."""

import dataclasses

import pytest

from hub.model.followup import RequestState
from hub.model.notice import Stage
from hub.model.pointing import OWN, PointingStatus
from hub.services import coverage_curve
from hub.services.consequences import Consequences
from hub.services.own_pointings import OwnPointings
from hub.services.register_reports import SETTLE_S, RegisterReports
from hub.services.sending import append_step, get_submission
from hub.services.submission import Outcome
from hub.storage import events, followup, localizations, pointings, registers
from tests.adapters.networks.test_treasure_map import opened
from tests.hub.services.test_followup import LIVE, Hub, RealNetwork
from tests.support.api_night import localization
from tests.support.followup import make_candidate, make_coincidence, make_event
from tests.support.treasure_map import treasure_map

EVENT = "S230518h"
HOSTS = [LIVE[0], (LIVE[1][0], LIVE[1][1]), ('hosts = ["portal.example.org"]', 'hosts = ["portal.example.org", "127.0.0.1"]')]
FIELD = ("per_night = { requests = 20,", "fov_deg = 1.0\nper_night = { requests = 20,")


class Night(Hub):
    """A hub with a network of telescopes and a map of pointings."""

    def __init__(self, folder, network, *, policy=(), live=True):
        super().__init__(folder, network=RealNetwork, policy=[*(HOSTS if live else LIVE), FIELD, *policy])
        book = self.service.gates.book
        self.own = OwnPointings(policy=book.policy, simulated=frozenset())
        self.consequences = Consequences(self.store, self.clock, (self.own.keep,))
        self.reports = RegisterReports(self.store, {"map": network}, self.clock, self.own, book.policy.live)
        self.place = localization()
        with self.store.transaction() as session:
            localizations.save(session, self.place)

    def ask(self, event=None):
        event = dataclasses.replace(event or make_event(EVENT), localization_id=self.place.localization_id)
        return self.plan(event=event, candidate=make_candidate(EVENT), coincidence=make_coincidence(EVENT))

    def tick(self, n=1, seconds=60.0):
        """Let everything that runs by itself have its turn."""
        for _ in range(n):
            moved = self.service.step()
            self.consequences.step(moved=moved > 0)
            while self.reports.step():
                pass
            self.clock.forward(seconds)

    def submission_of(self):
        with self.store.reading() as session:
            (one,) = [one for one in followup.of_event(session, EVENT) if one.intent.due_at is None]
            return one

    def stored(self):
        with self.store.reading() as session:
            return pointings.of_event(session, EVENT)

    def told(self):
        with self.store.reading() as session:
            return registers.reports(session)

    def set(self, intent, state):
        with self.store.transaction() as session:
            append_step(session, get_submission(session, intent.intent_id), Outcome(state, "the network says so"), self.clock())

    def retract(self):
        event = make_event(EVENT, stage=Stage.RETRACTION)
        with self.store.transaction() as session:
            events.save(session, event)
            self.service.plan_event(session, event)


@pytest.fixture
def server():
    with treasure_map() as running:
        yield running


@pytest.fixture
def night(server, tmp_path):
    with opened(server, instruments={"1M0-SIMCAM": {"id": 10, "depths": {"g": 21.0, "i": 20.5}}}) as network:
        built = []

        def build(**parts):
            built.append(Night(tmp_path, network, **parts))
            return built[-1]

        yield build
        for one in built:
            one.store.close()


def rows(server):
    return [(row["band"], row["status"]) for row in server.rows]


def test_a_request_is_told_as_planned_and_then_as_completed_and_counts_as_searched(night, server, tmp_path):
    hub = night()
    hub.ask()
    hub.tick(1)
    assert rows(server) == [("g", "planned"), ("i", "planned")]
    assert {(one.reported_by, one.status) for one in hub.stored()} == {(OWN, PointingStatus.PLANNED)}
    hub.tick(20)
    assert hub.submission_of().state is RequestState.COMPLETED
    assert rows(server) == [("g", "completed"), ("i", "completed")], "the same two rows"
    assert {one.status for one in hub.stored()} == {PointingStatus.COMPLETED}
    with hub.store.reading() as session:
        curve = coverage_curve.of_event(session, tmp_path, EVENT, now=hub.clock())
    (series,) = curve["series"]
    assert series["by"] == "simulated 1M0-SIMCAM (reported)"
    assert series["searched_prob"] > 0.001
    assert {one.told for one in hub.told()} == {PointingStatus.COMPLETED}


def test_what_the_network_cancelled_is_cancelled_there_and_a_late_completion_is_told_all_the_same(night, server):
    hub = night()
    intent = hub.ask()
    hub.tick(1)
    hub.set(intent, RequestState.CANCELLED)
    hub.tick(1, seconds=1.0)
    assert rows(server) == [("g", "cancelled"), ("i", "cancelled")]
    assert {one.status for one in hub.stored()} == {PointingStatus.CANCELLED}
    hub.set(intent, RequestState.COMPLETED)
    hub.clock.forward(60.0)
    hub.tick(1)
    assert sorted(rows(server)) == [("g", "cancelled"), ("g", "completed"), ("i", "cancelled"), ("i", "completed")]
    assert {one.status for one in hub.stored()} == {PointingStatus.COMPLETED}


@pytest.mark.parametrize("fault", ["drop", "error", "lost", "busy"])
def test_whatever_becomes_of_an_answer_nothing_is_there_twice(night, server, fault):
    hub = night()
    hub.ask()
    server.faults = [fault]
    hub.tick(1)
    hub.tick(4, seconds=SETTLE_S)
    assert len(server.rows) == 2
    assert sorted(band for band, _ in rows(server)) == ["g", "i"]
    assert not any(one.telling for one in hub.told())


def test_a_call_that_was_lost_is_not_repeated_while_the_register_may_be_busy_with_it(night, server):
    hub = night()
    hub.ask()
    server.faults = ["error"]
    hub.tick(1, seconds=SETTLE_S - 120.0)
    n_posts = len(server.posts("/api/v1/pointings"))
    hub.tick(1)
    assert len(server.posts("/api/v1/pointings")) == n_posts
    assert "unknown" in " ".join(hub.reports.health().alarms)
    hub.tick(2)
    assert hub.reports.health().alarms == ()


def test_what_is_planned_is_withdrawn_with_its_event_and_nothing_new_is_told(night, server):
    hub = night()
    hub.ask()
    hub.tick(1)
    hub.retract()
    hub.tick(3)
    assert rows(server) == [("g", "cancelled"), ("i", "cancelled")]
    assert server.posts("/api/v1/cancel_all")
    n_asked = len(server.asked)
    hub.tick(3)
    assert len(server.asked) == n_asked, "it is done"


def test_nobody_is_told_of_what_the_policy_keeps_in_the_hub_or_of_a_network_without_telescopes(night, server):
    hub = night(live=False)
    hub.ask()
    hub.tick(3)
    assert hub.n_booked == 1
    assert server.asked == []
    quiet = OwnPointings(policy=hub.service.policy, simulated={"simulated"})
    assert quiet.of(hub.submission_of()) == []
