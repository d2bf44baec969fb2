"""GW170817 with a map: its overlap with each localization of GRB 170817A, and the pair that is kept with all of them."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adapters.codecs.voevent.reader import decode as decode_voevent
from hub.model.coincidence import PairState
from hub.model.notice import Stage
from hub.science.healpix import pixels29
from hub.science.levels import Levels2D
from hub.science.localization import localization_from_skymap
from hub.storage.engine import Store, open_store, upgrade
from tests.conftest import REPOSITORY
from tests.support.correlating import Desk
from tests.support.reference_numbers import (
    AREA90_DEG2,
    AT2017GFO,
    fermi_places,
    gw170817,
    notice_of_gw170817,
    overlaps,
    page,
    rates,
)

pytestmark = pytest.mark.recorded

PAGE = REPOSITORY / "docs" / "explanation" / "reference-numbers.md"


@pytest.fixture
def store(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


def test_the_pair_is_kept_with_ground_final_and_map_localization_and_agrees_in_each(recorded: Path, store: Store) -> None:
    skymap = gw170817()
    place = localization_from_skymap(skymap)
    assert place.summary.area90_deg2 == pytest.approx(AREA90_DEG2, rel=0.02)
    told = notice_of_gw170817(recorded)
    burst = decode_voevent((recorded / "voevent" / "fermi" / "GRB170817A_GBM_GND_POS.xml").read_bytes()).notice
    assert told.t0 is not None
    desk = Desk(store)
    desk.tell(told, None)
    with_map = {"stage": Stage.UPDATE, "sequence": 2, "identity": "ours|G298048|2", "ivorn": None}
    network = {**told.properties, "instruments": ["H1", "L1", "V1"]}
    desk.tell(replace(told, **with_map, properties=network, issued_at=told.t0.plus_s(18_600.0)), place)
    (pixel,) = pixels29([AT2017GFO[0]], [AT2017GFO[1]])
    found = []
    for number, (name, fermi) in enumerate(fermi_places().items()):
        later = {
            "sequence": 10 + number,
            "identity": f"ours|{name}",
            "ivorn": None,
            "issued_at": told.t0.plus_s(600.0 * (1 + number)),
        }
        desk.tell(replace(burst, **later), fermi)
        (pair,) = desk.pairs()
        assert pair.state is PairState.OPEN
        assert fermi.localization_id in pair.localization_ids
        found.append(pair.score("overlap"))
        level = float(Levels2D.of(fermi.skymap).lookup(np.array([pixel])).searched_prob[0])
        assert (0.45 < level < 0.55) if name == "map" else (0.89 < level < 0.995)
    *circles, of_map = found
    assert 15.0 < of_map < 70.0
    assert all(1.0 < one < of_map for one in circles)
    assert pair.score("joint_far") == pytest.approx(pair.score("joint_far_time_only") / found[-1])


def test_ours_are_the_numbers_of_others_to_the_digits_that_they_are_good_for() -> None:
    for one in rates():
        assert one.ours == pytest.approx(one.theirs, rel=1e-12)
    for one in overlaps():
        if one.whose != "ligo-raven":
            assert one.ours == pytest.approx(one.theirs, rel=1e-6)
    resolved, *wrong = (one for one in overlaps() if one.whose == "ligo-raven")
    assert resolved.ours == pytest.approx(resolved.theirs, rel=0.005)
    assert all(max(one.ours / one.theirs, one.theirs / one.ours) > 1.2 for one in wrong)


def test_the_page_of_reference_numbers_says_what_is_computed(recorded: Path) -> None:
    ours, theirs = (re.split(r"(?<=[| ])(-?\d[\d.]*(?:e[+-]\d+)?)(?=[ |])", text) for text in (page(recorded), PAGE.read_text()))
    assert ours[::2] == theirs[::2]
    for one, other in zip(ours[1::2], theirs[1::2], strict=True):
        assert float(one) == pytest.approx(float(other), rel=2e-5)
