"""Coincidences: versions are added one by one, searches see the latest."""

import dataclasses

import pytest

from hub.errors import StorageError
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score
from hub.model.outgoing import Leaves
from hub.storage import coincidences
from hub.storage.engine import Store
from tests.support.followup import NOW, make_coincidence


def score(statistic: str, value: float | None) -> Score:
    return Score(statistic=statistic, version=1, value=value, unit="1", inputs={"of": [1, None, "x"]})


def add(store: Store, *versions: Coincidence) -> None:
    for one in versions:
        with store.transaction() as session:
            coincidences.add(session, one)


def test_versions_are_kept_and_the_latest_is_shown(store: Store) -> None:
    first = make_coincidence()
    second = dataclasses.replace(first, version=2, state=PairState.WITHDRAWN, created_at=NOW.plus_s(5))
    add(store, first, second)
    with store.reading() as session:
        assert coincidences.latest(session, first.coincidence_id) == second
        assert coincidences.history(session, first.coincidence_id) == [first, second]
        assert coincidences.search(session) == coincidences.of_event(session, "G298048") == [second]
        assert coincidences.key(session, first.coincidence_id) == (NOW.tai_us, first.coincidence_id)
        assert coincidences.key(session, "nowhere") is None
        assert coincidences.latest(session, "nowhere") is None


@pytest.mark.parametrize("version", [1, 3])
def test_a_version_out_of_turn_is_refused_and_changes_nothing(store: Store, version: int) -> None:
    first = make_coincidence()
    add(store, first)
    with pytest.raises(StorageError, match="2 comes next"):
        add(store, dataclasses.replace(first, version=version))
    with store.reading() as session:
        assert coincidences.latest(session, first.coincidence_id) == first


def test_searches_by_every_property(store: Store) -> None:
    def pair(number: int, **changes: object) -> Coincidence:
        return dataclasses.replace(make_coincidence(f"S{number}", str(number)), created_at=NOW.plus_s(number), **changes)

    a = pair(1, scores=(score("rank", 5.0), score("level_2d", 0.3)))
    b = pair(
        2,
        kind="gw-grb",
        scores=(score("joint_far", None), score("joint_far_time_only", 1e-11), score("random_association", 1e-9)),
        t0=None,
    )
    c = pair(
        3,
        state=PairState.WITHDRAWN,
        is_live=False,
        t0=NOW,
        scores=(score("rank", float("nan")), score("joint_far", 1e-7), score("random_association", 1e-8)),
    )
    add(store, a, b, c)

    def search(**wanted: object) -> list[Coincidence]:
        with store.reading() as session:
            found = coincidences.search(session, **wanted)  # type: ignore[arg-type]
        return [dataclasses.replace(one, scores=()) for one in found]

    a, b, c = (dataclasses.replace(one, scores=()) for one in (a, b, c))
    assert search() == [c, b, a]
    assert search(event_id="S1") == search(object_id="LSST:1") == search(min_score=5.0) == search(max_level=0.3) == [a]
    assert search(event_id="LSST:1") == search(object_id="S1") == search(max_level=0.29) == []
    assert search(kind="gw-grb") == search(max_far_hz=1e-9) == [b]
    assert search(max_far_hz=1.0) == [c, b]
    assert search(state=PairState.WITHDRAWN) == search(t0_from=NOW) == search(t0_from=NOW, t0_to=NOW) == [c]
    assert search(t0_to=NOW.plus_s(-1)) == [a]
    assert search(live_only=True) == [b, a]


def test_pages_do_not_move_when_a_pair_gets_a_new_version(store: Store) -> None:
    pairs = [make_coincidence(f"S{n}") for n in range(5)]
    add(store, *pairs)
    with store.reading() as session:
        first = coincidences.search(session, limit=2)
        before = coincidences.key(session, first[-1].coincidence_id)
    add(store, dataclasses.replace(pairs[0], version=2, created_at=NOW.plus_s(100)))
    with store.reading() as session:
        rest = coincidences.search(session, limit=None, before=before)
    assert sorted(one.coincidence_id for one in [*first, *rest]) == sorted(one.coincidence_id for one in pairs)


def test_many_are_found_by_their_ids_and_pairs_of_events_by_either(store: Store) -> None:
    with_object = make_coincidence()
    members = tuple(Member(kind=MemberKind.EVENT, id=name) for name in ("Fermi-1", "G298048"))
    pair = dataclasses.replace(with_object, coincidence_id="p", kind="gw-grb", members=members)
    newer = dataclasses.replace(pair, version=2, state=PairState.WITHDRAWN)
    add(store, with_object, pair, newer)
    with store.reading() as session:
        assert coincidences.of_events(session, "G298048") == coincidences.of_events(session, "Fermi-1") == [newer]
        assert coincidences.of_events(session, "S1") == []
        names = [with_object.coincidence_id, "p", "none"]
        assert {name: one.version for name, one in coincidences.newest_of(session, names).items()} == {
            with_object.coincidence_id: with_object,
            "p": newer,
        }
        assert coincidences.newest_of(session, []) == {}


def test_versions_remember_how_much_left_because_of_them(store: Store) -> None:
    first = make_coincidence()
    second = make_coincidence(version=2, state=PairState.WITHDRAWN)
    name = first.coincidence_id
    with store.transaction() as session:
        assert coincidences.last_let_out(session, name, Leaves.MESSAGES) is None
        coincidences.add(session, first, let_out=Leaves.MESSAGES)
        coincidences.add(session, second)
        assert coincidences.newest_of(session, [name]) == {name: coincidences.Newest(version=second, let_out=Leaves.NOTHING)}
        assert coincidences.last_let_out(session, name, Leaves.MESSAGES) == first
        assert coincidences.last_let_out(session, name, Leaves.ALL) is None
        coincidences.mark_let_out(session, second, Leaves.ALL)
        assert coincidences.last_let_out(session, name, Leaves.MESSAGES) == second
        assert coincidences.last_let_out(session, name, Leaves.ALL) == second
        assert coincidences.newest_of(session, [name])[name].let_out is Leaves.ALL
