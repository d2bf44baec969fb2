"""A slice of the torture for every run: twenty blows, nothing lost, nothing doubled, and a careless hub found out."""

import pytest

from tests.torture.kill_hub import torture
from tests.torture.night import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_twenty_kills_lose_and_double_nothing(kafka, tmp_path) -> None:
    report = torture(tmp_path, kafka.bootstrap, kills=20, size=SMALL)
    print(f"kills: {report.kills}; they fell on {dict(report.fell)}; {report.books}")
    assert report.lost == []
    assert report.doubled == []
    assert report.law_holds, report.books
    assert report.untouched() == []


def test_a_hub_that_acknowledges_first_is_found_out(kafka, tmp_path) -> None:
    report = torture(tmp_path, kafka.bootstrap, kills=12, size=SMALL, seed=2, careless=True, every_step=False)
    assert report.lost
