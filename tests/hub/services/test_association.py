"""One burst by several missions: one source, one open pair, one announcement, whatever comes first."""

from random import Random

import pytest

from hub.model.coincidence import PairState
from hub.model.notice import EventClass, Stage
from hub.model.sky import Localization, LocalizationSource
from hub.model.source import LinkKind, Source
from hub.science.combined import combined
from hub.science.levels import Levels2D
from hub.science.overlap import overlap_integral
from hub.services.sources import join, split, take_back
from hub.storage import localizations, sources
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import Desk
from tests.support.words import T0, gaussian_map, grb, localization, notice

GW_PLACE = localization(gaussian_map(130.0, 20.0, 6.0))
WIDE = localization(gaussian_map(134.0, 21.0, 5.0), area90_deg2=360.0)
NARROW = localization(gaussian_map(133.0, 21.0, 1.5), area90_deg2=30.0)
AWAY = localization(gaussian_map(310.0, -20.0, 3.0), area90_deg2=130.0)


def swift(event_key: str = "Swift-2", **changes):
    return grb(event_key, **{"mission": "Swift", "instrument": "BAT", "t0": T0.plus_s(2.4), **changes})


def svom(event_key: str = "SVOM-3", **changes):
    return grb(event_key, **{"mission": "SVOM", "instrument": "ECLAIRs", "t0": T0.plus_s(3.0), **changes})


GRAVITY, FERMI, SWIFT, SVOM = (notice(), GW_PLACE), (grb(), WIDE), (swift(), NARROW), (svom(), None)


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def told(desk: Desk, *messages, run: bool = True) -> Desk:
    for message, place in messages:
        desk.tell(message, place, run=run)
    desk.correlation.run_jobs()
    return desk


def members(desk: Desk) -> list[tuple[str, ...]]:
    with desk.store.reading() as session:
        return sorted(one.event_ids for one in sources.search(session, limit=None))


def states(desk: Desk) -> dict[tuple[str, ...], PairState]:
    return {tuple(member.id for member in one.members): one.state for one in desk.pairs()}


def open_pairs(desk: Desk) -> list[tuple[str, ...]]:
    return sorted(name for name, state in states(desk).items() if state is PairState.OPEN)


def pair(desk: Desk, event_id: str):
    (found,) = [one for one in desk.pairs() if event_id in {member.id for member in one.members}]
    return found


def test_one_burst_by_three_missions_is_one_source_one_open_pair_and_one_announcement(desk: Desk) -> None:
    told(desk, FERMI, SWIFT, SVOM, GRAVITY)
    assert members(desk) == [("Fermi-1", "Swift-2", "SVOM-3")]
    assert open_pairs(desk) == [("Fermi-1", "S260301a")]
    assert len(desk.pairs()) == 3
    assert desk.words() == ["v1"]
    open_one = pair(desk, "Fermi-1")
    assert open_one.score("source_members") == 3.0
    assert source(desk).localization_id in open_one.localization_ids
    assert any(
        reason.startswith("one burst seen by Fermi, SVOM, Swift: Fermi-1, Swift-2, SVOM-3 (") for reason in open_one.reasons
    )
    (why, *_) = pair(desk, "Swift-2").reasons
    assert why == (f"withdrawn: Swift-2 is the same burst as Fermi-1, and coincidence {open_one.coincidence_id} counts it once")


def snapshot(desk: Desk) -> tuple[object, ...]:
    with desk.store.reading() as session:
        return (
            sorted((one for one in sources.search(session, limit=None)), key=lambda one: one.source_id),
            {
                tuple(member.id for member in one.members): (
                    one.state,
                    one.hypothesis,
                    one.reasons,
                    one.scores,
                    one.localization_ids,
                )
                for one in desk.pairs()
            },
        )


LATER = (
    *(FERMI, SWIFT, SVOM, GRAVITY),
    (swift(stage=Stage.UPDATE, issued_at=T0.plus_s(700), sequence=2, aliases=("GRB 260301A",)), NARROW),
    (grb("INTEGRAL-4", mission="INTEGRAL", t0=T0.plus_s(4000), aliases=("GRB260301A",)), None),
    (grb("Fermi-9", t0=T0.plus_s(3.5)), AWAY),
    (grb("Fermi-1", stage=Stage.RETRACTION, issued_at=T0.plus_s(5000), t0=None), None),
)


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_arrival_does_not_matter(tmp_path_factory: pytest.TempPathFactory, store: Store, seed: int) -> None:
    expected = snapshot(told(Desk(store), *LATER))
    url = f"sqlite:///{tmp_path_factory.mktemp('other')}/hub.db"
    upgrade(url)
    other = open_store(url)
    random = Random(seed)
    desk = told(Desk(other), *random.sample(LATER, len(LATER)), run=seed % 2 == 0)
    assert snapshot(desk) == expected
    other.close()


def test_a_burst_that_comes_to_a_pair_updates_it_and_announces_no_second(desk: Desk) -> None:
    told(desk, GRAVITY, FERMI)
    told(desk, SWIFT)
    assert open_pairs(desk) == [("Fermi-1", "S260301a")]
    assert desk.words() == ["v1", "v2 supersedes v1"]


def test_an_earlier_trigger_that_comes_late_takes_the_place_of_the_pair(desk: Desk) -> None:
    told(desk, GRAVITY, SWIFT)
    told(desk, FERMI)
    assert open_pairs(desk) == [("Fermi-1", "S260301a")]
    assert states(desk)["S260301a", "Swift-2"] is PairState.WITHDRAWN
    assert desk.words() == ["v1", "v1 supersedes v1"]  # Swift's, and Fermi's in its place


def test_windows_are_tried_with_each_members_own_time(desk: Desk) -> None:
    early = (grb(t0=T0.plus_s(-40.0)), WIDE)
    told(desk, early, SWIFT, GRAVITY)
    assert members(desk) == [("Fermi-1", "Swift-2")]
    assert open_pairs(desk) == [("S260301a", "Swift-2")]


def test_a_retracted_member_reduces_the_source_and_the_next_stands_for_it(desk: Desk) -> None:
    told(desk, GRAVITY, FERMI, SWIFT, SVOM)
    told(desk, (grb(stage=Stage.RETRACTION, issued_at=T0.plus_s(5000), t0=None), None))
    assert members(desk) == [("Swift-2", "SVOM-3")]
    assert open_pairs(desk) == [("S260301a", "Swift-2")]
    assert pair(desk, "Fermi-1").reasons[0] == "withdrawn: Fermi-1 retracted"
    told(desk, (swift(stage=Stage.RETRACTION, issued_at=T0.plus_s(5000), t0=None), None))
    assert members(desk) == []
    assert open_pairs(desk) == [("S260301a", "SVOM-3")]
    with desk.store.reading() as session:
        assert [one.change for one in sources.history(session, "Swift-2")][-1].startswith("all others left: SVOM-3")


def test_bursts_a_minute_apart_at_other_places_stay_apart(desk: Desk) -> None:
    told(desk, FERMI, (swift(t0=T0.plus_s(50.0)), AWAY))
    assert members(desk) == []


def test_a_storm_of_one_mission_stays_apart(desk: Desk) -> None:
    told(desk, *((grb(f"Fermi-{number}", t0=T0.plus_s(0.3 * number)), WIDE) for number in range(12)))
    assert members(desk) == []
    told(desk, (swift(t0=T0.plus_s(1.0)), NARROW))
    assert members(desk) == [("Fermi-3", "Swift-2")]


def test_two_triggers_an_hour_apart_wait_for_a_name(desk: Desk) -> None:
    late = (swift(t0=T0.plus_s(3600.0)), NARROW)
    told(desk, FERMI, late)
    assert members(desk) == []
    told(desk, (grb(stage=Stage.UPDATE, issued_at=T0.plus_s(7000), aliases=("GRB 260301A",)), WIDE))
    assert members(desk) == []
    told(desk, (swift(t0=T0.plus_s(3600.0), stage=Stage.UPDATE, issued_at=T0.plus_s(9000), aliases=("GRB260301A",)), NARROW))
    assert members(desk) == [("Fermi-1", "Swift-2")]
    with desk.store.reading() as session:
        (source,) = sources.search(session, limit=9)
    assert [one.kind for one in source.links] == [LinkKind.NAME]


def test_what_cites_a_burst_that_is_not_known_yet_joins_it_when_it_comes(desk: Desk) -> None:
    told(desk, (svom(t0=T0.plus_s(4000), depends_on=("Fermi-1",)), None))
    told(desk, FERMI)
    assert members(desk) == [("Fermi-1", "SVOM-3")]


def test_a_test_never_joins_a_real_burst(desk: Desk) -> None:
    told(desk, FERMI, (swift(is_live=False), NARROW))
    assert members(desk) == []
    desk.tell(*SVOM, is_trusted=False)
    assert members(desk) == [("Swift-2", "SVOM-3")], "neither can ever leave the hub"


def say(desk: Desk, what, *args, **kwargs) -> Source | None:
    with desk.store.transaction() as session:
        body = what(session, desk.association, *args, **kwargs, at=desk.clock())
    desk.correlation.run_jobs()
    return body


def who(reason: str = "seen in the light curves") -> dict[str, str]:
    return {"by": "A. Person", "because": reason}


def test_a_person_splits_and_joins_and_takes_it_back(desk: Desk) -> None:
    told(desk, GRAVITY, FERMI, SWIFT)
    said = say(desk, split, "Swift-2", "Fermi-1", **who())
    assert members(desk) == []
    assert open_pairs(desk) == [("Fermi-1", "S260301a"), ("S260301a", "Swift-2")]
    say(desk, take_back, said["word"], by="B. Other", because="it was one after all")
    assert members(desk) == [("Fermi-1", "Swift-2")]
    assert open_pairs(desk) == [("Fermi-1", "S260301a")]
    with desk.store.reading() as session:
        changes = [one.change for one in sources.history(session, "Fermi-1")]
        (word,) = sources.words_about(session, ["Swift-2"])
    assert [text.partition(" (")[0] for text in changes] == [
        "one burst: Fermi-1, Swift-2",
        "all others left: Swift-2; A. Person split Fermi-1 and Swift-2: seen in the light curves",
        "joined: Swift-2",
    ]
    assert changes[-1].endswith("B. Other took back the word 1: it was one after all")
    assert (word.holds, word.undone_by) == (False, "B. Other")


def test_what_a_person_says_wins_over_a_name(desk: Desk) -> None:
    named = {"aliases": ("GRB 260301A",)}
    told(desk, (grb(**named), WIDE), (swift(**named), NARROW))
    assert members(desk) == [("Fermi-1", "Swift-2")]
    say(desk, split, "Fermi-1", "Swift-2", **who())
    assert members(desk) == []
    say(desk, join, "Fermi-1", "Swift-2", **who("no, one"))
    assert members(desk) == [("Fermi-1", "Swift-2")]


def test_a_joined_burst_an_hour_later_makes_no_pair_of_its_own(desk: Desk) -> None:
    told(desk, GRAVITY, FERMI, (swift(t0=T0.plus_s(3600.0)), NARROW))
    say(desk, join, "Fermi-1", "Swift-2", **who())
    assert members(desk) == [("Fermi-1", "Swift-2")]
    assert open_pairs(desk) == [("Fermi-1", "S260301a")]
    assert source(desk).combined_ids == (NARROW.localization_id, WIDE.localization_id)
    assert source(desk).localization_id in pair(desk, "Fermi-1").localization_ids


def test_a_source_that_excludes_the_gravitational_wave_makes_no_pair(desk: Desk) -> None:
    told(desk, GRAVITY, FERMI)
    assert open_pairs(desk) == [("Fermi-1", "S260301a")]
    elsewhere = localization(gaussian_map(160.0, 60.0, 0.8, order=7), area90_deg2=9.0)
    told(desk, (swift(), elsewhere))
    say(desk, join, "Fermi-1", "Swift-2", **who())
    assert members(desk) == [("Fermi-1", "Swift-2")]
    assert open_pairs(desk) == []


def test_rates_count_the_burst_once(desk: Desk) -> None:
    told(desk, FERMI, SWIFT, SVOM, (grb("Fermi-8", t0=T0.plus_s(5000)), AWAY))
    with desk.store.reading() as session:
        rows = sources.times_of_sources(session, [EventClass.GRB], T0.plus_s(-10), T0.plus_s(9000))
    assert {source for *_, source in rows} == {"Fermi-1", "Fermi-8"}
    assert [mission for _, mission, *_ in rows] == ["Fermi", "Swift", "SVOM", "Fermi"]


def source(desk: Desk) -> Source:
    with desk.store.reading() as session:
        (found,) = sources.search(session, limit=None)
    return found


def test_independent_places_that_agree_become_one_map_that_pairs_use(desk: Desk) -> None:
    told(desk, FERMI, SWIFT, GRAVITY)
    one = source(desk)
    assert one.combined_ids == (NARROW.localization_id, WIDE.localization_id)
    made = combined([NARROW.skymap, WIDE.skymap])
    assert one.localization_id == made.skymap.digest()
    with desk.store.reading() as session:
        stored = localizations.get(session, one.localization_id)
    assert stored is not None
    assert stored.source is LocalizationSource.COMBINED
    assert stored.remarks[0] == (
        "The place of the burst Fermi-1: combined of 2 that are independent and agree, of Swift-2, Fermi-1."
    )
    found = pair(desk, "Fermi-1")
    assert one.localization_id in found.localization_ids
    assert found.score("overlap") == pytest.approx(overlap_integral(made.skymap, GW_PLACE.skymap), rel=1e-12)
    assert stored.summary.area90_deg2 < min(levels_area(NARROW), levels_area(WIDE))


def levels_area(place: Localization) -> float:
    return Levels2D.of(place.skymap).area_of_level(0.9)


def test_ground_and_final_position_of_one_trigger_are_never_multiplied(desk: Desk) -> None:
    final = grb(stage=Stage.UPDATE, issued_at=T0.plus_s(900), sequence=2)
    told(desk, FERMI, (final, NARROW), (svom(), localization(gaussian_map(133.5, 21.0, 3.0), area90_deg2=130.0)))
    one = source(desk)
    assert len(one.combined_ids) == 2
    assert one.combined_ids[0] == NARROW.localization_id
    assert WIDE.localization_id not in one.combined_ids


def test_places_that_disagree_leave_the_smallest_and_say_so(desk: Desk) -> None:
    beside = localization(gaussian_map(144.0, 21.0, 1.5), area90_deg2=31.0)
    named = {"aliases": ("GRB 260301A",)}
    told(desk, (swift(**named), NARROW), (svom(**named), beside))
    one = source(desk)
    assert one.combined_ids == ()
    assert one.localization_id == NARROW.localization_id
    assert "that of SVOM-3 is left out: it disagrees with that of Swift-2" in one.localization_origin


def test_the_combined_map_goes_with_its_member(desk: Desk) -> None:
    told(desk, FERMI, SWIFT, GRAVITY)
    told(desk, (swift(stage=Stage.RETRACTION, issued_at=T0.plus_s(900)), None))
    with desk.store.reading() as session:
        history = sources.history(session, "Fermi-1")
    assert [len(one.source.combined_ids) for one in history] == [2, 0]
    assert WIDE.localization_id in pair(desk, "Fermi-1").localization_ids
