"""A dispatch killed at any step loses nothing, repeats at most what was in hand, and keeps the order."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.contracts.sink import message
from tests.support.killed_dispatch import DESTINATIONS, N_MESSAGES

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="a dead holder's lease must end here first")

EXPECTED = [f"{message(number).ivorn}\t{message(number).payload.decode()}" for number in range(N_MESSAGES)]


def run(folder: Path, seed: int, n_kills: int, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.support.killed_dispatch", str(folder), str(seed), str(n_kills), how]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def test_nothing_is_lost_and_nothing_overtakes_over_many_deaths(tmp_path: Path) -> None:
    report = run(tmp_path, 1, 25, "careful")
    print(report["kills"], report["deaths"])
    assert report["kills"] >= 10
    assert set(report["deaths"]) == {"statement", "commit", "before delivery", "after delivery"}, "a step had no death"
    for name in DESTINATIONS:
        assert [line for line, _ in itertools.groupby(report[name])] == EXPECTED
    repeats = sum(len(report[name]) - N_MESSAGES for name in DESTINATIONS)
    assert repeats <= report["kills"]


@pytest.mark.parametrize("seed", [1])
def test_the_same_deaths_lose_messages_where_sending_is_written_down_first(tmp_path: Path, seed: int) -> None:
    report = run(tmp_path, seed, 25, "careless")
    assert any(len(set(report[name])) < N_MESSAGES for name in DESTINATIONS)
