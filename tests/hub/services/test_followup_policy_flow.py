"""The policy in the flow: decisions as rows, budgets in order of worth, stops, breakers, later looks and classifications."""

import dataclasses
import itertools

import pytest

from adapters.networks.simulated import Fault
from hub.errors import InvalidRequest, NotFound
from hub.model.coincidence import PairState
from hub.model.followup import RequestState
from hub.model.notice import Stage
from hub.storage import coincidences, events, followup, followup_decisions, followup_log
from tests.hub.services.test_followup import Hub
from tests.support.followup import make_candidate, make_coincidence, make_event
from tests.support.policies import ONE_SITE, policy_book

RELOOKS = ONE_SITE[:2]
"""Changes of the shipped policy that leave its later looks in it."""

DAY_S = 86_400.0


@pytest.fixture
def hub(tmp_path):
    opened = []

    def build(folder=tmp_path, **parts):
        folder.mkdir(exist_ok=True)
        opened.append(Hub(folder, **parts))
        return opened[-1]

    yield build
    for one in opened:
        one.store.close()


def object_of(number, *, score=5.0, event_id="G298048", version=1, state=PairState.OPEN):
    """Return what asks for the follow-up of one of several objects, far enough from each other."""
    return {
        "coincidence": make_coincidence(event_id, str(number), version=version, state=state),
        "event": make_event(event_id),
        "candidate": make_candidate(event_id, str(number), place=(197.45 + 0.05 * number, -23.4), score=score, state=state),
    }


def rows(night):
    """Return what stands in the rows, without histories and times."""
    with night.store.reading() as session:
        decided = {
            (one.event_id, one.target, one.purpose): (one.verdict.value, one.rule, one.reasons, one.allocations)
            for one in followup_decisions.search(session, limit=None)
        }
        intents = {one.intent.intent_id: (one.intent.target, one.state.value) for one in followup.search(session, limit=None)}
    return decided, intents


def test_what_is_drafted_and_sent_is_the_same_in_any_order(hub, tmp_path):
    wants = [object_of(number, score=float(number)) for number in range(1, 5)]
    found = []
    for number, order in enumerate(itertools.permutations(wants)):
        night = hub(tmp_path / str(number), policy=[("event = { requests = 5,", "event = { requests = 2,")])
        for want in order:
            night.plan(**want)
        drafted = rows(night)
        night.run(1)
        found.append((drafted, rows(night)))
        if number == 7:  # all orders of the first two, some of the others
            break
    assert all(one == found[0] for one in found)
    (decided, drafts), (_, sent) = found[0]
    assert {verdict for verdict, *_ in decided.values()} == {"ask"}
    assert {state for _, state in drafts.values()} == {"draft"}
    assert sorted(sent.values()) == [
        ("LSST:1", "draft"),
        ("LSST:2", "draft"),
        ("LSST:3", "accepted"),
        ("LSST:4", "accepted"),
    ]


def test_a_decision_against_is_a_row_with_its_reasons_and_takes_the_draft_back(hub):
    night = hub()
    want = object_of(1)
    night.plan(**want)
    doubtful = make_coincidence("G298048", "1", version=2)
    assert night.plan(**{**want, "coincidence": doubtful, "candidate": unconfirmed(want["candidate"])}) is None
    (decision,) = night.decisions
    assert (decision.verdict.value, decision.rule, decision.reasons) == ("skip", None, ("no rule matches",))
    assert night.states == ["draft", "cancelled"]


def unconfirmed(candidate):
    return dataclasses.replace(candidate, confirmed=False)


def test_a_candidate_that_comes_back_is_asked_for_again_and_once(hub):
    night = hub()
    first = night.plan(**object_of(1))
    gone = object_of(1, version=2, state=PairState.WITHDRAWN)
    with night.store.transaction() as session:
        coincidences.add(session, gone["coincidence"])
        night.service.withdraw(session, gone["coincidence"])
    again = night.plan(**object_of(1, version=3))
    assert again.intent_id != first.intent_id
    assert night.plan(**object_of(1, version=4)).intent_id == again.intent_id
    night.run(2)
    assert [one.marker for one in night.network.ledger()] == [again.intent_id]


def test_what_was_requested_nearby_is_left_out(hub):
    night = hub()
    night.plan(**object_of(1, score=9.0))
    twin = {**object_of(1, score=1.0, event_id="S2"), "coincidence": make_coincidence("S2", "1")}
    intent = night.plan(**twin)
    night.run(1)
    assert night.n_booked == 1
    assert night.get(intent).state is RequestState.CANCELLED
    skipped = next(one for one in night.decisions if one.event_id == "S2")
    assert skipped.is_skip
    assert "already requested: LSST:1 at simulated, 0 deg away, 0 h ago" in skipped.reasons


def test_a_network_that_a_person_stopped_gets_nothing_until_it_goes_on_and_the_log_says_who(hub):
    night = hub()
    night.plan()
    night.service.desk.stop("simulated", actor="person:maria", reason="the token mmh_0123abc leaked")
    night.run(3)
    assert night.states == ["draft"]
    restarted = hub()  # it stands in the rows
    restarted.run(2)
    assert restarted.n_booked == 0
    restarted.service.desk.resume("simulated", actor="person:li")
    restarted.run(1)
    assert restarted.n_booked == 1
    with night.store.reading() as session:
        told = [(one.actor, one.action, one.network, one.detail["reason"]) for one in followup_log.search(session)]
    assert told == [
        ("person:li", "resume", "simulated", ""),
        ("person:maria", "stop", "simulated", "the token ********** leaked"),
    ]
    with pytest.raises(NotFound, match="there is no network 'nowhere'; there are simulated, and all for all"):
        night.service.desk.stop("nowhere", actor="person:maria")


def test_all_networks_are_stopped_at_once_also_for_what_is_approved(hub):
    night = hub(options={"faults": (Fault.UNREACHABLE,)})
    night.plan()
    night.run(1)
    assert night.states[-1] == "approved"  # nothing was sent: it is tried again
    night.service.desk.stop("all", actor="person:maria")
    night.run(60)
    assert night.n_booked == 0
    night.service.desk.resume("all", actor="person:maria")
    night.run(60)
    assert night.n_booked == 1


def test_a_breaker_leaves_a_network_alone_and_a_person_closes_it(hub):
    policy = [
        ("faults = 5", "faults = 2"),
        ("pause_h = 0.5", "pause_h = 10.0"),
        ("event = { requests = 5,", "event = { requests = 50,"),
    ]
    night = hub(options={"faults": (Fault.UNREACHABLE,) * 3}, policy=[*policy, ("per_event = { requests = 2 }", "")])
    for number in (1, 2, 3):
        night.plan(**object_of(number, score=float(-number)))
    night.run(1)
    states = {one.intent.target: one.state for one in night.submissions}
    assert sorted(one.value for one in states.values()) == ["approved", "approved", "approved"]
    sendings = sum(step.state is RequestState.SENDING for one in night.submissions for step in one.transitions)
    assert sendings == 2  # the third was barred in the very step
    night.run(5, seconds=600.0)
    assert night.n_booked == 0
    night.service.desk.resume("simulated", actor="person:maria")
    night.run(10, seconds=600.0)
    assert night.n_booked == 3


def test_later_looks_are_drafted_with_their_dates_and_asked_for_when_they_are_due(hub):
    night = hub(book=policy_book(("event = { requests = 5,", "event = { requests = 9,"), base=RELOOKS))
    first = night.plan()
    looks = sorted(night.submissions, key=lambda one: one.intent.window_start)
    assert [one.intent.purpose for one in looks] == ["kilonova", *(f"kilonova +{days} d" for days in (1, 3, 10, 30))]
    assert [one.intent.due_at and round(one.intent.due_at.minus(first.created_at) / DAY_S) for one in looks] == [
        None,
        1,
        3,
        10,
        30,
    ]
    night.run(30)
    assert night.n_booked == 1
    night.clock.forward(DAY_S)
    night.run(2)
    later = night.get(looks[1].intent)
    assert later.state in (RequestState.ACCEPTED, RequestState.SCHEDULED)
    assert night.n_booked == 2
    night.clock.forward(2 * DAY_S)
    night.run(2)
    third = night.get(looks[2].intent)
    assert (third.state, third.transitions[-1].reason) == (
        RequestState.AWAITING_APPROVAL,
        "a person is asked: the cap of kilonova for the event has room for 2 requests, 2 were made: 1 more are too many",
    )


def test_a_retraction_cancels_later_looks_too_and_an_event_of_its_own_accord(hub):
    night = hub(book=policy_book(base=RELOOKS))
    night.plan()
    night.run(1)
    retracted = make_event(stage=Stage.RETRACTION)
    with night.store.transaction() as session:
        events.save(session, retracted)
        night.service.plan_event(session, retracted)
    states = sorted(one.state.value for one in night.submissions)
    assert states == ["cancel_requested", "cancelled", "cancelled", "cancelled", "cancelled"]
    night.run(2)
    assert {one.state for one in night.submissions} == {RequestState.CANCELLED}
    assert all(one.is_cancelled for one in night.network.ledger())


@pytest.mark.parametrize("kind", ["event", "coincidence"])
def test_what_is_retracted_between_approval_and_sending_is_never_sent(hub, kind):
    def retract(point):
        if point == "before claim":
            with night.store.transaction() as session:
                if kind == "event":
                    events.save(session, make_event(stage=Stage.RETRACTION))
                else:
                    coincidences.add(session, make_coincidence(version=2, state=PairState.WITHDRAWN))

    night = hub(hook=retract)
    night.plan()
    night.run(3)
    assert night.states == ["draft", "approved", "cancelled"]
    assert night.n_booked == 0


def test_a_person_settles_what_no_network_tells(hub):
    night = hub(options={"faults": (Fault.DROP_REPLY,), "can_find": False})
    intent = night.plan()
    night.run(3)
    assert night.states[-1] == "unknown"
    number = night.network.ledger()[0].remote_id
    night.service.desk.settle(intent.intent_id, actor="person:maria", remote_id=number, reason="called the observatory")
    night.run(3)
    assert night.submission.remote_id == number
    assert night.n_booked == 1


def test_what_a_person_knows_to_be_absent_is_sent_again_while_its_approval_holds(hub):
    night = hub(options={"faults": (Fault.LOST_ON_THE_WAY,), "can_find": False})
    intent = night.plan()
    night.run(3)
    said = {"actor": "person:maria", "remote_id": None, "reason": "called the observatory"}
    with pytest.raises(InvalidRequest, match="it was sent 180 s ago, and a network may book it up to 300 s later"):
        night.service.desk.settle(intent.intent_id, **said)
    night.clock.forward(120.0)
    night.service.desk.settle(intent.intent_id, **said)
    night.run(2)
    assert night.n_booked == 1
    assert night.states.count("sending") == 2


def test_a_dry_run_drafts_and_sends_nothing(hub):
    night = hub(settings={"dry_run": True})
    night.plan()
    night.run(3)
    assert night.states == ["draft"]
    assert night.n_booked == 0
