"""What every benchmark says: figures with their goals, as a table for a person or as JSON for the report."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number."""

    what: str
    value: float
    unit: str
    goal: str = ""
    """In words, e.g. ``>= 50``; empty where it is measured for its own sake."""

    is_met: bool | None = None
    """None where there is no goal."""

    note: str = ""
    """With what it was measured: sizes, counts, what was left out."""


def at_least(what: str, value: float, unit: str, goal: float, note: str = "") -> Figure:
    """Return a figure that should not be smaller than its goal."""
    return Figure(what=what, value=value, unit=unit, goal=f">= {goal:g}", is_met=value >= goal, note=note)


def below(what: str, value: float, unit: str, goal: float, note: str = "") -> Figure:
    """Return a figure that should be smaller than its goal."""
    return Figure(what=what, value=value, unit=unit, goal=f"< {goal:g}", is_met=value < goal, note=note)


def exactly(what: str, value: float, unit: str, goal: float, note: str = "") -> Figure:
    """Return a figure that should be its goal and nothing else."""
    return Figure(what=what, value=value, unit=unit, goal=f"= {goal:g}", is_met=value == goal, note=note)


def load_average() -> float:
    """Return how many processes wanted a processor in the last minute: of a busy machine, times say little."""
    return os.getloadavg()[0]


def as_text(figures: Sequence[Figure]) -> str:
    """Return a table for a terminal."""
    rows = [
        (one.what, f"{one.value:.4g} {one.unit}", one.goal and f"goal {one.goal}: {'met' if one.is_met else 'missed'}", one.note)
        for one in figures
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join("  ".join((*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3])) for row in rows)


def run(measure: Callable[[argparse.Namespace], Iterable[Figure]], parser: argparse.ArgumentParser) -> None:
    """Be the main program of a benchmark: measure and print, with ``--json`` one object for each line as soon as it is there."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    asked = parser.parse_args()
    before = load_average()
    if asked.json:
        for one in measure(asked):
            print(json.dumps({**asdict(one), "load_before": round(before, 1)}), flush=True)
    else:
        print(as_text(list(measure(asked))))
        print(f"load average before: {before:.1f}", file=sys.stderr)
