"""Which events are one burst: a pure function of the set of them and of what persons said."""

import itertools
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.event import assemble
from hub.model.notice import EventClass, Role, Stage
from hub.model.source import LinkKind, Source, Word, WordKind
from hub.science.association import Sighting, associate, link, sighting
from hub.science.association_policy import NO_ASSOCIATION, parse
from tests.support.words import T0, grb, notice, stored

POLICY = parse(
    tomllib.loads(r"""
families = [["grb", "sub_grb", "xray_transient"], ["frb"]]
designations = ['grb\d{6}[a-z]', 'bn\d{9}']
triggers = ['fermi\d{9}', 'swift\d{6,9}']
min_overlap = 0.1
named_within_s = 172800.0
max_area_deg2 = 20000.0
time_only_s = 5.0
max_reach_s = 600.0
max_clock_s = 60.0
others = { clock_s = 1.0, reach_s = 30.0 }
[mission]
Fermi = { clock_s = 0.0, reach_s = 60.0 }
""")
)

HERE, ALSO_HERE, AWAY, EVERYWHERE = "here", "also here", "away", "everywhere"


def overlap(a: str, b: str) -> float:
    """Tell what the maps of these tests have in common: three are of one place or another, one is wide."""
    if EVERYWHERE in (a, b):
        return 1.0
    return 0.0 if AWAY in (a, b) and a != b else 40.0


def seen(event_id: str, t0_s: float | None = 0.0, place: str | None = HERE, **changes) -> Sighting:
    mission = changes.pop("mission", event_id.partition("-")[0])
    values = {
        "event_id": event_id,
        "mission": mission,
        "event_class": EventClass.GRB,
        "t0": None if t0_s is None else T0.plus_s(t0_s),
        "duration_s": None,
        "clock_s": POLICY.clock(mission).clock_s,
        "reach_s": POLICY.clock(mission).reach_s,
        "localization_id": place,
        "area90_deg2": None if place is None else 10.0 + len(place),
        "designations": frozenset(),
        "cites": frozenset(),
        "aliases": (),
        "is_real": True,
        "is_void": False,
    }
    return Sighting(**{**values, **changes})


def said(number: int, kind: WordKind, a: str, b: str, **changes) -> Word:
    first, second = sorted((a, b))
    return Word(
        number=number,
        kind=kind,
        first=first,
        second=second,
        said_by="A. Person",
        said_at=T0.plus_s(number),
        reason="as the light curves show",
        **changes,
    )


def together(sightings, words=()) -> set[tuple[str, ...]]:
    return {one.event_ids for one in associate(sightings, words, POLICY, overlap)}


def test_three_missions_at_one_time_and_place_are_one_burst() -> None:
    (source,) = associate(
        [seen("Swift-2", 1.5), seen("SVOM-3", 0.7, "also here"), seen("Fermi-1", 0.0, EVERYWHERE, duration_s=12.0)],
        (),
        POLICY,
        overlap,
    )
    assert source.source_id == "Fermi-1"
    assert source.event_ids == ("Fermi-1", "SVOM-3", "Swift-2")
    assert (source.t0, source.duration_s, source.localization_id) == (T0, 12.0, HERE)
    assert [one.kind for one in source.links] == [LinkKind.TIME_AND_PLACE] * 2
    assert [one.reason for one in source.links] == [
        "SVOM-3 came +0.700 s after Fermi-1, within 61 s of both clocks and durations, overlap of their places 1",
        "Swift-2 came +1.500 s after Fermi-1, within 61 s of both clocks and durations, overlap of their places 1",
    ]


def test_bursts_a_minute_apart_at_other_places_stay_apart() -> None:
    assert together([seen("Fermi-1"), seen("Swift-2", 50.0, AWAY)]) == {("Fermi-1",), ("Swift-2",)}


def test_a_wide_map_between_two_places_does_not_bring_them_together() -> None:
    wide = seen("Fermi-1", 0.0, EVERYWHERE)
    assert together([seen("SVOM-3", 2.0), wide, seen("Swift-2", 1.0, AWAY)]) == {("Fermi-1", "Swift-2"), ("SVOM-3",)}


def test_the_same_place_too_late_stays_apart() -> None:
    assert together([seen("Fermi-1"), seen("Swift-2", 61.5)]) == {("Fermi-1",), ("Swift-2",)}
    assert together([seen("Fermi-1"), seen("Swift-2", 61.0)]) == {("Fermi-1", "Swift-2")}
    assert together([seen("Fermi-1", reach_s=200.0), seen("Swift-2", 190.0)]) == {("Fermi-1", "Swift-2")}


def test_without_a_place_seconds_count() -> None:
    assert together([seen("Fermi-1"), seen("Konus-2", 6.0, None)]) == {("Fermi-1", "Konus-2")}
    assert together([seen("Fermi-1"), seen("Konus-2", 6.1, None)]) == {("Fermi-1",), ("Konus-2",)}


def test_a_storm_of_one_mission_stays_apart() -> None:
    storm = [seen(f"Fermi-{number}", 0.5 * number) for number in range(20)]
    assert len(together(storm)) == 20
    found = together([*storm, seen("Swift-2", 3.1)])
    assert len(found) == 20
    assert ("Fermi-6", "Swift-2") in found


def test_two_triggers_of_one_mission_never_meet_through_a_third() -> None:
    assert together([seen("Fermi-1"), seen("Fermi-2", 30.0), seen("Swift-3", 12.0)]) == {("Fermi-1", "Swift-3"), ("Fermi-2",)}


def test_other_classes_are_not_joined_by_time() -> None:
    frb = seen("CHIME-1", 0.1, event_class=EventClass.FRB)
    odd = seen("MAXI-1", 0.1, event_class=EventClass.OTHER)
    assert len(together([seen("Fermi-1"), frb, odd])) == 3


def test_a_name_joins_triggers_an_hour_apart_at_whatever_place() -> None:
    named = frozenset({"grb260301a"})
    first, later = seen("Fermi-1", designations=named), seen("Swift-2", 3600.0, AWAY, designations=named)
    (source,) = associate([first, later], (), POLICY, overlap)
    assert [(one.kind, one.reason) for one in source.links] == [(LinkKind.NAME, "Fermi-1 and Swift-2 are both called grb260301a")]
    assert together([first, seen("Fermi-2", 3600.0, designations=named)]) == {("Fermi-1", "Fermi-2")}


def test_a_citation_across_years_is_a_slip() -> None:
    citing = seen("Swift-1", 1e8, cites=frozenset({"Swift-2"}))
    assert len(together([seen("Swift-2"), citing])) == 2


def test_what_cites_another_belongs_to_it() -> None:
    citing = seen("SVOM-1", 4000.0, cites=frozenset({"Swift-2"}))
    (source,) = associate([seen("Swift-2"), citing], (), POLICY, overlap)
    assert [one.reason for one in source.links] == ["SVOM-1 cites Swift-2"]


@pytest.mark.parametrize("changes", [{"is_real": False}, {"is_void": True}], ids=["a test", "retracted"])
def test_tests_and_what_was_retracted_are_in_no_source_with_others(changes) -> None:
    same = {"designations": frozenset({"grb260301a"})}
    pair = [seen("Fermi-1", **same), seen("Swift-2", **same, **changes)]
    assert len(together(pair)) == 2
    assert len(together(pair, [said(1, WordKind.JOIN, "Fermi-1", "Swift-2")])) == 2


def test_what_bridged_two_events_lets_go_of_them_when_it_is_retracted() -> None:
    a, c = seen("Fermi-1"), seen("SVOM-3", 75.0)
    bridge = seen("Swift-2", 50.0)
    assert together([a, bridge, c]) == {("Fermi-1", "Swift-2", "SVOM-3")}
    assert together([a, seen("Swift-2", 50.0, is_void=True), c]) == {("Fermi-1",), ("SVOM-3",), ("Swift-2",)}


def test_a_person_joins_what_nothing_else_does_and_splits_what_everything_joins() -> None:
    far = [seen("Fermi-1"), seen("Swift-2", 3600.0, AWAY)]
    join, split = said(1, WordKind.JOIN, "Fermi-1", "Swift-2"), said(2, WordKind.SPLIT, "Fermi-1", "Swift-2")
    (source,) = associate(far, [join], POLICY, overlap)
    assert (source.links[0].kind, source.links[0].word) == (LinkKind.PERSON, 1)
    assert source.links[0].reason == "A. Person said on 2026-03-01T04:00:01Z: as the light curves show"
    assert len(together(far, [join, split])) == 2
    named = [seen(one.event_id, 0.0, designations=frozenset({"grb260301a"})) for one in far]
    assert len(together(named)) == 1
    assert len(together(named, [split])) == 2


def test_the_newest_word_holds_and_a_word_that_is_taken_back_does_not() -> None:
    near = [seen("Fermi-1"), seen("Swift-2", 1.0)]
    split = said(1, WordKind.SPLIT, "Fermi-1", "Swift-2")
    assert len(together(near, [split])) == 2
    assert len(together(near, [split, said(2, WordKind.JOIN, "Fermi-1", "Swift-2")])) == 1
    undone = said(1, WordKind.SPLIT, "Fermi-1", "Swift-2", undone_by="B. Other", undone_at=T0)
    assert len(together(near, [undone])) == 1
    other = said(9, WordKind.SPLIT, "Fermi-1", "SVOM-7")
    assert len(together(near, [other])) == 1, "a word about an event that is not here says nothing"


def test_what_is_split_takes_the_rest_along_by_what_is_strongest() -> None:
    third = seen("SVOM-3", 0.9)
    found = together([seen("Fermi-1"), seen("Swift-2", 1.0), third], [said(1, WordKind.SPLIT, "Fermi-1", "Swift-2")])
    assert found == {("Fermi-1",), ("SVOM-3", "Swift-2")}


def test_what_an_event_says_becomes_what_counts_of_it() -> None:
    properties = {"duration_s": 90.0, "t0_error_s": 2.5, "central_offset_s": 1.0}
    event = assemble(
        "Fermi-1", [stored(grb(aliases=("GRB 260301A", "SGR 1935+2154", "bn260301167"), properties=properties), "a map")]
    )
    one = sighting(event, POLICY, area90_deg2=300.0, stated_names=["swift1234567", "grb260301b"], cites=["Fermi-1", "Swift-2"])
    assert one.t0 == event.t0.plus_s(1.0)
    assert (one.duration_s, one.clock_s, one.reach_s, one.localization_id) == (90.0, 2.5, 90.0, "a map")
    assert one.designations == {"grb260301a", "bn260301167", "grb260301b"}
    assert one.cites == {"Swift-2"}
    assert sighting(event, POLICY, area90_deg2=30_000.0).localization_id is None
    assert sighting(event, POLICY).localization_id is None


@pytest.mark.parametrize(
    ("messages", "is_real", "is_void"),
    [
        ([grb()], True, False),
        ([grb(role=Role.TEST, is_live=False)], False, False),
        ([grb(is_live=False)], False, False),
        ([grb(vetoes=("no burst",))], True, True),
        ([grb(), grb(stage=Stage.RETRACTION, issued_at=T0.plus_s(900))], True, True),
        ([notice("S260301a")], True, True),
    ],
    ids=["plain", "test", "not current", "vetoed", "retracted", "no burst at all"],
)
def test_who_takes_part(messages, is_real: bool, is_void: bool) -> None:
    one = sighting(assemble(messages[0].event_key, [stored(message) for message in messages]), POLICY)
    assert (one.is_real, one.is_void) == (is_real, is_void)


def test_texts_of_one_burst() -> None:
    assert POLICY.is_of_one_burst({"grb230410a", "fermi702818765", "bn230410476"})
    assert not POLICY.is_of_one_burst({"grb230410a"})
    assert not POLICY.is_of_one_burst({"grb230410a", "grb230411b", "fermi702818765"})
    assert not POLICY.is_of_one_burst({"grb230410a", "s230410x"})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"min_overlap": -1.0}, "min_overlap of .* must lie between"),
        ({"others": {"clock_s": 1.0}}, "reach_s"),
        ({"mission": {"X": {"clock_s": 90.0, "reach_s": 1.0}}}, "X goes beyond max_clock_s"),
        ({"designations": ["("]}, "designations of"),
        ({"window": 5}, "unknown key 'window'"),
        ({"families": [["gold"]]}, "gold"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_a_sentence(changes, sentence: str) -> None:
    row = {
        "families": [],
        "designations": [],
        "triggers": [],
        "min_overlap": 1.0,
        "named_within_s": 1.0,
        "max_area_deg2": 10.0,
        "time_only_s": 1.0,
        "max_reach_s": 1.0,
        "max_clock_s": 1.0,
        "others": {"clock_s": 1.0, "reach_s": 1.0},
    }
    parse(row)
    with pytest.raises((KeyError, ValueError), match=sentence):
        parse({**row, **changes})


def test_without_a_policy_only_citations_and_persons_join() -> None:
    pair = [seen("Fermi-1", designations=frozenset()), seen("Swift-2")]
    assert len(associate(pair, (), NO_ASSOCIATION, overlap)) == 2


MISSIONS = ("Fermi", "Swift", "SVOM", "EP")
WORLDS = st.lists(
    st.tuples(
        st.sampled_from(MISSIONS),
        st.integers(0, 150),
        st.sampled_from([HERE, ALSO_HERE, AWAY, EVERYWHERE, None]),
        st.sampled_from(["", "", "", "grb260301a", "grb260301b"]),
        st.booleans(),
    ),
    min_size=2,
    max_size=9,
)


@given(
    WORLDS,
    st.lists(st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 8)), max_size=4),
    st.randoms(use_true_random=False),
)
def test_the_order_of_events_does_not_matter_and_nothing_forbidden_meets(rows, spoken, random) -> None:
    events = [
        seen(
            f"{mission}-{number}",
            float(second),
            place,
            designations=frozenset({name} - {""}),
            is_void=is_void and number % 3 == 0,
        )
        for number, (mission, second, place, name, is_void) in enumerate(rows)
    ]
    ids = [one.event_id for one in events]
    words = [
        said(number, WordKind.JOIN if joins else WordKind.SPLIT, ids[a % len(ids)], ids[b % len(ids)])
        for number, (joins, a, b) in enumerate(spoken, start=1)
        if a % len(ids) != b % len(ids)
    ]
    expected = associate(events, words, POLICY, overlap)
    for _ in range(3):
        shuffled = random.sample(events, len(events))
        assert associate(shuffled, random.sample(words, len(words)), POLICY, overlap) == expected
    assert sorted(name for one in expected for name in one.event_ids) == sorted(ids)
    by_id = {one.event_id: one for one in events}
    for source in expected:
        check(source, by_id, words)


def check(source: Source, by_id: dict[str, Sighting], words: list[Word]) -> None:
    """Check what must hold of every source."""
    assert len(source.links) == len(source.event_ids) - 1, "links are as few as hold it together"
    newest = {frozenset((one.first, one.second)): one.kind for one in words}
    hard = {frozenset((one.first, one.second)) for one in source.links if one.kind in (LinkKind.PERSON, LinkKind.NAME)}
    for a, b in itertools.combinations(source.event_ids, 2):
        one, other = by_id[a], by_id[b]
        assert not one.is_void
        assert not other.is_void
        if not hard:
            assert one.mission != other.mission
            assert None in (one.localization_id, other.localization_id) or overlap(one.localization_id, other.localization_id) > 0
        if len(words) == 1 and newest.get(frozenset((a, b))) is WordKind.SPLIT:
            pytest.fail("a person split them")


def test_a_link_does_not_depend_on_who_is_asked_first() -> None:
    events = [seen("Fermi-1"), seen("Swift-2", 3.0), seen("SVOM-3", 1.0, None), seen("EP-4", 9.0, EVERYWHERE)]
    for a, b in itertools.combinations(events, 2):
        assert link(a, b, POLICY, overlap) == link(b, a, POLICY, overlap)
