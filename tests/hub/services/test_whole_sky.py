"""A burst of neutrinos of a supernova that nobody places is searched for by its time, on the whole sky; nothing else is."""

import itertools
from collections.abc import Sequence

import pytest

from hub.model.coincidence import PairState
from hub.model.notice import EventClass, Messenger, Notice, Stage
from hub.model.sky import WHOLE_SKY_ID, Circle, StatedPosition, whole_sky
from hub.resources import read_text
from hub.science.localization_table import load_localization_table
from hub.storage import candidates, events
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import T0, alerts, gaussian_map, localization, notice

TABLE = load_localization_table(read_text("conf/localizations.toml"))
BRIGHT_NJY = 1e9
"""Magnitude 8.9."""


def burst(**changes) -> Notice:
    said = {
        "event_key": "SNEWS-1",
        "event_class": EventClass.SUPERNOVA_NEUTRINO,
        "messenger": Messenger.NEUTRINO,
        "mission": "SNEWS",
        "classification": {},
        "far_hz": None,
        "p_astro": None,
    }
    return notice(**{**said, **changes})


def seen(name: str, ra: float, dec: float, flux_njy: float, *days: float) -> list[dict[str, object]]:
    return [
        {"object_id": name.encode(), "ra": ra, "dec": dec, "days": one, "flux_njy": flux_njy, "source_id": 1000 * int(name) + n}
        for n, one in enumerate(days)
    ]


SKY = alerts(
    *seen("1", 266.0, -29.0, BRIGHT_NJY, 0.2, 1.2),
    *seen("2", 20.0, 60.0, BRIGHT_NJY, 0.3, 1.3),
    *seen("3", 130.0, 20.0, 1e4, 0.3, 1.3),  # faint
    *seen("4", 200.0, 10.0, BRIGHT_NJY, -40.0, 1.3),  # it was there before
    *seen("5", 40.0, 10.0, BRIGHT_NJY, 35.0, 36.0),  # it came too late
)


def stand_in(message: Notice):
    return TABLE.stand_in(message)


def found(desk: Desk) -> dict[str, tuple[str, PairState]]:
    with desk.store.reading() as session:
        return {one.object_id: (one.hypothesis, one.state) for one in candidates.search(session, limit=None)}


@pytest.mark.parametrize("order", list(itertools.permutations(["event", "alerts"])))
def test_what_is_bright_and_new_anywhere_is_a_candidate(store: Store, order: Sequence[str]) -> None:
    desk = Desk(store)
    for step in order:
        if step == "event":
            desk.tell(burst(), stand_in(burst()))
        else:
            desk.show(SKY)
    of = found(desk)
    assert {name for name, (_, state) in of.items() if state is PairState.OPEN} == {"1", "2"}
    assert {hypothesis for hypothesis, _ in of.values()} == {"core-collapse"}


@pytest.mark.parametrize(
    "message",
    [
        notice(event_class=EventClass.CBC),
        notice(event_class=EventClass.BURST),
        notice(event_class=EventClass.HIGH_ENERGY_NEUTRINO, messenger=Messenger.NEUTRINO, mission="IceCube"),
        notice(event_class=EventClass.GRB, messenger=Messenger.EM, mission="Fermi"),
        burst(stage=Stage.RETRACTION),
        burst(properties={"n_detectors": 1}),
    ],
    ids=["merger", "burst", "neutrino", "GRB", "retraction", "one detector of the network"],
)
def test_nothing_else_is_searched_without_a_place(store: Store, message: Notice) -> None:
    assert stand_in(message) is None
    desk = Desk(store)
    desk.tell(message, None)
    desk.show(SKY)
    assert found(desk) == {}


def test_two_detectors_of_the_network_are_searched_for() -> None:
    assert stand_in(burst(properties={"n_detectors": 2})) is not None


def test_the_whole_sky_says_of_itself_that_it_says_nothing() -> None:
    place = stand_in(burst())
    assert place.localization_id == WHOLE_SKY_ID == whole_sky().digest()
    assert place.summary.area90_deg2 == pytest.approx(0.9 * 41_252.96, rel=1e-3)
    assert "no place" in place.remarks[0]


def test_a_direction_takes_the_place_of_the_whole_sky_and_is_not_taken_back_by_it(store: Store) -> None:
    """A later notice that says of no direction leaves that of an earlier one."""
    there = localization(gaussian_map(266.0, -29.0, 4.0), area90_deg2=230.0)
    where = StatedPosition(ra_deg=266.0, dec_deg=-29.0, region=Circle(radius_deg=5.0), containment=0.683)
    told = [
        (burst(), stand_in(burst())),
        (burst(stage=Stage.UPDATE, issued_at=T0.plus_s(600), sequence=2, position=where), there),
        (burst(stage=Stage.UPDATE, issued_at=T0.plus_s(1200), sequence=3), stand_in(burst())),
    ]
    desk = Desk(store)
    desk.show(SKY)
    for message, place in told:
        desk.tell(message, place)
    with store.reading() as session:
        event = events.get(session, "SNEWS-1")
    assert event is not None
    assert event.localization_id == there.localization_id
    assert set(event.localization_ids) == {WHOLE_SKY_ID, there.localization_id}
    with store.reading() as session:
        best, *others = candidates.of_event(session, "SNEWS-1", state=PairState.OPEN)
    assert best.object_id == "1"  # where the direction points
    assert best.level is not None
    assert best.level < 0.9
    assert all(one.score < best.score - 5.0 for one in others)


def test_with_a_gravitational_wave_it_is_a_coincidence_in_time_only(store: Store) -> None:
    desk = Desk(store)
    desk.tell(burst(t0=T0.plus_s(2.0)), stand_in(burst()))
    desk.tell(notice(event_class=EventClass.BURST), localization(gaussian_map(130.0, 20.0, 6.0)))
    (pair,) = desk.pairs()
    assert pair.state is PairState.OPEN
    (overlap,) = (one for one in pair.scores if one.statistic == "overlap")
    assert overlap.value == 1.0
    assert overlap.inputs["reason"] == "no spatial information: the localization of SNEWS-1 is the whole sky"
