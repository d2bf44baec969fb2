"""Two versions of an event compared, on a database that was told and shown things in the ordinary way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import InvalidRequest, NotFound
from hub.model.coincidence import Coincidence, MemberKind, PairState
from hub.model.notice import Stage
from hub.model.sky import whole_sky
from hub.science.overlap import overlap_integral
from hub.services.differences import Differences, Means, differences, differences_body
from hub.services.maps import MapCache
from hub.storage import candidates, coincidences
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import RULES, Desk
from tests.support.histories import history_of
from tests.support.words import T0, alerts, gaussian_map, grb, localization, notice

WIDE, NARROW, BURST = (gaussian_map(130.0, 20.0, 6.0), gaussian_map(134.0, 20.0, 2.0), gaussian_map(132.0, 21.0, 5.0))
FIRST = localization(WIDE, area90_deg2=520.0, area50_deg2=150.0, dist_mean_mpc=100.0, peak_ra_deg=130.0, peak_dec_deg=20.0)
SECOND = localization(NARROW, area90_deg2=58.0, area50_deg2=17.0, dist_mean_mpc=80.0, peak_ra_deg=134.0, peak_dec_deg=20.0)


def fading(name: bytes, ra: float, number: int) -> tuple[dict[str, object], ...]:
    """Return three detections of an object that fades."""
    shape = ((0.5, 20_000.0), (1.5, 8_000.0), (2.5, 4_000.0))
    return tuple(
        {"object_id": name, "ra": ra, "days": days, "flux_njy": flux, "snr": flux / 100.0, "source_id": 10 * number + i}
        for i, (days, flux) in enumerate(shape)
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A merger in three versions, the last of them a retraction, a burst, and three objects; nobody writes to it any more."""
    url = f"sqlite:///{tmp_path_factory.mktemp('told')}/hub.db"
    upgrade(url)
    store = open_store(url)
    desk = Desk(store)
    desk.tell(grb(), localization(BURST))
    desk.tell(notice(stage=Stage.PRELIMINARY), FIRST)
    desk.show(alerts(*fading(b"100", 130.0, 1), *fading(b"200", 134.0, 2), *fading(b"300", 122.0, 3)))
    update = {"stage": Stage.UPDATE, "issued_at": T0.plus_s(3600), "t0": T0.plus_s(1.0), "far_hz": 1e-13}
    desk.tell(notice(**update, classification={"BNS": 0.5, "NSBH": 0.5}), SECOND)
    desk.tell(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(7200)))
    yield store
    store.close()


def found(store: Store, before: int, after: int) -> Differences:
    means = Means(history=history_of(store), rules=RULES, maps=MapCache())
    with store.reading() as session:
        return differences(session, "S260301a", before, after, means)


def test_numbers_class_time_and_place_that_differ_are_told_with_how_much(told: Store) -> None:
    changes = {one.what: one for one in found(told, 1, 2).changes}
    assert set(changes) == {
        *("far_hz", "area50_deg2", "area90_deg2", "dist_mean_mpc", "classification.BNS", "classification.NSBH"),
        *("classification.Terrestrial", "t0", "position"),
    }
    assert (changes["area90_deg2"].before, changes["area90_deg2"].after) == (520.0, 58.0)
    assert changes["far_hz"].ratio == pytest.approx(1e-4)
    assert changes["dist_mean_mpc"].change == pytest.approx(-20.0)
    assert changes["t0"].change == pytest.approx(1.0)
    assert changes["position"].change == pytest.approx(3.76, abs=0.01)  # 4 degrees of right ascension at 20 degrees


def test_the_overlap_with_the_burst_is_that_of_each_versions_map(told: Store) -> None:
    (one,) = found(told, 1, 2).overlaps
    assert one.other == "Fermi-1"
    assert one.before == pytest.approx(overlap_integral(WIDE, BURST), rel=1e-12)
    assert one.after == pytest.approx(overlap_integral(NARROW, BURST), rel=1e-12)


def test_a_map_of_the_whole_sky_is_compared_with_no_other(store: Store) -> None:
    desk = Desk(store)
    desk.tell(grb(), localization(BURST))
    desk.tell(notice(stage=Stage.PRELIMINARY), localization(whole_sky(), area90_deg2=37_127.0))
    desk.tell(notice(stage=Stage.UPDATE, issued_at=T0.plus_s(3600)), SECOND)
    (one,) = found(store, 1, 2).overlaps
    assert (one.before, one.before_reason) == (1.0, "no spatial information: the localization of S260301a is the whole sky")
    assert one.after == pytest.approx(overlap_integral(NARROW, BURST), rel=1e-12)
    assert one.after_reason is None


def test_rank_moves_name_the_term_and_what_left_or_came(told: Store) -> None:
    moved = {(one.object_id, one.hypothesis): one for one in found(told, 1, 2).moves}
    left, rose, gone = (moved[name, "kilonova"] for name in ("100", "200", "300"))
    assert left.rank_before is not None
    assert rose.rank_before is not None
    assert rose.rank_after == 1
    assert rose.rank_after < rose.rank_before
    assert rose.term == "sky"
    assert rose.term_after - rose.term_before == pytest.approx(rose.score_after - rose.score_before, abs=1.0)
    assert "sky" in rose.reason
    assert gone.rank_after is None
    assert "not in the ranking any more" in gone.reason


def test_the_scores_of_the_newest_version_are_those_that_are_stored_and_the_way_back_is_the_reverse(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(stage=Stage.PRELIMINARY), FIRST)
    desk.show(alerts(*fading(b"100", 130.0, 1), *fading(b"200", 134.0, 2)))
    desk.tell(notice(stage=Stage.UPDATE, issued_at=T0.plus_s(3600)), SECOND)
    with store.reading() as session:
        stored = candidates.of_event(session, "S260301a", state=PairState.OPEN)
    forth, back = found(store, 1, 2), found(store, 2, 1)
    by_rank = sorted((one for one in forth.moves if one.rank_after), key=lambda one: one.rank_after or 0)
    assert by_rank
    for one in by_rank:
        same = stored[(one.rank_after or 0) - 1]
        assert (same.object_id, same.hypothesis, same.score) == (one.object_id, one.hypothesis, one.score_after)
    reverse = {(one.object_id, one.hypothesis): (one.rank_after, one.rank_before, one.term) for one in back.moves}
    assert reverse == {(one.object_id, one.hypothesis): (one.rank_before, one.rank_after, one.term) for one in forth.moves}


def kept(store: Store) -> dict[str, Coincidence]:
    with store.reading() as session:
        return {one.coincidence_id: one for one in coincidences.search(session, limit=None)}


def values(one: Coincidence) -> dict[str, float | None]:
    return {score.statistic: score.value for score in one.shown_scores}


def test_what_was_stored_under_each_version_is_told_as_it_was_said_then(store: Store) -> None:
    desk = Desk(store)
    desk.tell(grb(), localization(BURST))
    desk.tell(notice(stage=Stage.PRELIMINARY), FIRST, received_at=desk.clock())
    first, second = fading(b"100", 130.0, 1), fading(b"200", 134.0, 2)
    desk.show(alerts(*first[:2], *second[:2]))
    old = kept(store)
    desk.tell(notice(stage=Stage.UPDATE, issued_at=T0.plus_s(3600), far_hz=1e-13), SECOND, received_at=desk.clock())
    risen = {"reliability": 0.98}  # what is recomputed of the first version knows of it
    desk.show(alerts({**first[2], **risen}, {**second[2], **risen}))
    new = kept(store)
    desk.tell(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(7200)), received_at=desk.clock())
    answer = found(store, 1, 2)
    changed = {one.coincidence_id: one for one in answer.stored}
    assert {name for name, one in old.items() if any(member.kind is MemberKind.OBJECT for member in one.members)} < set(changed)
    for name, one in changed.items():
        assert (one.before is None) is (name not in old)
        for told, was in ((one.before, old.get(name)), (one.after, new.get(name))):
            assert told is None or was is None or (told.scores, told.coincidence_version) == (values(was), was.version)
    raised = next(one for one in answer.stored if one.others == ("LSST:200",))
    assert raised.before is not None
    assert raised.after is not None
    assert "mu" in raised.after.scores
    assert raised.after.rank == 1
    move = next(one for one in answer.moves if one.object_id == "200" and one.hypothesis == raised.before.hypothesis)
    assert move.score_before != raised.before.scores["rank"]
    (pair,) = [one for one in answer.stored if one.others == ("Fermi-1",)]
    assert pair.before is not None
    assert pair.before.rank is None
    assert "joint_far" in pair.before.scores
    gone = {one.coincidence_id: one for one in found(store, 2, 3).stored}
    assert gone
    assert all(one.after is not None and one.after.state == "withdrawn" and one.after.rank is None for one in gone.values())
    assert {name: one.before for name, one in gone.items()} == {name: changed[name].after for name in gone}


def test_a_version_that_was_never_the_newest_has_nothing_stored(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(stage=Stage.UPDATE, issued_at=T0.plus_s(3600)), SECOND, received_at=desk.clock())
    desk.show(alerts(*fading(b"200", 134.0, 2)))
    desk.tell(notice(stage=Stage.PRELIMINARY), FIRST, received_at=desk.clock())  # issued first
    answer = found(store, 1, 2)
    assert answer.stored
    assert all(one.before is None and one.after is not None for one in answer.stored)


def test_a_retraction_is_a_difference_of_the_state_and_empties_the_ranking(told: Store) -> None:
    answer = found(told, 2, 3)
    assert [(one.what, one.before, one.after) for one in answer.changes] == [("state", "active", "retracted")]
    assert answer.moves
    assert all(one.rank_after is None for one in answer.moves)
    assert differences_body(answer)["not_judged"] == 0


def test_objects_whose_alerts_are_gone_are_counted(told: Store, tmp_path: Path) -> None:
    means = Means.of_folders(tmp_path / "nothing", None)
    with told.reading() as session:
        answer = differences(session, "S260301a", 1, 2, means)
    assert (answer.moves, answer.not_judged) == ((), 3)


@pytest.mark.parametrize("pair", [(0, 1), (1, 4), (9, 1), (-1, 2)])
def test_a_version_that_is_not_there_gets_a_sentence(told: Store, pair: tuple[int, int]) -> None:
    with pytest.raises(NotFound, match="has versions 1 to 3, not"):
        found(told, *pair)


def test_a_version_and_itself_gets_a_sentence(told: Store) -> None:
    with pytest.raises(InvalidRequest, match="name two versions"):
        found(told, 2, 2)
