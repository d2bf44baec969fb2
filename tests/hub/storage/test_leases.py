"""Leases on both engines: one holder at a time, taken over when they end."""

import threading

from hub.storage import leases
from hub.storage.engine import Store
from tests.support.words import T0


def acquire(store: Store, holder: str, seconds: float, *, lasts_s: float = 30.0, instead_of: str | None = None) -> bool:
    now = T0.plus_s(seconds)
    with store.transaction() as session:
        return leases.acquire(session, "x", holder, now=now, until=now.plus_s(lasts_s), instead_of=instead_of)


def holder(store: Store) -> str | None:
    with store.reading() as session:
        return leases.holder_of(session, "x")


def test_a_lease_is_ones_own_until_it_ends(store: Store) -> None:
    assert holder(store) is None
    assert acquire(store, "me", 0)
    assert not acquire(store, "you", 29)
    assert acquire(store, "me", 29)
    assert not acquire(store, "you", 58)
    assert acquire(store, "you", 59)
    assert not acquire(store, "me", 60)
    assert holder(store) == "you"


def test_only_the_holder_gives_it_back(store: Store) -> None:
    assert acquire(store, "me", 0)
    for one, left in (("you", "me"), ("me", None)):
        with store.transaction() as session:
            leases.release(session, "x", one)
        assert holder(store) == left
    assert acquire(store, "you", 1)


def test_the_lease_of_the_dead_and_of_a_clock_gone_wrong_does_not_count(store: Store) -> None:
    assert acquire(store, "dead", 0)
    assert not acquire(store, "me", 1, instead_of="other")
    assert acquire(store, "me", 1, instead_of="dead")
    assert acquire(store, "me", 1e9)
    assert acquire(store, "you", 2)


def test_of_many_at_once_one_gets_it(store: Store) -> None:
    got: list[str] = []
    barrier = threading.Barrier(4)

    def tries(name: str) -> None:
        barrier.wait(60)
        if acquire(store, name, 0):
            got.append(name)

    threads = [threading.Thread(target=tries, args=(f"thread {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == 1
    assert holder(store) == got[0]
