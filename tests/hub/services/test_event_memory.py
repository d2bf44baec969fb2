from hub.model.event import assemble
from hub.services.event_memory import EventMemory
from hub.storage import events
from hub.storage.engine import Store
from tests.support.words import T0, notice, stored


def save(store: Store, name: str, *issued_s: float) -> None:
    with store.transaction() as session:
        events.save(session, assemble(name, [stored(notice(name, issued_at=T0.plus_s(one))) for one in issued_s]))


def test_an_event_is_made_anew_only_after_it_changed(store: Store) -> None:
    memory = EventMemory()
    save(store, "S1", 60.0)
    save(store, "S2", 60.0)
    with store.reading() as session:
        first = memory.of_ids(session, ["S2", "S1", "unknown"])
        assert first == events.of_ids(session, ["S1", "S2"])
        assert all(one is other for one, other in zip(first, memory.of_ids(session, {"S1", "S2"}), strict=True))
    save(store, "S2", 60.0, 120.0)
    with store.reading() as session:
        same, changed = memory.of_ids(session, ["S1", "S2"])
        assert same is first[0]
        assert [changed] == events.of_ids(session, ["S2"]) != [first[1]]


def test_no_more_events_are_kept_than_allowed_and_all_are_answered(store: Store) -> None:
    memory = EventMemory(max_events=2)
    names = ["S1", "S2", "S3", "S4"]
    for name in names:
        save(store, name, 60.0)
    with store.reading() as session:
        first = memory.of_ids(session, names)
        assert [one.event_id for one in first] == names
        again = memory.of_ids(session, names)
        assert again == first
        assert [one is other for one, other in zip(again, first, strict=True)].count(True) == 2
