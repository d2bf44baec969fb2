"""One thinned night for all tests of this folder, with a past that is read in a second."""

from datetime import date

import numpy as np
import pytest

from hub.demo.survey import schedule
from hub.demo.survey.night import SurveyNight
from hub.demo.survey.settings import BANDS, Simulation, shipped

DAY = date(2026, 11, 23)


def short_past() -> Simulation:
    """Return the shipped settings, with two months of deep fields instead of twelve."""
    whole = shipped()
    return whole.model_copy(update={"survey": whole.survey.model_copy(update={"deep_history_nights": 60})})


def small(seed: int = 3, *, day: date = DAY, fraction: float = 0.02, **changes) -> SurveyNight:
    return SurveyNight(seed, day, fraction=fraction, **{"with_cutouts": False, "simulation": short_past(), **changes})


def pair(night: SurveyNight) -> tuple[int, int]:
    """Return a visit of the wide survey in g, r or i and the second one of the same field in such a band."""
    plan = night.visits
    good = (plan.programme == schedule.WIDE) & np.isin(plan.band, [BANDS.index(band) for band in "gri"])
    for first in np.flatnonzero(good).tolist():
        second = first + night.simulation.survey.block_visits
        if second < len(night) and good[second] and abs(plan.dec_deg[first] - plan.dec_deg[second]) < 0.3:
            away = abs((plan.ra_deg[first] - plan.ra_deg[second] + 180.0) % 360.0 - 180.0)
            if away < 0.3:
                return first, second
    raise AssertionError


def deep(night: SurveyNight) -> int:
    return int(np.flatnonzero(night.visits.programme == schedule.DEEP)[3])


@pytest.fixture(scope="session")
def thinned() -> SurveyNight:
    """A fiftieth of the night, without cutouts."""
    return small()
