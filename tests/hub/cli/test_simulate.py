"""The contract of ``mmhub simulate night``."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hub.cli.app import main

NIGHT = ("--date", "2026-11-23", "--seed", "3")


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
        (("--to", "a", "--rate", "fast"), "neither real nor max nor a number"),
        (("--to", "a", "--ahead-gb", "10"), "--ahead-gb needs --kafka and --group"),
        (("--to", "a", "--first", "5000", "--date", "2026-11-23"), "the night has 831 visits"),
    ],
)
def test_what_makes_no_sense_is_said(simulate, words, sentence):
    _, err = simulate(*words, code=2)

    assert sentence in " ".join(err.replace("│", " ").split())


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
