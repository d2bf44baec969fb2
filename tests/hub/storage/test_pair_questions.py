"""What pairs asked of the triggers before them, on both engines."""

from dataclasses import replace

from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, coincidence_id
from hub.model.notice import EventClass
from hub.science.rate_questions import Asked, Counted, RateQuestion
from hub.storage import coincidences, pair_questions
from hub.storage.engine import Store
from hub.storage.pair_questions import PairQuestions
from tests.support.words import DAY_S, T0

END = T0.plus_s(90.0 * DAY_S)


def pair(first: str, second: str, days: float, kind: str = "gw-grb") -> Coincidence:
    members = tuple(Member(kind=MemberKind.EVENT, id=name) for name in sorted((first, second)))
    return Coincidence(
        coincidence_id=coincidence_id(kind, members),
        kind=kind,
        hypothesis=kind,
        members=members,
        state=PairState.OPEN,
        version=1,
        scores=(),
        reasons=(),
        localization_ids=(),
        is_live=True,
        t0=T0.plus_s(days * DAY_S),
        created_at=T0,
    )


def questions(first: str, second: str, days: float, *, n: int = 1, hz: float = 1e-5) -> PairQuestions:
    one, other = sorted((first, second))
    at = T0.plus_s(days * DAY_S)
    asked = (
        RateQuestion(
            counted=Counted.TRIGGERS, classes=(EventClass.GRB, EventClass.FRB), missions=("Fermi",), at=at, configured_hz=hz
        ),
        RateQuestion(counted=Counted.ALERTS, classes=(EventClass.CBC,), far_hz=1e-9, at=at, configured_hz=hz),
    )
    return PairQuestions(
        coincidence_id=f"{one} {other}",
        event_ids=(one, other),
        without=("a burst", "another"),
        asked=tuple(Asked(question=question, hz=hz, basis="measured") for question in asked[:n]),
    )


def test_what_was_asked_is_read_again_as_it_was_written_last(store: Store) -> None:
    one = questions("S1", "A1", 1.0, n=2)
    with store.transaction() as session:
        pair_questions.save(session, [replace(one, asked=())])
        pair_questions.save(session, [one, questions("S2", "B1", 2.0, n=0)])
    with store.reading() as session:
        assert pair_questions.between(session, T0, END, without="X") == [one]


def test_those_of_a_time_are_found_but_for_one_event(store: Store) -> None:
    with store.transaction() as session:
        for first, second, days in (
            ("S1", "A1", 1.0),
            ("S1", "A2", 2.0),
            ("S2", "B1", 90.0),
            ("S3", "C1", 90.1),
            ("S4", "D1", 0.0),
        ):
            pair_questions.save(session, [questions(first, second, days)])
    with store.reading() as session:
        found = [one.event_ids for one in pair_questions.between(session, T0, END, without="X")]
        own = [one.event_ids for one in pair_questions.between(session, T0, END, without="S1")]
    assert found == [("A1", "S1"), ("A2", "S1"), ("B1", "S2")]
    assert own == [("B1", "S2")]


def test_pairs_of_a_former_release_of_which_nothing_is_written_are_named_once_by_a_member(store: Store) -> None:
    with store.transaction() as session:
        for one in (
            pair("S1", "A1", 1.0),
            pair("S1", "A2", 2.0),
            pair("S2", "B1", 90.0),
            pair("S3", "C1", 90.1),
            pair("S4", "D1", 0.0),
            pair("S5", "E1", 5.0, kind="gw-optical"),
        ):
            coincidences.add(session, one)
        coincidences.add(session, replace(pair("S2", "B1", 90.0), version=2, state=PairState.WITHDRAWN))
        known = pair("S6", "F1", 6.0)
        coincidences.add(session, known)
        pair_questions.save(session, [replace(questions("S6", "F1", 6.0, n=0), coincidence_id=known.coincidence_id)])
    with store.reading() as session:
        found = pair_questions.unknown_between(session, {"gw-grb"}, T0, END, without="X")
        own = pair_questions.unknown_between(session, {"gw-grb"}, T0, END, without="S1")
    assert found == ["A1", "A2", "B1"]
    assert own == ["B1"]
