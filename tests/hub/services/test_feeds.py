"""Two detectors of supernova neutrinos, from their messages to a pair, and an early warning before its time."""

import pytest

from adapters.codecs import snews
from hub.model.coincidence import PairState
from hub.model.notice import Stage
from hub.science.rules import YEAR_S
from hub.services import queries
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import T0, gaussian_map, grb, localization, notice


def message(detector: str, at_s: float):
    at = T0.plus_s(at_s).to_utc_iso().removesuffix("Z")
    said = {"detector_name": detector, "machine_time": at, "neutrino_time_utc": at, "p_val": 0.01, "is_test": "False"}
    return snews.decode(said, topic=None).notice


@pytest.mark.parametrize("order", [1, -1])
def test_two_detectors_make_one_pair_with_the_rate_of_the_network(store: Store, order: int) -> None:
    desk = Desk(store)
    for detector, at_s in (("XENONnT", 0.0), ("Super-K", 6.5), ("Super-K", 30.0))[::order]:
        desk.tell(message(detector, at_s))
    (pair,) = desk.pairs()
    assert (pair.kind, pair.hypothesis, pair.state, pair.is_live) == (
        "neutrino-neutrino",
        "supernova-neutrinos",
        PairState.OPEN,
        True,
    )
    rates = pair.joint_rates
    assert rates is not None
    assert rates.noise_hz == pytest.approx(2 * 66 * (52 / YEAR_S) ** 2 * 10.0)
    assert rates.chance_hz is not None
    assert rates.chance_hz > rates.noise_hz
    with store.reading() as session:
        _, lines = queries.explained_coincidence(session, pair.coincidence_id)
    agree = {line.score.statistic for line in lines if line.agrees}
    assert {"joint_far_time_only", "random_association_time_only", "random_association"} <= agree
    assert not [line for line in lines if line.agrees is False]


def test_an_early_warning_is_paired_before_its_time_has_come(store: Store) -> None:
    desk = Desk(store)
    desk.now = T0.plus_s(-30.0)
    here, near = localization(gaussian_map(130.0, 20.0, 6.0, order=3)), localization(gaussian_map(133.0, 21.0, 4.0, order=3))
    desk.tell(notice(stage=Stage.EARLY_WARNING, issued_at=T0.plus_s(-40.0)), here)
    desk.tell(grb(t0=T0.plus_s(1.5), issued_at=T0.plus_s(-20.0)), near)
    (pair,) = [one for one in desk.pairs() if one.kind == "gw-grb"]
    assert (pair.state, pair.score("delay")) == (PairState.OPEN, pytest.approx(1.5))
    assert pair.created_at < T0
    assert pair.joint_rates is not None
    assert pair.joint_rates.larger_hz is not None
