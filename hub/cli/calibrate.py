"""``mmhub calibrate``: whether the hub's numbers mean what they say."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.invocation import EXIT_FAILED, start
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit, say
from hub.errors import InvalidRequest

PAGE = Path("docs/calibration.md")
"""Where the page goes if nothing else is said."""

SEED = 1000
"""The first one for reports."""


def register(app: typer.Typer) -> None:
    """Add the verb of this file."""
    app.command()(calibrate)


def calibrate(
    context: typer.Context,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes instead of half an hour; wider errors.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Below 1000 for tuning, from 1000 on for reports.")] = SEED,
    part: Annotated[list[str] | None, typer.Option("--part", metavar="NAME", help="Only this one; may be given again.")] = None,
    report: Annotated[Path, typer.Option(metavar="FILE", help="The page; plots go into the folder of its name.")] = PAGE,
    triggers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Recorded triggers, for time slides: lines of mission seconds, number, time; without it that part says so.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Processes that run parts side by side.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Simulate worlds whose truth is known, put them to the hub's own functions, and say whether its numbers hold.

    Writes a page with tables and plots. Exit code 1 where a check fails.
    """
    start(context)
    from hub.calibration import report as page
    from hub.calibration.result import FULL, QUICK, Part, Result
    from hub.calibration.running import all_parts, chosen, run, run_together

    parts = all_parts(triggers)
    unknown = sorted(set(part or ()) - {one.name for one in parts})
    if unknown:
        raise InvalidRequest(f"there is no part {unknown[0]!r}: there are {', '.join(one.name for one in parts)}")
    picked, size = chosen(parts, part or ()), QUICK if quick else FULL
    results: dict[str, Result] = {}
    cpu_s: dict[str, float] = {}

    def one_by_one() -> Iterator[tuple[Part, Result, float]]:
        for number, one in enumerate(picked, start=1):
            complain(f"{number} of {len(picked)}: {one.title}")
            yield one, *run(one, seed, size, partial(_tell, f"{number} of {len(picked)}, {one.name}"))

    if min(jobs, len(picked)) > 1:
        complain(f"{len(picked)} parts in {min(jobs, len(picked))} processes")
        done = run_together(picked, seed, size, triggers, jobs)
    else:
        done = one_by_one()
    for one, result, seconds in done:
        results[one.name], cpu_s[one.name] = result, seconds
        if as_json:
            checks = [{"name": check.name, "holds": check.passed, "found": check.found} for check in results[one.name].checks]
            emit({"part": one.name, "title": one.title, "checks": checks})
            continue
        say(page.sentence(one, results[one.name]))
        for check in results[one.name].failed:
            say(f"  fails: {check.name}: {check.found}")
    page.write_page(report, picked, results, seed=seed, size="quick" if quick else "full", cpu_s=cpu_s)
    complain(f"written: {report}")
    if any(result.failed for result in results.values()):
        raise typer.Exit(EXIT_FAILED)


def _tell(where: str, words: str) -> None:
    """Say how far it is, on one line of a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{where}: {words}\r")
        sys.stderr.flush()
