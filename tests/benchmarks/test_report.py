"""The page of benchmarks: sections are put in, kept and put in order, a failure stops nothing, and the night on paper follows."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import paper, report


def _section(title: str, *rows: tuple[str, str]) -> str:
    lines = [f"| {what} | {value} |  | |" for what, value in rows]
    return "\n".join([f"## {title}", "", "| what | measured | goal | |", "|---|---:|---|---|", *lines, ""])


def test_a_section_is_put_in_replaced_and_in_the_order_of_the_list() -> None:
    page = report.merged("", "scaling", _section("Later"))
    page = report.merged(page, "index", _section("Earlier"))
    page = report.merged(page, "scaling", _section("Later again"))
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert titles == ["## Earlier", "## Later again", "## What a Rubin night needs, on paper"]


def test_putting_the_same_in_again_changes_nothing() -> None:
    page = report.merged("", "index", _section("Index", ("hits", "3 hits")))
    assert report.merged(page, "index", _section("Index", ("hits", "3 hits"))) == page
    assert report.merged(page, None) == page


def test_a_failing_section_stops_no_other_and_leaves_its_old_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = report.Section(title="Broken", module="startup", words="--no-such-option")
    real = report.Section(title="Real", module="paper")  # a module that ends at once and says nothing
    page = tmp_path / "page.md"
    page.write_text(report.merged("", "index", _section("Index", ("hits", "3 hits"))))
    monkeypatch.setattr(report, "SECTIONS", {"index": broken, "visit": real})
    assert report.run_all(["index", "visit"], page, is_quick=False) == ["index", "visit"]
    said = capfd.readouterr().err
    assert "== 2/2 visit" in said
    assert "0 of 2 sections" in said
    assert "| hits | 3 hits |" in page.read_text()


def test_a_section_that_takes_too_long_is_ended(capfd: pytest.CaptureFixture[str]) -> None:
    slow = report.Section(title="Slow", module="startup", longest_s=0.2)
    assert report.measured(slow, []) is None
    assert "took longer" in capfd.readouterr().err


def test_what_was_not_a_number_is_a_dash() -> None:
    row = {"what": "other library", "value": float("nan"), "unit": "ns", "goal": "", "is_met": None, "note": "a | b"}
    assert report._table([json.loads(json.dumps(row))]).splitlines()[-1] == "| other library | - |  | a \\| b |"


def test_the_night_on_paper_says_what_is_missing() -> None:
    text = paper.night({})
    assert "| alerts a second, mean | 278 | 2,778 |" in text
    assert text.count(paper.MISSING) == 2 * 9


def test_the_night_on_paper_follows_from_the_figures() -> None:
    what = "100,000 packets, 1 worker, PostgreSQL"
    rows = {
        "scaling": [
            ("10,000 packets, 1 worker, PostgreSQL", "9 alerts/s"),
            (what, "2000 alerts/s"),
            (f"{what}: processor time of the workers", "0.36 ms per alert"),
            (f"{what}: processor time of the database", "0.036 ms per alert"),
            (f"{what}: processor time of the broker", "1e-01 ms per alert"),
        ],
        "memory": [("largest resident set of a worker", "300 MB")],
        "search": [("10 M rows: on disk, compacted", "60 B per row")],
        "whole_path": [("alerts that matched", "0.001 per alert")],
    }
    page = ""
    for name, found in rows.items():
        page = report.merged(page, name, _section(name, *found))
    found = dict(line.split(" | ")[:2] for line in page.partition("on paper")[2].splitlines() if line.startswith("| "))
    assert found["| workers' processors"] == "0.10"  # 0.36 ms x 278 a second
    assert found["| the database's processors"] == "0.01"
    assert found["| the broker's processors"] == "0.03"
    assert found["| workers and partitions"] == "1"
    assert found["| their memory"] == "0.3 GB"
    assert found["| a visit in one burst"] == "5.0 s of one worker"
    assert found["| archive, a night"] == "0.60 GB"
    assert found["| archive, a year"] == "0.18 TB"
    assert found["| packets of matches, a night"] == "1.1 GB"
    assert paper.MISSING not in page
