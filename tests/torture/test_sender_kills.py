"""A slice of the sender's torture for every run: nothing lost, doubled, late or left, and every planted mistake found out."""

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.torture.kill_sender_portal import tortured
from tests.torture.sender_mistakes import MISTAKES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def tormented(folder, *words):
    """Let a program of its own be tortured, since it forks; return its reports."""
    command = [sys.executable, "-m", "tests.torture.kill_sender", str(folder), *map(str, words)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr[-3000:]
    return {one["mistake"]: one for one in map(json.loads, done.stdout.splitlines())}


def test_a_sender_that_is_killed_asks_for_everything_once_and_in_time(tmp_path):
    report = tormented(tmp_path, "--intents", 60, "--kills", 15)[""]
    print(report)
    assert report["findings"] == [], report
    assert report["kills"] == 15
    assert report["booked"] > report["cancelled"] > 0
    assert sum(report["faults"].values()) > 5


def test_each_mistake_of_a_sender_is_found_out(tmp_path):
    words = [word for name in MISTAKES for word in ("--mistake", name)]
    reports = tormented(tmp_path, "--intents", 60, "--kills", 20, *words)
    assert {name: MISTAKES[name].finding in report["findings"] for name, report in reports.items()} == dict.fromkeys(
        MISTAKES, True
    )


@pytest.mark.portal
def test_a_sender_that_is_killed_leaves_one_group_for_each_marker_at_the_portal(portal, tmp_path):
    points = [word for point in ("booked", "claimed", "cancelled there") for word in ("--point", point)]
    report = tortured(portal.url, tmp_path / "run", "--intents", "10", "--kills", "5", *points)
    print(report)
    assert report["findings"] == [], report
    assert (report["kills"], report["asked"]) == (5, 10)
    assert report["booked"] >= 10 - report["withdrawn"]


@pytest.mark.portal
def test_a_sender_that_repeats_blindly_is_found_out_at_the_portal(portal, tmp_path):
    words = ["--intents", "4", "--kills", "1", "--point", "booked", "--mistake", "repeats-blindly"]
    report = tortured(portal.url, tmp_path / "run", *words)
    assert "doubled" in report["findings"], report
