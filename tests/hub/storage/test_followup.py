"""Intents never change; steps are appended one by one."""

import dataclasses
import math

import pytest

from hub.errors import StorageError
from hub.model.followup import Intent, RequestState, TargetField, Transition, Visibility
from hub.science.followup_limits import Spent
from hub.storage import followup, schema
from hub.storage.engine import Store, make_engine, open_store, upgrade
from tests.support.followup import NOW


def intent(name: str = "i1", **changes: object) -> Intent:
    sees = Visibility(
        site="CTIO", is_observable=True, window_start=NOW, window_end=NOW.plus_s(60), best_airmass=1.25, reason="up"
    )
    values = {
        "intent_id": name,
        "event_id": "S1",
        "coincidence_id": "c1",
        "target": "LSST:100",
        "ra_deg": 10.0,
        "dec_deg": -20.0,
        "network": "simulated",
        "instrument": "1M0-SIMCAM",
        "purpose": "kilonova",
        "policy_version": 1,
        "window_start": NOW,
        "window_end": NOW.plus_s(3600),
        "exposures": ({"filter": "r", "seconds": 120.0, "count": 2},),
        "max_airmass": 2.0,
        "reason": "because δ",
        "visibility": (sees,),
        "created_at": NOW,
    }
    return Intent(**(values | changes))  # type: ignore[arg-type]


def step(number: int, state: RequestState, name: str = "i1", **changes: object) -> Transition:
    one = Transition(intent_id=name, network="simulated", number=number, state=state, at=NOW.plus_s(number), detail={"n": [1]})
    return dataclasses.replace(one, **changes)  # type: ignore[arg-type]


def test_an_intent_stays_as_it_was_first_written(store: Store) -> None:
    with store.transaction() as session:
        assert followup.add_intent(session, intent())
        assert not followup.add_intent(session, intent(reason="another"))
        assert followup.get(session, "i1").intent == intent()
        assert followup.get(session, "i1").transitions == ()
        assert followup.get(session, "nowhere") is None


def test_steps_are_appended_and_a_number_is_given_once(store: Store) -> None:
    steps = (
        step(1, RequestState.DRAFT),
        step(2, RequestState.SENDING, remote_id=None),
        step(3, RequestState.ACCEPTED, remote_id="7"),
    )
    with store.transaction() as session:
        followup.add_intent(session, intent())
        for one in steps:
            followup.append(session, one)

    def append_again() -> None:
        with store.transaction() as session:
            followup.append(session, step(3, RequestState.CANCELLED))

    with pytest.raises(StorageError, match="step 3"):
        append_again()
    with store.reading() as session:
        submission = followup.get(session, "i1")
        assert submission.transitions == steps
        assert (submission.state, submission.remote_id) == (RequestState.ACCEPTED, "7")
        assert [one.intent.intent_id for one in followup.in_states(session, [RequestState.ACCEPTED])] == ["i1"]
        assert followup.in_states(session, [RequestState.DRAFT, RequestState.SENDING, RequestState.CANCELLED]) == []
        assert followup.in_states(session, []) == []


def test_searches_and_pages(store: Store) -> None:
    with store.transaction() as session:
        for number in range(5):
            name = f"i{number}"
            followup.add_intent(session, intent(name, created_at=NOW.plus_s(number // 2), event_id=f"S{number % 2}"))
            followup.append(session, step(1, RequestState.DRAFT, name))
        followup.append(session, step(2, RequestState.CANCELLED, "i3"))

    def names(found: list[followup.Submission]) -> list[str]:
        return [one.intent.intent_id for one in found]

    with store.reading() as session:
        assert names(followup.search(session)) == ["i4", "i2", "i3", "i0", "i1"]
        first = followup.search(session, limit=2)
        assert names(followup.search(session, before=followup.key(first[-1]))) == ["i3", "i0", "i1"]
        assert names(followup.search(session, event_id="S1")) == ["i3", "i1"]
        assert names(followup.search(session, state=RequestState.CANCELLED)) == ["i3"]
        assert names(followup.of_event(session, "S1")) == ["i1", "i3"]
        assert names(followup.of_coincidence(session, "c1")) == ["i0", "i1", "i2", "i3", "i4"]
        assert followup.of_coincidence(session, "c2") == []


def test_sums_and_answers_are_of_the_rows_and_those_of_an_older_hub_count_too(url: str) -> None:
    upgrade(url)
    store = open_store(url)
    fields = tuple(TargetField(ra_deg=10.0, dec_deg=float(number), prob=0.1) for number in range(3))
    ends = [RequestState.UNKNOWN, RequestState.ACCEPTED, RequestState.REJECTED]
    with store.transaction() as session:
        followup.add_intent(session, intent("mine"))
        for number, end in enumerate(ends):
            later = NOW.plus_s(1000.0 * number)
            due_at = NOW.plus_s(9000.0) if number == 2 else None
            of_event = "S2" if number == 0 else "S1"
            changes = {"fields": fields if number == 1 else (), "created_at": later, "due_at": due_at, "event_id": of_event}
            followup.add_intent(session, intent(f"i{number}", **changes))
            for order, state in enumerate((RequestState.DRAFT, RequestState.APPROVED, RequestState.SENDING, end), start=1):
                followup.append(session, step(order, state, f"i{number}", at=later.plus_s(order)))
        followup.append(session, step(1, RequestState.APPROVED, "mine"))

    def counted(store: Store) -> list[object]:
        states = (RequestState.APPROVED, *ends)
        camera = ("simulated", "1M0-SIMCAM")
        with store.reading() as session:
            return [
                followup.spent(session, states, without="mine"),
                followup.spent(session, ends[:1], without="mine"),
                followup.spent(session, states, without="mine", event_id="S1"),
                followup.spent(session, states, without="i0", after=NOW),
                followup.spent(session, states, without="mine", after=NOW.plus_s(1000.0), paid_by=camera),
                followup.spent(session, states, without="mine", paid_by=("simulated", "2M0")),
                followup.answers(session, "simulated", {RequestState.UNKNOWN}, after=NOW, limit=2),
                followup.answers(session, "simulated", {RequestState.UNKNOWN}, after=NOW, limit=9)[2:],
                followup.answers(session, "other", {RequestState.UNKNOWN}, after=NOW, limit=9),
            ]

    found = counted(store)
    store.close()
    assert found == [
        Spent(requests=3, seconds=1200.0),  # 240 s each, of one three fields
        Spent(requests=1, seconds=240.0),
        Spent(requests=2, seconds=960.0),
        Spent(requests=2, seconds=960.0),
        Spent(requests=1, seconds=240.0),
        Spent(requests=0, seconds=0.0),
        [(NOW.plus_s(2004.0), False), (NOW.plus_s(1004.0), False)],
        [(NOW.plus_s(4.0), True)],
        [],
    ]
    engine = make_engine(url)
    schema.downgrade(engine, "0025")
    engine.dispose()
    upgrade(url)
    store = open_store(url)
    assert counted(store) == found
    store.close()


@pytest.mark.parametrize(("seconds", "counted"), [(math.nan, 1e9), (math.inf, 1e9), (-math.inf, 1e9), (1e30, 1e9), (-5.0, 0.0)])
def test_a_time_that_is_none_is_kept_and_counts_as_the_longest(url: str, seconds: float, counted: float) -> None:
    upgrade(url)
    store = open_store(url)
    with store.transaction() as session:
        followup.add_intent(session, intent(exposures=({"filter": "r", "seconds": seconds, "count": 1},)))
        followup.append(session, step(1, RequestState.APPROVED))
        assert followup.spent(session, [RequestState.APPROVED], without="") == Spent(requests=1, seconds=counted)
    store.close()
    engine = make_engine(url)
    schema.downgrade(engine, "0025")
    engine.dispose()
    upgrade(url)
    store = open_store(url)
    with store.reading() as session:
        assert followup.spent(session, [RequestState.APPROVED], without="") == Spent(requests=1, seconds=counted)
    store.close()
