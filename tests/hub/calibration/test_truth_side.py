"""Levels of true places, small: uniform as shipped, visibly not where systematic errors are left out."""

from dataclasses import replace

import numpy as np

from hub.calibration.error_models import MODELS
from hub.calibration.mergers import draw, merger_levels, random_map
from hub.calibration.result import QUICK
from hub.calibration.subject import as_shipped
from hub.calibration.truth_side import TruthSide
from hub.calibration.uniformity import ks_probability
from hub.science.overlap import total_probability

SUBJECT = as_shipped()
NAMES = {"fermi-gbm-flight", "IceCube, circle of 90 %", "ellipse of 90 %", "asymmetric errors of 90 %"}
SIZE = replace(QUICK, sources=48, maps=2, mergers_per_map=40)


def silent(words: str) -> None:
    """Say nothing."""


def test_levels_of_true_places_are_uniform() -> None:
    models = tuple(one for one in MODELS if one.name in NAMES)
    result = TruthSide(subject=SUBJECT, models=models).run(np.random.default_rng(2), SIZE, silent)
    assert [check for check in result.checks if not check.passed] == []
    names = {row[0] for row in result.tables[0].rows}
    assert {*NAMES, "mergers, 2D", "mergers, 3D", "fermi-gbm-flight, no systematics"} == names


def test_the_models_of_2019_are_tried_and_tell_themselves_from_those_before() -> None:
    models = tuple(one for one in MODELS if "-2019" in one.name)
    assert {one.name for one in models} == {f"fermi-gbm-final-2019{which}" for which in ("", "-long", "-short")}
    result = TruthSide(subject=SUBJECT, models=models[:1]).run(np.random.default_rng(3), replace(SIZE, sources=160), silent)
    assert [check for check in result.checks if not check.passed] == []
    before = replace(models[0], systematic_model="fermi-gbm-final")  # drawn by the new one, mapped by the old one
    wrong = TruthSide(subject=SUBJECT, models=(before,)).run(np.random.default_rng(3), replace(SIZE, sources=160), silent)
    assert not wrong.checks[0].passed


def test_distances_of_mergers_follow_the_line_of_sight() -> None:
    rng = np.random.default_rng(5)
    skymap = random_map(rng)
    assert abs(total_probability(skymap) - 1.0) < 1e-9
    pixels, distance = draw(skymap, rng, 500)
    assert len(pixels) == len(distance) == 500
    assert (distance > 0.0).all()
    flat, deep = merger_levels(rng, 1, 200)
    assert ks_probability(flat) > 1e-3
    assert ks_probability(deep) > 1e-3


def test_every_error_model_draws_a_place_that_has_a_map() -> None:
    rng = np.random.default_rng(6)
    for model in MODELS:
        position, source = model.draw(rng)
        assert abs(np.linalg.norm(source) - 1.0) < 1e-9
        assert SUBJECT.map_of(position, model.systematic_model) is not None
