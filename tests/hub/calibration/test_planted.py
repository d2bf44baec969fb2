"""What is planted is a defect of the function itself, and one that nothing catches fails."""

from dataclasses import replace

import numpy as np
import pytest

from hub.calibration.planted import DEFECTS, Defect, Planted
from hub.calibration.result import QUICK
from hub.calibration.shapes import cone
from hub.calibration.subject import as_shipped
from hub.model.sky import Circle, StatedPosition

SUBJECT = as_shipped()
BY_NAME = {defect.name: defect for defect in DEFECTS}


def silent(words: str) -> None:
    """Say nothing."""


def far(subject, overlap: float = 2.0) -> float:
    rates = subject.joint_rates(subject.search("GRB-CBC"), far_gw_hz=1e-6, profile=subject.rules.profile, overlap=overlap)
    return rates.spacetime.value_hz


def planted(name: str):
    return BY_NAME[name].plant(SUBJECT)


def test_each_defect_changes_what_the_function_says() -> None:
    assert far(planted("window doubled")) == pytest.approx(2.0 * far(SUBJECT))
    assert far(planted("window doubled in the formula only")) == pytest.approx(2.0 * far(SUBJECT))
    assert far(planted("year taken twice")) == pytest.approx(far(SUBJECT) / (365 * 86_400.0))
    assert far(planted("multiplied by the overlap")) == pytest.approx(4.0 * far(SUBJECT))
    position = StatedPosition(ra_deg=10.0, dec_deg=5.0, region=Circle(radius_deg=2.0), containment=0.9)
    for name, model in (("r90 used as sigma", None), ("systematics dropped", "fermi-gbm-ground")):
        wrong, right = (one.map_of(position, model).probdensity.max() for one in (planted(name), SUBJECT))
        assert not 0.8 < wrong / right < 1.25
    wide, narrow = (cone(sigma).make(SUBJECT, np.eye(3)) for sigma in (8.0, 0.08))
    sampled = planted("coarse map sampled at the centres of its pixels").overlap(wide, narrow)
    assert not 0.8 < sampled / SUBJECT.overlap(wide, narrow) < 1.25


@pytest.mark.parametrize("name", ["window doubled in the formula only", "none"])
def test_a_defect_is_caught_and_one_that_changes_nothing_fails(name: str) -> None:
    defect = BY_NAME.get(name, Defect(name="none", plant=lambda subject: subject))
    part = Planted(subject=SUBJECT, nature=SUBJECT.rules, defects=(defect,), subjects=("null",))
    size = replace(QUICK, pairs=10_000, exact=10, defects=1.0)
    result = part.run(np.random.default_rng(4), size, silent)
    checks = {check.name: check.passed for check in result.checks}
    assert checks == {"nothing planted: no check fails": True, f"{name}: caught": name in BY_NAME}
