"""What rates are counted from, on both engines."""

from dataclasses import replace

from hub.model.event import assemble
from hub.model.notice import EventClass, Messenger, Stage
from hub.storage import events, triggers
from hub.storage.engine import Store
from tests.support.words import DAY_S, T0, grb, notice, stored


def save(store: Store, message, *more) -> None:
    with store.transaction() as session:
        events.save(session, assemble(message.event_key, [stored(one) for one in (message, *more)]))


def test_all_events_of_a_span_are_columns(store: Store) -> None:
    save(store, grb("Fermi-1", t0=T0, far_hz=None))
    save(store, grb("Fermi-2", t0=T0.plus_s(5.0), vetoes=("none",)))
    taken_back = grb("Fermi-3", t0=T0.plus_s(6.0))
    save(store, taken_back, replace(taken_back, stage=Stage.RETRACTION, issued_at=T0.plus_s(900.0)))
    save(store, notice("S1", t0=T0.plus_s(DAY_S), far_hz=1e-9))
    save(store, notice("MS1", t0=T0.plus_s(7.0), is_live=False))
    save(store, grb("Fermi-4", t0=T0.plus_s(-1.0)))
    save(store, grb("Fermi-5", t0=T0.plus_s(DAY_S + 1.0)))
    save(store, grb("Fermi-6", t0=None))
    search = {"messenger": Messenger.NEUTRINO, "event_class": EventClass.HIGH_ENERGY_NEUTRINO}
    save(store, notice("IceCube-S1", t0=T0.plus_s(8.0), depends_on=("S1",), **search))  # answers an event
    save(store, grb("Swift-1", t0=T0.plus_s(9.0), mission="Swift", depends_on=("Fermi-1",)))  # another view of a burst
    with store.reading() as session:
        found = triggers.in_span(session, T0, T0.plus_s(DAY_S))
    rows = {
        str(name): (str(kind), str(mission), bool(live), bool(stands), float(far))
        for name, kind, mission, live, stands, far in zip(
            found.source_id, found.event_class, found.mission, found.is_live, found.is_standing, found.far_hz, strict=True
        )
    }
    assert set(rows) == {"Fermi-1", "Fermi-2", "Fermi-3", "S1", "MS1", "Swift-1"}
    assert rows["Fermi-1"][:4] == ("grb", "Fermi", True, True)
    assert rows["Fermi-1"][4] != rows["Fermi-1"][4]  # no rate is stated
    assert [rows[name][3] for name in ("Fermi-2", "Fermi-3")] == [False, False]
    assert rows["S1"] == ("cbc", "LVK", True, True, 1e-9)
    assert rows["MS1"][2] is False
    grbs = found.of([EventClass.GRB.value], ())
    assert sorted(grbs.standing().burst_times_us().tolist()) == [T0.tai_us, T0.plus_s(9.0).tai_us]
    assert len(grbs.burst_times_us()) == 4
    assert grbs.mission_names() == ["Fermi", "Swift"]


def test_an_empty_span_has_empty_columns(store: Store) -> None:
    with store.reading() as session:
        found = triggers.in_span(session, T0, T0.plus_s(DAY_S))
    assert len(found.of(["grb"], ["Fermi"]).burst_times_us()) == 0
    assert found.heard_since_s(["cbc"], T0, DAY_S) == 0.0
    assert found.mission_names() == []
