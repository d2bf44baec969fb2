"""The contracts of ``mmhub overlap --json`` and ``mmhub joint-far --json``."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.cli.app import main
from hub.model.sky import Skymap, whole_sky
from hub.science.healpix import centres, ranges_of_uniq
from hub.science.overlap import overlap_integral
from hub.science.skymap_fits import to_fits
from tests.support import json_notices
from tests.support.skymaps import gaussian_map

KEYS = {"far_time_hz", "far_spacetime_hz", "random_association_hz", "window_s", "rate_hz", "method"}
GW, GRB, SMALL, FAR_AWAY = (130.0, 20.0, 8.0), (135.0, 22.0, 5.0), (130.0, 20.0, 1.0), (310.0, -20.0, 1.0)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert main([*words, "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
    assert isinstance(found, dict)
    return found


def sentence(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def write_maps() -> None:
    for name, gaussian in (("gw.fits", GW), ("grb.fits", GRB), ("small.fits", SMALL), ("away.fits", FAR_AWAY)):
        Path(name).write_bytes(to_fits(gaussian_map(*gaussian)))


def test_the_overlap_of_two_maps_is_exact_and_the_same_either_way(capsys: pytest.CaptureFixture[str]) -> None:
    write_maps()
    assert answer(capsys, "overlap", "gw.fits", "grb.fits") == {"overlap": pytest.approx(64.32107, rel=1e-6)}
    assert answer(capsys, "overlap", "grb.fits", "gw.fits") == {"overlap": pytest.approx(64.32107, rel=1e-6)}


def test_a_notice_with_a_position_is_as_good_as_a_map(capsys: pytest.CaptureFixture[str]) -> None:
    Path("gbm.json").write_bytes(json_notices.as_bytes(json_notices.gbm()))
    assert answer(capsys, "overlap", "gbm.json", "gbm.json")["overlap"] > 1.0


@pytest.mark.parametrize("stated", [0, 1, 1.5, 90, -0.5, "nan"])
def test_a_position_of_no_possible_containment_is_refused(capsys: pytest.CaptureFixture[str], stated: Any) -> None:
    write_maps()
    body = json.dumps(json_notices.gbm(containment_probability=float(stated)))  # NaN is no JSON, and some write it
    Path("odd.json").write_text(body)
    why = f"odd.json states a containment of {float(stated)}, which is no probability between 0 and 1"
    Path("places.csv").write_text("ra,dec\n130,20\n")
    for words in (
        ("overlap", "gw.fits", "odd.json"),
        ("overlap", "odd.json", "gw.fits"),
        ("joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", "--maps", "odd.json", "gw.fits"),
        ("inside", "odd.json", "places.csv"),
    ):
        assert why in sentence(capsys, *words)


@pytest.mark.parametrize("radius", ["0", "-1", "NaN", "Infinity", "1e999", "400"])
def test_a_position_of_no_possible_radius_is_refused(capsys: pytest.CaptureFixture[str], radius: str) -> None:
    write_maps()
    Path("odd.json").write_text(json.dumps(json_notices.gbm(ra_dec_error=777)).replace("777", radius))
    Path("places.csv").write_text("ra,dec\n130,20\n")
    for words in (("overlap", "gw.fits", "odd.json"), ("inside", "odd.json", "places.csv")):
        assert "states no position with an error" in sentence(capsys, *words)


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
@pytest.mark.parametrize("option", ["--overlap", "--rate-per-year", "--rate-gw-per-year", "--far-gw"])
def test_a_number_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    said = sentence(capsys, "joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", f"{option}={value}")
    assert "must be a number of at least 0" in said


def test_the_joint_rate_says_everything_that_it_was_computed_from(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", "--profile", "raven", "--overlap", "64.2072")
    found = answer(capsys, *words, "--rate-gw-per-year", "100")
    assert set(found) == KEYS
    assert found["far_time_hz"] == pytest.approx(5.898021308980213e-12, rel=1e-12)
    assert found["far_spacetime_hz"] == pytest.approx(9.185917986e-14, rel=1e-6)
    assert found["random_association_hz"] == pytest.approx(6 * 310 * 100 / (365 * 86400) ** 2 / 64.2072, rel=1e-12)
    assert (found["window_s"], found["method"]) == ([-1.0, 5.0], "untargeted")
    assert found["rate_hz"] == pytest.approx(310 / (365 * 86400), rel=1e-12)


def test_a_rate_that_is_given_overrides_that_of_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "joint-far", "--far-gw", "3.47773444765e-12", "--pair", "grb-cbc", "--rate-per-year", "310")
    assert found["far_time_hz"] == pytest.approx(2.0513e-16, rel=1e-4)
    assert found["far_spacetime_hz"] is None
    assert "no localization" in found["reason"]


def test_the_overlap_is_computed_from_maps(capsys: pytest.CaptureFixture[str]) -> None:
    write_maps()
    words = ("joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", "--profile", "raven", "--maps")
    found = answer(capsys, *words, "gw.fits", "grb.fits")
    assert found["far_spacetime_hz"] == pytest.approx(5.898021308980213e-12 / 64.32107, rel=1e-6)
    apart = answer(capsys, *words, "small.fits", "away.fits")
    assert apart["far_spacetime_hz"] is None
    assert "do not overlap" in apart["reason"]


def test_outside_the_thresholds_the_reason_is_told_and_the_code_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("joint-far", "--far-gw", "1e-3", "--pair", "SUBGRB_TARGETED_FERMI-CBC", "--far-ext", "5e-6")
    found = answer(capsys, *words, code=1)
    assert found["far_time_hz"] is None
    assert "outside the thresholds" in found["reason"]
    assert "outside the thresholds" in sentence(capsys, *words)
    assert answer(capsys, *words, "--far-gw-max", "0.01")["far_time_hz"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pair", "GRB"), "there is no search 'GRB': there are GRB-CBC"),
        (("--pair", "GRB-CBC", "--profile", "mine"), "there is no profile 'mine': there are gwcelery, raven"),
        (("--pair", "GRB-CBC", "--overlap", "-1"), "the overlap must be a number of at least 0"),
        (("--pair", "GRB-CBC", "--overlap", "1", "--maps", "a", "b"), "give --overlap or --maps, not both"),
        (("--pair", "SUBGRB_TARGETED_SWIFT-CBC"), "needs the false-alarm rate of the external trigger"),
        (("--pair", "GRB-CBC", "--maps", "a", "b"), "the sky map a cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert said in sentence(capsys, "joint-far", "--far-gw", "1e-7", *words)


def test_people_read_how_often_in_years(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", "--overlap", "64"]) == 0
    out = capsys.readouterr().out
    assert "GRB-CBC, untargeted, external trigger -1 to +5 s after the gravitational wave" in out
    assert "unrelated real events" in out
    assert "once in" in out


def test_a_map_of_the_whole_sky_counts_as_no_spatial_information(capsys: pytest.CaptureFixture[str]) -> None:
    write_maps()
    Path("all.fits").write_bytes(to_fits(whole_sky()))
    found = answer(capsys, "overlap", "all.fits", "gw.fits")
    assert found == {"overlap": pytest.approx(1.0, rel=1e-12), "reason": "no spatial information: all.fits is the whole sky"}
    assert main(["overlap", "gw.fits", "all.fits"]) == 0
    assert capsys.readouterr().out == "1 (no spatial information: all.fits is the whole sky)\n"


def spot_map(share: float = 0.05, *, hole: bool = False) -> Skymap:
    """Return a map with a share of its probability in a spot of about 13 deg2 and the rest anywhere; with a hole, none around."""
    n = 12 * 4**5
    lo, hi = ranges_of_uniq(np.arange(n) + 4 * 4**5)
    ra, dec = (np.radians(one) for one in centres(lo, hi))
    near = np.degrees(
        np.arccos(
            np.clip(
                np.sin(dec) * np.sin(np.radians(22)) + np.cos(dec) * np.cos(np.radians(22)) * np.cos(ra - np.radians(135)), -1, 1
            )
        )
    )
    inside = near < (20.0 if hole else 2.0)
    pixel = 4 * np.pi / n
    density = np.where(
        inside, 0.0 if hole else share / (inside.sum() * pixel), (1.0 - (0.0 if hole else share)) / ((~inside).sum() * pixel)
    )
    return Skymap(lo=lo, hi=hi, probdensity=density)


def test_a_broad_map_that_says_something_has_its_exact_overlap_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    spot, hole, narrow = spot_map(), spot_map(hole=True), gaussian_map(135.0, 22.0, 0.5)
    for name, one in (("spot.fits", spot), ("hole.fits", hole), ("narrow.fits", narrow)):
        Path(name).write_bytes(to_fits(one))
    found = answer(capsys, "overlap", "spot.fits", "narrow.fits")
    assert found == {"overlap": pytest.approx(overlap_integral(spot, narrow), rel=1e-6)}
    assert found["overlap"] > 100.0
    assert answer(capsys, "overlap", "hole.fits", "narrow.fits") == {"overlap": pytest.approx(0.0, abs=1e-12)}
    words = ("joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", "--maps")
    joint = answer(capsys, *words, "spot.fits", "narrow.fits")
    assert joint["far_spacetime_hz"] == pytest.approx(joint["far_time_hz"] / found["overlap"], rel=1e-9)
    assert "reason" not in joint


def test_a_joint_rate_by_a_map_that_says_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    write_maps()
    Path("all.fits").write_bytes(to_fits(whole_sky()))
    words = ("joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", "--maps", "all.fits", "gw.fits")
    found = answer(capsys, *words)
    assert found["far_spacetime_hz"] == found["far_time_hz"]
    assert found["reason"] == "no spatial information: all.fits is the whole sky"
    assert main([*words]) == 0
    assert "no spatial information: all.fits is the whole sky" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--pair", "SUBGRB_TARGETED_FERMI-CBC", "--far-ext", "5e-6", "--rate-per-year", "375"),
            "SUBGRB_TARGETED_FERMI-CBC is targeted: --far-ext counts, and --rate-per-year 375 does not",
        ),
        (("--pair", "GRB-CBC", "--far-ext", "5e-6"), "--far-ext 5e-06 does not"),
        (("--pair", "GRB-CBC", "--rate-gw-per-year", "1"), "--far-gw, which counts: --rate-gw-per-year 1 is less"),
    ],
)
def test_a_number_that_does_not_count_is_told(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    found = answer(capsys, "joint-far", "--far-gw", "1e-7", *words)
    assert said in found["reason"]
    assert found["random_association_hz"] >= found["far_time_hz"]
    if "--rate-per-year" in words:
        assert found["rate_hz"] == 5e-6
    assert main(["joint-far", "--far-gw", "1e-7", *words]) == 0
    assert said in capsys.readouterr().out


def test_unrelated_events_are_told_as_no_rarer_than_noise(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "joint-far", "--far-gw", "1e-5", "--pair", "GRB-BURST")
    assert found["random_association_hz"] == pytest.approx(found["far_time_hz"], rel=1e-12)


def test_an_overlap_near_nothing_is_not_called_none(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", "--overlap", "1e-320")
    assert found["far_spacetime_hz"] is None
    assert "do not overlap" not in found["reason"]
    assert "overlap by 1e-320 only" in found["reason"]


def test_an_event_that_one_detector_saw_has_its_exact_overlap_and_no_spatial_information(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_maps()
    alert = json_notices.igwn_alert()
    alert["event"] |= {"instruments": ["L1"], "skymap": base64.b64encode(Path("gw.fits").read_bytes()).decode()}
    Path("one.json").write_bytes(json_notices.as_bytes(alert))
    reason = "no spatial information: one.json was seen by too few detectors"
    assert answer(capsys, "overlap", "one.json", "grb.fits") == {"overlap": pytest.approx(64.32107, rel=1e-6), "reason": reason}
    joint = answer(capsys, "joint-far", "--far-gw", "1e-7", "--pair", "GRB-CBC", "--maps", "one.json", "grb.fits")
    assert (joint["far_spacetime_hz"], joint["reason"]) == (joint["far_time_hz"], reason)
