import io

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from ligo.skymap.io import read_sky_map
from ligo.skymap.postprocess.crossmatch import crossmatch

from hub.demo.published import GW_T0, KILONOVA_DEC_DEG, KILONOVA_RA_DEG
from hub.demo.skymap import Distance, banana_around, refine, skymap_fits

CASES = [(190.0, 11.0, 0.3), (28.0, 4.6, 0.85), (31.0, 4.8, 0.5)]


def made(area, length, level, turn=40.0):
    return banana_around(
        KILONOVA_RA_DEG, KILONOVA_DEC_DEG, level=level, turn_deg=turn, angle_deg=-30.0, area90_deg2=area, length_deg=length
    )


@pytest.mark.parametrize(("area", "length", "level"), CASES)
def test_area_and_level_are_as_ordered_when_ligo_skymap_reads_the_map(area, length, level, tmp_path):
    banana = made(area, length, level)
    distance = Distance(mu_mpc=36.0, sigma_mpc=9.0)
    data = skymap_fits(banana, distance, superevent="S170817ht", t0=GW_T0, made=GW_T0.plus_s(100), detectors="H1,L1")
    path = tmp_path / "map.fits"
    path.write_bytes(data)
    table = read_sky_map(path, moc=True, distances=True)
    assert set(table["DISTMU"]) == {36.0}
    table.keep_columns(["UNIQ", "PROBDENSITY"])  # with distance columns crossmatch adds the volume, which takes half a minute
    result = crossmatch(table, SkyCoord(KILONOVA_RA_DEG * u.deg, KILONOVA_DEC_DEG * u.deg), contours=(0.9,))
    assert result.contour_areas[0] == pytest.approx(area, rel=0.03)
    assert result.searched_prob == pytest.approx(level, abs=0.03)
    assert banana.level_at(KILONOVA_RA_DEG, KILONOVA_DEC_DEG) == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize("turn", [0.0, 90.0, 200.0, 300.0])
def test_the_level_holds_wherever_on_the_contour_the_position_lies(turn):
    banana = made(28.0, 4.6, 0.6, turn)
    assert banana.level_at(KILONOVA_RA_DEG, KILONOVA_DEC_DEG) == pytest.approx(0.6, abs=1e-6)


def test_refinement_gives_the_pixels_of_a_bayestar_map_that_cover_the_sphere_once():
    uniq, density = refine(made(28.0, 4.6, 0.5))
    order = np.log2(uniq // 4).astype(int) // 2
    assert len(uniq) == len(set(uniq.tolist())) == 19_200
    assert np.sum(np.pi / 3 / 4.0**order) == pytest.approx(4 * np.pi)
    assert np.sum(density * np.pi / 3 / 4.0**order) == pytest.approx(1.0)


def test_the_distance_is_the_published_one():
    for mu, sigma in ((34.0, 10.5), (35.0, 9.5), (36.0, 9.0)):
        distance = Distance(mu_mpc=mu, sigma_mpc=sigma)
        radius = np.linspace(0, 200, 200_001)
        density = distance.norm * radius**2 * np.exp(-0.5 * ((radius - mu) / sigma) ** 2) / sigma / np.sqrt(2 * np.pi)
        mean = np.trapezoid(radius * density, radius)
        assert np.trapezoid(density, radius) == pytest.approx(1.0, abs=2e-3)
        assert distance.mean_mpc == pytest.approx(mean, rel=1e-3)
        assert distance.std_mpc == pytest.approx(np.sqrt(np.trapezoid((radius - mean) ** 2 * density, radius)), rel=1e-2)
        assert distance.mean_mpc == pytest.approx(40.0, abs=1.0)
        assert 8.0 < distance.std_mpc < 14.0


def test_the_map_says_that_it_is_made_up():
    data = skymap_fits(
        made(28.0, 4.6, 0.5), Distance(mu_mpc=36.0, sigma_mpc=9.0), superevent="S170817ht", t0=GW_T0, made=GW_T0, detectors="H1"
    )
    with fits.open(io.BytesIO(data)) as hdus:
        header = hdus[1].header
        assert header["ORDERING"] == "NUNIQ"
        assert header["ORIGIN"] == "synthesised"
        assert header["DATE-OBS"].startswith("2017-08-17T12:41:04.43")
