"""Processes that are looked after: started again when they die, asked to end, and what their end means."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hub.runtime.supervisor import Patience
from hub.runtime.workers import Worker, run_workers
from tests.conftest import REPOSITORY

QUICK = Patience(first_pause_s=0.01, longest_pause_s=0.02, grace_s=30)

WAIT_S = 120.0

STAYS = """
import pathlib, signal, sys, time
folder, name, code = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(code))
(folder / f"{name}-{time.monotonic_ns()}").touch()
while True:
    time.sleep(0.01)
"""
"""Leaves a mark, then waits to be told to end, and ends with a code."""

DIES = """
import os, pathlib, signal, sys, time
folder, name, n_deaths = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
(folder / f"{name}-{time.monotonic_ns()}").touch()
if len(list(folder.glob(f"{name}-*"))) <= n_deaths:
    os.kill(os.getpid(), signal.SIGKILL)
while True:
    time.sleep(0.01)
"""
"""Dies so many times before it stays."""


def command(script: str, folder: Path, name: str, number: int) -> list[str]:
    return [sys.executable, "-c", script, str(folder), name, str(number)]


def end_when(folder: Path, marks: dict[str, int]) -> threading.Thread:
    """Send this process SIGTERM once each name has left so many marks."""

    def wait() -> None:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and any(len(list(folder.glob(f"{name}-*"))) < number for name, number in marks.items()):
            time.sleep(0.01)  # between two looks at a condition
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize(("codes", "worst"), [((0, 0), 0), ((0, 3), 3), ((4, 1), 4)])
def test_all_are_asked_to_end_and_the_worst_code_is_told(tmp_path: Path, codes: tuple[int, int], worst: int) -> None:
    ending = end_when(tmp_path, {"a": 1, "b": 1})
    found = run_workers([command(STAYS, tmp_path, name, code) for name, code in zip("ab", codes, strict=True)], QUICK)
    ending.join()
    assert found == worst


def test_one_that_dies_is_started_again_and_the_others_do_not_notice(tmp_path: Path) -> None:
    ending = end_when(tmp_path, {"a": 4, "b": 1})
    assert run_workers([command(DIES, tmp_path, "a", 3), command(STAYS, tmp_path, "b", 0)], QUICK) == 0
    ending.join()
    assert (len(list(tmp_path.glob("a-*"))), len(list(tmp_path.glob("b-*")))) == (4, 1)


def test_one_that_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    deaf = STAYS.replace("lambda *_: sys.exit(code)", "lambda *_: None")
    ending = end_when(tmp_path, {"a": 1})
    assert run_workers([command(deaf, tmp_path, "a", 0)], Patience(grace_s=0.1)) == 128 + signal.SIGKILL
    ending.join()


def test_one_that_serves_the_others_is_started_when_needed_and_its_code_does_not_matter(tmp_path: Path) -> None:
    ending = end_when(tmp_path, {"a": 1, "beside": 1})
    beside = Worker("beside", command(STAYS, tmp_path, "beside", 5), is_needed=lambda: any(tmp_path.glob("a-*")), look_s=0.01)
    assert run_workers([command(STAYS, tmp_path, "a", 0)], QUICK, beside=beside) == 0
    ending.join()
    first, later = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.rpartition("-")[2]))
    assert (first.name[:1], later.name[:6]) == ("a", "beside")


def test_one_that_is_never_needed_is_never_started(tmp_path: Path) -> None:
    ending = end_when(tmp_path, {"a": 1})
    beside = Worker("beside", command(STAYS, tmp_path, "beside", 0), is_needed=lambda: False)
    assert run_workers([command(STAYS, tmp_path, "a", 0)], QUICK, beside=beside) == 0
    ending.join()
    assert not list(tmp_path.glob("beside-*"))
    assert beside.health().state == "not needed yet"


def test_one_that_may_be_killed_anywhere_does_not_hold_up_the_end(tmp_path: Path) -> None:
    deaf = STAYS.replace("lambda *_: sys.exit(code)", "lambda *_: None")
    ending = end_when(tmp_path, {"a": 1, "beside": 1})
    beside = Worker("beside", command(deaf, tmp_path, "beside", 0), killed_after_s=0.1)
    assert run_workers([command(STAYS, tmp_path, "a", 0)], Patience(grace_s=300), beside=beside) == 0
    ending.join()
    assert beside.exit_code == 128 + signal.SIGKILL


ORPHAN = """
import os, pathlib, sys, time
from hub.runtime import workers
workers.PARENT_LOOK_S = 0.01
workers.end_with(int(sys.argv[2]))
(pathlib.Path(sys.argv[1]) / "up").write_text(str(os.getpid()))
while True:
    time.sleep(0.01)
"""

PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2], str(os.getpid())])
while True:
    time.sleep(0.01)
"""


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, ORPHAN, str(tmp_path)], cwd=REPOSITORY)
    deadline = time.monotonic() + WAIT_S
    try:
        while not (tmp_path / "up").exists() or not (tmp_path / "up").read_text():
            assert time.monotonic() < deadline, "the worker does not start"
            time.sleep(0.01)
    finally:
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + WAIT_S
    worker = int((tmp_path / "up").read_text())
    while _lives(worker):
        assert time.monotonic() < deadline, "the worker lives on"
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
