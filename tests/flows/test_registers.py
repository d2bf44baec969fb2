"""Rubin's table of visits, asked by the hub itself, in the flow of requests: what it observes within the night nobody else is asked for."""

import dataclasses

import pytest

from hub.model.followup import RequestState
from hub.model.pointing import PointingStatus
from hub.services.followup import FollowupService
from hub.services.registers import Registers, RegisterSettings
from hub.storage import followup as storage
from hub.storage import localizations, pointings
from tests.hub.services.test_followup import Hub
from tests.support.api_night import localization
from tests.support.followup import AT2017GFO, make_event
from tests.support.obsloctap import obsloctap, rubin
from tests.support.policies import policy_book

FETCH_S = 600.0
EVENT = "G298048"


class Night(Hub):
    """A hub that listens to Rubin beside its simulated network."""

    def __init__(self, folder, schedule, network, *, policy=()):
        super().__init__(folder)
        self.schedule = schedule
        settings = self.service._settings.model_copy(update={"wait_for_registers_s": 120.0})
        networks = {"simulated": self.network, "rubin": network}
        self.service = FollowupService(self.store, networks, self.clock, settings, policy_book(*policy))
        self.registers = Registers(self.store, {"rubin": network}, self.clock, RegisterSettings(fetch_s=FETCH_S))
        self.place = localization()
        with self.store.transaction() as session:
            localizations.save(session, self.place)

    def ask(self, **changes):
        event = dataclasses.replace(make_event(), localization_id=self.place.localization_id)
        return self.plan(event=event, **changes)

    def pointings(self):
        with self.store.reading() as session:
            return pointings.of_event(session, EVENT)


@pytest.fixture
def night(tmp_path):
    with obsloctap(tmp_path) as schedule, rubin(schedule, tmp_path) as network:
        built = []

        def build(**parts):
            built.append(Night(tmp_path, schedule, network, **parts))
            return built[-1]

        yield build
        for one in built:
            one.store.close()


def test_nothing_is_requested_that_rubin_observes_within_the_night_until_rubin_gives_it_up(night):
    hub = night()
    visit = hub.schedule.plan(hub.clock().plus_s(3 * 3600.0), *AT2017GFO)
    intent = hub.ask()
    hub.run(1, seconds=5.0)
    assert hub.states == ["draft"], "it waits for what Rubin says"
    assert hub.registers.step() == 1
    hub.run(3)
    assert (hub.states, hub.n_booked) == (["draft"], 0)
    (decision,) = hub.decisions
    assert decision.is_skip
    assert decision.reasons[-1] == "LSSTCam will observe it anyway in r, at 2017-08-18T03:10:15Z"
    visit["execution_status"] = "Unscheduled"
    hub.clock.forward(FETCH_S)
    hub.registers.step()
    hub.run(1)
    assert ("accepted" in [step.state.value for step in hub.get(intent).transitions], hub.n_booked) == (True, 1)
    (decision,) = hub.decisions
    assert not decision.is_skip


def test_what_rubin_has_then_observed_is_a_skip_for_good_and_counts_as_searched(night):
    hub = night()
    visit = hub.schedule.plan(hub.clock().plus_s(3 * 3600.0), *AT2017GFO)
    hub.ask()
    hub.registers.step()
    hub.run(1, seconds=4 * 3600.0)
    visit["execution_status"] = "Performed"
    hub.registers.step()
    hub.run(2)
    assert (hub.states, hub.n_booked) == (["draft", "cancelled"], 0)
    assert hub.decisions[0].reasons[-1].startswith("recently observed: by LSSTCam")
    assert [one.status for one in hub.pointings()] == [PointingStatus.COMPLETED]


def test_the_policy_may_ask_all_the_same(night):
    hub = night(policy=[("planned_within_h = 12.0 ", "planned_within_h = 0.0 ")])
    hub.schedule.plan(hub.clock().plus_s(3 * 3600.0), *AT2017GFO)
    hub.ask()
    hub.registers.step()
    hub.run(1)
    assert hub.n_booked == 1


def test_a_register_that_does_not_answer_keeps_nobody_waiting_for_long(night):
    hub = night()
    hub.schedule.status = 500
    hub.ask()
    hub.registers.step()
    hub.run(1, seconds=121.0)
    assert hub.n_booked == 0
    hub.run(1)
    assert hub.n_booked == 1


def test_a_visit_elsewhere_or_beyond_the_night_keeps_nobody_from_asking(night):
    hub = night()
    hub.schedule.plan(hub.clock().plus_s(3 * 3600.0), AT2017GFO[0] + 3.0, AT2017GFO[1])
    hub.schedule.plan(hub.clock().plus_s(20 * 3600.0), *AT2017GFO)
    hub.ask()
    hub.registers.step()
    hub.run(1)
    with hub.store.reading() as session:
        (one,) = storage.of_event(session, EVENT)
    assert RequestState.ACCEPTED in [step.state for step in one.transitions]
