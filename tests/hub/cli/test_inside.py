"""The contract of ``mmhub inside --json``, against ligo.skymap's own crossmatch."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from ligo.skymap.postprocess.crossmatch import crossmatch

from hub.cli.app import main
from hub.cli.inside import locate
from hub.cli.output import finite
from hub.cli.positions import read_positions
from hub.model.sky import Skymap
from hub.science.skymap_fits import to_fits
from tests.support import json_notices
from tests.support.skymaps import gaussian_map, to_table, with_distance

KEYS = ["row", "ra", "dec", "searched_prob", "searched_area_deg2", "probdensity_per_sr", "searched_prob_vol", "covered"]
FLAT = gaussian_map(197.45, -23.38, 3.0, 4, 4)
DEEP = with_distance(FLAT, 40.0, 8.0)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flat.fits").write_bytes(to_fits(FLAT))
    Path("deep.fits").write_bytes(to_fits(DEEP))


def located(skymap: Skymap, table: str) -> list[dict[str, Any]]:
    """What the verb prints, without the child process that reads the file of a map."""
    Path("positions.csv").write_text(table)
    return [finite(record) for record in locate(skymap, read_positions(Path("positions.csv")))]


def inside(capsys: pytest.CaptureFixture[str], skymap: str, table: str) -> list[dict[str, Any]]:
    Path("positions.csv").write_text(table)
    assert main(["inside", skymap, "positions.csv", "--json"]) == 0
    return [
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
        for line in capsys.readouterr().out.splitlines()
    ]


def test_plane_levels_are_those_of_ligo_skymap() -> None:
    rng = np.random.default_rng(1)
    ra, dec = 197.45 + rng.normal(size=50) * 5, -23.38 + rng.normal(size=50) * 5
    rows = located(FLAT, "ra,dec\n" + "".join(f"{a!r},{d!r}\n" for a, d in zip(ra.tolist(), dec.tolist(), strict=True)))
    expected = crossmatch(to_table(FLAT), SkyCoord(ra, dec, unit="deg"))
    assert [list(row) for row in rows] == [KEYS] * 50
    np.testing.assert_allclose([row["searched_prob"] for row in rows], expected.searched_prob, rtol=0, atol=1e-9)
    np.testing.assert_allclose([row["searched_area_deg2"] for row in rows], expected.searched_area, rtol=1e-9)
    np.testing.assert_allclose([row["probdensity_per_sr"] for row in rows], expected.probdensity, rtol=1e-9)
    assert {row["searched_prob_vol"] for row in rows} == {None}
    assert {row["covered"] for row in rows} == {True}


def test_volume_levels_are_those_of_ligo_skymap() -> None:
    rng = np.random.default_rng(2)
    ra, dec, distance = 197.45 + rng.normal(size=20) * 3, -23.38 + rng.normal(size=20) * 3, rng.uniform(20, 60, size=20)
    lines = [f"{a!r},{d!r},{r!r}" for a, d, r in zip(ra.tolist(), dec.tolist(), distance.tolist(), strict=True)]
    rows = located(DEEP, "\n".join(["ra,dec,distance_mpc", *lines, "197.45,-23.38,"]))
    expected = crossmatch(to_table(DEEP), SkyCoord(ra * units.deg, dec * units.deg, distance * units.Mpc))
    np.testing.assert_allclose([row["searched_prob_vol"] for row in rows[:20]], expected.searched_prob_vol, rtol=0, atol=2e-3)
    assert rows[20]["searched_prob_vol"] is None
    assert rows[20]["searched_prob"] is not None


def test_distance_in_a_map_without_is_no_error() -> None:
    (row,) = located(FLAT, "ra,dec,distance_mpc\n197.45,-23.38,40\n")
    assert row["searched_prob_vol"] is None
    assert row["covered"] is True


def test_bad_row_has_nulls_and_a_reason_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    bad, good, worse = inside(capsys, "flat.fits", "ra,dec\nnan,0\n197.45,-23.38\n10,-91\n")
    assert list(bad) == [*KEYS, "reason"]
    assert {bad[key] for key in KEYS[3:]} == {None}
    assert (bad["row"], bad["ra"], bad["dec"]) == (0, None, 0.0)
    assert "reason" not in good
    assert good["searched_prob"] < 0.02
    assert worse["reason"] == "dec '-91' is no number of degrees from -90 to 90"


def test_right_ascension_360_is_0() -> None:
    zero, full = located(FLAT, "ra,dec\n0,10\n360,10\n")
    assert {key: zero[key] for key in KEYS[2:]} == {key: full[key] for key in KEYS[2:]}


def test_notice_that_carries_a_map_will_do(capsys: pytest.CaptureFixture[str]) -> None:
    alert = json_notices.igwn_alert()
    alert["event"]["skymap"] = base64.b64encode(to_fits(FLAT)).decode()
    Path("igwn.json").write_bytes(json_notices.as_bytes(alert))
    (row,) = inside(capsys, "igwn.json", "ra,dec\n197.45,-23.38\n")
    assert row["searched_prob"] < 0.02


def test_no_rows_are_nothing_found() -> None:
    Path("positions.csv").write_text("ra,dec\n")
    assert main(["inside", "flat.fits", "positions.csv"]) == 3


@pytest.mark.parametrize(
    ("skymap", "table", "sentence"),
    [
        ("none.fits", "ra,dec\n1,2\n", "the sky map none.fits cannot be read: No such file or directory"),
        ("flat.fits", "x,y\n1,2\n", "has no column ra"),
        ("noise", "ra,dec\n1,2\n", "noise is no sky map: not a message"),
        ("broken.fits", "ra,dec\n1,2\n", "the sky map broken.fits cannot be used: "),
        ("bare.json", "ra,dec\n1,2\n", "bare.json is a notice that carries no sky map and states no position with an error"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], skymap: str, table: str, sentence: str
) -> None:
    Path("noise").write_bytes(b"\x00\xff" * 99)
    Path("broken.fits").write_bytes(to_fits(FLAT)[:9000])
    Path("bare.json").write_bytes(json_notices.as_bytes(json_notices.snews()))
    Path("positions.csv").write_text(table)
    assert main(["inside", skymap, "positions.csv", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1


def test_table_for_people_names_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    Path("positions.csv").write_text("ra,dec\n197.45,-23.38\nx\x1b,1\n")
    assert main(["inside", "flat.fits", "positions.csv"]) == 0
    head, good, bad = capsys.readouterr().out.splitlines()
    assert head.split() == [*KEYS, "reason"]
    assert "yes" in good
    assert "is no number" in bad
    assert "\x1b" not in bad
