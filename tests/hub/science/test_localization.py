import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.sky import Annulus, Asymmetric, Circle, Ellipse, LocalizationSource, Polygon, StatedPosition
from hub.resources import read_text
from hub.science import healpix
from hub.science.levels import Levels2D
from hub.science.localization import localization_from_skymap, localize
from hub.science.localization_table import load_localization_table
from hub.science.overlap import overlap_integral, overlap_with_point, total_probability
from tests.support import skymaps

R90 = np.sqrt(-2 * np.log(0.1))
TABLE = load_localization_table(read_text("conf/localizations.toml"))
NGC4993 = (197.450, -23.381)


def drawn(region, *, ra=130.0, dec=20.0, containment=0.9, model=None, systematic=None):
    position = StatedPosition(ra_deg=ra, dec_deg=dec, region=region, containment=containment, systematic_included=systematic)
    localization = TABLE.localize(position, model)
    assert localization is not None
    return localization


def separation_deg(skymap, ra, dec):
    lon, lat = healpix.centres(skymap.lo, skymap.hi)
    return SkyCoord(lon * u.deg, lat * u.deg).separation(SkyCoord(ra * u.deg, dec * u.deg)).deg


def prob(skymap):
    return skymap.probdensity * healpix.area_sr(skymap.lo, skymap.hi)


@settings(max_examples=40, deadline=None)
@given(st.floats(-4, 1.6), st.floats(0, 359.999), st.floats(-90, 90), st.floats(0.3, 0.99))
def test_a_circle_holds_the_stated_probability(log_radius, ra, dec, containment):
    radius = 10**log_radius
    localization = drawn(Circle(radius_deg=radius), ra=ra, dec=dec, containment=containment)
    skymap = localization.skymap
    assert total_probability(skymap) == pytest.approx(1.0, abs=1e-9)
    assert healpix.area_sr(skymap.lo, skymap.hi).sum() == pytest.approx(4 * np.pi, rel=1e-12)
    assert len(skymap.lo) <= 25_000
    # The greedy area at the containment is the area of the circle, up to pixels of a fraction of its width.
    cap_deg2 = 2 * np.pi * (2 * np.sin(np.radians(radius) / 2) ** 2) * healpix.SR_TO_DEG2
    assert Levels2D.of(skymap).area_of_level(containment) == pytest.approx(cap_deg2, rel=0.04)
    peak = np.hypot(
        (localization.summary.peak_dec_deg - dec),
        0.0 if abs(dec) > 80 else ((localization.summary.peak_ra_deg - ra + 180) % 360 - 180) * np.cos(np.radians(dec)),
    )
    assert peak < radius


@pytest.mark.parametrize("radius_arcsec", [0.1, 1.4, 5.0])
def test_a_radius_of_arcseconds_is_resolved(radius_arcsec):
    localization = drawn(Circle(radius_deg=radius_arcsec / 3600))
    assert localization.summary.area90_deg2 == pytest.approx(np.pi * (radius_arcsec / 3600) ** 2, rel=0.03)
    assert not localization.remarks


def test_overlap_of_circles_is_the_flat_sky_formula():
    a, b = drawn(Circle(radius_deg=0.8 * R90)).skymap, drawn(Circle(radius_deg=0.5 * R90), ra=130.7, dec=20.3).skymap
    s2 = np.radians(0.8) ** 2 + np.radians(0.5) ** 2
    d = SkyCoord(130 * u.deg, 20 * u.deg).separation(SkyCoord(130.7 * u.deg, 20.3 * u.deg)).rad
    assert overlap_integral(a, b) == pytest.approx(2 / s2 * np.exp(-(d**2) / (2 * s2)), rel=0.003)


@pytest.mark.parametrize(("n_sigma", "error"), [(1, 0.01), (3, 0.015), (5, 0.05)])
def test_the_tail_is_right_out_to_five_standard_deviations(n_sigma, error):
    # A pixel of a fifth of sigma holds the mean of a density that falls e-fold in that width at five sigma.
    circle, sigma = drawn(Circle(radius_deg=0.2 * R90), dec=0.0).skymap, np.radians(0.2)
    narrow = drawn(Circle(radius_deg=0.05 * R90), ra=130.0 + 0.2 * n_sigma, dec=0.0).skymap
    s2 = sigma**2 * (1 + 0.25**2)
    assert overlap_integral(circle, narrow) == pytest.approx(2 / s2 * np.exp(-((n_sigma * sigma) ** 2) / (2 * s2)), rel=error)


def test_a_circle_agrees_with_a_gaussian_on_another_grid():
    circles = [drawn(Circle(radius_deg=8 * R90)).skymap, drawn(Circle(radius_deg=5 * R90), ra=135.0, dec=22.0).skymap]
    assert overlap_integral(*circles) == pytest.approx(64.32107, rel=0.005)
    assert overlap_integral(circles[0], skymaps.gaussian_map(135, 22, 5)) == pytest.approx(64.32107, rel=0.005)


@pytest.mark.parametrize(
    ("model", "ra", "dec", "radius", "with_systematics", "without"),
    [("fermi-gbm-ground", 186.62, -48.84, 17.45, 0.900, 0.931), ("fermi-gbm-final", 176.8, -39.8, 11.6, 0.974, 0.992)],
)
def test_fermi_systematics_put_the_kilonova_where_it_was(model, ra, dec, radius, with_systematics, without):
    for name, expected in ((model, with_systematics), (None, without)):
        localization = drawn(Circle(radius_deg=radius), ra=ra, dec=dec, containment=0.683, model=name)
        hits = Levels2D.of(localization.skymap).lookup(healpix.pixels29([NGC4993[0]], [NGC4993[1]]))
        assert hits.searched_prob[0] == pytest.approx(expected, abs=0.002)
        assert (localization.source is LocalizationSource.SYSTEMATIC) == (name is not None)


def test_systematics_that_are_included_are_not_added_again():
    plain = drawn(Circle(radius_deg=5.0))
    included = drawn(Circle(radius_deg=5.0), model="fermi-gbm-final", systematic=True)
    assert included.localization_id == plain.localization_id
    assert included.source is LocalizationSource.CIRCLE
    assert drawn(Circle(radius_deg=5.0), model="fermi-gbm-final", systematic=False).source is LocalizationSource.SYSTEMATIC


def test_a_wide_systematic_tail_keeps_its_share():
    skymap = drawn(Circle(radius_deg=0.1), containment=0.683, model="fermi-gbm-flight").skymap
    # Core of 7.5 deg and tail of 55.6 deg (68 % radii): beyond 30 deg there is only tail.
    far = prob(skymap)[separation_deg(skymap, 130, 20) > 30].sum()
    kappa = 1 / (0.66 * np.radians(55.6)) ** 2
    beyond = (np.exp(kappa * (np.cos(np.radians(30)) - 1)) - np.exp(-2 * kappa)) / (1 - np.exp(-2 * kappa))
    assert far == pytest.approx(0.103 * beyond, rel=0.03)


def test_an_unknown_systematic_model_is_an_error():
    with pytest.raises(ValueError, match="no systematic model"):
        TABLE.localize(StatedPosition(ra_deg=1, dec_deg=1, region=Circle(radius_deg=1)), "fermi-gbm-guess")


def test_an_unstated_containment_is_assumed_and_said():
    localization = drawn(Circle(radius_deg=2.0), containment=None)
    assert "68.3% is assumed" in localization.remarks[0]
    assert localization.localization_id == drawn(Circle(radius_deg=2.0), containment=0.683).localization_id


def test_statistical_errors_alone_are_said():
    assert drawn(Circle(radius_deg=1.0), systematic=False).remarks == ("The region holds statistical errors only.",)


@pytest.mark.parametrize("radius", [0.0, 1e-9])
def test_a_radius_of_nothing_is_widened_and_said(radius):
    localization = drawn(Circle(radius_deg=radius))
    assert "widened" in localization.remarks[0]
    assert localization.localization_id == drawn(Circle(radius_deg=0.1 / 3600)).localization_id


@pytest.mark.parametrize("position_angle", [0, 35, 90])
def test_an_ellipse_lies_along_its_position_angle(position_angle):
    region = Ellipse(semi_major_deg=6.0, semi_minor_deg=1.0, position_angle_deg=position_angle)
    skymap = drawn(region).skymap
    centre = SkyCoord(130 * u.deg, 20 * u.deg)
    assert Levels2D.of(skymap).area_of_level(0.9) == pytest.approx(np.pi * 6.0, rel=0.03)
    along = centre.directional_offset_by(position_angle * u.deg, 5 * u.deg)
    across = centre.directional_offset_by((position_angle + 90) * u.deg, 5 * u.deg)
    levels = Levels2D.of(skymap).lookup(healpix.pixels29([along.ra.deg, across.ra.deg], [along.dec.deg, across.dec.deg]))
    assert levels.searched_prob[0] == pytest.approx(1 - 0.1 ** ((5 / 6) ** 2), abs=0.03)
    assert levels.searched_prob[1] > 0.999


def test_asymmetric_errors_reach_farther_on_their_longer_side():
    skymap = drawn(Asymmetric(ra_plus_deg=6.56, ra_minus_deg=2.26, dec_plus_deg=1.0, dec_minus_deg=2.0), dec=0.0).skymap
    levels = Levels2D.of(skymap).lookup(healpix.pixels29([136.56, 127.74, 130, 130, 123.44], [0, 0, 1, -2, 0]))
    np.testing.assert_allclose(levels.searched_prob[:4], 0.9, atol=0.03)
    assert levels.searched_prob[4] > 0.999
    assert Levels2D.of(skymap).area_of_level(0.9) == pytest.approx(np.pi / 4 * (6.56 + 2.26) * (1 + 2), rel=0.03)


def test_a_ring_holds_the_stated_probability_within_its_width():
    skymap = drawn(Annulus(radius_deg=40.0, half_width_deg=2.0)).skymap
    distance = separation_deg(skymap, 130, 20)
    assert prob(skymap)[np.abs(distance - 40) < 2].sum() == pytest.approx(0.9, abs=0.02)
    assert prob(skymap)[distance < 30].sum() < 1e-6


def test_a_long_narrow_ring_stays_within_the_limit_of_pixels():
    localization = drawn(Annulus(radius_deg=80.0, half_width_deg=0.02))
    assert localization.summary.n_tiles <= 25_000
    assert total_probability(localization.skymap) == pytest.approx(1.0, abs=1e-9)
    assert "wider than its error" in localization.remarks[0]


@pytest.mark.parametrize("centre", [(15.0, 15.0), (0.0, 0.0), (123.0, 88.0)])
def test_a_polygon_is_uniform_inside_and_holds_its_probability(centre):
    middle = SkyCoord(centre[0] * u.deg, centre[1] * u.deg)
    points = [middle.directional_offset_by(angle * u.deg, 4 * u.deg) for angle in (0, 90, 180, 270)]
    corners = tuple((float(p.ra.deg), float(p.dec.deg)) for p in points)
    localization = drawn(Polygon(corners=corners), ra=centre[0], dec=centre[1])
    distance = separation_deg(localization.skymap, *centre)
    assert prob(localization.skymap)[distance < 4].sum() == pytest.approx(0.9, abs=0.01)
    inner = localization.skymap.probdensity[distance < 2]
    assert inner.max() == pytest.approx(inner.min(), rel=1e-9)
    assert localization.source is LocalizationSource.POLYGON


@pytest.mark.parametrize("region", [None, Polygon(corners=((0, 0), (1, 1))), Polygon(corners=((0, 0), (120, 0), (240, 0)))])
def test_what_cannot_be_drawn_gives_no_localization(region):
    assert localize(StatedPosition(ra_deg=10, dec_deg=10, region=region, containment=0.9)) is None


def test_a_point_in_a_circle_gets_the_density_there():
    skymap = drawn(Circle(radius_deg=1.0 * R90)).skymap
    at_peak = overlap_with_point(skymap, int(healpix.pixels29(130.0, 20.0)))
    assert at_peak == pytest.approx(2 / np.radians(1.0) ** 2, rel=0.02)


def test_the_same_map_has_the_same_localization_id():
    skymap = skymaps.gaussian_map(130, 20, 8, 4, 2)
    localization = localization_from_skymap(skymap, ("A remark.",))
    assert localization.localization_id == skymap.digest()
    assert localization.source is LocalizationSource.SKYMAP
    assert localization.remarks == ("A remark.",)
    assert localization.summary.n_tiles == len(skymap.lo)
