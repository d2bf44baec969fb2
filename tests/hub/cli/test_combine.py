"""The contract of ``mmhub combine``."""

import json
from pathlib import Path

import pytest
from ligo.skymap.io import read_sky_map

from hub.cli.app import main
from hub.science.combined import combined
from hub.science.skymap_fits import to_fits
from tests.support import json_notices
from tests.support.skymaps import from_pixels, gaussian_map, with_distance

GW, GRB = (130.0, 20.0, 8.0), (135.0, 22.0, 5.0)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    gw = with_distance(gaussian_map(*GW, 16, 2), 100.0, 20.0)
    for name, skymap in (("gw.fits", gw), ("grb.fits", gaussian_map(*GRB, 16, 2))):
        Path(name).write_bytes(to_fits(skymap))


def test_the_combined_map_is_a_file_that_others_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["combine", "gw.fits", "grb.fits", "--out", "both.fits", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    expected = combined([with_distance(gaussian_map(*GW, 16, 2), 100.0, 20.0), gaussian_map(*GRB, 16, 2)])
    assert said["file"] == "both.fits"
    assert said["overlap"] == pytest.approx(expected.overlap, rel=1e-9)
    assert said["area90_deg2"] == pytest.approx(expected.summary.area90_deg2, rel=1e-9)
    assert said["dist_mean_mpc"] == pytest.approx(expected.summary.dist_mean_mpc, rel=1e-9)
    assert said["remarks"] == []
    assert len(read_sky_map("both.fits", moc=True)) == said["n_tiles"]
    first = Path("both.fits").read_bytes()
    assert main(["combine", "grb.fits", "gw.fits", "--out", "both.fits"]) == 0
    assert Path("both.fits").read_bytes() == first
    assert " Mpc" in capsys.readouterr().out
    assert main(["overlap", "both.fits", "gw.fits"]) == 0


def test_a_notice_with_a_position_is_combined_like_a_map(capsys: pytest.CaptureFixture[str]) -> None:
    Path("gbm.json").write_bytes(json_notices.as_bytes(json_notices.gbm()))
    assert main(["combine", "gw.fits", "gbm.json", "grb.fits", "--out", "all.fits"]) == 0
    assert "90 % in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["gw.fits", "--out", "x.fits"], "at least two"),
        (["gw.fits", "grb.fits", "--out", "gw.fits"], "is one of the maps"),
        (["gw.fits", "missing.fits", "--out", "x.fits"], "cannot be read"),
        (["gw.fits", "grb.fits", "--out", "no/such/folder/x.fits"], "cannot be written"),
        (["north.fits", "south.fits", "--out", "x.fits"], "exclude each other"),
    ],
)
def test_what_cannot_be_combined_gets_one_sentence(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, pixel in (("north.fits", 0), ("south.fits", 11)):
        Path(name).write_bytes(to_fits(from_pixels([pixel << 58], [(pixel + 1) << 58], [1.0])))
    assert main(["combine", *words]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert reason in err
    assert not Path("x.fits").exists()
