"""Whether another process still lives, told only where it is certain."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.services.instance import is_gone, this_process
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="this system does not tell when a process began")


def test_a_living_process_is_not_gone() -> None:
    assert not is_gone(this_process())
    assert not is_gone(this_process() + "/1")


def test_a_process_that_has_ended_is_gone() -> None:
    program = "from hub.services.instance import this_process; print(this_process())"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert is_gone(done.stdout.strip())


def test_an_id_that_was_given_to_another_process_is_told_by_its_start() -> None:
    host, space, pid, started = this_process().split("/")
    assert pid == str(os.getpid())
    assert is_gone(f"{host}/{space}/{pid}/{int(started) + 1}")


@pytest.mark.parametrize(
    "odd", ["", "/", "a/b/c/d", "{host}///", "{host}/pid:[1]/1/1", "{host}/{space}/x/1", "{host}/{space}/1/"]
)
def test_of_a_stranger_nothing_is_known(odd: str) -> None:
    host, space, *_ = this_process().split("/")
    assert not is_gone(odd.format(host=host, space=space))
