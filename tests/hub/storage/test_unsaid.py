"""Pairs that a quieter pass changed are remembered until everything was let out."""

from hub.storage import unsaid
from hub.storage.engine import Store


def test_pairs_are_remembered_once_and_forgotten_by_name(store: Store) -> None:
    first, second, other = ("S1", "LSST", "1"), ("S1", "ZTF", "1"), ("S2", "LSST", "1")
    with store.transaction() as session:
        unsaid.add(session, {first, other})
        unsaid.add(session, {first, second})
        unsaid.add(session, set())
    with store.transaction() as session:
        assert unsaid.of_events(session, {"S1", "S3"}) == {first, second}
        assert unsaid.of_events(session, set()) == set()
        unsaid.forget(session, {first, ("S1", "LSST", "9")})
        assert unsaid.of_events(session, {"S1", "S2"}) == {second, other}


def test_thousands_of_one_event_are_forgotten_at_once(store: Store) -> None:
    many = {("S1", "LSST", str(number)) for number in range(1200)}
    with store.transaction() as session:
        unsaid.add(session, {*many, ("S1", "LSST", "kept")})
        unsaid.forget(session, many)
        assert unsaid.of_events(session, {"S1"}) == {("S1", "LSST", "kept")}
