"""Time slides over a list of triggers with storms in it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.calibration.result import QUICK
from hub.calibration.slides import Slides, read_triggers
from hub.calibration.subject import as_shipped
from hub.errors import InvalidRequest

SUBJECT = as_shipped()
SIZE = replace(QUICK, slides=60)


def silent(words: str) -> None:
    """Say nothing."""


def run(path: Path | None):
    return Slides(subject=SUBJECT, nature=SUBJECT.rules, triggers=path).run(np.random.default_rng(8), SIZE, silent)


def written(folder: Path, times: np.ndarray) -> Path:
    path = folder / "triggers.csv"
    path.write_text("".join(f"{time:.6f},x,y\n" for time in times), encoding="utf-8")
    return path


def test_a_list_with_storms_is_counted_right_with_measured_rates(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    quiet = rng.uniform(0.0, 1_000.0 * 86_400.0, 1_700)
    storms = np.concatenate([at + rng.uniform(0.0, 86_400.0, 40) for at in (3e7, 5e7)])
    result = run(written(tmp_path, np.concatenate([quiet, storms])))
    assert [check for check in result.checks if not check.passed] == []
    rows = {row[0]: row for row in result.tables[0].rows}
    assert rows["in storms"][1] != "0.000"
    assert rows["by the rate of the rules"][2].startswith("excess +")


def test_the_recorded_list_agrees_and_its_excess_over_the_configured_rate_is_told(recorded: Path) -> None:
    result = run(recorded / "catalogs" / "fermi_gbm_trigger_times.csv")
    assert [check for check in result.checks if not check.passed] == []
    assert result.tables[0].rows[0][1] == "606.9"


def test_without_a_list_the_part_says_so() -> None:
    result = run(None)
    assert result.checks == ()
    assert "--triggers" in result.notes[0]


@pytest.mark.parametrize("text", ["no,list\n", "1.0,a,b\n", ""])
def test_a_file_that_is_no_list_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest, match="is no list of triggers"):
        read_triggers(path)
