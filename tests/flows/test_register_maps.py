"""Rubin's table of visits and plans for maps: what it observes, or did, is planned by nobody else, and what it gives up again is."""

from contextlib import contextmanager

import numpy as np
import pytest

from hub.config import NetworkSection
from hub.model.followup import RequestState
from hub.science.followup_covered import footprints_of
from hub.science.footprint import Halves, holding
from hub.science.planning.observed import left
from hub.services.followup_intents import MAP
from hub.services.followup_sight import prob_of
from hub.services.registers import Registers, RegisterSettings
from hub.storage import localizations, pointings
from tests.flows.test_tarot import MERGER, merger, opened
from tests.support.obsloctap import obsloctap, rubin

FETCH_S = 600.0
RULE = ("requested_within_h = 24.0\n", "requested_within_h = 24.0\nplanned_within_h = 24.0\nobserved_within_h = 6.0\n")
"""Change of their policy: what others observe within the night they leave out."""

CENTRE = (150.0, -20.0)
"""Of the map, 2 degrees wide: one visit of 1.75 degrees there holds a third of it."""


@contextmanager
def night_with_rubin(folder, *changes):
    with obsloctap(folder) as schedule, rubin(schedule, folder) as register:
        section = NetworkSection(kind="rubin", url=schedule.url, hosts=["127.0.0.1"], allow_loopback=True)
        with opened(folder, *changes, networks={"rubin": section}) as night:
            night.schedule = schedule
            night.registers = Registers(night.hub.store, {"rubin": register}, night.clock, RegisterSettings(fetch_s=FETCH_S))
            yield night


def ask_rubin(night):
    night.clock.forward(FETCH_S + 1.0)
    assert night.registers.step() == 1


def live(night):
    """Return the requests that are, or may be, observed, by instrument."""
    gone = (RequestState.CANCELLED, RequestState.EXPIRED)
    return {one.intent.instrument: one for one in night.requests if one.state not in gone}


def n_inside(night, request):
    """Return how many centres of a request's fields lie in a visit of Rubin's that stands."""
    with night.hub.store.reading() as session:
        visits = [one for one in pointings.of_event(session, MERGER) if one.status.value != "cancelled"]
    halves = Halves.of(footprints_of(visits))
    return sum(bool(holding(halves, one.ra_deg, one.dec_deg).any()) for one in request.intent.fields)


def of_the_rest(night, request):
    """Return how much a request's fields hold of what Rubin leaves of the map."""
    with night.hub.store.reading() as session:
        visits = footprints_of(pointings.of_event(session, MERGER))
        rest = left(localizations.get(session, request.intent.target.removeprefix(MAP)).skymap, visits)
    side = night.hub.followups.policy.allocations[request.intent.instrument].fov_deg
    return prob_of(rest, side, [(one.ra_deg, one.dec_deg) for one in request.intent.fields])


@pytest.mark.parametrize(("status", "hours"), [("Planned", 5.0), ("Performed", -0.05)])
def test_fields_that_rubin_observes_or_did_are_left_out_of_what_is_sent(tmp_path, status, hours):
    with night_with_rubin(tmp_path, RULE) as night:
        night.schedule.plan(night.clock().plus_s(hours * 3600.0), *CENTRE, status=status)
        night.hear(merger("INITIAL"))
        drafted = live(night)
        night.send()
        assert {one.state for one in night.requests} == {RequestState.DRAFT}, "they wait for what Rubin says"
        assert night.registers.step() == 1
        assert n_inside(night, drafted["TCH"]) >= 1
        night.clock.forward(FETCH_S)
        night.send()
        sent = live(night)
        assert sent.keys() == drafted.keys()
        assert {one.state for one in sent.values()} <= {RequestState.ACCEPTED, RequestState.SCHEDULED}
        assert n_inside(night, sent["TCH"]) == 0, "its fields are smaller than a visit"
        for name, one in sent.items():
            assert of_the_rest(night, one) > of_the_rest(night, drafted[name]) + 0.01
        given_up = [one for one in night.requests if one.intent.intent_id == drafted["TCH"].intent.intent_id]
        assert given_up[0].state is RequestState.CANCELLED
        assert given_up[0].transitions[-1].reason.startswith("LSSTCam will observe, or did, ")
        assert RequestState.SENDING not in {step.state for step in given_up[0].transitions}


def test_where_rubin_takes_all_of_the_map_a_request_waits_until_rubin_gives_it_up(tmp_path):
    with night_with_rubin(tmp_path, RULE) as night:
        at = night.clock().plus_s(5 * 3600.0)
        around = [
            (CENTRE[0] + east, CENTRE[1] + north) for east in np.arange(-9.0, 9.1, 2.0) for north in np.arange(-8.0, 8.1, 2.0)
        ]
        rows = [night.schedule.plan(at.plus_s(40.0 * number), *place) for number, place in enumerate(around)]
        night.hear(merger("INITIAL"))
        drafted = live(night)
        assert night.registers.step() == 1
        night.send()
        assert {one.state for one in night.requests} == {RequestState.DRAFT}
        decision = night.decisions[MERGER]
        assert decision.is_skip
        assert "nothing is left that it could observe" in decision.reasons[-1]
        for row in rows:
            row["execution_status"] = "Unscheduled"
        ask_rubin(night)
        night.send()
        assert {one.intent.intent_id for one in live(night).values()} == {one.intent.intent_id for one in drafted.values()}
        assert {one.state for one in live(night).values()} <= {RequestState.ACCEPTED, RequestState.SCHEDULED}
        assert not night.decisions[MERGER].is_skip


def test_a_policy_that_does_not_care_keeps_its_fields(tmp_path):
    with night_with_rubin(tmp_path) as night:
        night.schedule.plan(night.clock().plus_s(5 * 3600.0), *CENTRE)
        night.hear(merger("INITIAL"))
        drafted = live(night)
        assert night.registers.step() == 1
        night.send()
        assert {one.intent.intent_id for one in night.requests} == {one.intent.intent_id for one in drafted.values()}
        assert {one.state for one in night.requests} <= {RequestState.ACCEPTED, RequestState.SCHEDULED}
