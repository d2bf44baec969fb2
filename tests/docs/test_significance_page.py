"""The page on how numbers are computed keeps its word: it has every term of the rank, and says no more of the calibration than there is."""

import re

from hub.calibration.running import all_parts
from hub.science.ranking import VALUES
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "explanation" / "significance.md").read_text(encoding="utf-8")


def test_every_term_of_the_rank_is_in_the_table_of_the_page() -> None:
    table = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(table) == sorted(VALUES)


def test_the_parts_of_the_calibration_that_the_page_names_are_there() -> None:
    section = PAGE.partition("## What is calibrated")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    assert named
    assert named <= {part.name for part in all_parts(None)}
