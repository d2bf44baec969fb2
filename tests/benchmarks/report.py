"""Runs the benchmarks one after another, each in a process of its own, and writes ``docs/benchmarks.md``.

``python -m tests.benchmarks.report`` with names runs only those and leaves the other sections as they are; ``--quick`` is a trial with small
sizes, written to ``build/benchmarks-quick.md``. A section that fails is named in the end and does not stop the others.
"""

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import limits, paper
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "benchmarks.md"
QUICK_PAGE = REPOSITORY / "build" / "benchmarks-quick.md"
ON_PAPER = "rubin_night"
"""The last section, which is reckoned."""

LIMITS = "limits"
"""The one before it, which is reckoned too: what stands in the way of goals."""

LONGEST_S = 1_500.0
"""A section that takes longer is ended."""

END_S = 30.0
"""How long a section may take to end its servers."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the page."""

    title: str
    module: str
    """In this folder."""

    words: str = ""
    """Its arguments."""

    quick: str | None = ""
    """Its arguments in a trial; None leaves it out there."""

    only_if_named: bool = False
    """For what takes too long to be run with all others."""

    longest_s: float = LONGEST_S


_MANY = "--maps 300 --single-detector 10"
"""What is drawn from recorded areas, and ten maps of 24,000 square degrees."""

_SMALL = "--packets 2000"
_SHORT = "--over-s 8 --bursts 1"

SECTIONS: Mapping[str, Section] = {
    "load": Section(title="A simulated night", module="load", quick="--packets 1000"),
    "whole_path": Section(
        title="The whole path of an alert", module="whole_path", quick=f"{_SMALL} --maps 20 --rounds 1 --peer-alerts 50"
    ),
    "whole_path_300": Section(
        title="The whole path with 300 maps, ten of a single detector",
        module="whole_path",
        words=_MANY,
        quick=f"{_SMALL} --maps 30 --single-detector 1 --rounds 1 --peer-alerts 50",
    ),
    "projection": Section(title="Columns straight from Avro bytes", module="projection", quick="--packets 300"),
    "index": Section(title="All live maps in one index", module="index", quick="--maps 100"),
    "visit": Section(title="A visit every 37 s", module="visit", quick=f"{_SMALL} --maps 20 {_SHORT}"),
    "visit_deep": Section(
        title="A visit of a deep field every 37 s",
        module="visit",
        words="--programme deep --bursts 2",
        quick=f"{_SMALL} --maps 20 {_SHORT} --programme deep",
    ),
    "visit_300": Section(
        title="A visit every 37 s with 300 maps, ten of a single detector",
        module="visit",
        words=f"{_MANY} --bursts 2",
        quick=f"{_SMALL} --maps 30 --single-detector 1 {_SHORT}",
    ),
    "updates": Section(
        title="An update or a retraction with 300 live maps",
        module="updates",
        quick="--maps 12 --single-detector 1 --packets 2000 --trials 4",
    ),
    "retraction": Section(title="A retraction to the last cancellation on the portal", module="retraction", quick="--groups 3"),
    "search": Section(title="Searching backwards", module="search", words="--postgresql", quick="--rows 1000000"),
    "search_100m": Section(
        title="Searching backwards in 100 million rows",
        module="search",
        words="--rows 100000000",
        quick=None,
        only_if_named=True,
        longest_s=7_200.0,
    ),
    "overlap": Section(title="The overlap of two maps", module="overlap"),
    "levels3d": Section(title="Credible volumes", module="levels3d"),
    "startup": Section(title="Being there", module="startup"),
    "memory": Section(title="Memory of a worker", module="memory", quick="--packets 20000 --maps 20"),
    "scaling": Section(
        title="Cost as work grows",
        module="scaling",
        words="--packets 10000 100000 --workers 1 2 4",
        quick=f"{_SMALL} --workers 1 2 --maps 20 --steady 300",
    ),
    "scaling_300k": Section(
        title="Cost as work grows: 300,000 packets of full size",
        module="scaling",
        words="--packets 300000 --workers 2 --no-sqlite",
        quick=None,
        only_if_named=True,
    ),
    "scaling_million": Section(
        title="Cost as work grows: a million packets of full size",
        module="scaling",
        words="--packets 1000000 --workers 2 --no-sqlite",
        quick=None,
        only_if_named=True,
        longest_s=7_200.0,
    ),
    "scaling_50_minutes": Section(
        title="Cost as work grows: packets with empty cutouts for 50 minutes",
        module="scaling",
        words="--packets 4000000 --workers 2 --no-sqlite --no-cutouts --ahead-gb 0.5 --longest-min 50",
        quick=None,
        only_if_named=True,
        longest_s=7_200.0,
    ),
    "scaling_ten_million": Section(
        title="Cost as work grows: ten million packets with empty cutouts",
        module="scaling",
        words="--packets 10000000 --workers 2 --no-sqlite --no-cutouts --ahead-gb 2",
        quick=None,
        only_if_named=True,
        longest_s=14_400.0,
    ),
}
"""In the order of the page."""

HEAD = """# Benchmarks

Measured by `make bench`, which writes this page. Ratios are taken in one run on one machine, and mean more than times; each section says
when, where and with which arguments. Figures without a goal are there to understand the others.
[A Rubin night](explanation/rubin-night.md) says what follows from them.
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


def measured(section: Section, words: Sequence[str]) -> str | None:
    """Run one benchmark and return its section; None where it failed, which it says itself on standard error."""
    command = [sys.executable, "-m", f"tests.benchmarks.{section.module}", "--json", *words]
    begun = time.monotonic()
    # A session of its own: where it takes too long, its servers and workers end with it.
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            said, _ = process.communicate(timeout=section.longest_s)
        except subprocess.TimeoutExpired:
            _end(process)
            print(f"it took longer than {section.longest_s:.0f} s", file=sys.stderr)
            return None
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        print(f"it failed with code {process.returncode}", file=sys.stderr)
        return None
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    if not rows:
        print("it measured nothing", file=sys.stderr)
        return None
    return f"## {section.title}\n\n{_stamp(section, words, rows, time.monotonic() - begun)}\n\n{_table(rows)}\n"


def _end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGINT)  # it ends its servers and deletes its folders
    try:
        process.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _stamp(section: Section, words: Sequence[str], rows: Sequence[Mapping[str, Any]], seconds: float) -> str:
    load = rows[0].get("load_before", "?")
    command = " ".join(["python -m", f"tests.benchmarks.{section.module}", *words])
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; load average before: {load}; `{command}`, {seconds:.0f} s."


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| what | measured | goal | |", "|---|---:|---|---|"]
    for row in rows:
        goal = "" if not row["goal"] else f"{row['goal']} {row['unit']}: {'met' if row['is_met'] else '**missed**'}"
        value = "-" if row["value"] != row["value"] else f"{row['value']:.4g} {row['unit']}"
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (row["what"], value, goal, row["note"])) + " |")
    return "\n".join(lines)


_BLOCK = re.compile(r"<!-- (\w+) -->\n(.*?)<!-- end of \1 -->\n", re.DOTALL)


def merged(page: str, name: str | None, text: str = "") -> str:
    """Return the page with one section put in or replaced, and with what follows from all of them reckoned anew.

    Sections stand between comments, in the order of `SECTIONS`.
    """
    blocks = dict(_BLOCK.findall(page))
    if name is not None:
        blocks[name] = text
    tables = {one: blocks[one] for one in SECTIONS if one in blocks}
    blocks[LIMITS] = limits.text_of(tables)
    blocks[ON_PAPER] = paper.night(paper.figures_of(tables))
    names = [*tables, LIMITS, ON_PAPER]
    return "\n".join([HEAD, *(f"<!-- {one} -->\n{blocks[one]}<!-- end of {one} -->\n" for one in names)])


def run_all(names: Sequence[str], page: Path, *, is_quick: bool) -> list[str]:
    """Run sections and write each to the page as soon as it is there; return those that failed."""
    failed, begun = [], time.monotonic()
    page.parent.mkdir(exist_ok=True)
    page.write_text(merged(page.read_text() if page.exists() else "", None))
    for number, name in enumerate(names, 1):
        section, start = SECTIONS[name], time.monotonic()
        words = (section.quick or "") if is_quick else section.words
        print(f"== {number}/{len(names)} {name} {words}", file=sys.stderr, flush=True)
        text = measured(section, words.split())
        if text is None:
            failed.append(name)
        else:
            page.write_text(merged(page.read_text(), name, text))
        print(f"   {name}: {time.monotonic() - start:.0f} s{' and failed' if text is None else ''}", file=sys.stderr, flush=True)
    print(
        f"{len(names) - len(failed)} of {len(names)} sections in {(time.monotonic() - begun) / 60:.1f} min: {page}",
        file=sys.stderr,
    )
    if failed:
        print(f"failed, and left on the page as they were: {', '.join(failed)}", file=sys.stderr)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"sections: {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="a trial with small sizes, of a few minutes")
    parser.add_argument("--page", type=Path, help="another file than docs/benchmarks.md")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in SECTIONS]:
        parser.error(f"there is no section {', '.join(unknown)}: choose from {', '.join(SECTIONS)}")
    chosen = [name for name, one in SECTIONS.items() if not one.only_if_named and not (asked.quick and one.quick is None)]
    page = asked.page or (QUICK_PAGE if asked.quick else PAGE)
    sys.exit(1 if run_all(asked.names or chosen, page, is_quick=asked.quick) else 0)


if __name__ == "__main__":
    main()
