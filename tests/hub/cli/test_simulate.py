"""The contract of ``mmhub simulate night``."""

import io
import json
from datetime import date
from pathlib import Path

import fastavro
import pyarrow.parquet as pq
import pytest

from hub.bootstrap import now
from hub.cli.app import main
from hub.cli.simulate import _default_day
from hub.demo.survey.schedule import hours_of
from hub.demo.survey.settings import shipped
from hub.model.instant import Instant
from hub.resources import read_text

NIGHT = ("--date", "2026-11-23", "--seed", "3")
EARLY_VISIT = "143"  # its only alert is sent within a second


@pytest.fixture
def simulate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        assert main(["simulate", "night", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return out, err

    return run


def test_a_small_night_is_written_and_the_hub_takes_it_in(simulate, tmp_path, capsys):
    out, err = simulate("--to", "made", "--fraction", "0.002", "--visits", "12", "--no-cutouts", "--json", *NIGHT)
    told = json.loads(out.splitlines()[-1])

    assert "12 visits of 2026-11-23, about" in err
    truth = pq.read_table(tmp_path / "made" / "20261123-truth.parquet")
    assert told["alerts"] == len(truth) > 50
    assert (tmp_path / "made" / "20261123-counterparts.csv").read_text().startswith("name,object_id,ra_deg")
    assert main(["--data-dir", "hub", "ingest", "made/20261123"]) == 0
    assert f"received: {told['alerts']}, stored: {told['alerts']}, duplicates: 0, dead letters: 0" in capsys.readouterr().out


def test_a_night_that_does_not_fit_is_refused_before_anything_is_written(simulate, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**9})())

    _, err = simulate("--to", "made", "--visits", "3", *NIGHT, code=1)

    assert "--to: the night needs" in err
    assert not (tmp_path / "made" / "20261123").exists()


def test_a_night_is_not_written_over_another(simulate):
    words = ("--to", "made", "--fraction", "0.001", "--visits", "2", "--no-cutouts", *NIGHT)
    simulate(*words)

    assert "holds a night already" in simulate(*words, code=1)[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "either --to FOLDER or --kafka HOST:PORT"),
        (("--to", "a", "--kafka", "b:1"), "either --to FOLDER or --kafka HOST:PORT"),
        (("--to", "a", "--date", "yesterday"), "no date like 2026-11-23"),
        (("--to", "a", "--date", "1987-02-23"), "1987-02-23 does not lie between 2024-03-01 and 2040-01-01"),
        (("--kafka", "b:1", "--rate", "fast"), "neither real nor max nor a number"),
        (("--kafka", "b:1", "--rate", "-3"), "neither real nor max nor a number"),
        (("--kafka", "b:1", "--ahead-gb", "10"), "--ahead-gb and --group belong together"),
        (("--kafka", "b:1", "--group", "me"), "--ahead-gb and --group belong together"),
        (("--to", "a", "--fraction", "2"), "--fraction"),
        (("--to", "a", "--seed", "-1"), "--seed"),
        (("--to", "a", "--first", "5000", "--date", "2026-11-23"), "the night has 831 visits"),
    ],
)
def test_what_makes_no_sense_is_said(simulate, words, sentence):
    _, err = simulate(*words, code=2)

    assert sentence in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize(
    "words",
    [("--rate", "max"), ("--truth", "b"), ("--topic", "c"), ("--partitions", "4"), ("--ahead-gb", "10"), ("--group", "d")],
)
def test_options_of_a_topic_are_refused_where_files_are_written(simulate, tmp_path, words):
    _, err = simulate("--to", "a", *words, code=2)

    assert words[0] in err
    assert "belongs to --kafka" in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "a").exists()


def test_visits_without_alerts_are_a_failure(simulate):
    _, err = simulate("--to", "a", "--fraction", "1e-6", "--visits", "1", "--first", "5", *NIGHT, code=1)

    assert "the visits that were asked for have no alerts: take a larger --fraction or more --visits" in err


def test_the_night_that_is_made_by_itself_is_the_last_one_that_is_over():
    day = _default_day(is_real=False)
    _, end = hours_of((day - date(1858, 11, 17)).days, shipped().survey.longitude_deg)

    assert 0.0 <= now().mjd_tai - end < 1.01


def test_a_truth_is_not_written_over_another(simulate, tmp_path):
    (tmp_path / "20261123-truth.parquet").write_bytes(b"precious")
    _, err = simulate("--kafka", "127.0.0.1:1", "--truth", ".", "--visits", "1", "--fraction", "0.001", *NIGHT, code=1)

    assert "--truth: 20261123-truth.parquet is there already" in err


def test_a_version_that_is_not_written_is_a_sentence(simulate):
    assert "packets are written as 10.0, 11.0, 11.1, not as 4.0" in simulate("--to", "a", "--schema", "4.0", code=1)[1]


@pytest.mark.kafka
def test_a_night_goes_into_a_topic_with_its_truth_beside(simulate, kafka, tmp_path):
    topic = kafka.unique_topic("cli")
    words = ("--kafka", kafka.bootstrap, "--topic", topic, "--partitions", "2", "--rate", "max", "--truth", "beside")
    out, _ = simulate(*words, "--fraction", "0.002", "--visits", "3", "--json", *NIGHT)

    told = json.loads(out.splitlines()[-1])
    records = kafka.consume_all(topic)
    assert len(records) == told["alerts"] == len(pq.read_table(tmp_path / "beside" / "20261123-truth.parquet"))
    assert sum(len(record.value or b"") for record in records) == told["bytes"]
    words = ("--kafka", kafka.bootstrap, "--topic", topic, "--partitions", "3", "--rate", "max", "--fraction", "0.002")
    assert f"--partitions: the topic {topic} is there already and has 2" in simulate(*words, "--visits", "1", *NIGHT, code=1)[1]


@pytest.mark.kafka
def test_a_night_at_its_real_rate_is_dated_as_it_is_sent(simulate, kafka, tmp_path):
    topic = kafka.unique_topic("dated")
    words = ("--kafka", kafka.bootstrap, "--topic", topic, "--partitions", "1", "--truth", "beside", "--no-cutouts")
    begun = now()
    _, err = simulate(*words, "--fraction", "2e-4", "--first", EARLY_VISIT, "--visits", "1", *NIGHT)
    ended = now()

    schema = fastavro.parse_schema(json.loads(read_text("schemas/lsst/10.0.avsc")))
    told = [
        fastavro.schemaless_reader(io.BytesIO(record.value[5:]), schema, None)["diaSource"]["midpointMjdTai"]
        for record in kafka.consume_all(topic)
    ]
    assert "dated as if it were now" in err
    assert told
    for mjd in told:  # the middle of the exposure, 15 s before its end
        assert begun.plus_s(-0.001) < Instant.from_mjd_tai(mjd).plus_s(15.0) < ended
    assert told == pq.read_table(tmp_path / "beside" / "20261123-truth.parquet")["mjd_tai"].to_pylist()


def test_the_night_that_is_dated_now_is_the_present_one():
    day = _default_day(is_real=True)

    assert 0.0 <= now().mjd_tai - 0.5 - (day - date(1858, 11, 17)).days < 1.001
