"""What packets tell of the past, dipoles, new ids and other surveys: each counts through the running flow, in whatever order."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from adapters.codecs.alerts import decode_messages
from hub.model.alert import AlertBatch
from hub.model.coincidence import Candidate, PairState
from hub.services.rematch import Rematch
from hub.storage import candidates
from hub.storage.engine import Store, open_store, upgrade
from tests.support import lsst_packets
from tests.support.correlating import Desk
from tests.support.words import T0, alerts, gaussian_map, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
ARCSEC = 1.0 / 3600.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database."""
    path = tmp_path_factory.mktemp("made") / "hub.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def fresh_stores(made: Path, tmp_path: Path) -> Iterator[Iterator[Store]]:
    """Databases one after the other, each with an archive of its own."""
    opened: list[Store] = []

    def stores() -> Iterator[Store]:
        while True:
            folder = tmp_path / str(len(opened))
            folder.mkdir()
            shutil.copy(made, folder / "hub.db")
            opened.append(open_store(f"sqlite:///{folder}/hub.db"))
            yield opened[-1]

    yield stores()
    for one in opened:
        one.close()


def mjd(days: float) -> float:
    return T0.plus_s(days * 86_400.0).mjd_tai


def packet(number: int, days: float, forced: Sequence[tuple[float, float]] = (), **source: object) -> AlertBatch:
    """Return the alert of a packet of LSST; forced photometry as days after T0 and flux."""
    looks = tuple({"midpointMjdTai": mjd(when), "psfFlux": flux, "psfFluxErr": 250.0, "band": "r"} for when, flux in forced)
    values = {
        "diaSourceId": number,
        "diaObjectId": 100,
        "ra": 130.0,
        "dec": 20.0,
        "midpointMjdTai": mjd(days),
        "band": "r",
        "psfFlux": 10_000.0 * 0.6**days,
        "psfFluxErr": 250.0,
        "snr": 40.0 * 0.6**days,
        "reliability": 0.95,
        "isNegative": False,
    }
    payload = lsst_packets.framed("10.0", lsst_packets.record("10.0", forced=looks, **(values | source)))
    (batch,) = decode_messages([payload]).batches
    return batch


def kilonova(store: Store, name: str = "100", survey: str = "LSST") -> Candidate:
    with store.reading() as session:
        found = candidates.get(session, "S260301a", survey, name, "kilonova")
    assert found is not None
    return found


def timing(one: Candidate) -> str:
    (reason,) = [reason for reason in one.reasons if reason.startswith("timing")]
    return reason


def everything(store: Store) -> list[Candidate]:
    with store.reading() as session:
        return candidates.search(session, limit=None)


FIRST = packet(1, 0.5)
LATER = packet(2, 1.5, forced=[(-20.0, 100.0), (0.125, -30.0), (0.5, 7745.0)])
LATEST = packet(3, 2.5, forced=[(-20.0, 100.0), (0.125, -30.0), (0.25, 200.0), (0.5, 7745.0), (1.5, 4647.0)])


def test_forced_photometry_of_later_packets_narrows_the_onset_in_whatever_order_they_come(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(FIRST)
    assert timing(kilonova(store)).startswith("timing: coverage unknown")
    desk.show(LATER)
    assert "began between +0.12 d and +0.50 d of the event, by forced photometry" in timing(kilonova(store))
    desk.show(LATEST)
    assert "began between +0.25 d and +0.50 d of the event, by forced photometry" in timing(kilonova(store))


ORDERS = [(0, 1, 2, 3), (1, 2, 3, 0), (0, 3, 2, 1), (3, 2, 1, 0), (2, 0, 1, 3), (3, 0, 1, 2)]


def test_any_order_of_packets_and_notice_gives_the_same_candidates(fresh_stores: Iterator[Store]) -> None:
    """The archive keeps what every packet tells, so that the notice may as well come last."""
    found = []
    for numbers in ORDERS:
        store = next(fresh_stores)
        desk = Desk(store)
        steps = [lambda desk=desk: desk.tell(notice(), HERE)]
        steps += [lambda desk=desk, one=one: desk.show(one) for one in (FIRST, LATER, LATEST)]
        for number in numbers:
            steps[number]()
        found.append(everything(store))
    assert all(one == found[0] for one in found)
    assert found[0]


def test_a_forced_detection_before_the_event_makes_an_object_old(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(FIRST)
    assert kilonova(store).state is PairState.OPEN
    desk.show(packet(2, 1.5, forced=[(-3.0, 2000.0), (0.125, 10.0)]))
    one = kilonova(store)
    assert one.state is PairState.WITHDRAWN
    assert "prior activity" in one.flags
    assert one.first_detection == T0.plus_s(-3.0 * 86_400.0)


def test_a_dipole_sets_no_onset_and_is_recorded(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.show(packet(1, 0.5, isDipole=True))
    one = kilonova(store)
    assert "dipole detections" in one.flags
    assert not [reason for reason in one.reasons if reason.startswith("timing")]
    desk.show(packet(2, 1.5, forced=[(1.25, 0.0)]))
    assert "began between +1.25 d and +1.50 d" in timing(kilonova(store))


def test_a_template_with_images_of_after_the_event_leaves_the_age_unknown(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    quiet = {"began_tai_us": T0.plus_s(43_200.0).tai_us, "quiet_tai_us": T0.plus_s(10_000.0).tai_us, "days": 0.5}
    old, new = T0.plus_s(-1e6).tai_us, T0.plus_s(5_000.0).tai_us
    desk.show(alerts({**quiet, "template_tai_us": old, "object_id": b"ZTFold", "source_id": 7}, survey="ZTF"))
    desk.show(alerts({**quiet, "template_tai_us": new, "object_id": b"ZTFnew", "source_id": 8, "dec": 20.1}, survey="ZTF"))
    assert "began between +0.12 d and +0.50 d" in timing(kilonova(store, "ZTFold", "ZTF"))
    told = timing(kilonova(store, "ZTFnew", "ZTF"))
    assert told == "timing: age unknown: the template holds images that were taken after the event"


def shown(survey: str, name: bytes, north: float, *days: float, number: int = 1) -> AlertBatch:
    rows = (
        {"object_id": name, "days": one, "dec": 20.0 + north * ARCSEC, "source_id": 100 * number + index, "reliability": 0.95}
        for index, one in enumerate(days)
    )
    return alerts(*rows, survey=survey)


def test_a_new_id_where_an_older_object_was_detected_is_no_new_object(store: Store) -> None:
    desk = Desk(store)
    desk.show(shown("LSST", b"1", 0.7, -40.0, -20.0))
    desk.tell(notice(), HERE)
    desk.show(shown("LSST", b"2", 0.0, 0.5, 1.5, number=2))
    desk.show(shown("LSST", b"3", 1.9, 0.5, 1.5, number=3))
    one = kilonova(store, "2")
    assert one.state is PairState.WITHDRAWN
    assert "re-created object" in one.flags
    assert "one light curve with LSST:1, at the same place" in one.reasons
    other = kilonova(store, "3")
    assert (other.state, "re-created object" in other.flags) == (PairState.OPEN, False)


def test_two_surveys_together_confirm_an_object(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(shown("LSST", b"1", 0.0, 0.5))
    assert not kilonova(store, "1").confirmed
    desk.show(shown("ZTF", b"ZTFa", 1.0, 0.6))
    for survey, name in (("LSST", "1"), ("ZTF", "ZTFa")):
        one = kilonova(store, name, survey)
        assert (one.confirmed, one.n_detections) == (True, 2)
        assert one.first_detection == T0.plus_s(43_200.0)


MANY = [
    shown("LSST", b"1", 0.0, 0.5),
    shown("ZTF", b"ZTFa", 1.0, 0.4, 1.4),
    shown("LSST", b"1", 0.0, 1.5, number=3),
    shown("LSST", b"2", 0.6, 1.0, 2.0, number=4),
]


def test_united_light_curves_do_not_depend_on_the_order(fresh_stores: Iterator[Store]) -> None:
    found = []
    for seed in range(8):
        store = next(fresh_stores)
        desk = Desk(store)
        steps = [lambda desk=desk: desk.tell(notice(far_hz=3e-9), HERE)]
        steps += [lambda desk=desk, one=one: desk.show(one) for one in MANY]
        for number in np.random.default_rng(seed).permutation(len(steps)):
            steps[number]()
        is_open = {pair.members[1].id for pair in desk.pairs() if pair.state is PairState.OPEN}
        found.append((everything(store), is_open))
    assert all(one == found[0] for one in found)
    assert {one.n_detections for one in found[0][0] if one.hypothesis == "kilonova"} == {6}


def test_what_is_no_candidate_itself_counts_from_the_next_look_on(store: Store) -> None:
    """An older object of another survey matches no event: its late alert is found with the object's next evaluation."""
    desk = Desk(store)
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(shown("LSST", b"1", 0.0, 0.5, 1.5))
    desk.show(shown("ZTF", b"ZTFa", 1.0, -30.0, number=2))
    rematch = Rematch(store=store, correlation=desk.correlation)
    assert list(rematch.run(["S260301a"]))
    assert kilonova(store, "1").state is PairState.WITHDRAWN
