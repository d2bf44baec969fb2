"""A slice of the torture for every run: twenty blows, nothing lost, nothing doubled, and a careless hub found out."""

import pytest

from tests.torture.kill_hub import torture
from tests.torture.night import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.apache_kafka, pytest.mark.timeout(1800)]


def test_twenty_kills_lose_and_double_nothing(kafka, tmp_path) -> None:
    report = torture(tmp_path, kafka.bootstrap, kills=20, size=SMALL)
    print(f"kills: {report.kills}; they fell on {dict(report.fell)}; {report.books}")
    assert report.stuck == ""
    assert report.lost == []
    assert report.doubled == []
    assert report.law_holds, report.books
    assert report.refused == []
    assert report.untouched() == []
    assert (report.looks > 0, report.forbidden) == (True, 0), "it loaded a package that only other roles need"
    assert report.exit_code == 0


def test_a_hub_that_acknowledges_first_is_found_out_over_kafka_and_over_vtp(kafka, tmp_path) -> None:
    report = torture(tmp_path, kafka.bootstrap, kills=4, size=SMALL, seed=2, careless=True, aims=("taking in", "handing in"))
    print(f"kills: {report.kills}; they fell on {dict(report.fell)}; lost: {len(report.lost)}, such as {report.lost[:5]}")
    assert report.lost_of("kafka") + report.lost_of("alert")
    assert report.lost_of("vtp")
