"""A hub that is killed at any moment and started again ends where an undisturbed one does: nothing lost, nothing sent twice."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY

SEED = 5
FULL = os.environ.get("MMHUB_TEST_FUZZ") == "full"


def run(folder: Path, n_kills: int, *, seed: int = SEED, care: str = "careful") -> dict[str, Any]:
    """Run the program until it has taken everything in, and return its report."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_ingest", str(folder), str(seed), str(n_kills), care],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("undisturbed"), 0)


@pytest.mark.fuzz
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEED, SEED + 10) if FULL else [SEED])
def test_kills_at_random_moments_leave_no_trace(seed: int, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    killed = run(tmp_path, 12, seed=seed)
    assert killed["kills"] == 12
    assert killed["state"] == undisturbed["state"]
    received, stored, duplicates, dead, in_flight = killed["book"]
    assert killed["law"]
    assert received == stored + duplicates + dead
    assert in_flight == 0
    assert dead == undisturbed["book"][3]
    assert undisturbed["delivered"] <= received <= killed["delivered"]
    for name in ("notices", "events", "candidates", "dead_letters", "jobs_waiting"):
        assert killed["tally"][name] == undisturbed["tally"][name]
    ivorns = [ivorn for ivorn, _ in killed["ivorns"]]
    assert len(set(ivorns)) == len(ivorns)
    assert {state for _, state in killed["ivorns"]} == {"sent"}
    folder = {path.name for path in (tmp_path / "voevents").iterdir()}
    assert {f"{ivorn.rpartition('#')[2]}.xml" for ivorn in ivorns} == {name for name in folder if name.endswith(".xml")}
    assert len(set(killed["booked"])) == len(killed["booked"])
    assert set(killed["booked"]) <= set(killed["requests"])
    assert "completed" in killed["requests"].values()
    if seed == SEED:  # the order of arrival is the same, so what was sent on the way is
        assert sorted(ivorns) == sorted(ivorn for ivorn, _ in undisturbed["ivorns"])
        assert killed["requests"].keys() == undisturbed["requests"].keys()


@pytest.mark.slow
def test_a_hub_that_acknowledges_before_it_has_finished_is_found_out(undisturbed: dict[str, Any], tmp_path: Path) -> None:
    assert run(tmp_path, 4, care="careless")["state"] != undisturbed["state"]
