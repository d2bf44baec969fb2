"""Which events are one occurrence, whatever the order in which pairs are given."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.instant import Instant
from hub.science.groups import Gathering, Heard, Part, PartKind, Tie, bursts_of, gather

KINDS = {"S": PartKind.SUPEREVENT, "N": PartKind.NEUTRINO, "G": PartKind.LIGHT}


def part(name: str, *event_ids: str, several: bool = False, far_hz: float | None = None) -> Part:
    return Part(name=name, kind=KINDS[name[0]], event_ids=event_ids or (name,), several=several, far_hz=far_hz)


def tie(a: str, b: str, far_hz: float | None = 1e-10, by_time_hz: float | None = None) -> Tie:
    first, second = sorted((a, b))
    return Tie(coincidence_id=f"{first}+{second}", event_ids=(first, second), far_hz=far_hz, by_time_hz=by_time_hz)


def gathered(ties: list[Tie], *parts: Part) -> Gathering:
    names = {name for one in ties for name in one.event_ids} - {name for one in parts for name in one.event_ids}
    return gather([*parts, *(part(name) for name in names)], ties)


def groups(found: Gathering) -> dict[str, list[str]]:
    return {one.centre.name: [each.name for each in one.parts] for one in found.groups}


def test_the_superevent_with_the_lowest_false_alarm_rate_wins_a_burst_however_well_another_one_agrees() -> None:
    quiet, loud = part("S1", far_hz=1e-8), part("S2", far_hz=1e-10)
    found = gathered([tie("S1", "G1", 1e-16), tie("S2", "G1", 1e-14)], quiet, loud)
    assert groups(found) == {"S2": ["G1", "S2"]}
    assert found.elsewhere["G1+S1"] == "G1 belongs to S2, the superevent with the lowest false-alarm rate (coincidence G1+S2)"


def test_a_superevent_without_a_place_is_not_compared_by_another_kind_of_number() -> None:
    # By time alone the pair of S1 has a lower rate than that of S2 in time and place; its superevent is the less significant one.
    found = gathered(
        [tie("S1", "G1", None, 1e-18), tie("S2", "G1", 1e-17, 1e-16)], part("S1", far_hz=2e-12), part("S2", far_hz=1e-12)
    )
    assert groups(found) == {"S2": ["G1", "S2"]}
    equal = gathered(
        [tie("S1", "G1", None, 1e-18), tie("S2", "G1", 1e-17, 1e-16)], part("S1", far_hz=1e-12), part("S2", far_hz=1e-12)
    )
    assert groups(equal) == {"S2": ["G1", "S2"]}  # as gwcelery: a rate in time and place is preferred to one in time only
    both_by_time = [tie("S1", "G1", None, 1e-18), tie("S2", "G1", None, 1e-16)]
    assert groups(gathered(both_by_time, part("S1", far_hz=1e-12), part("S2", far_hz=1e-12))) == {"S1": ["G1", "S1"]}


def test_a_pair_that_its_search_gives_no_number_is_no_rival_of_one_that_has_one() -> None:
    found = gathered([tie("S1", "G1", None), tie("S2", "G1", None, 1e-6)], part("S1", far_hz=1e-10), part("S2", far_hz=1e-6))
    assert groups(found) == {"S2": ["G1", "S2"]}
    assert found.elsewhere == {"G1+S1": "G1 belongs to S2, with which its pair has a joint rate (coincidence G1+S2)"}


def test_of_equally_significant_superevents_the_lowest_joint_rate_wins_a_burst() -> None:
    found = gathered([tie("S1", "G1", 1e-10), tie("S2", "G1", 1e-12)])
    assert groups(found) == {"S2": ["G1", "S2"]}
    assert list(found.elsewhere) == ["G1+S1"]
    assert (
        found.elsewhere["G1+S1"]
        == "G1 belongs to S2, of equally significant superevents the one with the lowest joint rate (coincidence G1+S2)"
    )


def test_of_equal_rates_the_first_id_wins_and_no_rate_loses() -> None:
    assert groups(gathered([tie("S2", "G1", 1e-10), tie("S1", "G1", 1e-10)])) == {"S1": ["G1", "S1"]}
    assert groups(gathered([tie("S1", "G1", None), tie("S2", "G1", 1.0)])) == {"S2": ["G1", "S2"]}


def test_a_neutrino_follows_its_burst_to_the_superevent_that_it_does_not_know() -> None:
    found = gathered([tie("S1", "G1"), tie("N1", "G1", 1e-9)])
    assert groups(found) == {"S1": ["G1", "N1", "S1"]}
    (group,) = found.groups
    assert {name: one.coincidence_id for name, one in group.links.items()} == {"G1": "G1+S1", "N1": "G1+N1"}
    assert found.elsewhere == {}


def test_its_own_superevent_is_nearer_than_a_burst_of_another_however_low_the_rate() -> None:
    found = gathered([tie("S1", "G1", 1e-9), tie("S2", "N1", 1e-8), tie("N1", "G1", 1e-15)])
    assert groups(found) == {"S1": ["G1", "S1"], "S2": ["N1", "S2"]}
    assert found.elsewhere == {"G1+N1": "G1 belongs to the group around S1 and N1 belongs to the group around S2"}


def test_pairs_inside_a_group_all_count() -> None:
    found = gathered([tie("S1", "G1"), tie("S1", "N1"), tie("N1", "G1")])
    assert groups(found) == {"S1": ["G1", "N1", "S1"]}
    assert [one.coincidence_id for one in found.groups[0].ties] == ["G1+N1", "G1+S1", "N1+S1"]
    assert found.elsewhere == {}


def test_without_a_superevent_a_group_is_a_star_and_no_chain() -> None:
    found = gathered([tie("N1", "G1", 1e-12), tie("N1", "G2", 1e-11), tie("N2", "G2", 1e-10)])
    assert groups(found) == {"N1": ["G1", "G2", "N1"]}
    assert list(found.elsewhere) == ["G2+N2"]
    assert groups(gathered([tie("N1", "G1"), tie("N2", "G1")])) == {"G1": ["G1", "N1", "N2"]}
    assert groups(gathered([tie("N1", "N2")])) == {}


def test_a_burst_of_several_missions_is_one_part_and_counts_once() -> None:
    burst = part("G1", "G1", "G9")
    found = gathered([tie("S1", "G9", 1e-10), tie("S2", "G1", 1e-12), tie("S2", "G9", 1e-11)], burst)
    assert groups(found) == {"S2": ["G1", "S2"]}
    assert found.elsewhere == {
        "G9+S1": "G1 belongs to S2, of equally significant superevents the one with the lowest joint rate (coincidence G1+S2)",
        "G9+S2": "coincidence G1+S2 counts G1 and S2 once",
    }


def test_when_the_winner_leaves_the_other_takes_its_place() -> None:
    ties = [tie("S1", "G1", 1e-10), tie("S2", "G1", 1e-12)]
    assert groups(gathered(ties[:1])) == {"S1": ["G1", "S1"]}
    assert gathered(ties[:1]).elsewhere == {}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Part], list[Tie]]:
    names = [f"{kind}{number}" for kind in "SNG" for number in range(draw(st.integers(0, 3)))]
    pairs = [(a, b) for a, b in itertools.combinations(names, 2) if a[0] != b[0]]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=12)) if pairs else []
    rates = st.sampled_from([None, 0.0, 1e-15, 1e-12, 1e-9, 1.0])
    return [part(name, far_hz=draw(rates)) for name in names], [tie(a, b, draw(rates), draw(rates)) for a, b in chosen]


@given(worlds(), st.integers(0, 99))
def test_any_order_gives_the_same_groups_and_nothing_is_in_two(world: tuple[list[Part], list[Tie]], seed: int) -> None:
    parts, ties = world
    random = Random(seed)
    found = gather(parts, ties)
    assert gather(random.sample(parts, len(parts)), random.sample(ties, len(ties))) == found
    members = [one.name for group in found.groups for one in group.parts]
    assert len(members) == len(set(members))
    home = {one.name: group.centre.name for group in found.groups for one in group.parts}
    for group in found.groups:
        kinds = [one.kind for one in group.parts]
        assert kinds.count(PartKind.SUPEREVENT) <= 1
        assert set(group.links) == {one.name for one in group.parts} - {group.centre.name}
    for one in ties:
        inside = home.get(one.event_ids[0], "a") == home.get(one.event_ids[1], "b")
        assert (one.coincidence_id in found.elsewhere) != inside


@given(worlds())
def test_every_event_that_superevents_tie_belongs_to_the_most_significant_of_them(world: tuple[list[Part], list[Tie]]) -> None:
    parts, ties = world
    home = {one.name: group.centre.name for group in gather(parts, ties).groups for one in group.parts}
    for name in {name for one in ties for name in one.event_ids if name[0] != "S"}:
        direct = [(one, other) for one in ties if name in one.event_ids for other in one.event_ids if other[0] == "S"]
        if direct:
            with_number = [other for one, other in direct if not (one.far_hz is None and one.by_time_hz is None)]
            rivals = with_number or [other for _, other in direct]
            fars = {one.name: float("inf") if one.far_hz is None else one.far_hz for one in parts}
            assert fars[home[name]] == min(fars[other] for other in rivals)
            assert home[name] in rivals


def heard(name: str, at_s: float, *detectors: str) -> Heard:
    return Heard(event_id=name, t0=Instant(0).plus_s(at_s), detectors=frozenset(detectors or (name,)))


def within(events: list[Heard], window_s: float) -> set[frozenset[str]]:
    return {
        frozenset((a.event_id, b.event_id))
        for a, b in itertools.combinations(events, 2)
        if a.t0 is not None and b.t0 is not None and abs(a.t0.minus(b.t0)) <= window_s
    }


@pytest.mark.parametrize("seed", range(5))
def test_detectors_of_one_burst_are_the_largest_set_of_which_every_two_agree(seed: int) -> None:
    noise, events = heard("early", -9.0), [heard(name, at) for name, at in (("a", 0.0), ("b", 0.5), ("c", 5.0))]
    everything = Random(seed).sample([noise, *events], 4)
    assert bursts_of(everything, within(everything, 10.0)) == [("a", "b", "c")]


def test_a_detector_counts_once_and_two_that_do_not_agree_are_not_of_one_burst() -> None:
    twice = [heard("a", 0.0, "Super-K"), heard("b", 1.0, "Super-K"), heard("c", 2.0, "LVD")]
    assert bursts_of(twice, within(twice, 10.0)) == [("b", "c")]
    chain = [heard("a", 0.0), heard("b", 8.0), heard("c", 16.0)]
    assert bursts_of(chain, within(chain, 10.0)) == [("a", "b")]
    assert bursts_of(chain[::2], within(chain[::2], 10.0)) == []


def test_detectors_of_one_burst_are_a_group_by_themselves_and_count_once_beside_a_superevent() -> None:
    several = part("N1", "N1", "N2", "N3", several=True)
    assert groups(gather([several], [tie("N1", "N2"), tie("N2", "N3")])) == {"N1": ["N1"]}
    found = gathered([tie("S1", "N2", 1e-10), tie("S1", "N3", 1e-11)], several)
    assert groups(found) == {"S1": ["N1", "S1"]}
    assert found.elsewhere == {"N2+S1": "coincidence N3+S1 counts N1 and S1 once"}
