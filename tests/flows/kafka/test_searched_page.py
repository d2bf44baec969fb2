"""The page on searched places keeps its word: its commands, with the broker of the tests, lead to an answer."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.kafka import Kafka
from tests.support.running_hub import RunningHub, until

pytestmark = [pytest.mark.kafka]

PAGE = (REPOSITORY / "docs" / "how-to" / "searched.md").read_text(encoding="utf-8")
TOPIC = "lsst-alerts-simulated"
GROUP = "my-hub"


def mmhub(folder: Path, words: list[str]) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MMHUB_")}
    command = [sys.executable, "-m", "hub", *words]
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        env=environment | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_of_the_page_lead_to_a_visit(kafka: Kafka, tmp_path: Path) -> None:
    commands = re.search(r"```text\n(mmhub simulate .*?)```", PAGE, re.DOTALL)
    settings = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert commands is not None
    assert settings is not None
    topic = kafka.unique_topic("searched")

    def here(text: str) -> str:
        return text.replace("localhost:9092", kafka.bootstrap).replace(TOPIC, topic).replace(GROUP, topic)

    file = tmp_path / "mmhub.toml"
    file.write_text(here(settings[1]))
    simulate, run, compact, searched = (shlex.split(here(line))[1:] for line in commands[1].strip().splitlines())
    mmhub(tmp_path, simulate)
    (n,) = re.findall(r"counts (\d+) alerts", PAGE)
    assert run[0] == "run"
    with RunningHub(file, "worker", *run[1:]) as hub:
        until(lambda: sum(kafka.committed(topic, topic).values()) == int(n), "the night is not read", [hub])
        assert hub.stop() == 0
    assert "12 visits written to the ledger" in mmhub(tmp_path, compact)
    found = mmhub(tmp_path, searched)
    assert re.search(r"coverage +partial\n", found)
    assert re.search(r"n_without_footprint +[1-9]", found)
    assert re.search(r"n_visits +1\n", found)
