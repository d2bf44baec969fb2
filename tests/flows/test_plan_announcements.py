"""Requests to telescopes on their way to who asked to hear of them: submitted, completed, cancelled, each once; never a test or a dry run."""

import dataclasses
import json

import pytest

from adapters.codecs.hub_json import HubJsonRenderer
from adapters.codecs.voevent.renderer import VoeventRenderer
from hub.bootstrap import check_parts
from hub.config import Settings
from hub.errors import ConfigError
from hub.model.followup import RequestState
from hub.model.notice import CiteKind, Role, Stage
from hub.model.outgoing import Subject
from hub.services.announcement import AnnouncementSettings
from hub.services.consequences import Consequences
from hub.services.followup_bodies import for_a_person
from hub.services.no_cancel import NoCancel
from hub.services.own_pointings import OwnPointings
from hub.services.plan_announcement import PlanAnnouncements
from hub.services.routes import Route
from hub.services.sending import append_step, get_submission
from hub.services.submission import Outcome
from hub.storage import events, outbox
from tests.hub.services.test_followup import LIVE, Hub, RealNetwork
from tests.support.followup import make_event

EVENT = "G298048"
ROUTES = (
    Route(destination="kafka", renderer=HubJsonRenderer(), subjects=frozenset({Subject.PLAN})),
    Route(destination="broker", renderer=VoeventRenderer(), subjects=frozenset({Subject.PLAN, Subject.COINCIDENCE})),
    Route(destination="others", renderer=HubJsonRenderer()),
)


class Night(Hub):
    """A hub with telescopes, and destinations of which two hear of plans."""

    def __init__(self, folder, *, simulated=(), options=None):
        super().__init__(folder, network=RealNetwork, policy=LIVE, options=options)
        settings = AnnouncementSettings(authority="example.org/mmhub")
        own = OwnPointings(policy=self.service.policy, simulated=simulated)
        self.consequences = Consequences(
            self.store,
            self.clock,
            (
                PlanAnnouncements(settings=settings, routes=ROUTES, own=own).keep,
                NoCancel(networks={"simulated": self.network}, authority="example.org/mmhub", channel="shift").keep,
            ),
        )

    def tick(self, n=1, seconds=60.0):
        for _ in range(n):
            moved = self.service.step()
            self.consequences.step(moved=moved > 0)
            self.clock.forward(seconds)

    def sent(self, destination="kafka"):
        with self.store.reading() as session:
            return [one.outgoing for one in outbox.due(session, destination, self.clock(), 100)]

    def words(self):
        return [json.loads(one.payload)["word"] for one in self.sent()]

    def set(self, intent, state):
        with self.store.transaction() as session:
            append_step(session, get_submission(session, intent.intent_id), Outcome(state, "the network says so"), self.clock())
        self.clock.forward(60.0)

    def retract(self):
        with self.store.transaction() as session:
            event = make_event(stage=Stage.RETRACTION)
            events.save(session, event)
            self.service.plan_event(session, event)


@pytest.fixture
def night(tmp_path):
    built = []

    def build(**parts):
        built.append(Night(tmp_path, **parts))
        return built[-1]

    yield build
    for one in built:
        one.store.close()


def test_who_asked_hears_what_a_network_has_and_then_that_it_is_completed(night):
    hub = night()
    intent = hub.plan()
    hub.tick(20)
    assert hub.words() == ["submitted", "completed"]
    first, last = hub.sent()
    assert next((cite.ivorn, cite.kind) for cite in last.cites) == (first.ivorn, CiteKind.SUPERSEDES)
    assert {first.role, last.role} == {Role.OBSERVATION}
    said = json.loads(first.payload)
    assert (said["request_id"], len(said["pointings"])) == (intent.intent_id, 2)
    assert first.key == EVENT, "the messages of one event stay in order"
    assert [one.ivorn for one in hub.sent("broker")] == [first.ivorn, last.ivorn]
    assert hub.sent("others") == []


def test_a_restart_says_nothing_twice(night):
    hub = night()
    hub.plan()
    hub.tick(3)
    again = night()
    again.tick(3)
    assert again.words() == ["submitted"]


def test_a_retraction_of_the_event_retracts_the_plan_where_it_went(night):
    hub = night()
    hub.plan()
    hub.tick(1)
    hub.retract()
    hub.tick(3)
    assert hub.submission.state is RequestState.CANCELLED
    assert hub.words() == ["submitted", "cancelled"]
    first, last = hub.sent()
    assert next((cite.ivorn, cite.kind) for cite in last.cites) == (first.ivorn, CiteKind.RETRACTION)


def test_what_was_cancelled_and_is_completed_after_all_is_said(night):
    hub = night()
    intent = hub.plan()
    hub.tick(1)
    hub.set(intent, RequestState.CANCELLED)
    hub.tick(1)
    hub.set(intent, RequestState.COMPLETED)
    hub.tick(1)
    assert hub.words() == ["submitted", "cancelled", "completed"]


def test_a_request_to_no_telescopes_is_not_announced(night):
    hub = night(simulated={"simulated"})
    hub.plan()
    hub.tick(20)
    assert hub.submission.state is RequestState.COMPLETED
    assert hub.sent() == []


def test_a_request_whose_event_turns_out_to_be_a_test_is_not_announced(night):
    hub = night()
    hub.plan()
    moved = hub.service.step()
    assert moved
    with hub.store.transaction() as session:
        events.save(session, dataclasses.replace(make_event(is_live=False)))
    hub.tick(2)
    assert hub.n_booked == 1
    assert hub.sent() == []


def test_a_person_is_told_once_where_nothing_can_be_cancelled_and_it_is_listed(night):
    hub = night(options={"can_cancel": False})
    hub.plan()
    hub.tick(1)
    assert hub.sent("shift") == []
    hub.retract()
    hub.tick(3)
    night(options={"can_cancel": False}).tick(2)
    (message,) = hub.sent("shift")
    said = message.payload.decode()
    assert said.splitlines()[0] == f"Cannot be cancelled: LSST:170000000000000001 of {EVENT} at simulated"
    assert "simulated has no way to cancel" in said
    assert "the event is retracted" in said
    with hub.store.reading() as session:
        assert [one.intent.event_id for one in for_a_person(session)] == [EVENT]


def test_a_format_without_words_for_plans_is_one_sentence():
    settings = Settings.model_validate(
        {"destinations": {"x": {"kind": "folder", "path": "x", "format": "gcn-unified", "subjects": ["plan"]}}}
    )
    with pytest.raises(
        ConfigError, match=r'destinations\.x: "plan" among its subjects needs one of the formats voevent, hub-json, text'
    ):
        check_parts(settings)
