"""The adapter against LCO's own observation portal: what is booked there, what is refused and why, and what nobody hears of."""

import itertools
from dataclasses import replace

import pytest

from adapters.networks.ocs import check
from adapters.networks.ocs_words import marker
from hub.errors import ConfigError, NetworkRefused, NotFound, Permanent, Transient, TransportError
from hub.model.followup import TargetField, Urgency
from hub.model.instant import Instant
from tests.support.ocs import DAY_S, make_intent, make_network, make_options, now, part_context
from tests.support.ports import refusing_port

pytestmark = pytest.mark.portal

NUMBERS = (f"portal-{number}" for number in itertools.count())


@pytest.fixture
def network(portal):
    return make_network(portal.url)


@pytest.fixture
def intent():
    return make_intent(next(NUMBERS))


def booked(portal, intent):
    """Return what the observatory has of an intent."""
    return [group for group in portal.groups() if marker(intent.intent_id) in group["name"]]


def test_a_request_arrives_whole_and_is_accepted(portal, network, intent):
    remote = network.submit(intent)
    assert (remote.state, remote.remote_state) == ("accepted", "PENDING")
    (group,) = booked(portal, intent)
    assert str(group["id"]) == remote.remote_id
    assert (group["proposal"], group["observation_type"], group["state"]) == (portal.proposal, "NORMAL", "PENDING")
    (request,) = group["requests"]
    assert request["observation_note"] == f"S1 {intent.target}: {intent.reason}"
    (configuration,) = request["configurations"]
    assert configuration["instrument_type"] == portal.instrument
    assert (configuration["target"]["ra"], configuration["target"]["dec"]) == (intent.ra_deg, intent.dec_deg)
    assert (configuration["constraints"]["max_airmass"], configuration["constraints"]["min_lunar_distance"]) == (2.0, 30.0)
    taken = [
        (one["optical_elements"]["filter"], one["exposure_time"], one["exposure_count"], one["mode"])
        for one in configuration["instrument_configs"]
    ]
    assert taken == [("gp", 60.0, 2, portal.mode), ("rp", 30.0, 1, portal.mode)]


def test_each_field_of_a_map_is_a_request_of_one_group(portal, network, intent):
    ra_deg = intent.ra_deg
    fields = tuple(TargetField(ra_deg=(ra_deg + shift) % 360.0, dec_deg=-65.0, prob=0.3) for shift in (0.0, 1.0, 2.0))
    mapped = replace(intent, target="map:" + "0" * 60, fields=fields)
    alone = network.dry_run(intent).duration_s
    assert network.dry_run(mapped).duration_s == pytest.approx(3 * alone)
    remote = network.submit(mapped)
    assert remote.state == "accepted"
    (group,) = booked(portal, mapped)
    assert (group["operator"], len(group["requests"])) == ("MANY", 3)
    targets = [request["configurations"][0]["target"] for request in group["requests"]]
    assert sorted((one["ra"], one["dec"]) for one in targets) == sorted((one.ra_deg, one.dec_deg) for one in fields)
    assert {one["name"][-2:] for one in targets} == {" 1", " 2", " 3"}
    network.cancel(remote.remote_id)
    assert network.status(remote.remote_id).state == "cancelled"


def test_a_field_that_is_nowhere_is_refused_before_anything_is_sent(network, intent):
    nowhere = replace(
        intent, fields=(TargetField(ra_deg=10.0, dec_deg=-65.0, prob=0.3), TargetField(ra_deg=400.0, dec_deg=0.0, prob=0.1))
    )
    assert network.validate(nowhere) == ["the right ascension 400 is not within 0 to 360 degrees"]


def test_a_window_that_begins_later_is_kept(portal, network, intent):
    start = now().plus_s(3600)
    later = make_intent(intent.target, window_start=start)
    network.submit(later)
    (group,) = booked(portal, later)
    assert Instant.from_utc_iso(group["requests"][0]["windows"][0]["start"]) == start


@pytest.mark.parametrize("urgency", Urgency)
def test_the_urgency_says_by_which_allocation_it_is_paid(portal, network, urgency):
    urgent = make_intent(next(NUMBERS), urgency=urgency, window_end=now().plus_s(DAY_S))
    network.submit(urgent)
    assert [group["observation_type"] for group in booked(portal, urgent)] == [urgency.value.upper()]


def test_a_dry_run_tells_the_time_that_would_be_charged_and_books_nothing(portal, network, intent):
    dry = network.dry_run(intent)
    assert dry.reasons == ()
    assert dry.duration_s > 60.0 * 2 + 30.0
    assert dry.payload["name"] == marker(intent.intent_id)
    assert network.validate(intent) == []
    assert booked(portal, intent) == []


NEVER = {
    "never visible": ({"dec_deg": 85.0}, "will not be visible within the time window"),
    "too long": ({"exposures": ({"filter": "gp", "seconds": 3600.0, "count": 20},)}, "will only be visible for a maximum of"),
    "past window": ({"window_start": now().plus_s(-DAY_S), "window_end": now().plus_s(-60)}, "the window ended at"),
    "no such place": ({"ra_deg": 400.0}, "the right ascension 400 is not within 0 to 360 degrees"),
    "unknown instrument": ({"instrument": "9M9-NOTHING"}, "no instrument 9M9-NOTHING; there are 1M0-SCICAM-SINISTRO"),
    "unknown filter": ({"exposures": ({"filter": "zs", "seconds": 60.0},)}, "has no filter zs"),
    "too late for a rapid response": ({"urgency": Urgency.RAPID_RESPONSE}, "must start within the next 24 hours"),
}


@pytest.mark.parametrize("case", NEVER)
def test_what_cannot_be_observed_is_refused_with_the_reason_and_not_booked(portal, network, case):
    changes, sentence = NEVER[case]
    hopeless = make_intent(next(NUMBERS), **changes)
    reasons = network.validate(hopeless)
    assert any(sentence in reason for reason in reasons), reasons
    with pytest.raises(NetworkRefused, match=sentence):
        network.submit(hopeless)
    assert booked(portal, hopeless) == []


REFUSED_THERE = {
    "unknown instrument": (
        {"instruments": {"9M9-NOTHING": {"telescope_class": "1m0", "filters": ["gp"]}}},
        {"instrument": "9M9-NOTHING", "exposures": ({"filter": "gp", "seconds": 60.0},)},
        "Invalid instrument type",
    ),
    "filter that only we know": (
        {"instruments": {"1M0-SCICAM-SINISTRO": {"telescope_class": "1m0", "filters": ["zs"]}}},
        {"exposures": ({"filter": "zs", "seconds": 60.0},)},
        "optical element zs of type filter is not available",
    ),
    "mode that only we know": (
        {"instruments": {"1M0-SCICAM-SINISTRO": {"telescope_class": "1m0", "filters": ["gp"], "mode": "upside_down"}}},
        {"exposures": ({"filter": "gp", "seconds": 60.0},)},
        "upside_down",
    ),
    "no time": ({"proposal": "MMHUB-EMPTY"}, {}, "You do not have sufficient NORMAL time allocated"),
    "no such proposal": ({"proposal": "NOBODYS"}, {}, "proposal: "),
}


@pytest.mark.parametrize("case", REFUSED_THERE)
def test_what_only_the_portal_knows_is_refused_in_its_words(portal, case):
    options, changes, sentence = REFUSED_THERE[case]
    network = make_network(portal.url, **options)
    hopeless = make_intent(next(NUMBERS), **changes)
    with pytest.raises(NetworkRefused, match=sentence):
        network.submit(hopeless)
    assert any(sentence in reason for reason in network.validate(hopeless))
    assert booked(portal, hopeless) == []


def test_the_portal_itself_refuses_a_right_ascension_of_400_degrees(portal, network, intent):
    payload = dict(network.dry_run(intent).payload)
    payload["requests"][0]["configurations"][0]["target"]["ra"] = 400.0
    with pytest.raises(AssertionError, match=r"400 .*less than or equal to 360"):
        portal.ask("POST", "/api/requestgroups/", payload)


def test_with_a_bad_token_nothing_is_booked_found_or_cancelled(portal, network, intent):
    stranger = make_network(portal.url, token="f" * 40)
    assert "does not accept the token (403: Invalid token.)" in stranger.validate(intent)[0]
    with pytest.raises(NetworkRefused, match=r"lco does not accept the token \(403: Invalid token\.\)"):
        stranger.submit(intent)
    assert booked(portal, intent) == []
    remote = network.submit(intent)
    for question in (
        lambda: stranger.find_by_marker(intent.intent_id),
        lambda: stranger.status(remote.remote_id),
        lambda: stranger.cancel(remote.remote_id),
    ):
        with pytest.raises(Permanent, match="does not accept the token"):
            question()
    assert network.status(remote.remote_id).state == "accepted"


def test_the_time_that_is_left_is_told_and_grows_less_by_what_is_observed(portal, network):
    instruments = {portal.instrument: {"telescope_class": "1m0", "filters": portal.filters}}
    network = make_network(portal.url, proposals={"rapid_response": portal.poor_proposal}, instruments=instruments)
    before = {one.what: one for one in network.quota()}
    names = [f"{portal.proposal}, {urgency}, {portal.instrument}" for urgency in ("normal", "time_critical")]
    assert list(before) == names  # the poor proposal has none
    assert {(one.unit, one.allocated) for one in before.values()} == {("hours", 100.0)}
    assert all(one.until > now() for one in before.values())
    intent = make_intent(next(NUMBERS))
    remote_id = network.submit(intent).remote_id
    portal.report(portal.schedule(remote_id), "COMPLETED", took_s=1800.0)
    after = {one.what: one for one in network.quota()}
    assert after[names[0]].used == pytest.approx(before[names[0]].used + 0.5)
    assert after[names[0]].left == pytest.approx(before[names[0]].left - 0.5)
    assert after[names[1]] == before[names[1]]


WRONG_SETTINGS = {
    "a token that is none": ({"token": "f" * 40}, "lco does not accept the token (403: Invalid token.)"),
    "no such proposal": ({"proposal": "NOBODYS"}, "lco has no proposal NOBODYS, or this account is not a member of it"),
    "a proposal with a slash": ({"proposal": "../users"}, "lco has no proposal ../users, or this account is not a member of it"),
    "a proposal without time": ({"proposal": "MMHUB-EMPTY"}, "the proposal MMHUB-EMPTY has no time on 1M0-SCICAM-SINISTRO"),
    "no such instrument": ({"instruments": {"9M9-NO": {"telescope_class": "9m9"}}}, "lco has no instrument 9M9-NO"),
    "another class": (
        {"instruments": {"1M0-SCICAM-SINISTRO": {"telescope_class": "2m0", "filters": ["gp"]}}},
        "1M0-SCICAM-SINISTRO is on telescopes of the class 1m0, not 2m0",
    ),
    "no such filter": (
        {"instruments": {"1M0-SCICAM-SINISTRO": {"telescope_class": "1m0", "filters": ["gp"], "bands": {"z": "zs"}}}},
        "1M0-SCICAM-SINISTRO of lco has no filter zs",
    ),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_settings_that_the_portal_does_not_know_are_told_by_a_trial_that_books_nothing(portal, case):
    changes, sentence = WRONG_SETTINGS[case]
    n_before = len(portal.groups())
    assert check(make_options(portal.url), part_context()) == []
    assert any(said.startswith(sentence) for said in check(make_options(portal.url, **changes), part_context()))
    assert len(portal.groups()) == n_before


def test_a_trial_of_a_portal_that_is_away_says_so():
    with refusing_port() as port:
        (said,) = check(make_options(f"http://127.0.0.1:{port}"), part_context())
    assert "cannot be read" in said


def test_two_submissions_are_two_requests_and_the_first_is_found(portal, network, intent):
    first, second = network.submit(intent), network.submit(intent)
    assert len(booked(portal, intent)) == 2
    assert network.find_by_marker(intent.intent_id) == first
    network.cancel(first.remote_id)
    assert network.find_by_marker(intent.intent_id) == second


def test_only_the_exact_name_is_found(portal, network, intent):
    payload = dict(network.dry_run(intent).payload)
    for name in (f"{payload['name']} copy", payload["name"].upper(), f"x{payload['name']}"):
        answer = network._post("/api/requestgroups/", {**payload, "name": name})
        assert answer.status == 201
    assert network.find_by_marker(intent.intent_id) is None
    mine = network.submit(intent)
    assert network.find_by_marker(intent.intent_id) == mine


def test_what_was_never_sent_is_not_found(network, intent):
    assert network.find_by_marker(intent.intent_id) is None


def test_cancelling_twice_is_as_good_as_once(portal, network, intent):
    remote = network.submit(intent)
    assert [network.cancel(remote.remote_id).state for _ in range(2)] == ["cancelled", "cancelled"]
    assert network.status(remote.remote_id).remote_state == "CANCELED"
    assert [group["state"] for group in booked(portal, intent)] == ["CANCELED"]


@pytest.mark.parametrize("remote_id", ["999999999", "x", "../proposals", "", "9" * 40])
def test_what_is_not_there_can_neither_be_looked_at_nor_cancelled(network, remote_id):
    for question in (network.status, network.cancel):
        with pytest.raises(NotFound, match="lco has no request"):
            question(remote_id)


def test_a_request_is_scheduled_observed_and_completed_and_then_cannot_be_cancelled(portal, network, intent):
    remote_id = network.submit(intent).remote_id
    visit = portal.schedule(remote_id)
    states = [network.status(remote_id)]
    for report in ("ATTEMPTED", "COMPLETED"):
        portal.report(visit, report)
        states.append(network.status(remote_id))
    assert [one.state for one in states] == ["scheduled", "in_progress", "completed"]
    assert states[-1].remote_state == "COMPLETED"
    with pytest.raises(
        NetworkRefused, match=r"(?i)cannot be cancelled: Cannot transition from request state COMPLETED to CANCELED"
    ):
        network.cancel(remote_id)
    assert network.status(remote_id).state == "completed"
    assert network.find_by_marker(intent.intent_id).state == "completed"


def test_a_visit_that_comes_to_nothing_leaves_the_request_waiting(portal, network, intent):
    remote_id = network.submit(intent).remote_id
    portal.report(portal.schedule(remote_id), "FAILED")
    remote = network.status(remote_id)
    assert (remote.state, remote.reason) == ("accepted", "1 of its observations came to nothing")


def test_bad_data_take_a_completion_back(portal, network, intent):
    remote_id = network.submit(intent).remote_id
    visit = portal.schedule(remote_id)
    portal.report(visit, "COMPLETED")
    assert network.status(remote_id).state == "completed"
    portal.find_bad(visit)
    assert network.status(remote_id).state == "accepted"


def test_what_was_running_when_it_was_cancelled_may_still_complete(portal, network, intent):
    remote_id = network.submit(intent).remote_id
    visit = portal.schedule(remote_id)
    portal.report(visit, "ATTEMPTED")
    assert network.cancel(remote_id).state == "cancelled"
    portal.report(visit, "COMPLETED")
    assert network.status(remote_id).state == "completed"


def test_a_cancelled_request_is_taken_out_of_the_schedule(portal, network):
    later = make_intent(next(NUMBERS), window_start=now().plus_s(3 * 3600))  # one that has begun is aborted, not cancelled
    remote_id = network.submit(later).remote_id
    portal.schedule(remote_id)
    network.cancel(remote_id)
    request = portal.group(remote_id)["requests"][0]["id"]
    assert [one["state"] for one in portal.ask("GET", f"/api/requests/{request}/observations/")] == ["CANCELED"]


def test_a_window_that_passes_ends_the_request(portal, network, intent):
    remote_id = network.submit(intent).remote_id
    portal.expire(remote_id)
    remote = network.status(remote_id)
    assert (remote.state, remote.remote_state, remote.reason) == ("expired", "WINDOW_EXPIRED", "not observed within its window")


def test_where_nobody_listens_nothing_was_sent(intent):
    with refusing_port() as port:
        network = make_network(f"http://127.0.0.1:{port}")
        with pytest.raises(Transient, match="nothing was sent"):
            network.submit(intent)
        assert network.validate(intent) == []
        with pytest.raises(TransportError):
            network.find_by_marker(intent.intent_id)


def test_a_portal_on_a_host_that_is_not_on_the_list_is_never_asked(portal):
    with pytest.raises(ConfigError, match=r"networks.lco.url: 127.0.0.1 is not among the hosts that may be asked"):
        make_network(portal.url, hosts=("observe.example.org",))
