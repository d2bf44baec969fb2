"""Events: names, windows over all versions, searches and pages."""

import contextlib
import dataclasses

from hub.model.event import Event, EventState, assemble
from hub.model.notice import EventClass, Messenger, Notice, Role, Stage
from hub.storage import counters, events
from hub.storage.engine import Store
from tests.support.words import T0, grb, notice, stored


def save(store: Store, *said: Notice) -> Event:
    event_id = said[0].event_key
    assert event_id is not None
    event = assemble(event_id, [stored(one) for one in said])
    with store.transaction() as session:
        events.save(session, event)
    return event


def ids(found: list[Event]) -> list[str]:
    return [event.event_id for event in found]


def test_an_event_is_found_by_its_id_and_by_its_names_as_they_are_now(store: Store) -> None:
    save(store, grb("Fermi-1", aliases=("GRB 260301A", "bn1")))
    event = save(store, grb("Fermi-1", aliases=("GRB 260301B", "bn1")))
    with store.reading() as session:
        assert events.get(session, "Fermi-1") == event
        assert events.get(session, "GRB 260301B") == event
        assert events.get(session, "GRB 260301A") is None
        assert events.get(session, "nowhere") is None


def test_a_name_that_two_events_share_means_the_first_and_an_id_wins_over_names(store: Store) -> None:
    save(store, grb("Swift-9", aliases=("GRB 260301A",)))
    save(store, grb("Fermi-1", aliases=("GRB 260301A", "Swift-9")))
    with store.reading() as session:
        assert events.get(session, "GRB 260301A").event_id == "Fermi-1"
        assert events.get(session, "Swift-9").event_id == "Swift-9"
        assert ids(events.of_ids(session, ["Swift-9", "nowhere", "Fermi-1"])) == ["Fermi-1", "Swift-9"]
        assert events.all_ids(session) == ["Fermi-1", "Swift-9"]


def window(store: Store, start: float, end: float, *classes: EventClass) -> list[str]:
    with store.reading() as session:
        return ids(events.in_window(session, classes or (EventClass.GRB,), T0.plus_s(start), T0.plus_s(end)))


def test_a_window_is_inclusive_and_counts_the_times_of_all_versions(store: Store) -> None:
    save(store, grb("Fermi-1", t0=T0.plus_s(10)), grb("Fermi-1", t0=T0.plus_s(30), issued_at=T0.plus_s(900)))
    save(store, grb("Fermi-2", t0=None, issued_at=T0))
    assert window(store, 30, 40) == window(store, 0, 10) == window(store, 15, 20) == ["Fermi-1"]
    assert window(store, 0, 9.999) == window(store, 30.001, 99) == []


def test_a_window_counts_the_classes_of_all_versions_and_a_retraction_has_none(store: Store) -> None:
    changed = grb("Fermi-1", event_class=EventClass.OTHER, issued_at=T0.plus_s(900))
    save(store, grb("Fermi-1", event_class=EventClass.XRAY_TRANSIENT), changed)
    save(store, grb("Fermi-2", stage=Stage.RETRACTION))
    assert window(store, 0, 10, EventClass.XRAY_TRANSIENT) == ["Fermi-1"]
    assert window(store, 0, 10, EventClass.OTHER) == ["Fermi-1"]
    assert window(store, 0, 10) == []


def test_searches_by_every_property(store: Store) -> None:
    save(store, notice("S260301a", t0=T0))
    save(store, grb("Fermi-1", t0=T0.plus_s(10), aliases=("GRB 260301A", "100%_sure")))
    save(store, grb("Fermi-2", t0=T0.plus_s(20), is_live=False), grb("Fermi-2", stage=Stage.RETRACTION, issued_at=T0.plus_s(900)))

    def search(**wanted: object) -> list[str]:
        with store.reading() as session:
            return ids(events.search(session, **wanted))  # type: ignore[arg-type]

    assert search() == ["Fermi-2", "Fermi-1", "S260301a"]
    assert search(messengers=[Messenger.GW]) == ["S260301a"]
    assert search(event_classes=[EventClass.GRB]) == ["Fermi-2", "Fermi-1"]
    assert search(state=EventState.RETRACTED) == ["Fermi-2"]
    assert search(live_only=True) == ["Fermi-1", "S260301a"]
    assert search(t0_from=T0.plus_s(10), t0_to=T0.plus_s(10)) == ["Fermi-1"]
    assert search(text="fERMI") == ["Fermi-2", "Fermi-1"]
    assert search(text="grb 2603") == search(text="100%_S") == ["Fermi-1"]
    assert search(text="%") == ["Fermi-1"]
    assert search(text="_1") == search(text="\\") == []
    assert search(messengers=[]) == []


def test_pages_hold_every_event_once(store: Store) -> None:
    for number in range(7):
        save(store, grb(f"Fermi-{number}", t0=T0.plus_s(number // 3)))
    seen: list[str] = []
    before = None
    while True:
        with store.reading() as session:
            page = events.search(session, limit=2, before=before)
        if not page:
            break
        seen += ids(page)
        before = events.key(page[-1])
    assert seen == ["Fermi-6", "Fermi-3", "Fermi-4", "Fermi-5", "Fermi-0", "Fermi-1", "Fermi-2"]


def test_an_event_without_any_time_is_listed_by_its_reception(store: Store) -> None:
    event = save(store, dataclasses.replace(grb("Fermi-1"), t0=None, issued_at=None))
    assert events.key(event) == (T0.plus_s(400).tai_us, "Fermi-1")
    with store.reading() as session:
        assert ids(events.search(session)) == ["Fermi-1"]
        assert events.search(session, t0_from=T0) == []


def test_what_changed_after_a_counter_is_found_by_it(store: Store) -> None:
    save(store, grb("Fermi-1"))
    with store.reading() as session:
        seen = counters.value(session, counters.EVENTS)
        assert ids(events.changed_since(session, 0)) == ["Fermi-1"]
        assert events.changed_since(session, seen) == []
    save(store, notice("S2"))
    save(store, grb("Fermi-1", aliases=("GRB",)))
    with store.reading() as session:
        assert counters.value(session, counters.EVENTS) == seen + 2
        assert ids(events.changed_since(session, seen)) == ["Fermi-1", "S2"]
        assert ids(events.changed_since(session, seen + 1)) == ["Fermi-1"]


def test_a_counter_that_was_raised_in_vain_is_as_before(store: Store) -> None:
    class Stop(Exception):
        pass

    with store.transaction() as session:
        assert [counters.increment(session, "one") for _ in range(3)] == [1, 2, 3]
    with contextlib.suppress(Stop), store.transaction() as session:
        counters.increment(session, "one")
        raise Stop
    with store.reading() as session:
        assert (counters.value(session, "one"), counters.value(session, "other")) == (3, 0)


def test_events_of_a_span_and_since_a_time_are_those_that_any_notice_puts_there(store: Store) -> None:
    save(store, notice("S1"), notice("S1", t0=T0.plus_s(50), stage=Stage.UPDATE, issued_at=T0.plus_s(900)))
    save(store, grb("Fermi-2", t0=T0.plus_s(30)))
    save(store, grb("Fermi-3", t0=None))
    with store.reading() as session:
        assert ids(events.in_span(session, T0, T0)) == ["S1"]
        assert ids(events.in_span(session, T0.plus_s(20), T0.plus_s(40))) == ["Fermi-2", "S1"]
        assert ids(events.in_span(session, T0.plus_s(51), T0.plus_s(99))) == []
        assert events.ids_since(session, T0) == ["Fermi-2", "S1"]
        assert events.ids_since(session, T0.plus_s(40)) == ["S1"]


def test_open_live_events_of_some_time_are_named_without_those_that_are_over_or_tests(store: Store) -> None:
    save(store, notice("S1"), notice("S1", t0=T0.plus_s(50), issued_at=T0.plus_s(60)))
    save(store, notice("S2", t0=T0.plus_s(30)), notice("S2", stage=Stage.RETRACTION, issued_at=T0.plus_s(900)))
    save(store, grb("Fermi-1", t0=T0.plus_s(30)))
    save(store, grb("Fermi-2", t0=T0.plus_s(500)))
    save(store, grb("Fermi-3", t0=T0.plus_s(30), role=Role.TEST, is_live=False))
    with store.reading() as session:
        whole = events.in_span(session, T0, T0.plus_s(99))
        assert ids(whole) == ["Fermi-1", "Fermi-3", "S1", "S2"]
        assert events.open_in_span(session, T0, T0.plus_s(99)) == ["Fermi-1", "S1"]
        assert events.open_in_span(session, T0.plus_s(40), T0.plus_s(99)) == ["S1"]
