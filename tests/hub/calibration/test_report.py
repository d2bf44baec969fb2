"""The page, and the command that writes it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.calibration.report import write_page
from hub.calibration.result import QUICK, Check, Curve, Figure, Result, Table
from hub.calibration.running import all_parts, chosen, run, run_together
from hub.cli.app import main


class Stand:
    """A part that found something before."""

    name = "stand"
    title = "A stand"


def found(*, passed: bool) -> Result:
    x = np.array([0.0, 1.0])
    curves = (
        Curve(label="line", x=x, y=x),
        Curve(label="points", x=x, y=x, error=x),
        Curve(label="band", x=x, y=x, low=-x),
    )
    return Result(
        checks=(Check(name="one | is one", passed=passed, found="1"),),
        tables=(Table(title="Numbers", columns=("a", "b"), rows=(("1", "2"),)),),
        figures=(Figure(name="plot", caption="A plot.", x_label="x", y_label="y", curves=curves, log_x=False),),
        notes=("How it was done.",),
    )


def written(folder: Path, *, passed: bool, seed: int = 1000) -> str:
    path = folder / "page.md"
    write_page(path, [Stand()], {"stand": found(passed=passed)}, seed=seed, size="quick", cpu_s={"stand": 1.0})
    return path.read_text(encoding="utf-8")


def test_the_page_has_tables_plots_and_the_seed(tmp_path: Path) -> None:
    page = written(tmp_path, passed=True)
    assert "Every check holds." in page
    assert "Seed: 1000, a seed for reports" in page
    assert "| a | b |" in page
    assert "one \\| is one" in page
    for image in re.findall(r"\]\((page/[^)]+)\)", page):
        assert (tmp_path / image).read_text(encoding="utf-8").startswith("<?xml")


def test_the_same_numbers_make_the_same_bytes(tmp_path: Path) -> None:
    once, again = (tmp_path / name for name in ("a", "b"))
    for folder in (once, again):
        folder.mkdir()
        written(folder, passed=True)
    assert (once / "page" / "plot.svg").read_bytes() == (again / "page" / "plot.svg").read_bytes()


def test_failures_and_tuning_seeds_are_told(tmp_path: Path) -> None:
    page = written(tmp_path, passed=False, seed=999)
    assert "1 check fails:" in page
    assert "**fails**" in page
    assert "for tuning" in page


def test_the_command_writes_the_page_and_refuses_unknown_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "c.md"
    assert main(["calibrate", "--quick", "--seed", "3", "--part", "slides", "--report", str(page)]) == 0
    assert "no time slides" in page.read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["calibrate", "--quick", "--seed", "3", "--part", "slides", "--report", str(page), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"part": "slides", "title": "Time slides over recorded triggers", "checks": []}
    assert main(["calibrate", "--part", "nonsense", "--report", str(page)]) == 1
    assert "there is no part 'nonsense'" in capsys.readouterr().err


def test_a_check_that_fails_fails_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    triggers, page = tmp_path / "rising.csv", tmp_path / "c.md"
    # Five times as many from one day on, which a trailing rate follows too late.
    days = [*np.arange(0.0, 95.0, 1.1), *np.arange(95.0, 195.0, 0.2)]
    triggers.write_text("".join(f"{day * 86_400.0},1,2\n" for day in days), encoding="utf-8")
    words = ["calibrate", "--quick", "--seed", "3", "--part", "slides", "--triggers", str(triggers), "--report", str(page)]
    assert main(words) == 1
    assert "fails: GRB-BURST: with rates measured before each trigger" in capsys.readouterr().out
    assert "1 check fails:" in page.read_text(encoding="utf-8")


def test_help_loads_neither_plots_nor_compilers() -> None:
    code = "import sys, hub.cli.app; print([name for name in ('matplotlib', 'numba', 'scipy', 'hub.calibration') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.timeout(1800)
def test_parts_that_run_side_by_side_find_the_same() -> None:
    size = replace(QUICK, mergers=2, largest_deg2=25.0)
    parts = chosen(all_parts(None), ("slides", "injections"))
    together = list(run_together(parts, 7, size, None, 2))
    assert [part.name for part, _, _ in together] == [part.name for part in parts]
    for part, result, cpu_s in together:
        alone, _ = run(part, 7, size, lambda _: None)
        assert (result.checks, result.tables) == (alone.checks, alone.tables)
        assert cpu_s > 0.0
