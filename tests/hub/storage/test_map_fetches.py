"""The queue of maps to fetch, on both engines."""

from hub.model.event import FetchedMap
from hub.storage import map_fetches
from hub.storage.map_fetches import FetchState
from tests.support.words import T0

FOUND = FetchedMap(
    url="https://a/1", fetched_at=T0.plus_s(9), sha256="00" * 32, localization_id="11" * 16, remarks=("renormalised",)
)


def test_a_map_is_due_once_asked_and_put_off_by_each_look(store):
    with store.transaction() as session:
        map_fetches.ask(session, "E1", "https://a/1", T0)
        map_fetches.ask(session, "E1", "https://a/2", T0.plus_s(-5))
        map_fetches.ask(session, "E1", "https://a/1", T0.plus_s(99))
        first = map_fetches.due(session, T0)
        assert first is not None
        assert first.url == "https://a/2"
        assert map_fetches.claim(session, first, T0.plus_s(60))
        assert not map_fetches.claim(session, first, T0.plus_s(60))
        second = map_fetches.due(session, T0)
        assert second is not None
        assert (second.url, second.first_at, second.tries) == ("https://a/1", T0, 0)
        map_fetches.failed(session, second, "nobody\x00there", for_good=False)
        assert [one.error for one in map_fetches.of_event(session, "E1")] == ["", "nobody\\x00there"]


def test_a_fetched_map_comes_back_and_is_never_due_again(store):
    with store.transaction() as session:
        map_fetches.ask(session, "E1", "https://a/1", T0)
        map_fetches.ask(session, "E2", "https://a/1", T0)
        (one,) = map_fetches.of_event(session, "E1")
        map_fetches.store(session, one, FOUND)
        map_fetches.ask(session, "E1", "https://a/1", T0.plus_s(99))
    with store.reading() as session:
        assert map_fetches.fetched(session, "E1") == {"https://a/1": FOUND}
        assert map_fetches.fetched(session, "E2") == {}
        waiting = map_fetches.due(session, T0.plus_s(999))
        assert waiting is not None
        assert waiting.event_id == "E2"
        assert map_fetches.counts(session) == {FetchState.WAITING: 1, FetchState.FETCHED: 1, FetchState.GIVEN_UP: 0}


def test_a_map_that_was_given_up_is_asked_for_anew(store):
    with store.transaction() as session:
        map_fetches.ask(session, "E1", "https://a/1", T0)
        (one,) = map_fetches.of_event(session, "E1")
        assert map_fetches.claim(session, one, T0.plus_s(60))
        map_fetches.failed(session, one, "gone", for_good=True)
        assert map_fetches.due(session, T0.plus_s(999)) is None
        map_fetches.ask(session, "E1", "https://a/1", T0.plus_s(500))
        again = map_fetches.due(session, T0.plus_s(500))
        assert again is not None
        assert (again.tries, again.first_at, again.error) == (0, T0.plus_s(500), "gone")
