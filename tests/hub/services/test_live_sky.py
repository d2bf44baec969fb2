"""The snapshots that new alerts are matched with: the same answers as one target after the other, and never out of date."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from hub.model.alert import AlertBatch
from hub.model.event import assemble
from hub.model.notice import Stage
from hub.model.sky import Localization
from hub.resources import read_text
from hub.science.crossmatch import match, targets_of
from hub.science.levels import Levels2D
from hub.science.rules import Hypothesis, PriorActivity, Rules, load_rules
from hub.services.live_sky import LiveSky
from hub.storage import counters, events, localizations
from hub.storage.engine import Store, open_store, upgrade
from hub.storage.tables import EventRow, LocalizationRow
from tests.support.words import DAY_S, T0, alerts, gaussian_map, grb, localization, notice, stored

RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
AREAS = {0: 50.0, 1: 300.0, 2: 9_999.0, 3: 10_001.0, 4: 25_000.0}
PLACES = [
    localization(gaussian_map(130.0 + 4 * n, 20.0 - 3 * n, 3.0 + 2 * n, order=4 + n % 2), area90_deg2=area)
    for n, area in AREAS.items()
]
LEVELS = {one.localization_id: Levels2D.of(one.skymap) for one in PLACES}
BY_AREA = {one.localization_id: one.summary.area90_deg2 for one in PLACES}

days = st.floats(-70, 70, allow_nan=False)
versions = st.lists(st.tuples(days, st.integers(0, len(PLACES) - 1)), min_size=1, max_size=3)
told = st.lists(st.tuples(st.sampled_from(["BNS", "BBH", "grb"]), versions), min_size=0, max_size=5)
seen = st.lists(
    st.fixed_dictionaries(
        {
            "ra": st.floats(115, 160),
            "dec": st.floats(-10, 40),
            "days": days,
            "reliability": st.sampled_from([0.0, 0.5, 0.9, float("nan")]),
            "is_solar_system": st.booleans(),
            "is_negative": st.booleans(),
            "object_id": st.sampled_from([b"", b"1", b"2", b"3", b"4"]),
            "age": st.sampled_from([None, 0.0, 0.01, 1.0, 30.0, 300.0]),
        }
    ),
    min_size=1,
    max_size=25,
)
intervals = st.tuples(st.floats(-40, 0), st.floats(0.1, 60))


@st.composite
def changed_rules(draw: st.DrawFn) -> Rules:
    """Rules whose hypotheses have other windows and cuts."""
    made: list[Hypothesis] = [
        replace(
            one,
            window_d=draw(intervals),
            onset_d=draw(intervals),
            max_level=draw(st.sampled_from([0.0, 0.5, 0.9, 1.0])),
            min_reliability=draw(st.sampled_from([0.0, 0.5, 1.0])),
            exclude_solar_system=draw(st.booleans()),
            exclude_negative=draw(st.booleans()),
            prior_activity=draw(st.sampled_from(PriorActivity)),
        )
        for one in RULES.hypotheses
    ]
    return replace(RULES, hypotheses=tuple(made))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A database with the maps and no event."""
    url = f"sqlite:///{tmp_path_factory.mktemp('live')}/hub.db"
    upgrade(url)
    opened = open_store(url)
    with opened.transaction() as session:
        for one in PLACES:
            localizations.save(session, one)
    return opened


def make_batch(rows: list[dict[str, object]]) -> AlertBatch:
    made = []
    for row in rows:
        age = row["age"]
        first = {} if age is None else {"first_tai_us": T0.plus_s((float(row["days"]) - age) * DAY_S).tai_us}  # type: ignore[arg-type]
        made.append({**{name: value for name, value in row.items() if name != "age"}, **first})
    return alerts(*made)


def tell(store: Store, kind: str, name: str, said: list[tuple[float, int]]) -> None:
    """Store an event with a version for each time and map."""
    messages = []
    for number, (t0_d, place) in enumerate(said):
        at = {"t0": T0.plus_s(t0_d * DAY_S), "issued_at": T0.plus_s(number), "sequence": number}
        message = grb(name, **at) if kind == "grb" else notice(name, classification={kind: 0.9}, **at)
        messages.append(stored(message, PLACES[place].localization_id))
    with store.transaction() as session:
        events.save(session, assemble(name, messages))


def forget(store: Store) -> None:
    with store.transaction() as session:
        session.execute(delete(EventRow))
        counters.increment(session, counters.EVENTS)


def expected(store: Store, rules: Rules, batch: AlertBatch, *, any_size: bool = False) -> set[tuple[int, str]]:
    """Return (row, event) by one target after the other."""
    found: set[tuple[int, str]] = set()
    with store.reading() as session:
        for event in events.of_ids(session, events.all_ids(session)):
            maps = {name: LEVELS[name] for name in event.localization_ids}
            for target in targets_of(event, rules.hypotheses_for(tuple(event.classes)), maps):
                limit = rules.max_area_of(target.hypothesis)
                too_large = frozenset(name for name, area in BY_AREA.items() if area > limit and not any_size)
                rows = np.flatnonzero(match(batch, replace(target, too_large=too_large)))
                found |= {(int(row), event.event_id) for row in rows}
    return found


def found(store: Store, sky: LiveSky, batch: AlertBatch) -> tuple[set[tuple[int, str]], int]:
    with store.reading() as session:
        fits = sky.matches(session, batch)
    pairs = list(zip(fits.rows.tolist(), fits.event_ids.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    return set(pairs), fits.n_in_large


@settings(max_examples=60)
@given(said=told, later=told, rows=seen, rules=changed_rules())
def test_alerts_fit_the_events_that_they_fit_one_target_after_the_other(
    world: Store, said: list, later: list, rows: list, rules: Rules
) -> None:
    forget(world)
    batch = make_batch(rows)
    sky = LiveSky(rules)
    for part in (said, later):  # what comes later replaces events of the same name
        for number, (kind, of_event) in enumerate(part):
            tell(world, kind, f"{kind}{number}", of_event)
        pairs, n_in_large = found(world, sky, batch)
        assert pairs == expected(world, rules, batch)
        assert n_in_large == len(expected(world, rules, batch, any_size=True) - pairs)


ROWS = alerts({"days": 1.0}, {"days": 1.0, "ra": 300.0}, {"days": 350.0, "source_id": 3})


def test_a_new_event_or_map_is_met_at_once_and_the_rest_is_not_made_again(world: Store) -> None:
    forget(world)
    sky = LiveSky(RULES)
    assert found(world, sky, ROWS)[0] == set()
    tell(world, "BNS", "S1", [(0.0, 1)])
    assert found(world, sky, ROWS)[0] == {(0, "S1")}
    night = int((T0.plus_s(DAY_S).tai_us - 43_200_000_000) // 86_400_000_000)
    with world.reading() as session:
        first = sky.snapshot(session, night)
        assert sky.snapshot(session, night) is first
    tell(world, "BNS", "S1", [(0.0, 1)])  # said again: nothing that matters here
    tell(world, "BNS", "S2", [(-1000.0, 1)])  # over long ago
    with world.reading() as session:
        assert sky.snapshot(session, night) is first
    tell(world, "BNS", "S3", [(0.5, 0)])
    with world.reading() as session:
        second = sky.snapshot(session, night)
    assert second.index.pieces[0] is first.index.pieces[0]
    assert found(world, sky, ROWS)[0] == {(0, "S1"), (0, "S3")}
    tell(world, "BNS", "S1", [(900.0, 1)])  # its time was wrong
    assert found(world, sky, ROWS)[0] == {(0, "S3")}


def test_a_retracted_event_is_still_met_for_its_candidates_are_withdrawn_ones(world: Store) -> None:
    forget(world)
    place = PLACES[1].localization_id
    retracted = notice("S9", stage=Stage.RETRACTION, t0=None, issued_at=T0.plus_s(99), sequence=2, classification={})
    with world.transaction() as session:
        events.save(session, assemble("S9", [stored(notice("S9"), place), stored(retracted)]))
    assert found(world, LiveSky(RULES), ROWS)[0] == {(0, "S9")}


def test_memory_is_bounded_by_bytes_however_many_nights_are_asked_for(world: Store) -> None:
    forget(world)
    tell(world, "BBH", "S1", [(0.0, 0)])
    tell(world, "BBH", "S2", [(40.0, 2)])
    sky, small = LiveSky(RULES), LiveSky(RULES, budget_bytes=1)
    batch = alerts(*({"days": float(day), "source_id": day} for day in range(1, 60)))
    assert found(world, small, batch)[0] == found(world, sky, batch)[0] == expected(world, RULES, batch)
    largest = max(len(LEVELS[one.localization_id].lo) for one in PLACES) * 24 * 2
    n_cells = 16 << 12
    assert small.nbytes <= 8 * n_cells + 2 * largest
    assert sky.nbytes <= 8 * (8 * n_cells + 2 * largest)


def test_a_map_that_is_gone_is_said_so(tmp_path: Path) -> None:
    from hub.errors import StorageError

    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    store = open_store(url)
    one: Localization = PLACES[0]
    with store.transaction() as session:
        localizations.save(session, one)
        events.save(session, assemble("S1", [stored(notice("S1"), one.localization_id)]))
        session.execute(delete(LocalizationRow))
    with store.reading() as session, pytest.raises(StorageError, match="is named by a notice but not stored"):
        LiveSky(RULES).matches(session, ROWS)
    store.close()
