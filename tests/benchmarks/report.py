"""Runs the benchmarks one after another, each in a process of its own, and writes ``docs/benchmarks.md``.

``python -m tests.benchmarks.report`` with names runs only those and leaves the other sections as they are.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "benchmarks.md"

SECTIONS: Mapping[str, tuple[str, Sequence[str]]] = {
    "whole_path": ("The whole path of an alert", ()),
    "projection": ("Columns straight from Avro bytes", ()),
    "index": ("All live maps in one index", ()),
    "visit": ("A visit every 37 s", ()),
    "search": ("Searching backwards", ("--postgresql",)),
    "levels3d": ("Credible volumes", ()),
    "startup": ("Being there", ()),
    "memory": ("Memory of a worker", ()),
    "scaling": ("Cost as work grows", ()),
}
"""Module to title and further arguments."""

HEAD = """# Benchmarks

Measured by `make bench`, which writes this page. Ratios are taken in one run on one machine, and mean more than times; each section says
when and where. Figures without a goal are there to understand the others.
"""


def machine() -> str:
    """Return what the figures were taken on, without its name."""
    cpu = re.search(r"model name\s*: (.+)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+) kB", _read("/proc/meminfo"))
    parts = [f"{os.cpu_count()} cores", cpu.group(1) if cpu else platform.machine()]
    if memory:
        parts.append(f"{int(memory.group(1)) / 2**20:.0f} GiB")
    return ", ".join([*parts, f"Python {platform.python_version()}"])


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def section(name: str) -> str | None:
    """Run one benchmark and return its section; None where it failed, which it says itself."""
    title, arguments = SECTIONS[name]
    print(f"== {name}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--json", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{name} failed with code {done.returncode}", file=sys.stderr)
        return None
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return f"## {title}\n\n{_stamp(rows)}\n\n{_table(rows)}\n"


def _stamp(rows: Sequence[Mapping[str, Any]]) -> str:
    load = rows[0].get("load_before", "?") if rows else "?"
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; load average before: {load}."


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| what | measured | goal | |", "|---|---:|---|---|"]
    for row in rows:
        goal = "" if not row["goal"] else f"{row['goal']} {row['unit']}: {'met' if row['is_met'] else '**missed**'}"
        cells = [row["what"], f"{row['value']:.4g} {row['unit']}", goal, row["note"]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def merged(page: str, name: str, text: str) -> str:
    """Return the page with one section put in, or put in the place of an older one; sections stand between comments."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    block = f"{begin}\n{text}{end}\n"
    if begin in page:
        return re.sub(re.escape(begin) + ".*?" + re.escape(end) + "\n", lambda _: block, page, flags=re.DOTALL)
    return f"{page.rstrip()}\n\n{block}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SECTIONS, []], default=list(SECTIONS))
    asked = parser.parse_args()
    failed = []
    for name in asked.names:
        text = section(name)
        if text is None:
            failed.append(name)
            continue
        page = PAGE.read_text() if PAGE.exists() else HEAD
        PAGE.write_text(merged(page, name, text))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
