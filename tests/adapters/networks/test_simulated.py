"""The simulated network: outcomes by seed and clock, faults, and a ledger that survives."""

import contextlib
from collections import Counter

import pytest

from adapters.networks.simulated import Fault, SimulatedNetwork, SimulatedOptions
from hub.errors import NetworkRefused, NotFound, Transient, TransportError
from hub.model.followup import Intent, Visibility, intent_id
from tests.support.followup import NOW, TurnedClock


def intent(number=1, **changes):
    values = {
        "intent_id": intent_id(
            event_id="S1", target=str(number), network="simulated", instrument="1M0-SIMCAM", purpose="kilonova", policy_version=1
        ),
        "event_id": "S1",
        "coincidence_id": "c",
        "target": f"LSST:{number}",
        "ra_deg": 197.45,
        "dec_deg": -23.38,
        "network": "simulated",
        "instrument": "1M0-SIMCAM",
        "purpose": "kilonova",
        "policy_version": 1,
        "window_start": NOW,
        "window_end": NOW.plus_s(3 * 86_400),
        "exposures": ({"filter": "g", "seconds": 60.0, "count": 2},),
        "max_airmass": 2.0,
        "reason": "test",
        "created_at": NOW,
    }
    return Intent(**{**values, **changes})


@pytest.fixture
def clock():
    return TurnedClock()


@pytest.fixture
def build(tmp_path, clock):
    def build(seed=1, **options):
        quiet = {"refuse_fraction": 0.0, "cloud_fraction": 0.0, "ledger": tmp_path / "ledger.sqlite"}
        return SimulatedNetwork(SimulatedOptions(**{**quiet, **options}), clock, seed)

    return build


def test_a_request_is_accepted_scheduled_observed_and_completed_as_the_clock_goes(build, clock):
    network = build()
    booked = network.submit(intent())
    seen = [booked.state]
    for seconds in (61, 540, 180):
        clock.forward(seconds)
        seen.append(network.status(booked.remote_id).state)
    assert seen == ["accepted", "scheduled", "in_progress", "completed"]


def test_two_equal_submissions_are_two_requests(build):
    network = build()
    network.submit(intent())
    network.submit(intent())
    assert [entry.marker for entry in network.ledger()] == [intent().intent_id] * 2


def test_the_ledger_survives_and_is_found_by_marker(build):
    remote_id = build().submit(intent()).remote_id
    again = build()
    assert again.find_by_marker(intent().intent_id).remote_id == remote_id
    assert again.find_by_marker("0" * 32) is None
    assert again.status(remote_id).remote_state == "PENDING"


def test_the_same_seed_gives_the_same_fates_and_another_seed_others(build, clock, tmp_path):
    def fates(seed, name):
        network = build(seed=seed, cloud_fraction=0.5, refuse_fraction=0.3, n_attempts=1, ledger=tmp_path / name)
        clock.now = NOW
        told = []
        for number in range(40):
            try:
                told.append(network.submit(intent(number)).remote_id)
            except NetworkRefused as refusal:
                told.append(str(refusal))
        clock.forward(7200)
        return [network.status(told_id).state if told_id.isdecimal() else "rejected" for told_id in told]

    first = fates(1, "a")
    assert first == fates(1, "b")
    assert first != fates(2, "c")
    assert set(first) == {"rejected", "failed", "completed"}


def test_a_clouded_night_is_tried_again_and_then_given_up(build, clock):
    network = build(cloud_fraction=1.0, n_attempts=2)
    booked = network.submit(intent())
    clock.forward(3600)
    assert network.status(booked.remote_id).state == "scheduled"
    assert network.status(booked.remote_id).reason == "clouded out on 1 nights"
    clock.forward(86_400)
    assert network.status(booked.remote_id).remote_state == "FAILURE_LIMIT_REACHED"


def test_a_request_whose_window_closes_expires(build, clock):
    network = build(observe_after_s=7200)
    booked = network.submit(intent(window_end=NOW.plus_s(3600)))
    clock.forward(3601)
    assert network.status(booked.remote_id).state == "expired"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exposures": ({"filter": "Halpha", "seconds": 60.0},)}, "no filter Halpha"),
        ({"exposures": ()}, "no exposures"),
        ({"exposures": ({"filter": "g", "seconds": 6000.0},)}, "longer than"),
        ({"instrument": "WFC3"}, "no instrument WFC3"),
        ({"window_end": NOW}, "window ended"),
        (
            {
                "visibility": (
                    Visibility(
                        site="CTIO", is_observable=False, window_start=None, window_end=None, best_airmass=None, reason="no"
                    ),
                )
            },
            "not observable",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_with_the_reason_and_not_booked(build, changes, reason):
    network = build()
    assert any(reason in text for text in network.validate(intent(**changes)))
    with pytest.raises(NetworkRefused, match=reason):
        network.submit(intent(**changes))
    assert network.ledger() == ()


def test_over_quota_is_refused_until_a_day_has_passed(build, clock):
    network = build(quota_per_day=1)
    network.submit(intent(1))
    with pytest.raises(NetworkRefused, match="quota"):
        network.submit(intent(2))
    clock.forward(86_401)
    network.submit(intent(2))
    assert len(network.ledger()) == 2


@pytest.mark.parametrize(
    ("fault", "error", "n_booked"),
    [
        (Fault.UNREACHABLE, Transient, 0),
        (Fault.TOO_MANY, Transient, 0),
        (Fault.LOST_ON_THE_WAY, TransportError, 0),
        (Fault.DROP_REPLY, TransportError, 1),
        (Fault.ERROR_AFTER_BOOKING, TransportError, 1),
    ],
)
def test_each_fault_books_what_it_says(build, fault, error, n_booked):
    network = build(faults=(fault,))
    with pytest.raises(error) as raised:
        network.submit(intent())
    assert isinstance(raised.value, Transient) == (error is Transient)
    assert len(network.ledger()) == n_booked
    assert network.submit(intent(2)).state == "accepted"


def test_cancelling_is_repeatable_and_too_late_after_completion(build, clock):
    network = build()
    first, second = network.submit(intent(1)).remote_id, network.submit(intent(2)).remote_id
    assert network.cancel(first).state == "cancelled"
    assert network.cancel(first).remote_state == "CANCELED"
    clock.forward(3600)
    assert network.status(first).state == "cancelled"
    with pytest.raises(NetworkRefused, match="COMPLETED"):
        network.cancel(second)


@pytest.mark.parametrize("remote_id", ["99", "", "x", "9" * 40, "-1", "²"])
def test_an_unknown_request_is_not_found(build, remote_id):
    with pytest.raises(NotFound):
        build().status(remote_id)


def test_a_network_without_search_says_so(build):
    with pytest.raises(NotFound, match="cannot search"):
        build(can_find=False).find_by_marker("x")


def test_a_slow_booking_is_there_only_after_its_time_and_is_not_waited_for_longer_than_patience(tmp_path, clock):
    for patience_s, waited_s in ((60.0, 60.0), (300.0, 120.0)):
        waits = []
        options = SimulatedOptions(
            ledger=tmp_path / f"{patience_s}", refuse_fraction=0.0, faults=(Fault.SLOW,), patience_s=patience_s
        )

        def wait(seconds, waits=waits):
            waits.append(seconds)
            clock.forward(seconds)

        network = SimulatedNetwork(options, clock, 1, wait=wait)
        if patience_s < 120.0:
            with pytest.raises(TransportError, match="did not answer in time"):
                network.submit(intent())
            assert network.find_by_marker(intent().intent_id) is None
            clock.forward(60.0)
        else:
            assert network.submit(intent()).state == "accepted"
        assert waits == [waited_s]
        assert network.find_by_marker(intent().intent_id).state == "accepted"
        assert len(network.ledger()) == 1


def test_a_network_that_restarts_has_the_request_and_answers_nothing_until_it_is_back(build, clock):
    network = build(faults=(Fault.RESTART,), restart_s=90.0)
    with pytest.raises(TransportError):
        network.submit(intent())
    again = build(fault_odds={Fault.RESTART: 0.0})
    for question in (
        lambda: again.find_by_marker(intent().intent_id),
        lambda: again.status("1"),
        lambda: again.cancel("1"),
        lambda: again.submit(intent(2)),
    ):
        with pytest.raises(Transient, match="cannot be reached"):
            question()
    assert [one.marker for one in again.arrivals()] == [intent().intent_id]
    clock.forward(90.0)
    assert again.find_by_marker(intent().intent_id).state == "scheduled"
    assert again.cancel("1").state == "cancelled"


def test_troubles_come_as_often_as_they_should_whoever_asks_and_the_same_in_each_run(build, tmp_path):
    odds = {Fault.DROP_REPLY: 0.3, Fault.TOO_MANY: 0.2}

    def met(name):
        for number in range(200):  # a new process each time
            with contextlib.suppress(TransportError):
                build(fault_odds=odds, ledger=tmp_path / name).submit(intent(number))
        return [one.fault for one in build(ledger=tmp_path / name).arrivals()]

    found = met("a")
    assert found == met("b")
    counted = Counter(found)
    assert 40 <= counted[Fault.DROP_REPLY] <= 80
    assert 25 <= counted[Fault.TOO_MANY] <= 55
    assert counted[Fault.NONE] == 200 - counted[Fault.DROP_REPLY] - counted[Fault.TOO_MANY]


def test_a_network_of_few_words_loses_answers_and_does_what_it_is_told(build, clock):
    network = build(silence_odds=1.0)
    booked = network.submit(intent())
    for question in (
        lambda: network.find_by_marker(intent().intent_id),
        lambda: network.status(booked.remote_id),
        lambda: network.cancel(booked.remote_id),
    ):
        with pytest.raises(TransportError) as raised:
            question()
        assert not isinstance(raised.value, Transient)
    assert [one.is_cancelled for one in network.ledger()] == [True]


def test_what_came_too_late_is_written_down_though_it_is_refused(build, clock):
    network = build()
    with pytest.raises(NetworkRefused):
        network.submit(intent(window_end=NOW))
    (one,) = network.arrivals()
    assert (one.arrived_at, one.window_end, one.fault) == (NOW, NOW, Fault.NONE)
    assert network.ledger() == ()


def test_a_dry_run_says_what_would_be_booked_and_the_quota_what_is_left(build, clock):
    network = build(quota_per_day=3)
    assert network.dry_run(intent()).duration_s == 180.0
    assert network.dry_run(intent()).reasons == ()
    assert "no instrument X" in network.dry_run(intent(instrument="X")).reasons[0]
    assert network.ledger() == network.arrivals() == ()
    network.submit(intent())
    (quota,) = network.quota()
    assert (quota.allocated, quota.used, quota.left, quota.unit) == (3.0, 1.0, 2.0, "requests")
    assert quota.until == NOW.plus_s(86_400)
    clock.forward(86_401)
    assert network.quota()[0].left == 3.0
