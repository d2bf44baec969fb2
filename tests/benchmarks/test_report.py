"""The page of benchmarks: sections are put in, kept and put in order, a failure stops nothing, and the night on paper follows."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import fleet, limits, load, mix, paper, report, scaling, visit, whole_path
from tests.benchmarks.figures import Figure, at_least, below
from tests.benchmarks.stages import ARCHIVE, COLUMNS, STAGES, TAKING


def _section(title: str, *rows: tuple[str, str]) -> str:
    lines = [f"| {what} | {value} |  | |" for what, value in rows]
    return "\n".join([f"## {title}", "", "| what | measured | goal | |", "|---|---:|---|---|", *lines, ""])


def test_a_section_is_put_in_replaced_and_in_the_order_of_the_list() -> None:
    page = report.merged("", "scaling", _section("Later"))
    page = report.merged(page, "index", _section("Earlier"))
    page = report.merged(page, "scaling", _section("Later again"))
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert titles == ["## Earlier", "## Later again", f"## {limits.TITLE}", "## What a Rubin night needs, on paper"]


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
        "memory": [("largest resident set of a worker", "300 MB"), ("largest resident set of the process beside it", "200 MB")],
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
    assert found["| their memory"] == "0.5 GB"
    assert found["| a visit in one burst"] == "5.0 s of one worker"
    assert found["| archive, a night"] == "0.60 GB"
    assert found["| archive, a year"] == "0.18 TB"
    assert found["| packets of matches, a night"] == "1.1 GB"
    assert paper.MISSING not in page


def test_the_night_on_paper_finds_the_figures_by_the_names_that_benchmarks_give_them() -> None:
    looks = [
        fleet.Look(
            at_s=at,
            committed=np.array([n]),
            ends=np.array([2_000]),
            all_at_work=True,
            all_sent=True,
            used=fleet.Used(workers=n / 1e3, database=n / 1e4, broker=n / 2e3, benchmark=0.0),
        )
        for at, n in ((1.0, 100), (5.0, 1_100))
    ]
    state = scaling.State(name="PostgreSQL", knows=Path(), server="somewhere")
    taken = mix.Taken(n_packets=2_000, n_bytes=10)
    drained, stored = load.Drained(n=100, seconds=1.0, n_matched=5), load.Stored(candidates=1, of_large_maps=0)
    found = {
        "scaling": scaling._figures(looks, np.array([]), taken, state, 1, 2_000, is_filled=True),
        "whole_path": load.hits_figures("", load.Maps(n=1), 1.0, drained, stored, 100),
    }
    blocks = {name: report._table([vars(one) for one in lines]) for name, lines in found.items()}
    known = paper.measured(paper.figures_of(blocks))
    assert (known.rate_per_s, known.workers_ms, known.database_ms, known.broker_ms) == (250.0, 1.0, 0.1, 0.5)
    assert known.matched == 0.05


@pytest.mark.parametrize(("n_stored", "is_met"), [(0, True), (1, False)])
def test_a_candidate_of_a_large_map_misses_the_goal(n_stored: int, is_met: bool) -> None:
    maps = load.Maps(n=3, n_single_detector=2)
    drained, stored = load.Drained(n=100, seconds=1.0), load.Stored(candidates=5, of_large_maps=n_stored)
    last = load.hits_figures("", maps, 1.0, drained, stored, 100)[-1]
    assert (last.what, last.is_met) == ("candidates of maps above 10,000 deg2", is_met)


def test_how_far_workers_are_is_told_with_the_time_that_is_left() -> None:
    used = fleet.Used(workers=0.0, database=0.0, broker=0.0, benchmark=0.0)
    looks = [
        fleet.Look(at_s=at, committed=np.array([n]), ends=np.array([900]), all_at_work=True, all_sent=False, used=used)
        for at, n in ((0.0, 0), (1.0, 100), (3.0, 500))
    ]
    line = "  900 of 12,500 sent, 500 acknowledged"
    assert fleet._progress(looks, 12_500, 900) == f"{line}, 200 alerts/s, 1.0 min left"
    assert fleet._progress(looks[:1], 12_500, 900) == "  900 of 12,500 sent, 0 acknowledged"
    assert fleet._progress([], 12_500, 0) == "  0 of 12,500 sent, 0 acknowledged"


def _tables(**sections: list[Figure]) -> dict[str, str]:
    return {name: report._table([vars(one) for one in lines]) for name, lines in sections.items()}


def _us(what: str, value: float) -> Figure:
    return Figure(what=what, value=value, unit="us per alert")


def test_a_goal_that_was_missed_is_told_with_what_stands_in_its_way() -> None:
    path = [
        at_least("hub over bare consumer", 0.3, "x", 0.8),
        _us("processor time of the bare consumer", 60.0),
        _us("processor time of the hub", 280.0),
        _us("processor time of the broker beside the bare consumer", 40.0),
        _us("processor time of the broker beside the hub", 45.0),
        _us("the hub: threads of the Kafka client", 40.0),
        *(_us(f"the hub: {name}", {TAKING: 20.0, COLUMNS: 15.0, ARCHIVE: 35.0}.get(name, 10.0)) for name in STAGES),
    ]
    text = limits.text_of(_tables(whole_path=path))
    assert "**hub over bare consumer** (`whole_path`): 0.3 x, goal >= 0.8 x" in text
    assert "the hub has 80 us" in text  # (60 + 40) / 0.8 - 45
    assert "60 us of the hub's 280, so 20 us are left for everything else" in text
    assert "15 us to read columns out of their bytes and 35 us to write rows durably, more than that" in text
    assert "With candidates for nothing (110 us) the ratio would be 0.47." in text  # eleven stages: 100 / (170 + 45)
    assert "With nothing but fetching, columns and rows it would be 0.65." in text  # 100 / (110 + 45)


def test_all_stages_of_candidates_are_stages() -> None:
    assert set(limits.OF_CANDIDATES) <= set(STAGES)
    assert (limits.GOAL_OF_BARE, limits.GOAL_OF_BURST) == (whole_path.GOAL_OF_BARE, visit.GOAL_BURST)


def test_a_missed_goal_without_figures_that_explain_it_is_told_all_the_same() -> None:
    tables = _tables(
        index=[below("growth from 1 to 1,000 such maps", 9.0, "x", 1.5)],
        whole_path=[at_least("hub over bare consumer", 0.3, "x", 0.8)],
    )
    told = [line for line in limits.text_of(tables).splitlines() if line.startswith("- ")]
    assert len(told) == 2
    assert all(line.endswith(limits.UNSAID) for line in told)
    assert "- No goal was missed." in limits.text_of({})


@pytest.mark.parametrize(("sent_s", "word"), [(6.0, "the producer bounds both"), (2.0, "the producer does not bound it")])
def test_a_burst_that_waits_for_its_producer_is_told_as_that(sent_s: float, word: str) -> None:
    burst = [
        Figure(what="one burst: last match after the first was produced", value=6.5, unit="s"),
        Figure(what="one burst: the broker had its last packet", value=sent_s, unit="s"),
        below("one burst: hub over bare consumer", 1.02, "x", 1.25),
    ]
    text = limits.text_of(_tables(whole_path=[at_least("hub over bare consumer", 0.4, "x", 0.8)], visit=burst))
    assert word in text
    assert "it takes 2.5 x as long" in text


def test_two_rates_of_making_packets_are_explained_where_both_are_on_the_page() -> None:
    taken = mix.Taken(n_packets=1_000, n_bytes=10)
    quick, slow = (load.Filled(topic="t", taken=taken, seconds=one, cpu_s=0.4) for one in (0.5, 2.0))
    tables = _tables(
        load=quick.figures("packets made and sent, with cutouts", ""), whole_path=slow.figures("packets made and sent", "")
    )
    text = limits.text_of(tables)
    assert "2,000 /s in `load`, 400 us" in text
    assert "500 /s in `whole_path`, 400 us" in text
