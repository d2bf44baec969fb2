"""What a Rubin night needs, and ten times it, reckoned from the figures on the page; nothing is measured here."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALERTS = 10_000_000
"""Of a night: what Rubin expects."""

PACKET_BYTES = 110_000
"""Mean with cutouts and history, as Rubin expects."""

NIGHT_S = 36_000.0
VISIT_ALERTS, CADENCE_S = 10_000, 37.0
NIGHTS_A_YEAR = 300
"""That are observed, about."""

RETENTION_DAYS = 7
"""For which a broker keeps messages, where nobody said otherwise."""

SCALES = (1, 10)
SHARE_OF_TIME = 0.5
"""Workers are reckoned to be busy for this part of their time, so that they can catch up after a pause as long as that pause."""

MISSING = "not measured yet"

Figures = Mapping[str, Mapping[str, float]]
"""By section and name."""


def figures_of(blocks: Mapping[str, str]) -> Figures:
    """Return the numbers in the tables of some sections."""
    row = re.compile(r"^\| (.+?) \| (-?[0-9.e+-]+)\b", re.MULTILINE)
    return {name: {what: float(value) for what, value in row.findall(text) if value != "-"} for name, text in blocks.items()}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is reckoned with; None where the page does not have it."""

    rate_per_s: float | None
    """Alerts of one worker on PostgreSQL."""

    workers_ms: float | None
    database_ms: float | None
    broker_ms: float | None
    """Processor time of an alert."""

    memory_mb: float | None
    beside_mb: float
    """Of the process that cares for the archive, one for all workers of a machine; 0 where it was not measured."""

    row_bytes: float | None
    matched: float | None
    """Alerts that match, of one."""

    source: str
    """Which run rate and processor time are of."""


def measured(figures: Figures) -> Measured:
    """Return what the page has, of the largest run with one worker."""
    scaling = figures.get("scaling", {})
    sizes = [
        int(found[1].replace(",", ""))
        for what in scaling
        if (found := re.fullmatch(r"([\d,]+) packets, 1 worker, PostgreSQL", what))
    ]
    what = f"{max(sizes):,} packets, 1 worker, PostgreSQL" if sizes else ""
    search = [value for name, value in figures.get("search", {}).items() if name.endswith("on disk, compacted")]
    return Measured(
        rate_per_s=scaling.get(what),
        workers_ms=scaling.get(f"{what}: processor time of the workers"),
        database_ms=scaling.get(f"{what}: processor time of the database"),
        broker_ms=scaling.get(f"{what}: processor time of the broker"),
        memory_mb=figures.get("memory", {}).get("largest resident set of a worker"),
        beside_mb=figures.get("memory", {}).get("largest resident set of the process beside it", 0.0),
        row_bytes=search[0] if search else None,
        matched=figures.get("whole_path", {}).get("alerts that matched"),
        source=what or "no run with one worker is on this page",
    )


def night(figures: Figures) -> str:
    """Return the section as Markdown."""
    known = measured(figures)
    lines = ["| what | a night of 10 M | ten times it | how |", "|---|---:|---:|---|"]
    for what, values, how in _rows(known):
        lines.append("| " + " | ".join([what, *values, how]) + " |")
    head = (
        "Reckoned from the figures above, on the machine that they were taken on: not measured as a whole. "
        f"Rate and processor time are those of: {known.source}."
    )
    return f"## What a Rubin night needs, on paper\n\n{head}\n\n" + "\n".join(lines) + "\n"


def _rows(known: Measured) -> Sequence[tuple[str, list[str], str]]:
    per_s = [scale * ALERTS / NIGHT_S for scale in SCALES]
    burst = [scale * VISIT_ALERTS for scale in SCALES]
    wire = [rate * PACKET_BYTES for rate in per_s]
    stored = [scale * ALERTS * PACKET_BYTES for scale in SCALES]
    n_workers = _each(known.rate_per_s, per_s, lambda rate, n: math.ceil(n / rate / SHARE_OF_TIME))
    return [
        ("alerts a second, mean", [f"{one:,.0f}" for one in per_s], "over 10 hours"),
        ("on the wire, mean", [f"{one / 1e6:,.0f} MB/s, {one * 8 / 1e9:.2f} Gbit/s" for one in wire], "110 KB each"),
        ("in the broker, a night", [f"{one / 1e12:.1f} TB" for one in stored], "one copy"),
        (
            "in the broker, a week",
            [f"{RETENTION_DAYS * one / 1e12:.1f} TB" for one in stored],
            f"retention of {RETENTION_DAYS} days",
        ),
        ("workers' processors", _cores(known.workers_ms, per_s), "processor time of an alert x alerts a second"),
        ("the database's processors", _cores(known.database_ms, per_s), "the same"),
        ("the broker's processors", _cores(known.broker_ms, per_s), "the same; where the broker is one's own"),
        (
            "workers and partitions",
            [MISSING if one is None else f"{one:.0f}" for one in n_workers],
            "busy for half of their time",
        ),
        (
            "their memory",
            [
                MISSING if one is None or known.memory_mb is None else f"{(one * known.memory_mb + known.beside_mb) / 1e3:.1f} GB"
                for one in n_workers
            ],
            "largest resident sets, that of the process that cares for the archive included",
        ),
        (
            "a visit in one burst",
            _told(_each(known.rate_per_s, burst, lambda rate, n: n / rate), "{:.1f} s of one worker"),
            f"of the {CADENCE_S:.0f} s until the next",
        ),
        (
            "archive, a night",
            _told(_each(known.row_bytes, SCALES, lambda size, n: size * n * ALERTS / 1e9), "{:.2f} GB"),
            "compacted",
        ),
        (
            "archive, a year",
            _told(_each(known.row_bytes, SCALES, lambda size, n: size * n * ALERTS * NIGHTS_A_YEAR / 1e12), "{:.2f} TB"),
            f"{NIGHTS_A_YEAR} nights",
        ),
        (
            "packets of matches, a night",
            _told(_each(known.matched, stored, lambda share, n: share * n / 1e9), "{:.1f} GB"),
            "kept whole in the database; share of the simulated night with 100 maps",
        ),
    ]


def _each(known: float | None, values: Sequence[float], reckon) -> list[float | None]:
    return [None if not known else reckon(known, one) for one in values]


def _told(values: Sequence[float | None], form: str) -> list[str]:
    return [MISSING if one is None else form.format(one) for one in values]


def _cores(ms: float | None, per_s: Sequence[float]) -> list[str]:
    return _told(_each(ms, per_s, lambda cost, n: cost * n / 1e3), "{:.2f}")
