import json

import pytest

from hub.cli.app import main
from hub.model.coverage import SelectionKind
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import fill
from tests.support.searched import DEC, RA, hears, night

WINDOW = ("--from", "2017-08-17T12:00:00", "--until", "2017-08-18T02:00:00")


@pytest.fixture(scope="module", params=[SelectionKind.FULL, SelectionKind.FILTERED])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory, kind):
    folder = tmp_path_factory.mktemp("data")
    url = f"sqlite:///{folder / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    fill(store)
    hears(store, kind)
    store.close()
    night(folder / "archive", 4, per_detector=15.0)
    return folder


@pytest.fixture
def hub(folder, capsys):
    def run(*words, code=0):
        assert main(["--data-dir", str(folder), "searched", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out, err

    return run


def test_a_position_and_an_event_are_answered_or_the_coverage_is_unknown(hub, kind):
    position = ("--ra", str(RA), "--dec", str(DEC), *WINDOW)
    event = ("GW170817", *WINDOW)
    if kind is SelectionKind.FILTERED:
        for words in (position, event):
            out, err = hub(*words, code=3)
            assert out == ""
            assert "coverage unknown: LSST is heard only through filters (lsst)" in err
            assert json.loads(hub(*words, "--json", code=3)[0])["coverage"] == "unknown"
        return
    out, _ = hub(*position)
    assert "mid_at" in out
    assert "outline" in out
    assert json.loads(hub(*position, "--json")[0])["last"]["band"] in {"g", "r"}
    out, _ = hub(*event)
    assert "searched_prob" in out
    assert "programmes: 1" in out
    deep = json.loads(hub(*event, "--depth", "25", "--json")[0])
    assert 0 < deep["searched_prob"] < json.loads(hub(*event, "--json")[0])["searched_prob"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--ra", "10"),
        ("GW170817", "--ra", "10", "--dec", "10"),
        ("--ra", "10", "--dec", "10", "--depth", "24"),
        ("--ra", "400", "--dec", "0"),
    ],
)
def test_neither_or_both_of_event_and_position_is_wrong_use(hub, words):
    hub(*words, code=2)


def test_times_that_are_none_and_events_that_are_not_there_get_a_sentence(hub):
    assert "--from" in hub("GW170817", "--from", "yesterday", code=1)[1]
    assert "there is no event" in hub("nothing", code=3)[1]
