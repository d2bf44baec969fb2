"""``mmhub counterparts``, ``chance`` and ``pointings`` on a night of visits around the event of `tests.support.api_night`."""

import json

import pytest

from hub.cli.app import main
from hub.model.coverage import SelectionKind
from hub.storage import localizations
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import T0, add_event, fill, localization, notice
from tests.support.searched import DEC, RA, hears, night


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
        assert main(["--data-dir", str(folder), *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out, err

    return run


def test_a_person_is_told_what_candidates_are_worth_and_what_was_searched(hub, kind, tmp_path):
    out, _ = hub("counterparts", "GW170817")
    assert "kilonova: " in out
    body = json.loads(hub("counterparts", "GW170817", "--json")[0])
    if kind is SelectionKind.FILTERED:
        assert "no probabilities: coverage unknown: LSST is heard only through filters" in out
        assert "coverage of LSST unknown" in out
        assert body["hypotheses"][0]["p_none"] is None
        return
    assert "none of them" in out
    assert "searched by LSST: " in out
    found = body["hypotheses"][0]
    assert 0.0 < found["p_none"] <= 1.0
    assert all(f"{part} " in out for part in ("not searched", "too faint", "hidden by veto", "does not exist"))
    told = [row["probability"] for row in found["candidates"]]
    assert found["n_candidates"] == len(told)
    assert sum(found["none"].values()) + sum(told) == pytest.approx(1.0, abs=1e-9)
    assert body["coverage"]["series"][0]["by"] == "LSST"
    pytest.importorskip("matplotlib")
    hub("counterparts", "GW170817", "--plot", str(tmp_path / "curve.png"))
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    for name in ("missing/curve.png", "curve.unheard-of"):
        assert "cannot be written" in hub("counterparts", "GW170817", "--plot", str(tmp_path / name), code=2)[1]


def test_of_an_event_of_low_significance_a_person_is_told_that_nobody_searches(hub, folder):
    store = open_store(f"sqlite:///{folder / 'hub.sqlite'}")
    where = localization()
    with store.transaction() as session:
        localizations.save(session, where)
        said = notice("S170818x", far_hz=2e-6, properties={"significant": False})
        add_event(session, [said], localization_id=where.localization_id)
    store.close()
    why = "not searched: low significance"
    out, _ = hub("counterparts", "S170818x", code=3)
    assert out.startswith(f"S170818x: {why}")
    assert "nothing found" not in out
    assert "candidates, 0 confirmed" not in out
    body = json.loads(hub("counterparts", "S170818x", "--json", code=3)[0])
    assert (body["hypotheses"], body["coverage"]["nothing_found"]) == ([], False)
    assert body["not_searched"].startswith(why)
    shown, _ = hub("show", "S170818x")
    assert f"candidates: {why}" in shown
    assert "best candidates" not in shown
    assert why in hub("chance", "S170818x", code=1)[1]
    assert "not searched: low" not in hub("show", "GW170817")[0]


def test_the_background_of_a_night_alone_is_insufficient_and_is_not_written_twice(hub, kind):
    out, _ = hub("chance", "GW170817", "--hypothesis", "kilonova")
    assert ("insufficient background" if kind is SelectionKind.FULL else "coverage unknown") in out
    assert "nothing new" in hub("chance", "GW170817", "--hypothesis", "kilonova", code=3)[1]
    assert "admits no counterpart of the kind 'unicorn'" in hub("chance", "GW170817", "--hypothesis", "unicorn", code=1)[1]
    hub("chance", "nothing", code=3)


def test_reported_pointings_are_taken_in_and_listed(hub, tmp_path):
    file = tmp_path / "report.csv"
    file.write_text(f"instrument,time,band,ra,dec,radius_deg,depth\nSwope,{T0.plus_s(9000).to_utc_iso()},i,{RA},{DEC},1.5,21\n")
    assert "names no event" in hub("pointings", "add", str(file), code=1)[1]
    assert hub("pointings", "add", str(file), "--event", "GW170817", "--by", "us")[0] == "1 pointings of S170817a taken in\n"
    assert "Swope" in hub("pointings", "list", "GW170817")[0]
    assert "searched by Swope (reported): " in hub("counterparts", "GW170817")[0]
    hub("pointings", "list", "nothing", code=3)
    file.write_bytes(b"\xff\xfe\x00")
    hub("pointings", "add", str(file), code=2)
