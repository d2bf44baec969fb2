"""The calibration as a page: what was checked, in tables and plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hub.calibration.figures import write
from hub.calibration.result import Check, Part, Result, Table

FIRST_REPORTED_SEED = 1000
"""Smaller seeds are for tuning, and never what is reported."""

_TITLE = """\
# Calibration

Whether the numbers of the hub mean what they say. `mmhub calibrate` simulates worlds whose truth is known, puts them to the
very functions that the hub runs with, and writes this page; a check that fails makes it end with exit code 1. How the numbers
are computed is told in [significance](explanation/significance.md).

"""


def write_page(
    path: Path, parts: Sequence[Part], results: Mapping[str, Result], *, seed: int, size: str, cpu_s: Mapping[str, float]
) -> None:
    """Write the page, and its figures into the folder beside it that is named like it.

    Parameters
    ----------
    path
        Of the page.
    parts
        In the order of the page.
    results
        Of each part by its name.
    seed
        That everything was drawn from.
    size
        How much was simulated, in a word.
    cpu_s
        Processor seconds of each part by its name.
    """
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    text = _TITLE + _summary(parts, results, seed, size, cpu_s)
    for part in parts:
        result = results[part.name]
        text += f"\n## {part.title}\n\n" + "".join(note.strip() + "\n\n" for note in result.notes)
        for table in result.tables:
            text += f"**{table.title}**\n\n{_rows(table)}\n"
        for figure in result.figures:
            write(figure, folder / f"{figure.name}.svg")
            text += f"![{figure.caption}]({folder.name}/{figure.name}.svg)\n\n*{figure.caption}*\n\n"
        text += f"<details><summary>{len(result.checks)} checks</summary>\n\n{_rows(_as_table(result.checks))}\n</details>\n"
    path.write_text(text, encoding="utf-8")


def sentence(part: Part, result: Result) -> str:
    """Return one line on how a part came out."""
    n, bad = len(result.checks), len(result.failed)
    return f"{part.name}: {n} checks, {'all hold' if bad == 0 else f'{bad} FAILED'}"


def _summary(parts: Sequence[Part], results: Mapping[str, Result], seed: int, size: str, cpu_s: Mapping[str, float]) -> str:
    kind = "a seed for reports" if seed >= FIRST_REPORTED_SEED else "a seed for tuning, so these figures are none to report"
    rows = tuple(
        (
            part.name,
            part.title,
            str(len(results[part.name].checks)),
            str(len(results[part.name].failed)),
            f"{cpu_s[part.name]:.0f}",
        )
        for part in parts
    )
    table = Table(title="", columns=("part", "subject", "checks", "failed", "processor seconds"), rows=rows)
    failed = [check for part in parts for check in results[part.name].failed]
    said = (
        "Every check holds."
        if not failed
        else f"{len(failed)} {'check fails' if len(failed) == 1 else 'checks fail'}:\n\n{_rows(_as_table(failed))}"
    )
    return f"Size: {size}. Seed: {seed}, {kind}.\n\n{_rows(table)}\n{said}\n"


def _as_table(checks: Sequence[Check]) -> Table:
    rows = tuple(("holds" if check.passed else "**fails**", check.name, check.found) for check in checks)
    return Table(title="", columns=("", "check", "found"), rows=rows)


def _rows(table: Table) -> str:
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
