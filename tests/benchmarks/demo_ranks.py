"""Plays the demo for some seeds and writes the page that says where the true counterpart ranked.

Run by ``make ranks``; with the default 20 nights of 20,000 alerts it takes about ten minutes on one core. Reports that are in the
folder of ``--reports`` already are not played again.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent
PAGE = REPOSITORY / "docs" / "explanation" / "demo-ranks.md"
TEMPLATE = Path(__file__).with_name("demo_ranks.md")
"""The words around the table."""


def play(seed: int, alerts: int, folder: Path) -> dict[str, Any]:
    """Return the report of one night, played in a process of its own, with its wall time."""
    report = folder / f"seed-{seed}-{alerts}.json"
    if not report.exists():
        with tempfile.TemporaryDirectory() as data:
            begun = time.monotonic()
            command = [
                sys.executable,
                "-m",
                "hub",
                "--data-dir",
                data,
                "demo",
                "--json",
                "--seed",
                str(seed),
                "--alerts",
                str(alerts),
            ]
            done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
            told = json.loads(done.stdout) | {"wall_s": time.monotonic() - begun}
        report.write_text(json.dumps(told), encoding="utf-8")
    told = json.loads(report.read_text(encoding="utf-8"))
    print(f"seed {seed}: rank {told['counterpart_rank']} of {len(told['candidates'])}, {told['wall_s']:.0f} s", flush=True)
    return told


def row(told: dict[str, Any]) -> dict[str, Any]:
    """Return what the table says of one night."""
    found = next((one for one in told["candidates"] if one["is_true_counterpart"]), None)
    others = [one["score"] for one in told["candidates"] if not one["is_true_counterpart"] and one["confirmed"]]
    return {
        "seed": told["seed"],
        "n_alerts": told["n_alerts"],
        "rank": told["counterpart_rank"],
        "candidates": len(told["candidates"]),
        "confirmed": sum(one["confirmed"] for one in told["candidates"]),
        "level": found["level"] if found else None,
        "score": found["score"] if found else None,
        "next": max(others, default=None),
        "time_only": told["joint_far_time_only_hz"],
        "joint": told["joint_far_hz"],
        "wall_s": told["wall_s"],
    }


COLUMNS = {
    "seed": ("seed", "d"),
    "rank": ("rank", "d"),
    "candidates": ("candidates", "d"),
    "confirmed": ("confirmed", "d"),
    "level": ("level of AT2017gfo", ".2f"),
    "score": ("its score", "+.2f"),
    "next": ("best other confirmed score", "+.2f"),
    "time_only": ("joint FAR, time only (Hz)", ".3g"),
    "joint": ("joint FAR (Hz)", ".3g"),
    "wall_s": ("wall time (s)", ".0f"),
}
"""Key of a row to its heading and format."""


def table(rows: list[dict[str, Any]]) -> str:
    """Return the Markdown table, best and worst ranks marked."""
    ranks = [one["rank"] for one in rows if one["rank"] is not None]
    best, worst = min(ranks, default=None), max(ranks, default=None)
    lines = ["| " + " | ".join(head for head, _ in COLUMNS.values()) + " |", "|" + "---:|" * len(COLUMNS)]
    for one in rows:
        cells = [format(one[key], form) if one[key] is not None else "-" for key, (_, form) in COLUMNS.items()]
        if one["rank"] is None:
            cells[1] = "**not found**"
        elif best != worst and one["rank"] in (best, worst):
            cells[1] = f"**{cells[1]}** ({'best' if one['rank'] == best else 'worst'})"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def summary(rows: list[dict[str, Any]]) -> str:
    """Return the ranks in a sentence or two."""
    ranks = [one["rank"] for one in rows if one["rank"] is not None]
    if not ranks:
        return f"AT2017gfo was found in none of {len(rows)} nights."
    margins = [(one["score"] - one["next"], one["seed"]) for one in rows if one["rank"] is not None and one["next"] is not None]
    text = (
        f"AT2017gfo was found in {len(ranks)} of {len(rows)} nights and ranked first in {ranks.count(1)} of them: "
        f"**best rank {min(ranks)}, worst rank {max(ranks)}**, median {statistics.median(ranks):g}. A night has "
        f"{min(one['candidates'] for one in rows)} to {max(one['candidates'] for one in rows)} candidates, "
        f"{min(one['confirmed'] for one in rows)} to {max(one['confirmed'] for one in rows)} of them confirmed."
    )
    if margins:
        (narrowest, seed), (widest, other) = min(margins), max(margins)
        text += (
            f" Its score lies {narrowest:+.2f} (seed {seed}) to {widest:+.2f} (seed {other}) above that of the best other confirmed"
            " candidate."
        )
    return text


TERM = re.compile(r"(\w+) ([+-][\d.]+)")
"""How a reason begins: name of the statistic, its contribution."""


def rank_without(told: dict[str, Any], term: str | None, *, confirmed_first: bool = True) -> int | None:
    """Return the counterpart's rank where one statistic is left out, or where confirmed candidates are not put first."""

    def key(candidate: dict[str, Any]) -> tuple[bool, float]:
        terms = dict(TERM.match(reason).groups() for reason in candidate["reasons"])
        return (confirmed_first and not candidate["confirmed"], float(terms.get(term, 0.0)) - candidate["score"])

    ordered = sorted(told["candidates"], key=key)
    return next((rank for rank, one in enumerate(ordered, start=1) if one["is_true_counterpart"]), None)


def ablation(reports: list[dict[str, Any]]) -> str:
    """Return the table of ranks where a part of the ranking is left out."""
    parts = [(f"the term `{term}`", term, True) for term in ("colour", "fading", "luminosity", "reality", "sky", "timing")]
    parts.append(("the precedence of confirmed candidates", None, False))
    lines = ["| left out | nights in which it ranks first | median rank | worst rank |", "|---|---:|---:|---:|"]
    for name, term, confirmed_first in parts:
        found = [rank for told in reports if (rank := rank_without(told, term, confirmed_first=confirmed_first)) is not None]
        lines.append(f"| {name} | {found.count(1)} of {len(reports)} | {statistics.median(found):g} | {max(found)} |")
    return "\n".join(lines)


def page(reports: list[dict[str, Any]]) -> str:
    """Return the whole page."""
    rows = [row(told) for told in reports]
    alerts = f"{min(one['n_alerts'] for one in rows):,} to {max(one['n_alerts'] for one in rows):,}"
    text = TEMPLATE.read_text(encoding="utf-8")
    said = {
        "SUMMARY": textwrap.fill(summary(rows), 138),
        "TABLE": table(rows),
        "ABLATION": ablation(reports),
        "ALERTS": alerts,
        "NIGHTS": str(len(rows)),
    }
    for name, value in said.items():
        text = text.replace(f"@{name}@", value)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="seeds 1 to N")
    parser.add_argument("--alerts", type=int, default=20_000, help="unrelated alerts of a night")
    parser.add_argument("--reports", type=Path, default=REPOSITORY / "build" / "demo-ranks", help="folder of the reports")
    asked = parser.parse_args()
    asked.reports.mkdir(parents=True, exist_ok=True)
    reports = [play(seed, asked.alerts, asked.reports) for seed in range(1, asked.seeds + 1)]
    PAGE.write_text(page(reports), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
