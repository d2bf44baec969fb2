"""The packets of benchmarks have the proportions of the night that they are taken from."""

from collections import Counter
from datetime import date

import numpy as np
import pytest

from hub.demo.survey import schedule
from hub.demo.survey.night import SurveyNight
from tests.benchmarks import mix

SHARE = {schedule.WIDE: 0.96, schedule.DEEP: 0.027, schedule.TOO: 0.013}


class Night:
    """The plan of a night of 800 visits, deep fields in one sequence."""

    def __init__(self) -> None:
        programme = np.full(800, schedule.WIDE)
        programme[300:324] = schedule.DEEP
        programme[600:612] = schedule.TOO
        self.visits = type("Visits", (), {"programme": programme})()

    def __len__(self) -> int:
        return len(self.visits.programme)


@pytest.mark.parametrize("n", [10, 300, 20_000, 1_000_000])
def test_each_programme_has_its_share_to_the_packet(n: int) -> None:
    night = Night()
    by_programme: Counter[int] = Counter()
    for run in mix.runs(night, n, SHARE):
        by_programme[int(night.visits.programme[run.visit])] += run.n
    assert sum(by_programme.values()) == n
    for programme, share in SHARE.items():
        assert abs(by_programme[programme] - share * n) < 1.0


def test_runs_come_in_the_order_of_the_night_from_many_visits_but_the_last() -> None:
    visits = [run.visit for run in mix.runs(Night(), 20_000, SHARE)]
    assert visits == sorted(set(visits))
    assert len(visits) >= 19
    assert max(visits) < 799
    assert max(np.diff([0, *visits, 800])) < 100


def test_programmes_without_a_visit_left_are_passed_over() -> None:
    night = Night()
    night.visits.programme[:] = schedule.WIDE
    assert sum(run.n for run in mix.runs(night, 1_000, SHARE)) == 960


def test_what_was_taken_is_told_in_words() -> None:
    taken = mix.Taken(n_packets=4, n_bytes=400, n_with_history=1)
    taken.by_reason.update({"wide survey": 3, "deep drilling": 1})
    assert taken.note() == "4 packets: 75.0% wide survey, 25.0% deep drilling; mean 100 B, 25% with history"


@pytest.mark.slow
def test_packets_of_a_real_night_are_as_many_as_asked_with_all_programmes() -> None:
    night = SurveyNight(1, date(2026, 11, 21), with_cutouts=False, room_bytes=mix.ROOM_BYTES)
    taken = mix.Taken()
    sizes = [len(packet) for run in mix.runs(night, 400, mix.shares(night)) for packet in mix.first_of(night, run, taken)]
    assert (taken.n_packets, taken.n_bytes) == (400, sum(sizes))
    assert len(sizes) == sum(taken.by_reason.values()) == 400
    assert set(taken.by_reason) == {"wide survey", "deep drilling", "target of opportunity"}
