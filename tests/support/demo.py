"""The demo as a person starts it, in a process and a data folder of its own."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY

SEED = 4
ALERTS = 600
"""Unrelated alerts: few, so that most of the time goes into the notices; everything else is as in the full night."""


@dataclasses.dataclass(frozen=True)
class Played:
    """What one demo left behind."""

    data_dir: Path
    report: dict[str, Any]
    report_text: str
    stdout: str
    stderr: str


def mmhub(*words: Any, data_dir: Path, timeout_s: float = 800.0) -> subprocess.CompletedProcess[str]:
    """Run ``mmhub`` on a data folder, outside the repository's folder and without anybody's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
    return subprocess.run(
        [sys.executable, "-m", "hub", "--data-dir", str(data_dir), *map(str, words)],
        cwd=data_dir.parent,
        env=environment | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def play(folder: Path, *words: str) -> Played:
    """Play the demo into ``folder/data``; it must end by itself with exit code 0."""
    report, data_dir = folder / "report.json", folder / "data"
    done = mmhub("demo", "--alerts", ALERTS, "--seed", SEED, "--report", report, *words, data_dir=data_dir)
    assert done.returncode == 0, done.stderr
    text = report.read_text(encoding="utf-8")
    return Played(data_dir=data_dir, report=json.loads(text), report_text=text, stdout=done.stdout, stderr=done.stderr)
