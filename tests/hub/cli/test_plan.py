"""The contract of ``mmhub plan``."""

import itertools
import json
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.science.skymap_fits import to_fits
from hub.services import pointings
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import T0, add_event, notice
from tests.support.skymaps import gaussian_map

WHEN = ["--after", "2025-03-10T20:00:00"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("south.fits").write_bytes(to_fits(gaussian_map(150.0, -30.0, 5.0)))
    Path("north.fits").write_bytes(to_fits(gaussian_map(150.0, 80.0, 1.0)))


def test_pointings_are_one_json_object_a_line_by_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "south.fits", "--site", "ctio", "--fov", "3", "-n", "5", *WHEN, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 5
    assert list(rows[0]) == ["ra_deg", "dec_deg", "start", "exposure_s", "prob", "cum_prob"]
    assert [row["start"] for row in rows] == sorted(row["start"] for row in rows)
    assert all(later["cum_prob"] > row["cum_prob"] for row, later in itertools.pairwise(rows))
    assert rows[0]["exposure_s"] == 30.0
    assert rows[0]["start"].endswith("Z")


@pytest.mark.parametrize(
    ("kind", "start"), [("csv", "ra_deg,dec_deg"), ("reg", "# Region file"), ("moc", '{"'), ("ics", "BEGIN:VCALENDAR")]
)
def test_other_formats(kind: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "south.fits", "--no-visibility", "--fov", "3", "--shape", "circle", "-n", "3", *WHEN, "--format", kind]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(start)


def test_nothing_to_plan_is_code_3_and_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "north.fits", "--site", "CTIO", "--fov", "3", "-n", "5", *WHEN, "--json"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing can be planned: no part of the map rises above 30 deg" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--fov", "3", "-n", "5"], "give either --site NAME or --no-visibility"),
        (["--fov", "3", "-n", "5", "--site", "CTIO", "--no-visibility"], "give either --site NAME or --no-visibility"),
        (["--fov", "0", "-n", "5", "--no-visibility"], "--fov is a number above 0 and at most 90, not 0"),
        (["--fov", "nan", "-n", "5", "--no-visibility"], "--fov is a number above 0"),
        (["--fov", "3", "-n", "0", "--no-visibility"], "-n is a number of pointings from 1 to 2000, not 0"),
        (["--fov", "3", "-n", "5", "--site", "Nowhere"], "there is no site 'Nowhere'"),
        (["--fov", "3", "-n", "5", "--site", "CTIO", "--exposure", "-1"], "--exposure is a number above 0"),
        (["--fov", "3", "-n", "5", "--site", "CTIO", "--overhead", "-1"], "--overhead is a number"),
        (["--fov", "3", "-n", "5", "--site", "CTIO", "--hours", "1e9"], "--hours is a number above 0 and at most 960"),
        (["--fov", "3", "-n", "5", "--site", "CTIO", "--after", "soon"], "--after is a UTC time"),
        (["--fov", "3", "-n", "5", "--no-visibility", "--json", "--format", "csv"], "--json and --format csv exclude each other"),
    ],
)
def test_bad_words_are_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "south.fits", *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_what_others_have_observed_is_left_out_and_what_they_plan_where_it_is_wished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    report = {"graceid": "S250310a", "instrument": "X", "ra": 150.0, "dec": -30.0, "radius_deg": 4.0}
    later = {"status": "planned", "time": "2025-03-10T23:00:00", "ra": 154.0}
    with store.transaction() as session:
        add_event(session, [notice("S250310a")])
        rows = [report | {"time": "2025-03-10T18:00:00"}, report | later]
        pointings.add(session, json.dumps(rows), reported_by="us", now=T0)
    store.close()
    words = ["--data-dir", str(tmp_path), "plan", "south.fits", "--no-visibility", "--fov", "3", "-n", "4", *WHEN]

    def held(*more: str, code: int = 0) -> float:
        assert main([*words, *more]) == code
        lines = capsys.readouterr().out.splitlines()
        return float(json.loads(lines[-1])["cum_prob"])

    assert held() > held("--without", "S250310a") > held("--without", "S250310a", "--and-planned") > 0.0
    assert main([*words, "--and-planned"]) == 1
    assert "--and-planned says more of --without EVENT" in capsys.readouterr().err
    assert main([*words, "--without", "S9"]) == 3
    assert "there is no event S9" in capsys.readouterr().err
