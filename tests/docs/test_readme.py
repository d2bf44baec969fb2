"""The README keeps its word: marked commands run on what the demo leaves, answers have the keys shown, files that it names exist."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from tests.conftest import REPOSITORY
from tests.support.demo import Played, mmhub

pytestmark = pytest.mark.slow

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
TESTED = re.compile(r"<!-- tested -->\n```sh\n(?P<commands>.*?)```(?:\n\n```json\n(?P<answer>.*?)```)?", re.DOTALL)
BLOCKS = [(found["commands"].splitlines(), found["answer"]) for found in TESTED.finditer(README)]
SHOWN_ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def address(demo_night: Played) -> Iterator[str]:
    """The API on the demo's database, on a free port."""
    with subprocess.Popen(
        [sys.executable, "-m", "hub", "--data-dir", demo_night.data_dir, "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=demo_night.data_dir.parent,
    ) as process:
        assert process.stderr is not None
        with contextlib.ExitStack() as ends:
            ends.callback(process.kill)
            yield re.findall(r"http://127\.0\.0\.1:\d+", process.stderr.readline())[0]


def shows(answer: Any, shown: Any, where: str = "answer") -> None:
    """Check that what is shown is a part of the answer: same keys and types; values are those of another, larger night."""
    if shown is None:
        assert answer is None, where
    elif isinstance(shown, dict):
        for key, value in shown.items():
            assert key in answer, f"{where}.{key}"
            shows(answer[key], value, f"{where}.{key}")
    elif isinstance(shown, list):
        assert len(answer) >= len(shown), where
        for number, value in enumerate(shown):
            shows(answer[number], value, f"{where}[{number}]")
    else:
        assert type(answer) is type(shown), where


def test_the_readme_has_the_commands_and_the_three_examples() -> None:
    assert sum(answer is not None for _, answer in BLOCKS) == 3
    assert README.count("<!-- tested -->") == len(BLOCKS) == 4


@pytest.mark.parametrize("command", [line for lines, _ in BLOCKS for line in lines if line.startswith("mmhub ")])
def test_a_command_of_the_readme_runs(command: str, demo_night: Played) -> None:
    done = mmhub(*shlex.split(command)[1:], data_dir=demo_night.data_dir)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize(
    ("lines", "answer"), [(lines, answer) for lines, answer in BLOCKS if answer], ids=lambda value: str(value)[-40:]
)
def test_an_example_of_the_api_answers_as_shown(lines: list[str], answer: str, address: str) -> None:
    (line,) = lines
    word, url = shlex.split(line)
    assert word == "curl"
    assert url.startswith(SHOWN_ADDRESS)
    got = httpx.get(url.replace(SHOWN_ADDRESS, address), timeout=60)
    assert got.status_code == 200
    shows(got.json(), json.loads(answer))


def test_every_command_is_in_a_tested_block_or_named_here() -> None:
    """A command that nobody runs goes stale: the rest starts other tests (make), or would not end (serve)."""
    shell = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
    tested = {line for lines, _ in BLOCKS for line in lines}
    rest = {line.partition("#")[0].strip() for line in shell if line not in tested}
    assert rest == {
        "make demo",
        "make test",
        ". .venv/bin/activate",
        "mmhub serve &",
        "curl http://127.0.0.1:8765/api/v1/events",
    }


def test_the_verbs_of_the_table_are_those_of_the_command() -> None:
    section = README.partition("## The command line")[2].partition("\n## ")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1] for line in section.splitlines() if line.startswith("| `")]
    listed = {word.split()[0] for row in rows for word in re.findall(r"`([^`]+)`", row) if not word.startswith("-")}
    said = subprocess.run(
        [sys.executable, "-m", "hub", "--help"], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    there = set(re.findall(r"^  ([\w-]+)  ", said.partition("Commands:")[2], re.MULTILINE))
    assert listed == there


def test_files_that_the_readme_names_exist() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)\)", README))
    named = set(re.findall(r"`((?:hub|adapters|conf|docs|tests|docker|schemas)/[^`\s]*)`", README))
    assert linked
    assert named
    assert [name for name in linked | named if not (REPOSITORY / name).exists()] == []
