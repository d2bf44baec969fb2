"""Budgets and circuit breakers follow from rows, in any order."""

import itertools

import pytest

from hub.science.followup_limits import breaker_opens, of_night, over, over_allocation
from hub.science.followup_policy import NO_LIMIT, Allocation, Breaker, Limit
from tests.support.policies import asked

BREAKER = Breaker(faults=3, within_h=1.0, pause_h=0.5)
CAMERA = Allocation(
    name="ours",
    network="simulated",
    instrument="1M0-SIMCAM",
    sites=("CTIO",),
    host=None,
    per_night=Limit(seconds=600.0),
    total=Limit(requests=4),
)


def test_a_limit_may_be_reached_and_not_passed():
    spent = [asked(1, seconds=100.0), asked(2, seconds=100.0)]
    assert over(Limit(requests=3), spent, requests=1, seconds=0.0, what="it") == ""
    assert over(Limit(requests=2), spent, requests=1, seconds=0.0, what="it") == (
        "it has room for 2 requests, 2 were made: 1 more are too many"
    )
    assert over(Limit(seconds=300.0), spent, requests=1, seconds=100.0, what="it") == ""
    assert over(Limit(seconds=299.0), spent, requests=1, seconds=100.0, what="it") == (
        "it has room for 299 s of exposure, 200 s were asked for: 100 s more are too much"
    )
    assert over(NO_LIMIT, spent, requests=99, seconds=1e6, what="it") == ""


def test_a_night_is_the_24_hours_before_and_what_is_dated_ahead():
    found = of_night([asked(1, hours_ago=-5.0), asked(2, hours_ago=23.9), asked(3, hours_ago=24.0)])
    assert [one.target for one in found] == ["LSST:1", "LSST:2"]


def test_an_allocation_pays_only_for_its_own_instrument():
    others = [asked(n, camera="OTHER", seconds=600.0) for n in range(9)]
    assert over_allocation(CAMERA, others, requests=1, seconds=600.0) == ""
    old = [asked(n, hours_ago=100.0, seconds=600.0) for n in range(4)]
    assert over_allocation(CAMERA, old[:3], requests=1, seconds=600.0) == ""
    assert over_allocation(CAMERA, old, requests=1, seconds=1.0).startswith("the allocation ours has room for 4 requests")
    assert over_allocation(CAMERA, [asked(1)], requests=1, seconds=600.0).startswith("the allocation ours, in 24 h, has room")


@pytest.mark.parametrize(
    ("answers", "is_open"),
    [
        ([], False),
        ([(0.1, True), (0.2, True)], False),
        ([(0.1, True), (0.2, True), (0.3, True)], True),
        ([(0.1, True), (0.2, True), (0.3, True), (0.4, False)], True),
        ([(0.1, False), (0.2, True), (0.3, True), (0.4, True)], False),
        ([(0.1, True), (0.2, False), (0.3, True), (0.4, True)], False),
        ([(0.1, True), (0.2, True), (1.2, True)], False),
        ([(0.5, True), (0.6, True), (0.7, True)], False),
        ([(0.49, True), (0.6, True), (0.7, True)], True),
    ],
)
def test_a_network_is_left_alone_after_faults_in_a_row_until_the_pause_is_over(answers, is_open):
    said = {breaker_opens(BREAKER, order) for order in itertools.permutations(answers)}
    assert len(said) == 1
    assert bool(said.pop()) is is_open
