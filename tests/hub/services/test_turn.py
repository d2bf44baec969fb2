"""Of several processes one at a time has its turn."""

from hub.model.instant import Instant
from hub.services.turn import LEASE_S, Turn
from hub.storage import leases
from hub.storage.engine import Store

NAME = "something"


class Clock:
    now = Instant(10**15)

    def __call__(self) -> Instant:
        return self.now


def taken_by_another(store: Store, clock: Clock) -> bool:
    with store.transaction() as session:
        return leases.acquire(session, NAME, "another", now=clock.now, until=clock.now.plus_s(LEASE_S))


def test_a_turn_is_had_until_it_is_given_back(store: Store) -> None:
    clock = Clock()
    turn = Turn(store, NAME, clock)
    assert turn.take()
    assert turn.take()
    assert not taken_by_another(store, clock)
    turn.release()
    assert taken_by_another(store, clock)
    assert not turn.take()


def test_what_was_not_taken_is_not_given_back_or_kept(store: Store) -> None:
    clock = Clock()
    assert taken_by_another(store, clock)
    turn = Turn(store, NAME, clock)
    assert not turn.take()
    turn.keep()
    turn.release()
    with store.reading() as session:
        assert leases.holder_of(session, NAME) == "another"


def test_the_turn_of_a_process_that_says_nothing_ends_with_its_lease(store: Store) -> None:
    clock = Clock()
    assert taken_by_another(store, clock)
    turn = Turn(store, NAME, clock)
    clock.now = clock.now.plus_s(LEASE_S + 1.0)
    assert turn.take()
