"""Questions about positions and times on the edges of what was searched."""

import numpy as np
import pytest

from hub.archive import visits_file
from hub.archive.history import ArchiveHistory
from hub.archive.layout import night_of
from hub.archive.visits_ledger import VisitLedger
from hub.science.footprint import positions_of
from hub.science.footprint_camera import from_plane
from hub.services import searched
from tests.support.api_night import T0, fill
from tests.support.searched import DEAD, DEC, FIRST, FULL, LOST, RA, SPACING_S, hears, night, number
from tests.support.visits import CAMERAS, LSSTCAM, alerts, camera_rows, pointing

LATER = FIRST.plus_s(5 * SPACING_S)
FIRST_POINTING = pointing(RA, DEC, angle_deg=0.0)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return night(tmp_path_factory.mktemp("archive")).folder


@pytest.fixture
def hub(store):
    fill(store)
    hears(store)
    return store


def at(store, archive, ra=RA, dec=DEC, **more):
    with store.reading() as session:
        values = {"start": T0, "end": LATER, "limit": 100} | more
        return searched.at_position(session, archive, ra_deg=ra, dec_deg=dec, **values)


def place(where, q):
    """Return the position of a place in the focal plane."""
    ra, dec = positions_of(from_plane(where.towards, np.array([where.turn * (np.conj(q) if where.is_mirrored else q)])))
    return float(ra[0]), float(dec[0])


def test_a_position_in_the_gap_between_two_chips_was_not_searched(hub, archive):
    own = {"start": FIRST, "end": FIRST}
    middle = at(hub, archive, *place(FIRST_POINTING, LSSTCAM.centres[94]), **own)
    assert [(one["visit"], one["detector"]) for one in middle["visits"]] == [(str(number(0)), 94)]
    gap = at(hub, archive, *place(FIRST_POINTING, (LSSTCAM.centres[94] + LSSTCAM.centres[95]) / 2), **own)
    assert (gap["coverage"], gap["last"], gap["silent"]) == ("known", None, [])


def test_a_visit_counts_from_its_very_middle_on(hub, archive):
    here = place(FIRST_POINTING, LSSTCAM.centres[94])
    for seconds, expected in ((-1e-6, 0), (0.0, 1), (1e-6, 1)):
        assert at(hub, archive, *here, end=FIRST.plus_s(seconds))["n_visits"] == expected
    for seconds, expected in ((-1e-6, 1), (0.0, 1), (1e-6, 0)):
        assert at(hub, archive, *here, start=FIRST.plus_s(seconds), end=FIRST.plus_s(1))["n_visits"] == expected


@pytest.mark.parametrize(("k", "detector"), [LOST, (0, DEAD)])
def test_a_detector_that_sent_nothing_is_silent_and_did_not_search(hub, archive, k, detector):
    where = pointing(RA + 0.4 * (k % 3), DEC, angle_deg=11.0 * k)
    moment = FIRST.plus_s(SPACING_S * k)
    found = at(hub, archive, *place(where, LSSTCAM.centres[detector]), start=moment, end=moment)
    assert (found["coverage"], found["n_visits"], found["last"]) == ("partial", 0, None)
    assert [(one["visit"], one["detector"]) for one in found["silent"]] == [(str(number(k)), detector)]
    assert "sent no alert" in found["remarks"][-1]
    beside = at(hub, archive, *place(where, LSSTCAM.centres[detector + 1]), start=moment, end=moment)
    assert (beside["n_visits"], beside["silent"]) == (1, [])


def test_a_position_outside_every_focal_plane_has_no_silent_detector(hub, archive):
    found = at(hub, archive, *place(FIRST_POINTING, 2 * LSSTCAM.centres[0]), start=FIRST, end=FIRST)
    assert (found["n_visits"], found["silent"], found["remarks"]) == (0, [], [])


def test_visits_without_any_error_have_no_depth_and_reach_none(hub, tmp_path):
    history = ArchiveHistory(tmp_path / "archive")
    for k, error in enumerate((np.nan, 100.0)):
        rows = camera_rows(
            np.random.default_rng(k),
            pointing(RA, DEC),
            per_detector=8.0,
            visit=number(k),
            mid_tai_us=FIRST.plus_s(k).tai_us,
            error=error,
            band="i" if k else "z",
            offset=10_000 * k,
        )
        history.append(alerts(rows))
    VisitLedger(history, CAMERAS, quiet_s=0.0).update(FULL, FIRST.plus_s(60))
    found = at(hub, history.folder)
    assert {one["band"]: one["depth_njy"] for one in found["visits"]} == {"z": None, "i": 500.0}
    assert {one["band"]: (one["deepest_ab"] is None, one["n_visits"]) for one in found["bands"]} == {
        "z": (True, 1),
        "i": (False, 1),
    }
    with hub.reading() as session:
        values = {"start": T0, "end": LATER, "now": LATER}
        deep = searched.of_event(session, history.folder, "S170817a", depth_ab=20.0, **values)
        whole = searched.of_event(session, history.folder, "S170817a", **values)
    assert {one["band"] for one in deep["visits"]} == {"i"}
    assert deep["n_without_depth"] == len(visits_file.read(history.folder, night_of(FIRST.tai_us))) // 2
    assert (deep["n_too_shallow"], deep["coverage"]) == (0, "partial")
    assert [one["depth_ab"] is None for one in whole["visits"]] == [True, False]
