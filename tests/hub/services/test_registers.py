"""Registers are asked by themselves: at a pace that a restart keeps, about live events only, and a fault is an alarm and no loss."""

import pytest

from hub.errors import NotFound, Transient
from hub.model.notice import Messenger, Role, Stage
from hub.model.pointing import PointingStatus
from hub.model.significance import Significance
from hub.science.low_significance import LowSignificance
from hub.services.registers import Registers, RegisterSettings
from hub.storage import localizations, pointings, registers
from tests.support.api_night import T0, add_event, localization, notice
from tests.support.followup import TurnedClock

PLACE = (197.45, -23.38)


class Visits:
    """A register that tells visits by time and place, as Rubin does."""

    name = "rubin"
    is_of_events = False

    def __init__(self, *rows):
        self.rows = list(rows)
        self.asked = []
        self.error = None

    def pointings_of(self, event_id, begin, end):
        self.asked.append((event_id, begin, end))
        if self.error is not None:
            raise self.error
        return self.rows


def visit(number, clock, *, hours=1.0, ra=PLACE[0], **changes):
    values = {"id": str(number), "instrument": "LSSTCam", "status": "planned", "time": clock().plus_s(3600 * hours).to_utc_iso()}
    return values | {"band": "r", "ra": ra, "dec": PLACE[1], "radius_deg": 1.75} | changes


@pytest.fixture
def clock():
    return TurnedClock(T0.plus_s(3600.0))


@pytest.fixture
def night(store):
    """A store with one live event that has a map, and others that nobody asks about."""
    place = localization()
    with store.transaction() as session:
        localizations.save(session, place)
        add_event(session, [notice("S230518h")], localization_id=place.localization_id)
        add_event(session, [notice("MS1", role=Role.TEST, is_live=False)], localization_id=place.localization_id)
        add_event(session, [notice("S2"), notice("S2", stage=Stage.RETRACTION, issued_s=90.0)])
        add_event(session, [notice("S3", properties={"significant": False})])
        add_event(session, [notice("S4", t0=T0.plus_s(-30 * 86_400.0))])
    return store


def asking(store, register, clock, **settings):
    low = LowSignificance(grades={Messenger.GW: frozenset({Significance.LOW})})
    return Registers(store, {register.name: register}, clock, RegisterSettings(**settings), low)


def kept(store):
    with store.reading() as session:
        return {one.name: one.status for one in pointings.of_event(session, "S230518h")}


def noted(store, network="rubin"):
    with store.reading() as session:
        return registers.answers(session, network=network)


def test_live_events_are_asked_about_at_the_pace_of_the_settings_and_a_restart_keeps_it(night, clock):
    register = Visits(visit(1, clock))
    assert asking(night, register, clock).step() == 1
    assert [event_id for event_id, *_ in register.asked] == ["S230518h"], "neither tests nor what is retracted, low or old"
    assert kept(night) == {"1": PointingStatus.PLANNED}
    again = asking(night, register, clock)
    clock.forward(599.0)
    assert again.step() == 0
    clock.forward(1.0)
    assert again.step() == 1
    assert kept(night) == {"1": PointingStatus.PLANNED}
    assert register.asked[1][1] == T0, "a night's visits become performed later: they are asked for again"
    clock.forward(2 * 86_400.0)
    again.step()
    answered = clock()
    clock.forward(600.0)
    again.step()
    assert register.asked[-1][1] == answered.plus_s(-86_400.0), "a day before the last answer"


def test_a_visit_that_the_register_plans_no_more_is_cancelled_and_what_was_done_stays(night, clock):
    register = Visits(visit(1, clock), visit(2, clock, hours=-0.5, status="completed"), visit(3, clock, ra=PLACE[0] + 1.0))
    asking(night, register, clock).step()
    register.rows = [visit(3, clock, ra=PLACE[0] + 1.0)]
    clock.forward(600.0)
    asking(night, register, clock).step()
    assert kept(night) == {"1": PointingStatus.CANCELLED, "2": PointingStatus.COMPLETED, "3": PointingStatus.PLANNED}


def test_a_register_that_does_not_answer_is_an_alarm_and_is_asked_again(night, clock):
    register = Visits(visit(1, clock))
    register.error = Transient("no connection")
    registry = asking(night, register, clock)
    assert registry.step() == 1
    assert registry.health().alarms == ("the register rubin does not answer: no connection",)
    (answer,) = noted(night).values()
    assert (answer.answered_at, answer.reason) == (None, "no connection")
    register.error = None
    clock.forward(600.0)
    registry.step()
    assert registry.health().alarms == ()
    (answer,) = noted(night).values()
    assert (answer.answered_at, answer.n_pointings, answer.reason) == (clock(), 1, "")


def test_that_it_has_no_such_event_is_an_answer(night, clock):
    register = Visits()
    register.error = NotFound("rubin has no S230518h")
    registry = asking(night, register, clock)
    registry.step()
    assert registry.health().alarms == ()
    (answer,) = noted(night).values()
    assert (answer.answered_at, answer.reason) == (clock(), "rubin has no S230518h")
