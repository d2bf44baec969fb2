"""What rates are counted from, on both engines."""

from dataclasses import replace

from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, coincidence_id
from hub.model.event import assemble
from hub.model.notice import EventClass, Messenger, Stage
from hub.storage import coincidences, events, triggers
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


def test_the_pairs_behind_an_event_are_named_once_by_a_member(store: Store) -> None:
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
    end = T0.plus_s(90.0 * DAY_S)
    with store.reading() as session:
        found = coincidences.members_of_pairs_between(session, {"gw-grb"}, T0, end, without="X")
        own = coincidences.members_of_pairs_between(session, {"gw-grb"}, T0, end, without="S1")
    assert found == ["A1", "A2", "B1"]
    assert own == ["B1"]
