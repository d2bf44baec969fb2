"""The ledger of visits bounds when candidates began, however late it comes."""

from pathlib import Path

import numpy as np
import pytest

from hub.archive.history import ArchiveHistory
from hub.archive.visits_lookup import VisitLookup
from hub.model.coincidence import Candidate, PairState
from hub.services.archive_care import ArchiveCare
from hub.services.onsets import ONSETS_JOB, ask
from hub.storage import candidates, jobs
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.ledgers import DAY_S, settle, sky_of_visits, visit
from tests.support.words import T0, alerts, gaussian_map, localization, notice

WHERE = (130.0, -20.0)
HERE = localization(gaussian_map(*WHERE, 3.0))
SEEN = alerts(
    {"ra": 130.05, "dec": -19.95, "days": 0.5, "flux_njy": 20_000.0, "snr": 200.0},
    {"ra": 130.05, "dec": -19.95, "days": 1.5, "flux_njy": 8_000.0, "snr": 80.0},
)


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with the ledgers of some nights."""
    folder = tmp_path_factory.mktemp("sky") / "archive"
    sky_of_visits(folder, T0, WHERE)
    return folder


def kilonova(store: Store) -> Candidate:
    with store.reading() as session:
        found = candidates.get(session, "S260301a", "LSST", "100", "kilonova")
    assert found is not None
    return found


def timing(one: Candidate) -> tuple[float | None, str]:
    (score,) = [score for score in one.scores if score.statistic == "timing"]
    (reason,) = [reason for reason in one.reasons if reason.startswith("timing")]
    return score.value, reason


def test_without_a_ledger_the_coverage_is_unknown_and_with_one_the_onset_is_an_interval(store: Store, sky: Path) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(SEEN)
    value, reason = timing(kilonova(store))
    assert value is None
    assert reason.startswith("timing: coverage unknown")
    with store.transaction() as session:
        assert ask(session, T0) == 1
        assert [job.kind for job in jobs.take(session, 9)] == [ONSETS_JOB]
    again = Desk(store, visits=VisitLookup(sky).before)
    again.correlation.run_jobs()
    value, reason = timing(kilonova(store))
    assert value is not None
    assert value > 0
    assert "began between +0.12 d and +0.50 d of the event" in reason
    assert again.waiting() == []


def test_a_faint_object_in_another_band_has_an_unknown_age(store: Store, sky: Path) -> None:
    desk = Desk(store, visits=VisitLookup(sky).before)
    desk.tell(notice(), HERE)
    desk.show(alerts({"ra": 130.05, "dec": -19.95, "days": 0.5, "flux_njy": 300.0}))
    desk.show(alerts({"ra": 130.05, "dec": -19.95, "days": 0.5, "band": b"z", "object_id": b"200", "source_id": 9}))
    for name in ("100", "200"):
        with store.reading() as session:
            found = candidates.get(session, "S260301a", "LSST", name, "kilonova")
        assert timing(found)[1].startswith("timing: age unknown: no visit of this place and band went as deep in the 30 d before")


def test_what_began_after_the_onset_window_is_no_candidate_for_it(store: Store, sky: Path, tmp_path: Path) -> None:
    history = sky_of_visits(tmp_path / "archive", T0, WHERE)
    visit(history, np.random.default_rng(3), T0.plus_s(9.0 * DAY_S), WHERE, number=2026031000001)
    settle(history, T0.plus_s(11 * DAY_S))
    late = alerts(*({"ra": 130.05, "dec": -19.95, "days": days, "flux_njy": 9_000.0} for days in (9.5, 10.5)))
    unsure, sure = Desk(store, visits=VisitLookup(sky).before), Desk(store, visits=VisitLookup(history.folder).before)
    unsure.tell(notice(), HERE)
    unsure.show(late)
    assert kilonova(store).state is PairState.OPEN  # it may have begun at any time since the visit of the first day
    with store.transaction() as session:
        ask(session, T0)
    sure.correlation.run_jobs()
    assert kilonova(store).state is PairState.WITHDRAWN


def test_the_process_that_keeps_the_ledger_has_candidates_judged_again_when_a_night_is_complete(
    store: Store, tmp_path: Path
) -> None:
    history = ArchiveHistory(tmp_path / "archive")
    desk = Desk(store, visits=VisitLookup(history.folder).before)
    desk.tell(notice(), HERE)
    desk.show(SEEN)
    before = kilonova(store)
    care = ArchiveCare(store, history, desk.clock)
    care.step()
    with store.reading() as session:
        assert jobs.take(session, 9) == []  # nothing is kept, so nothing is asked for
    sky_of_visits(history.folder, T0, WHERE)
    ArchiveCare(store, history, desk.clock).step()  # a process that begins does not know what another one asked for
    desk.correlation.run_jobs()
    assert timing(before)[0] is None
    after = kilonova(store)
    assert timing(after)[0] is not None
    fresh = Desk(store, visits=VisitLookup(history.folder).before)
    fresh.correlation.on_event("S260301a", rules_changed=True)
    assert kilonova(store) == after  # as whoever knew the ledger from the beginning says
