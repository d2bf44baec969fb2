import json
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import fill


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    url = f"sqlite:///{folder / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    fill(store)
    store.close()
    return folder


@pytest.fixture
def hub(folder: Path, capsys: pytest.CaptureFixture[str]):
    def run(*words: str, code: int = 0) -> str:
        assert main(["--data-dir", str(folder), "what", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out or err

    return run


def test_events_and_candidates_at_a_place_are_listed(hub) -> None:
    rows = [json.loads(line) for line in hub("197.45", "-23.38", "--json").splitlines()]
    assert {row["event_id"] for row in rows if row["kind"] == "event"} == {"S170817a"}
    assert len([row for row in rows if row["kind"] == "candidate"]) == 7


def test_a_time_gives_differences_and_cuts_off_other_times(hub) -> None:
    rows = [json.loads(line) for line in hub("197.45", "-23.38", "2017-08-17T12:41:14.4Z", "--json").splitlines()]
    (event,) = [row for row in rows if row["kind"] == "event"]
    assert event["dt_s"] == pytest.approx(10)
    assert hub("197.45", "-23.38", "2019-01-01", code=3) == ""


def test_tables_for_people_count_each_kind(hub) -> None:
    out = hub("197.45", "-23.38")
    assert "events: 1" in out
    assert "candidates: 7" in out
    assert "objects: none" in out


def test_empty_place_is_exit_code_3(hub) -> None:
    assert hub("17.45", "23.38", code=3) == ""


@pytest.mark.parametrize(
    "words", [("361", "0"), ("0", "-91"), ("x", "0"), ("nan", "0"), ("0", "nan"), ("0", "0", "--radius", "-1")]
)
def test_place_out_of_range_is_wrong_use(hub, words: tuple[str, ...]) -> None:
    hub(*words, code=2)


def test_time_that_is_none_is_refused(hub) -> None:
    assert "TIME: not an ISO 8601 time" in hub("0", "0", "yesterday", code=2)
