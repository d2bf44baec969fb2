"""What was announced of a burst goes on with another of its triggers, in whatever order; only where none is left is it retracted."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import pytest

from adapters.codecs.hub_json import HubJsonRenderer
from adapters.codecs.voevent.renderer import VoeventRenderer
from hub.errors import NotFound
from hub.model.coincidence import Member, MemberKind, PairState
from hub.model.notice import Stage
from hub.model.outgoing import Subject
from hub.science.budget import Budget
from hub.services.budget import budget_body
from hub.services.routes import Route
from hub.services.sources import join, split
from hub.services.succession import Told
from hub.storage import announced
from hub.storage.engine import Store
from tests.support.announcements import coincidence
from tests.support.correlating import RULES, Desk
from tests.support.readers import Reader, own_cites, readers_of
from tests.support.small_world import fresh_sqlite
from tests.support.words import T0, gaussian_map, grb, localization, notice

GW = "S260301a"
GW_PLACE = localization(gaussian_map(130.0, 20.0, 6.0))
WIDE = localization(gaussian_map(134.0, 21.0, 3.0), area90_deg2=130.0)
NARROW = localization(gaussian_map(133.0, 21.0, 1.5), area90_deg2=30.0)
BESIDE = localization(gaussian_map(119.0, 13.0, 1.5), area90_deg2=30.0)
"""Inside the merger's map, and outside of `WIDE`."""

AWAY = localization(gaussian_map(310.0, -40.0, 3.0), area90_deg2=130.0)

Step = Callable[[Desk], bool]
"""Lets something happen; tells whether it could."""


def hears(message, place) -> Step:
    def step(desk: Desk) -> bool:
        desk.tell(message, place)
        return True

    return step


def says(word, first: str = "Fermi-1", second: str = "Swift-2") -> Step:
    """Return what a person says as soon as both events are there, who goes on trying until then."""

    def step(desk: Desk) -> bool:
        try:
            with desk.store.transaction() as session:
                word(session, desk.association, first, second, by="A. Person", because="seen in the light curves", at=T0)
        except NotFound:
            return False
        desk.correlation.run_jobs()
        return True

    return step


def swift(sequence: int = 1, event_key: str = "Swift-2", **changes):
    stage = Stage.INITIAL if sequence == 1 else Stage.UPDATE
    issued = T0.plus_s(300.0 + 1000.0 * sequence)
    said = {"mission": "Swift", "instrument": "BAT", "t0": T0.plus_s(2.4), "stage": stage, "issued_at": issued}
    return grb(event_key, **{"sequence": sequence, **said, **changes})


def fermi(sequence: int = 1, **changes):
    stage = Stage.INITIAL if sequence == 1 else Stage.UPDATE
    return grb(**{"sequence": sequence, "stage": stage, "issued_at": T0.plus_s(300.0 + 1000.0 * sequence), **changes})


MERGER = hears(notice(), GW_PLACE)
FERMI = hears(fermi(), WIDE)
SWIFT = hears(swift(), NARROW)
FERMI_IS_NONE = hears(fermi(9, stage=Stage.RETRACTION), None)


class World:
    """A hub with two destinations, and a reader at each who checks every message as it comes."""

    def __init__(self, store: Store) -> None:
        renderers = {"all": HubJsonRenderer(), "pairs": HubJsonRenderer(), "voevents": VoeventRenderer()}
        subjects = {"pairs": frozenset({Subject.COINCIDENCE, Subject.RETRACTION})}
        routes = [
            Route(destination=name, renderer=one, **({"subjects": subjects[name]} if name in subjects else {}))
            for name, one in renderers.items()
        ]
        self.desk = Desk(store, routes=routes)
        self._n_heard = 0

    def play(self, steps: Sequence[Step]) -> dict[str, Reader]:
        """Let things happen one after the other, and look at what each makes leave."""
        waiting: list[Step] = []
        for step in steps:
            waiting = [one for one in (step, *waiting) if not one(self.desk)]
            self._look()
        assert waiting == []
        return self.readers()

    def _look(self) -> None:
        """What leaves with one step never takes a pair back and announces another one of the same event anew."""
        new = [one for one in self.desk.sent() if one.destination == "all"][self._n_heard :]
        self._n_heard += len(new)
        fresh = [one.ivorn for one in new if not own_cites(one)]
        taken_back = [one.ivorn for one in new if one.subject == Subject.RETRACTION]
        assert not (fresh and taken_back), f"{taken_back} left with {fresh}: the same happened, and is said under another name"

    def readers(self) -> dict[str, Reader]:
        return readers_of(self.desk.sent())

    def check(self, expected: Mapping[str, str]) -> dict[str, dict]:
        """All destinations believe the same, which is what stands in the books; return what the two that get JSON were told."""
        readers = self.readers()
        pairs = {one.coincidence_id: one for one in self.desk.pairs()}
        believed = {name: {_id(ivorn) for ivorn in one.believed} for name, one in readers.items()}
        with self.desk.store.reading() as session:
            rows = announced.standing(session)
        standing = {one.coincidence_id for one in rows}
        assert all(names == standing for names in believed.values())
        of_burst = {next(m.id for m in pairs[name].members if m.id != GW): pairs[name] for name in standing}
        assert {burst: one.kind for burst, one in of_burst.items()} == expected
        assert all(one.state is PairState.OPEN for one in of_burst.values())
        return {name: readers[name].says() for name in ("all", "pairs") if name in readers}


def _id(ivorn: str) -> str:
    return ivorn.rpartition("#")[2].rpartition(".")[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the template of a database."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def world(tmp_path: Path, made: Path) -> Iterator[World]:
    with fresh_sqlite(tmp_path, made) as store:
        yield World(store)


def play_all(
    tmp_path: Path, made: Path, orders: Sequence[Sequence[Step]], expected: Mapping[str, str]
) -> list[dict[str, Reader]]:
    """Play the same in several orders, each to an empty hub, whose last messages must say the same; return all readers."""
    told, found = [], []
    for number, order in enumerate(orders):
        folder = tmp_path / str(number)
        folder.mkdir()
        with fresh_sqlite(folder, made) as store:
            world = World(store)
            found.append(world.play(order))
            told.append(world.check(expected))
            check_budget(world, len(expected))
    for one in told[1:]:
        assert one == told[0]
    return found


def check_budget(world: World, n_standing: int) -> None:
    """Everything that left is one row, which another one goes on with, or which was taken back, or which stands."""
    assert isinstance(RULES.budget, Budget)
    with world.desk.store.reading() as session:
        body = budget_body(session, RULES.budget, world.desk.clock())
    assert body["announced"] - body["taken_back"] == n_standing
    taken_back = {name for reader in world.readers().values() for name in map(_id, reader.taken_back)}
    assert body["taken_back"] <= len(taken_back)


def orders_of(steps: Sequence[Step], n: int = 10) -> list[list[Step]]:
    """Return all orders, or so many of them."""
    every = [list(one) for one in itertools.permutations(steps)]
    return every if len(every) <= n else Random(1).sample(every, n)


# ---------------------------------------------------------------------------------------------- a trigger is taken back


def test_a_trigger_that_its_mission_takes_back_hands_over_to_the_other_one_of_the_burst(world: World) -> None:
    readers = world.play([MERGER, FERMI, SWIFT, FERMI_IS_NONE])
    (last,) = readers["all"].believed.values()
    said = json.loads(last.payload)
    assert {one["id"] for one in said["members"]} == {GW, "Swift-2"}
    former = [one for one in readers["all"].heard.values() if "Fermi-1" in one.payload.decode() and one is not last]
    assert [one.ivorn for one in own_cites(last)] == [former[-1].ivorn]
    assert said["supersedes"] == former[-1].ivorn
    assert readers["all"].taken_back == []
    world.check({"Swift-2": "gw-grb"})
    check_budget(world, 1)


def test_the_same_message_leaves_last_in_whatever_order_the_notices_of_both_triggers_come(tmp_path: Path, made: Path) -> None:
    steps = [MERGER, FERMI, SWIFT, FERMI_IS_NONE]
    nothing_left = [MERGER, FERMI, FERMI_IS_NONE, SWIFT]
    found = play_all(tmp_path, made, [nothing_left, *orders_of(steps)], {"Swift-2": "gw-grb"})
    n_taken_back = [len(one["all"].taken_back) for one in found]
    assert n_taken_back[0] == 1, "where nothing was left for a while, it was taken back"
    assert n_taken_back.count(0) > len(found) / 2


def test_what_no_other_trigger_carries_on_is_retracted(world: World) -> None:
    readers = world.play([MERGER, FERMI, SWIFT, FERMI_IS_NONE, hears(swift(9, stage=Stage.RETRACTION), None)])
    assert readers["all"].believed == {}
    assert len(readers["all"].taken_back) == 1
    world.check({})
    check_budget(world, 0)


def test_a_burst_of_three_goes_from_one_to_the_next(tmp_path: Path, made: Path) -> None:
    third = hears(swift(event_key="SVOM-3", mission="SVOM", instrument="ECLAIRs", t0=T0.plus_s(2.6)), NARROW)
    swift_is_none = hears(swift(9, stage=Stage.RETRACTION), None)
    first = [MERGER, FERMI, SWIFT, third]
    orders = [[*first, *last] for last in itertools.permutations([FERMI_IS_NONE, swift_is_none])]
    orders += orders_of([*first, FERMI_IS_NONE, swift_is_none], 6)
    found = play_all(tmp_path, made, orders, {"SVOM-3": "gw-grb"})
    assert all(one["all"].taken_back == [] for one in found[:2])


def test_a_trigger_that_stands_again_takes_its_place_back(world: World) -> None:
    readers = world.play([MERGER, FERMI, SWIFT, FERMI_IS_NONE, hears(fermi(12), WIDE)])
    assert readers["all"].taken_back == []
    world.check({"Fermi-1": "gw-grb"})
    check_budget(world, 1)


def test_a_trigger_that_turns_out_to_be_no_burst_hands_over_as_well(world: World) -> None:
    readers = world.play([MERGER, FERMI, SWIFT, hears(fermi(2, vetoes=("particles",)), WIDE)])
    assert readers["all"].taken_back == []
    world.check({"Swift-2": "gw-grb"})


def test_both_at_once_is_one_update(world: World) -> None:
    """The retraction comes together with an update of the merger and one of the other trigger, as after a time offline."""
    world.play([MERGER, FERMI, SWIFT])
    for message, place in (
        (notice(stage=Stage.UPDATE, sequence=2, issued_at=T0.plus_s(4000.0)), GW_PLACE),
        (fermi(9, stage=Stage.RETRACTION), None),
        (swift(2), NARROW),
    ):
        world.desk.tell(message, place, run=False)
    world.desk.correlation.run_jobs()
    world.play([])
    assert world.readers()["all"].taken_back == []
    world.check({"Swift-2": "gw-grb"})
    check_budget(world, 1)


# ------------------------------------------------------------------------------------------- two become one, one becomes two

APART, NEAR = hears(swift(), BESIDE), hears(swift(2), NARROW)
"""Swift's first place is not that of Fermi's burst, its second one is."""


def test_two_announced_triggers_that_turn_out_to_be_one_burst_leave_one_that_supersedes_both(world: World) -> None:
    world.play([MERGER, FERMI, APART])
    assert len(world.readers()["all"].believed) == 2
    readers = world.play([NEAR])
    (last,) = readers["all"].believed.values()
    assert len(own_cites(last)) == 2
    assert readers["all"].taken_back == []
    world.check({"Fermi-1": "gw-grb"})
    check_budget(world, 1)


def test_they_end_in_one_in_whatever_order(tmp_path: Path, made: Path) -> None:
    found = play_all(tmp_path, made, orders_of([MERGER, FERMI, APART, NEAR]), {"Fermi-1": "gw-grb"})
    assert all(one["all"].taken_back == [] for one in found)


def test_they_end_in_the_one_that_is_left_in_whatever_order(tmp_path: Path, made: Path) -> None:
    play_all(tmp_path, made, orders_of([MERGER, FERMI, APART, NEAR, FERMI_IS_NONE], 8), {"Swift-2": "gw-grb"})


def test_a_burst_that_a_person_splits_is_two_and_what_was_said_of_one_goes_on(tmp_path: Path, made: Path) -> None:
    found = play_all(tmp_path, made, orders_of([MERGER, FERMI, SWIFT, says(split)]), {"Fermi-1": "gw-grb", "Swift-2": "gw-grb"})
    assert all(one["all"].taken_back == [] for one in found)


def test_two_bursts_that_a_person_joins_are_one(tmp_path: Path, made: Path) -> None:
    found = play_all(tmp_path, made, orders_of([MERGER, FERMI, APART, says(join)]), {"Fermi-1": "gw-grb"})
    assert all(one["all"].taken_back == [] for one in found)


def test_a_trigger_that_is_placed_elsewhere_hands_over_to_the_one_that_stays(world: World) -> None:
    readers = world.play([MERGER, FERMI, SWIFT, hears(fermi(2), AWAY)])
    assert readers["all"].taken_back == []
    world.check({"Swift-2": "gw-grb"})
    check_budget(world, 1)


def test_a_trigger_that_only_a_person_held_to_the_burst_hands_over_when_the_word_ends(world: World) -> None:
    readers = world.play([MERGER, FERMI, SWIFT, says(join), hears(fermi(2), AWAY)])
    world.check({"Fermi-1": "gw-grb"})
    readers = world.play([says(split)])
    assert readers["all"].taken_back == []
    world.check({"Swift-2": "gw-grb"})
    check_budget(world, 1)


# ------------------------------------------------------------------------------------------------------ what was told


def test_a_pair_of_another_kind_between_the_same_events_says_what_was_told() -> None:
    told = Told(coincidence_id="1", sides=(frozenset({"EP-1", "Fermi-1"}), frozenset({"IceCube-1"})))
    both = Member(kind=MemberKind.EVENT, id="Fermi-1"), Member(kind=MemberKind.EVENT, id="IceCube-1")
    for kind in ("grb-neutrino", "xray-neutrino"):
        assert told.covers(coincidence(coincidence_id=kind, kind=kind, members=both))
    assert not told.covers(coincidence(coincidence_id="1", members=both)), "it is itself"
    other = Member(kind=MemberKind.EVENT, id="IceCube-2")
    assert not told.covers(coincidence(coincidence_id="2", members=(both[0], other)))
    assert not told.covers(coincidence(coincidence_id="2", members=(both[0], Member(kind=MemberKind.EVENT, id="EP-1"))))
    assert told.beside({"EP-1"}) == {"EP-1", "Fermi-1"}
    assert told.beside({"IceCube-2"}) == frozenset()
