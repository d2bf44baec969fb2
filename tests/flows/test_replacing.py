"""A newer map where a network has fields of the older one: given up for enough gain and only then asked anew, kept otherwise."""

import base64

from hub.errors import NetworkRefused, Transient
from hub.model.followup import RequestState
from hub.services.followup_gates import REPLACED_BY
from tests.flows.test_tarot import MERGER, Night, night  # noqa: F401 - a fixture
from tests.support import small_world as world
from tests.support.json_notices import as_bytes, igwn_alert
from tests.support.skymaps import NUNIQ_HEADER, fits_bytes, gaussian_map, to_table, with_distance

ALIVE = {RequestState.ACCEPTED, RequestState.SCHEDULED}


def alert(ra_deg, *, issued_s):
    """Return an alert of a near merger whose map lies around a right ascension."""
    made = with_distance(gaussian_map(ra_deg, -20.0, 2.0, top_nside=8, rounds=4), 120.0, 24.0)
    skymap = base64.b64encode(fits_bytes(to_table(made), NUNIQ_HEADER)).decode()
    created = world.after(issued_s)[:19] + "Z"
    said = igwn_alert(
        superevent_id=MERGER, alert_type="INITIAL", time_created=created, event=igwn_alert()["event"] | {"skymap": skymap}
    )
    return as_bytes(said)


def by_target(one: Night):
    found = {}
    for request in one.requests:
        found.setdefault(request.intent.target, []).append(request)
    return found


def test_fields_are_given_up_for_a_map_that_lies_elsewhere_and_no_instrument_has_both(night):  # noqa: F811 - the fixture
    night.hear(alert(150.0, issued_s=300.0))
    night.send()
    (old,) = by_target(night)
    assert {one.state for one in by_target(night)[old]} <= ALIVE
    night.hear(alert(162.0, issued_s=400.0))
    (new,) = set(by_target(night)) - {old}
    given_up = {one.intent.instrument: one for one in by_target(night)[old]}
    for one in by_target(night)[new]:
        former = given_up[one.intent.instrument]
        assert former.state is RequestState.CANCEL_REQUESTED
        assert former.transitions[-1].detail[REPLACED_BY] == one.intent.intent_id
        assert "fields on the newer map hold" in former.transitions[-1].reason
    night.send()
    night.clock.forward(120.0)  # a draft that found no room in the budgets is looked at again a minute later
    night.send()
    for one in by_target(night)[new]:
        former = next(each for each in by_target(night)[old] if each.intent.instrument == one.intent.instrument)
        assert one.state in ALIVE
        assert former.state is RequestState.CANCELLED, "confirmed by the network"
        sent = next(step.at for step in one.transitions if step.state is RequestState.SENDING)
        assert sent >= former.transitions[-1].at, "asked anew only once the former is no more"


def test_what_a_network_has_is_kept_where_a_newer_map_gains_little(night):  # noqa: F811 - as above
    night.hear(alert(150.0, issued_s=300.0))
    night.send()
    before = {one.intent.intent_id for one in night.requests}
    night.hear(alert(150.2, issued_s=400.0))
    night.send()
    assert {one.intent.intent_id for one in night.requests} == before
    assert {one.state for one in night.requests} <= ALIVE


def test_a_request_waits_while_the_one_whose_place_it_takes_may_still_be_observed(night):  # noqa: F811 - as above
    night.hear(alert(150.0, issued_s=300.0))
    night.send()
    (old,) = by_target(night)
    network = night.hub.followups.gates.networks["tarot"]
    withdraw, network.cancel = network.cancel, unreachable
    night.hear(alert(162.0, issued_s=400.0))
    night.send()
    assert {one.state for one in by_target(night)[old]} == {RequestState.CANCEL_REQUESTED}
    (new,) = set(by_target(night)) - {old}
    night.clock.forward(120.0)
    night.send()
    assert {one.state for one in by_target(night)[old]} == {RequestState.CANCEL_REQUESTED}
    assert {one.state for one in by_target(night)[new]} <= {RequestState.DRAFT, RequestState.APPROVED}, "nothing was sent"
    network.cancel = withdraw
    night.clock.forward(120.0)
    night.send()
    assert {one.state for one in by_target(night)[old]} == {RequestState.CANCELLED}
    night.clock.forward(120.0)
    night.send()
    assert {one.state for one in by_target(night)[new]} <= ALIVE


def test_a_request_waits_for_one_that_its_network_does_not_cancel_until_that_has_ended(night):  # noqa: F811 - as above
    night.hear(alert(150.0, issued_s=300.0))
    night.send()
    (old,) = by_target(night)
    night.hub.followups.gates.networks["tarot"].cancel = refused
    night.hear(alert(162.0, issued_s=400.0))
    for _ in range(4):
        night.send()
        night.clock.forward(120.0)
    (new,) = set(by_target(night)) - {old}
    kept = {one.state for one in by_target(night)[old]}
    assert RequestState.CANCEL_REFUSED in kept
    assert kept <= {RequestState.CANCEL_REFUSED, RequestState.COMPLETED}
    assert {one.state for one in by_target(night)[new]} <= {RequestState.DRAFT, RequestState.APPROVED}, "nothing was sent"


def refused(remote_id):
    raise NetworkRefused("too late, it is being observed")


def unreachable(remote_id):
    raise Transient("no connection; nothing was sent")
