"""When places were last looked at, against plain loops over whole ledgers."""

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hub.archive import visits_file
from hub.archive.visits_lookup import SAME_VISIT_US, Times, VisitLookup
from hub.model.alert import NO_TIME
from hub.science.footprint import Halves, holding
from hub.science.onset import FirstSeen
from tests.support.ledgers import DAY_S, settle, sky_of_visits, visit
from tests.support.words import T0

WHERE = (130.0, -20.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ledgers") / "archive"
    sky_of_visits(folder, T0, WHERE)
    return folder


def untold(n: int) -> dict[str, np.ndarray]:
    """Return what the packets themselves do not tell, which the ledger is not asked with."""
    return {"quiet_us": np.full(n, NO_TIME), "template_us": np.full(n, NO_TIME)}


def questions(rng, n: int) -> FirstSeen:
    times = [T0.plus_s(float(days) * DAY_S).tai_us for days in rng.choice([-2.97, 0.11, 0.12, 0.2, 1.0, 25.0, 60.0], n)]
    return FirstSeen(
        survey="LSST",
        time_us=np.array(times),
        flux_njy=rng.choice([300.0, 2_000.0, 10_000.0, np.nan], n),
        band=rng.choice([b"g", b"r", b"z"], n),
        ra_deg=WHERE[0] + rng.uniform(-1.8, 1.8, n),
        dec_deg=WHERE[1] + rng.uniform(-1.8, 1.8, n),
        **untold(n),
    )


def plain(folder: Path, first: FirstSeen, index: int, days: float) -> int:
    """Return the answer to one question by looking at every row of every ledger."""
    at, best = int(first.time_us[index]), NO_TIME
    for night in visits_file.nights(folder):
        rows = visits_file.read(folder, night)
        inside = holding(Halves.of(rows.polygons), float(first.ra_deg[index]), float(first.dec_deg[index]))
        for row in np.flatnonzero(inside).tolist():
            mid = int(rows.mid_tai_us[row])
            fits = rows.band.text(row).encode() == first.band[index] and rows.depth_njy[row] < first.flux_njy[index]
            if fits and at - days * DAY_S * 1e6 <= mid < at - SAME_VISIT_US:
                best = max(best, mid)
    return best


def test_many_places_are_answered_as_each_by_plain_loops(folder: Path) -> None:
    first = questions(np.random.default_rng(2), 120)
    lookup = VisitLookup(folder)
    for days in (30.0, 2.0):
        found = lookup.before(first, days)
        assert found.time_us.tolist() == [plain(folder, first, index, days) for index in range(120)]
    assert len(set(lookup.before(first, 30.0).time_us.tolist())) >= 4


def test_answers_do_not_depend_on_what_was_asked_before_or_on_how_much_is_kept(folder: Path) -> None:
    first = questions(np.random.default_rng(4), 60)
    together = VisitLookup(folder).before(first, 30.0)
    small = VisitLookup(folder, kept_rows=1)
    for index in reversed(range(60)):
        alone = small.before(first.take(np.array([index])), 30.0)
        assert (alone.time_us[0], alone.is_known[0]) == (together.time_us[index], together.is_known[index])
    again = small.before(first, 30.0)
    assert again.time_us.tolist() == together.time_us.tolist()


def test_an_answer_that_is_kept_takes_few_bytes(folder: Path) -> None:
    n = 4_000
    first, sure = questions(np.random.default_rng(6), n), Times(((T0.plus_s(-90 * DAY_S).tai_us, T0.plus_s(90 * DAY_S).tai_us),))
    lookup = VisitLookup(folder)
    lookup.before(first.take(np.arange(100)), 30.0, sure)  # the files are in memory
    gc.collect()
    tracemalloc.start()
    try:
        again = lookup.before(first, 30.0, sure)
        assert again.is_known.any()
        del again
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / (n - 100) < 500.0


def test_a_survey_or_a_time_without_a_ledger_is_unknown_and_a_place_that_nobody_looked_at_is_not(folder: Path) -> None:
    lookup = VisitLookup(folder)
    first = FirstSeen(
        survey="LSST",
        time_us=np.array([T0.plus_s(DAY_S).tai_us, T0.plus_s(400 * DAY_S).tai_us]),
        flux_njy=np.array([1e5, 1e5]),
        band=np.array([b"r", b"r"]),
        ra_deg=np.array([10.0, WHERE[0]]),
        dec_deg=np.array([10.0, WHERE[1]]),
        **untold(2),
    )
    found = lookup.before(first, 30.0)
    assert (found.time_us.tolist(), found.is_known.tolist()) == ([NO_TIME, NO_TIME], [True, False])
    other = FirstSeen(
        **{name: getattr(first, name) for name in ("time_us", "flux_njy", "band", "ra_deg", "dec_deg")}, **untold(2), survey="ZTF"
    )
    assert not lookup.before(other, 30.0).is_known.any()
    assert not VisitLookup(folder / "nowhere").before(first, 30.0).is_known.any()


def test_a_ledger_that_is_written_anew_changes_the_answer(tmp_path: Path) -> None:
    history = sky_of_visits(tmp_path / "archive", T0, WHERE)
    lookup = VisitLookup(history.folder)
    at = T0.plus_s(1.5 * DAY_S)
    first = FirstSeen(
        survey="LSST",
        time_us=np.array([at.tai_us]),
        flux_njy=np.array([1e5]),
        band=np.array([b"r"]),
        ra_deg=np.array([WHERE[0] + 0.02]),
        dec_deg=np.array([WHERE[1] + 0.02]),
        **untold(1),
    )
    before = int(lookup.before(first, 30.0).time_us[0])
    later = at.plus_s(-3600.0)
    visit(history, np.random.default_rng(8), later, WHERE, number=2026030200009)
    assert int(lookup.before(first, 30.0).time_us[0]) == before
    settle(history, at.plus_s(DAY_S))
    assert int(lookup.before(first, 30.0).time_us[0]) == later.tai_us != before
