"""The densities of the simulation against published ones: within a factor of two wherever there is a figure for a class."""

import re

import pytest

from hub.demo.survey.light_curves import KIND_NAMES
from hub.demo.survey.settings import shipped
from tests.conftest import REPOSITORY

SKY_DEG2 = 41_253.0
MAIN_SURVEY_DEG2 = 18_000.0
PAGE = REPOSITORY / "docs" / "how-to" / "simulate-a-night.md"

PUBLISHED = {
    "supernova": (1e7 / (10 * 365.25) / MAIN_SURVEY_DEG2, "supernovae_per_deg2_day", 1.0),
    "active galaxy": (1e7 / MAIN_SURVEY_DEG2, "galaxies_per_deg2", 1.0),
    "fast transient": (666.0 / 365.25 / SKY_DEG2, "fast_per_deg2_day", 1.0),
}
"""Kind to the published number, the setting, and what the setting is to be multiplied with; sources as in ``conf/simulation.toml``."""


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_density_that_is_published_is_met_within_a_factor_of_two(kind):
    published, name, factor = PUBLISHED[kind]
    simulated = factor * getattr(shipped().population, name)

    assert published / 2 < simulated < 2 * published


def test_the_page_has_every_kind_with_its_number_and_says_where_nothing_is_published():
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", PAGE.read_text().partition("## Densities")[2], re.MULTILINE))

    assert set(KIND_NAMES) - {"counterpart"} <= rows.keys()
    for kind in set(KIND_NAMES) - {"counterpart"}:
        _, published, ratio = (cell.strip() for cell in rows[kind].split("|"))
        if kind in PUBLISHED:
            figure, name, factor = PUBLISHED[kind]
            assert float(published.split()[0].rstrip(":")) == pytest.approx(figure, rel=0.05)
            assert float(ratio) == pytest.approx(factor * getattr(shipped().population, name) / figure, abs=0.06)
        else:
            assert published.startswith("none")
            assert ratio == "-"
