"""How long the hub takes to be there: processor time of ``mmhub --help``, time until the API answers."""

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure, below, run

HELP_GOAL_S = 0.5
API_GOAL_S = 3.0
TIMES = 5


def help_cpu_s() -> float:
    """Return the processor time of one ``mmhub --help``, seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "hub", "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def api_ready_s(folder: Path) -> float:
    """Return the time from the start of ``mmhub run api`` to its first answer to ``/health``, whatever that says, seconds."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
    command = [sys.executable, "-m", "hub", "--data-dir", str(folder), "run", "api", "--port", "0", "--json"]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"].rstrip("/")
            while True:
                try:
                    with urllib.request.urlopen(f"{url}/api/v1/health", timeout=1):
                        return time.perf_counter() - begun
                except urllib.error.HTTPError:
                    return time.perf_counter() - begun  # it answers, if only to say what is amiss
                except OSError:
                    time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def measure(_: argparse.Namespace) -> Sequence[Figure]:
    """Return both, medians of some starts; the first, which reads the disk and makes the database, is left out."""
    helps = [help_cpu_s() for _ in range(TIMES + 1)][1:]
    with tempfile.TemporaryDirectory() as folder:
        starts = [api_ready_s(Path(folder)) for _ in range(TIMES + 1)][1:]
    return [
        below("mmhub --help, processor time", statistics.median(helps), "s", HELP_GOAL_S),
        below("API process, start to first answer", statistics.median(starts), "s", API_GOAL_S),
    ]


if __name__ == "__main__":
    run(measure, argparse.ArgumentParser(description=__doc__))
