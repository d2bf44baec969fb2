"""The same on PostgreSQL: packets of one object and light curves of several surveys, in orders of their own."""

from pathlib import Path

import pytest

from hub.model.alert import AlertBatch
from hub.model.coincidence import Candidate
from hub.storage import candidates
from hub.storage.engine import Store, open_store, upgrade
from tests.support.correlating import Desk
from tests.support.postgres import new_database
from tests.support.words import T0, alerts, gaussian_map, localization, notice

pytestmark = pytest.mark.postgres

HERE = localization(gaussian_map(130.0, 20.0, 6.0, order=5), area90_deg2=300.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
DAY_S = 86_400.0


def seen(survey: str, name: bytes, number: int, days: float, quiet: float | None = None) -> AlertBatch:
    told = (
        {} if quiet is None else {"quiet_tai_us": T0.plus_s(quiet * DAY_S).tai_us, "began_tai_us": T0.plus_s(0.4 * DAY_S).tai_us}
    )
    place = {"object_id": name, "source_id": number, "dec": 20.0 + (0.8 / 3600.0 if survey == "ZTF" else 0.0)}
    return alerts({**place, **told, "days": days, "reliability": 0.95}, survey=survey)


STEPS = (
    seen("LSST", b"1", 1, 0.5),
    seen("ZTF", b"ZTFa", 2, 0.4),
    seen("LSST", b"1", 3, 1.5, quiet=0.1),
    seen("ZTF", b"ZTFa", 4, 1.4, quiet=0.2),
)


def told(store: Store, order: tuple[int, ...]) -> list[Candidate]:
    """Return all candidates after the notice, number 0, and the alerts came in an order."""
    desk = Desk(store)
    for number in order:
        if number == 0:
            desk.tell(notice(far_hz=3e-9), HERE)
        else:
            desk.show(STEPS[number - 1])
    with store.reading() as session:
        return candidates.search(session, limit=None)


def test_candidates_are_those_of_sqlite_in_whatever_order(postgres: str, tmp_path: Path) -> None:
    found = []
    for order in ((0, 1, 2, 3, 4), (4, 1, 0, 3, 2)):
        name = f"onsets_{''.join(map(str, order))}"
        folder = tmp_path / name
        folder.mkdir()
        for url in (new_database(postgres), f"sqlite:///{folder}/hub.db"):
            upgrade(url)
            store = open_store(url)
            found.append(told(store, order))
            store.close()
    assert all(one == found[0] for one in found)
    (kilonova, other) = (one for one in found[0] if one.hypothesis == "kilonova")
    assert {kilonova.survey, other.survey} == {"LSST", "ZTF"}
    assert kilonova.n_detections == other.n_detections == 4
    assert any("began between +0.20 d and +0.40 d" in reason for reason in kilonova.reasons)
