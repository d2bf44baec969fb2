"""Candidates: one row each, in the order in which a person should look at them."""

import dataclasses
import math

import numpy as np
import pytest

from hub.model.coincidence import Candidate, PairState, Score
from hub.model.contender import Contender
from hub.model.event import assemble
from hub.model.instant import Instant
from hub.model.pixel29 import pixels29
from hub.storage import candidates, events
from hub.storage.engine import Store
from tests.support.followup import make_candidate
from tests.support.words import DAY_S, T0, notice, stored


def candidate(object_id: str = "100", **changes: object) -> Candidate:
    return dataclasses.replace(make_candidate("S1", object_id), **changes)


def save(store: Store, *found: Candidate) -> None:
    with store.transaction() as session:
        for one in found:
            candidates.save_all(session, [one])


def names(found: list[Candidate]) -> list[str]:
    return [one.object_id for one in found]


def test_a_candidate_is_written_over(store: Store) -> None:
    score = Score(statistic="fading", version=1, value=None, unit="1", inputs={"reason": "one detection"})
    later = candidate(level=None, score=-1.5, scores=(score,), levels={"m": 0.1 + 0.2, "n": None}, flags=("saturated",))
    save(store, candidate(), later)
    with store.reading() as session:
        assert candidates.get(session, "S1", "LSST", "100", "kilonova") == later
        assert candidates.of_event(session, "S1") == [later]
        assert candidates.get(session, "S1", "ZTF", "100", "kilonova") is None


def test_confirmed_ones_come_first_then_the_larger_score_then_the_object(store: Store) -> None:
    save(
        store,
        candidate("1", confirmed=False, score=99.0),
        candidate("2", score=1.0),
        candidate("3", score=2.0),
        candidate("10", score=1.0),
        candidate("1", confirmed=True, score=-5.0, hypothesis="agn-flare"),
        candidate("9", event_id="S2"),
    )
    with store.reading() as session:
        assert names(candidates.of_event(session, "S1")) == ["3", "10", "2", "1", "1"]
        assert names(candidates.of_event(session, "S1", limit=2)) == ["3", "10"]


def test_how_many_there_are_and_of_which_surveys_is_told_without_reading_them(store: Store) -> None:
    save(store, candidate("1"), candidate("2"), candidate("3", survey="ZTF"), candidate("9", event_id="S2"))
    with store.reading() as session:
        assert candidates.count(session, "S1") == 3
        assert candidates.surveys_of(session, "S1") == ["LSST", "ZTF"]
        assert (candidates.count(session, "S3"), candidates.surveys_of(session, "S3")) == (0, [])


def test_pages_hold_every_candidate_once_whatever_their_scores(store: Store) -> None:
    scores = [1.0, 1.0, -0.0, 0.0, 1e-300, 0.1 + 0.2, 0.3, -7.25]
    save(store, *(candidate(str(n), score=score, confirmed=n % 2 == 0) for n, score in enumerate(scores)))
    with store.reading() as session:
        everything = names(candidates.search(session))
        seen: list[str] = []
        before = None
        while page := candidates.search(session, limit=3, before=before):
            seen += names(page)
            before = candidates.key(page[-1])
    assert seen == everything
    assert sorted(seen) == sorted(map(str, range(len(scores))))


def test_searches_by_every_property(store: Store) -> None:
    save(
        store,
        candidate("1", level=0.5, score=3.0),
        candidate("2", level=None, score=2.0, confirmed=False),
        candidate("3", level=0.9, score=1.0, state=PairState.WITHDRAWN, survey="ZTF"),
    )

    def search(**wanted: object) -> list[str]:
        with store.reading() as session:
            return names(candidates.search(session, **wanted))  # type: ignore[arg-type]

    assert search(survey="ZTF") == search(state=PairState.WITHDRAWN) == search(object_id="3") == ["3"]
    assert search(max_level=0.5) == search(min_score=3.0) == ["1"]
    assert search(max_level=1.0) == search(confirmed_only=True) == ["1", "3"]
    assert search(hypothesis="kilonova", event_id="S1") == ["1", "3", "2"]
    assert search(event_id="S2") == []


@pytest.mark.parametrize("n", [3, 1000], ids=["few", "many"])
def test_only_what_says_something_new_is_written(store: Store, n: int) -> None:
    first = [candidate(str(number)) for number in range(n)]
    with store.transaction() as session:
        assert candidates.save_all(session, first) == first
        assert candidates.save_all(session, []) == []
    changed = [candidate(str(number), score=9.5 if number == 1 else 1.0) for number in range(n + 1)]
    same = [one for one in changed if one in first]
    with store.transaction() as session:
        assert candidates.save_all(session, changed) == [one for one in changed if one not in same]
        assert {one.object_id: one for one in candidates.search(session)} == {one.object_id: one for one in changed}
        pairs = [("S1", "LSST", "1"), ("S1", "LSST", "2"), ("S1", "LSST", "99999"), ("S2", "LSST", "0")]
        found = candidates.stored(session, pairs)
        assert {row: candidates.read(document) for row, document in found.items()} == {
            ("S1", "LSST", one.object_id, "kilonova"): one for one in changed[1:3]
        }
        assert candidates.stored(session, pairs[:3]) == found
        pixel = int(pixels29([first[0].ra_deg], [first[0].dec_deg])[0])
        assert candidates.objects_of(session, "S1") == {("LSST", str(number), pixel) for number in range(n + 1)}


def many(n: int) -> list[Candidate]:
    """Return candidates of one event with everything that differs, some of them equally good."""

    def score(name: str, value: float | None, **inputs: object) -> Score:
        return Score(statistic=name, version=1, value=value, unit="1", inputs=inputs)

    found = []
    for k in range(n):
        sky = score("sky", 0.1 * k, background_per_sr=0.5 + k) if k % 5 else score("sky", None, reason="not covered")
        others = [score("luminosity", None if k % 3 else -0.25 * k), score("fading", 1.0), *([sky] if k % 7 else [])]
        found.append(
            candidate(
                str(k),
                survey=("LSST", "ZTF")[k % 2],
                hypothesis=("kilonova", "agn-flare", "afterglow")[k % 3],
                state=PairState.WITHDRAWN if k % 11 == 0 else PairState.OPEN,
                confirmed=k % 4 == 0,
                score=float(k % 13),
                first_detection=Instant(1_800_000_000_000_000 + k),
                last_detection=Instant(1_800_000_500_000_000 + k),
                scores=tuple(others),
            )
        )
    return found


def test_what_is_weighed_of_candidates_is_what_they_hold_in_the_same_order(store: Store) -> None:
    save(store, *many(2 * candidates.DOCUMENTS_AT_ONCE + 7), candidate("9", event_id="S2"))
    with store.reading() as session:
        whole = candidates.of_event(session, "S1", state=PairState.OPEN)
        every = {"luminosity", "fading", "sky"}
        assert candidates.contenders(session, "S1", every) == [Contender.of(one) for one in whole]
        (first, *_) = candidates.contenders(session, "S1", {"fading"})
        assert first.terms == {"fading": 1.0}
        of_one = candidates.contenders(session, "S1", every, hypothesis="kilonova")
        assert of_one == [Contender.of(one) for one in whole if one.hypothesis == "kilonova"]
        assert candidates.hypotheses_of(session, "S1") == {one.hypothesis for one in whole}
        assert list(candidates.best_of_event(session, "S1", 210)) == whole[:210]


def test_of_how_many_events_an_object_is_a_candidate_is_counted_for_all_objects_at_once(store: Store) -> None:
    save(
        store,
        *(candidate("1", event_id=event_id, hypothesis=name) for event_id in ("S1", "S2") for name in ("kilonova", "agn-flare")),
        candidate("1", event_id="S3", state=PairState.WITHDRAWN),
        candidate("1", survey="ZTF"),
        candidate("2", event_id="S2"),
    )
    with store.reading() as session:
        asked = [("LSST", "1"), ("ZTF", "1"), ("LSST", "2"), ("LSST", "3")]
        assert candidates.n_events(session, asked) == {("LSST", "1"): 2, ("ZTF", "1"): 1, ("LSST", "2"): 1}
        assert candidates.n_events(session, []) == {}


def test_candidates_in_a_part_of_the_sky_are_those_of_events_in_the_time_that_is_asked_for(store: Store) -> None:
    places = {"1": (10.001, -20.0), "2": (10.0, -20.0), "3": (200.0, 5.0), "4": (math.nan, 5.0)}
    with store.transaction() as session:
        for event_id, t0 in (("S1", T0), ("S2", T0.plus_s(3 * DAY_S))):
            events.save(session, assemble(event_id, [stored(notice(event_id, t0=t0))]))
            found = [candidate(name, event_id=event_id, ra_deg=ra, dec_deg=dec) for name, (ra, dec) in places.items()]
            candidates.save_all(session, found)
    pixels = np.sort(pixels29([10.0, 10.001], [-20.0, -20.0]))

    def at(lo: list[int], hi: list[int], start: Instant, end: Instant) -> list[tuple[str, str]]:
        with store.reading() as session:
            some = candidates.in_pixels(session, np.array(lo, dtype=np.int64), np.array(hi, dtype=np.int64), start, end)
            return sorted((one.event_id, one.object_id) for one in some)

    both, later = (T0, T0.plus_s(3 * DAY_S)), (T0.plus_s(DAY_S), T0.plus_s(4 * DAY_S))
    assert at([pixels[0]], [pixels[1]], *both) == [("S1", "1"), ("S2", "1")]
    assert at([pixels[0]], [pixels[1] + 1], *later) == [("S2", "1"), ("S2", "2")]
    assert at([0, *range(7, 7 * 250, 7)], [1, *range(8, 7 * 250 + 1, 7)], *both) == []
    assert at([0], [12 << 58], *both) == [(event_id, name) for event_id in ("S1", "S2") for name in "123"]
    with store.reading() as session:
        assert {name for _, name, _ in candidates.objects_of(session, "S1")} == {"1", "2", "3"}
