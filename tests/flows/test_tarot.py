"""A telescope team's list of rules (skyportal/skyportal issue 5147) in the whole flow: notice in, fields asked for, retraction out."""

import base64
from contextlib import contextmanager

import pytest

from hub.bootstrap import create_database, open_hub
from hub.config import FollowupSection, HubSection, NetworkSection, Settings
from hub.model.envelope import Envelope, Trust
from hub.model.followup import RequestState, Urgency
from hub.storage import followup, followup_decisions
from tests.conftest import REPOSITORY
from tests.support import small_world as world
from tests.support.json_notices import as_bytes, gbm, igwn_alert
from tests.support.skymaps import NUNIQ_HEADER, fits_bytes, gaussian_map, to_table, with_distance

PLACES = (("La Silla", "CTIO"), ("Reunion", "SAAO"), ("Calern", "Tenerife"))
"""Where their telescopes stand, and the nearest sites that the hub knows."""

MERGER, FAR = "S260301b", "S260301c"


def skymap(distance_mpc):
    """Return a small merger's map with distances, as FITS bytes."""
    made = with_distance(gaussian_map(150.0, -20.0, 2.0, top_nside=8, rounds=4), distance_mpc, 0.2 * distance_mpc)
    return fits_bytes(to_table(made), NUNIQ_HEADER)


def merger(kind, *, event_id=MERGER, distance_mpc=120.0, issued_s=300.0):
    event = None if kind == "RETRACTION" else igwn_alert()["event"] | {"skymap": base64.b64encode(skymap(distance_mpc)).decode()}
    created = world.after(issued_s)[:19] + "Z"
    return as_bytes(igwn_alert(superevent_id=event_id, alert_type=kind, time_created=created, event=event))


def x_ray(error_deg):
    """Return a trigger of a space-borne X-ray telescope."""
    said = gbm(
        mission="EinsteinProbe",
        instrument="WXT",
        id=["01709130001"],
        trigger_time=world.after(10.0),
        alert_datetime=world.after(100.0),
        alert_type="initial",
        ra=200.0,
        dec=-25.0,
        ra_dec_error=error_deg,
    )
    said["$schema"] = "https://gcn.nasa.gov/schema/main/gcn/notices/einstein_probe/wxt/alert.schema.json"
    return as_bytes(said)


class Night:
    """The hub with their policy, and three instruments of a network without telescopes."""

    def __init__(self, hub, clock):
        self.hub, self.clock = hub, clock

    def hear(self, payload, topic="igwn.gwalert"):
        sent = Envelope(payload=payload, source="file", received_at=self.clock(), topic=topic, trust=Trust.TRUSTED)
        self.hub.flow.take([sent])

    def send(self):
        while self.hub.flow.step():
            pass

    @property
    def requests(self):
        with self.hub.store.reading() as session:
            return followup.search(session)

    @property
    def decisions(self):
        with self.hub.store.reading() as session:
            return {one.event_id: one for one in followup_decisions.search(session)}


@contextmanager
def opened(tmp_path, *changes, networks=None):
    """Open the hub with their policy, some words of it changed, and perhaps with networks besides theirs."""
    policy = (REPOSITORY / "tests/data/policy/tarot.toml").read_text(encoding="utf-8")
    for theirs, ours in PLACES:
        assert theirs in policy
        policy = policy.replace(theirs, ours)
    for old, new in changes:
        assert old in policy
        policy = policy.replace(old, new, 1)
    file = tmp_path / "policy.toml"
    file.write_text(policy, encoding="utf-8")
    options = {
        "ledger": "tarot.sqlite",
        "instruments": ["TCH", "TRE", "TCA"],
        "filters": ["open"],
        "max_exposure_s": 20_000.0,
        "refuse_fraction": 0.0,
        "cloud_fraction": 0.0,
    }
    settings = Settings(
        hub=HubSection(data_dir=tmp_path),
        followup=FollowupSection(policy=str(file)),
        networks={
            "tarot": NetworkSection(kind="simulated", **options),
            "simulated": NetworkSection(kind="simulated"),
            **(networks or {}),
        },
    )
    clock = world.Ticking(world.T0.plus_s(600.0))
    with create_database(settings) as store, open_hub(settings, store, clock=clock) as hub:
        yield Night(hub, clock)


@pytest.fixture
def night(tmp_path):
    with opened(tmp_path) as one:
        yield one


def test_a_near_merger_is_tiled_by_those_that_see_it_and_given_up_when_it_is_retracted(night):
    night.hear(merger("INITIAL"))
    decision = night.decisions[MERGER]
    assert (decision.verdict.value, decision.rule) == ("ask", "near merger")
    drafts = night.requests
    assert {one.intent.instrument for one in drafts} == set(decision.allocations)
    assert "TCH" in decision.allocations  # it is evening in Chile
    for one in drafts:
        assert one.state is RequestState.DRAFT
        assert one.intent.target.startswith("map:")
        assert one.intent.urgency is Urgency.TIME_CRITICAL
        assert 1 <= len(one.intent.fields) <= 20
        assert sum(field.prob for field in one.intent.fields[:-1]) < 0.75  # enough is enough, and fields may overlap a little
        assert one.intent.window_end.minus(world.T0) == pytest.approx(48 * 3600.0)
    night.send()
    assert {one.state for one in night.requests} <= {RequestState.ACCEPTED, RequestState.SCHEDULED}

    night.hear(merger("UPDATE", issued_s=400.0))  # their rules ask for initial maps only: what is asked for goes on
    night.send()
    assert len(night.requests) == len(drafts)
    assert night.decisions[MERGER].is_skip

    night.hear(merger("RETRACTION", issued_s=500.0))
    assert {one.state for one in night.requests} == {RequestState.CANCEL_REQUESTED}
    night.send()
    assert {one.state for one in night.requests} == {RequestState.CANCELLED}


def test_what_they_do_not_want_is_skipped_with_the_reason_and_a_person_is_asked_the_second_time(night):
    night.hear(merger("INITIAL", event_id=FAR, distance_mpc=450.0))
    assert night.decisions[FAR].is_skip
    assert night.requests == []
    night.hear(merger("INITIAL"))
    night.send()
    n_first = len(night.requests)
    night.hear(x_ray(0.1), "gcn.notices.einstein_probe.wxt.alert")
    (of_burst,) = (one for name, one in night.decisions.items() if name not in (MERGER, FAR))
    assert (of_burst.rule, of_burst.urgency) == ("X-ray trigger", Urgency.RAPID_RESPONSE)
    assert len(night.requests) > n_first
    assert all(not one.intent.fields for one in night.requests if one.intent.target == "position")


def test_a_draft_gives_way_to_a_better_map_and_a_retraction_before_sending_leaves_nothing(night):
    night.hear(merger("INITIAL"))
    night.hear(merger("INITIAL", distance_mpc=100.0, issued_s=350.0))
    live = [one for one in night.requests if one.state is RequestState.DRAFT]
    gone = [one for one in night.requests if one.state is RequestState.CANCELLED]
    assert {one.intent.instrument for one in live} == set(night.decisions[MERGER].allocations)
    assert len({one.intent.target for one in live}) == 1
    assert gone
    night.hear(merger("RETRACTION", issued_s=500.0))
    night.send()
    assert {one.state for one in night.requests} == {RequestState.CANCELLED}
