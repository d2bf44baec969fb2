"""No message, page or rule has the joint false-alarm rate without the rate of unrelated real events."""

import ast
import json
from pathlib import Path

import pytest

import adapters
import hub
from adapters.codecs.voevent.importance import importance_of
from hub.bootstrap import RENDERERS
from hub.cli.coincidences import list_ as coinc_list
from hub.model.coincidence import Score
from hub.model.joint_rates import JointFar, JointRates, rates_of, shown
from hub.services.bodies import coincidence_body
from hub.services.overview import PAIR_COLUMNS
from hub.storage.coincidences import far_hz
from tests.support.announcements import announcement, coincidence

NOISE, BY_TIME, CHANCE = 1.2345e-14, 3.4567e-13, 5.6789e-11
NONE = JointFar(value_hz=None, reason="")


def score(statistic: str, value: float | None) -> Score:
    return Score(statistic=statistic, version=1, value=value, unit="Hz")


WITHOUT = (score("joint_far_time_only", BY_TIME), score("joint_far", NOISE))
WITH = (*WITHOUT, score("random_association", CHANCE))


def numbers_in(payload: bytes) -> set[float]:
    """Return which of the rates some bytes hold, however they are written."""
    import struct

    return {
        value
        for value in (NOISE, BY_TIME, CHANCE)
        if any(text.encode() in payload for text in (repr(value), f"{value:g}")) or struct.pack("<d", value) in payload
    }


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_every_format_tells_both_numbers_or_neither(name: str) -> None:
    renderer = RENDERERS[name]()
    both = numbers_in(renderer.render(announcement(coincidence(scores=WITH))))
    assert {NOISE, CHANCE} <= both
    assert numbers_in(renderer.render(announcement(coincidence(scores=WITHOUT)))) == set()


def test_the_body_of_the_api_tells_both_numbers_or_neither() -> None:
    both = coincidence_body(coincidence(scores=WITH))
    assert (both["joint_far_hz"], both["joint_far_time_only_hz"], both["random_association_hz"]) == (NOISE, BY_TIME, CHANCE)
    assert numbers_in(json.dumps(coincidence_body(coincidence(scores=WITHOUT))).encode()) == set()


def test_tables_for_people_have_a_column_for_each() -> None:
    assert {"FAR/Hz", "chance/Hz"} <= set(PAIR_COLUMNS)
    source = Path(coinc_list.__code__.co_filename).read_text(encoding="utf-8")
    assert "joint_far_hz" in source
    assert "random_association_hz" in source


def test_what_orders_and_limits_is_the_larger_of_both() -> None:
    assert importance_of(coincidence(scores=WITHOUT)) is None
    assert importance_of(coincidence(scores=WITH)) == pytest.approx(1 / (1 + CHANCE * 365.25 * 86_400), abs=1e-6)
    rates = rates_of(WITH)
    assert rates is not None
    assert rates.larger_hz == CHANCE
    assert far_hz(coincidence(scores=WITH)) == CHANCE
    assert far_hz(coincidence(scores=WITHOUT)) is None


def test_the_type_cannot_hold_one_without_the_other() -> None:
    noise = JointFar(value_hz=NOISE, reason="")
    with pytest.raises(ValueError, match="without the rate of unrelated real events"):
        JointRates(time_only=NONE, spacetime=noise, random_association=NONE, random_association_time_only=NONE)
    with pytest.raises(ValueError, match="without the rate of unrelated real events"):
        JointRates(time_only=noise, spacetime=NONE, random_association=NONE, random_association_time_only=NONE)
    withheld = JointRates.together(time_only=noise, spacetime=noise, random_association=NONE, random_association_time_only=NONE)
    assert withheld.noise_hz is None
    assert "not told" in withheld.spacetime.reason


def test_scores_are_withheld_one_by_one() -> None:
    by_time = (*WITHOUT, score("random_association_time_only", CHANCE), score("random_association", None))
    told = {one.statistic: one.value for one in shown(by_time)}
    assert told["joint_far_time_only"] == BY_TIME
    assert told["joint_far"] is None
    assert shown(WITH) == WITH


KNOWS = {
    "hub/model/joint_rates.py",
    "hub/science/joint.py",
    "hub/science/arithmetic.py",
    "hub/science/published.py",
    "hub/science/budget.py",
}
"""Where a false-alarm rate may be named by itself: the type of both, what makes and explains it, what others published, and the budget,
which lets nothing out that lacks either."""


def test_nobody_else_asks_for_a_false_alarm_rate_by_its_name() -> None:
    found = set()
    for package in (hub, adapters):
        root = Path(package.__path__[0])
        for file in root.rglob("*.py"):
            place = f"{root.name}/{file.relative_to(root)}"
            if place in KNOWS or "/migrations/" in place:  # which speak of rows as they once were
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                is_name = isinstance(node, ast.Constant) and node.value in {"joint_far", "joint_far_time_only"}
                if is_name:
                    found.add(place)
    assert found == set()
