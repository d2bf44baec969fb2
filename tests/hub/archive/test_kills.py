"""A process that is killed amid appending, merging or tidying loses nothing that it acknowledged, and doubles nothing."""

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hub.archive.history import ArchiveHistory
from hub.model.instant import Instant
from tests.contracts.alert_history import N_PIXELS, rows
from tests.support.killed_archive import DAY_US, alerts

KILLS = int(os.environ.get("MMHUB_TEST_ARCHIVE_KILLS", "6"))
"""Lives of the process in one run."""

LONGEST_S = 0.4
"""Between its first acknowledged batch and the blow, seconds."""

READS = 40
"""Of one test, beside a process that appends and merges."""


def live_and_die(folder: Path, seed: int, first: int, delay_s: float) -> tuple[int, int]:
    """Return the last number that was acknowledged in one life, and the last that was begun; at least one is acknowledged."""
    command = [sys.executable, "-m", "tests.support.killed_archive", str(folder), str(seed), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            blow_at = float("inf")
            while (left := blow_at - time.monotonic()) > 0:
                if selector.select(min(left, 60.0)):
                    piece = os.read(child.stdout.fileno(), 65536)
                    assert piece, "the child ended by itself"
                    said += piece
                if blow_at == float("inf") and b"end" in said:
                    blow_at = time.monotonic() + delay_s
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read()
    lines = said.decode().split("\n")[:-1]
    begun = [int(line.split()[1]) for line in lines if line.startswith("begin")]
    ended = [int(line.split()[1]) for line in lines if line.startswith("end")]
    return ended[-1], begun[-1]


@pytest.mark.slow
def test_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(20261123)
    folder, first = tmp_path / "archive", 0
    for life in range(KILLS):
        acknowledged, begun = live_and_die(folder, life, first, float(random.uniform(0.0, LONGEST_S)))
        history = ArchiveHistory(folder)
        (found,) = history.in_region(np.array([0]), np.array([N_PIXELS]), Instant(0), Instant(10 * DAY_US))
        ids = np.sort(found.source_id)
        assert (np.diff(ids) > 0).all()
        assert ids[: acknowledged + 1].tolist() == list(range(acknowledged + 1))
        assert ids[-1] <= begun
        assert history.count() == history.count_ever() == len(ids)
        assert rows(found) == rows(alerts(0, begun + 1).take(ids))
        (light_curve,) = [history.of_objects("LSST", ["object-0"], alerts(0, 5).hpx29)]
        assert light_curve.source_id.tolist() == sorted(range(5), key=lambda one: (alerts(0, 5).mid_tai_us[one], one))
        first = acknowledged + 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_readers_find_all_that_is_acknowledged_while_files_are_merged(tmp_path: Path, seed: int) -> None:
    folder, other = tmp_path / "archive", ArchiveHistory(tmp_path / "archive")
    command = [sys.executable, "-m", "tests.support.killed_archive", str(folder), str(seed), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            for _ in range(READS):
                while not (line := child.stdout.readline()).startswith(b"end"):
                    assert line, "the child ended by itself"
                acknowledged = int(line.split()[1])
                (found,) = other.in_region(np.array([0]), np.array([N_PIXELS]), Instant(0), Instant(10 * DAY_US))
                ids = np.sort(found.source_id)
                assert (np.diff(ids) > 0).all()
                assert ids[: acknowledged + 1].tolist() == list(range(acknowledged + 1))
                assert other.count() >= len(ids)
                assert not other.append(alerts(0, acknowledged + 1)).any()
        finally:
            child.kill()
