"""The API as a process of its own: it says where it is, answers, and stops when told to."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from hub.cli.app import main
from hub.storage.engine import upgrade
from tests.conftest import REPOSITORY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    upgrade(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_answers_and_stops_on_a_signal(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "hub", "--data-dir", folder, "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=folder,
    ) as process:
        assert process.stderr is not None
        try:
            (url,) = re.findall(r"http://127\.0\.0\.1:\d+/api/v1", process.stderr.readline())
            answer = httpx.get(f"{url}/health", timeout=60)
            assert answer.status_code == 200
            assert "server" not in answer.headers
            process.send_signal(number)
            said = process.stderr.read()
            assert process.wait(timeout=60) == 0
            assert "Traceback" not in said
        finally:
            process.kill()


def test_taken_port_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--data-dir", str(folder), "serve", "--port", str(port)]) == 1
    err = capsys.readouterr().err
    assert (
        err
        == f"mmhub: api.host and api.port: cannot listen at 127.0.0.1 port {port}: Address already in use: set another port, or stop the program that has it\n"
    )
