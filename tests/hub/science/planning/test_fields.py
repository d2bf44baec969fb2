"""Fields of view against plain trigonometry and simulated areas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.science.planning.fields import Field, Shape

ras, decs = st.floats(0.0, 360.0, exclude_max=True), st.floats(-90.0, 90.0)
fovs = st.floats(0.01, 60.0)


def separation_deg(ra1, dec1, ra2, dec2):
    """Haversine."""
    ra1, dec1, ra2, dec2 = map(np.radians, (ra1, dec1, ra2, dec2))
    half = np.sin((dec2 - dec1) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra2 - ra1) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))


@given(ra=ras, dec=decs, fov=fovs, share=st.floats(0.0, 0.999), angle=st.floats(0.0, 2 * np.pi))
def test_a_circle_holds_what_is_nearer_than_its_radius(ra, dec, fov, share, angle):
    field = Field(fov_deg=fov, shape=Shape.CIRCLE)
    r = np.radians(fov / 2 * share)
    # A step of r from the centre, by spherical trigonometry.
    sine = np.sin(np.radians(dec)) * np.cos(r) + np.cos(np.radians(dec)) * np.sin(r) * np.cos(angle)
    there = np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))
    turn = np.arctan2(
        np.sin(angle) * np.sin(r) * np.cos(np.radians(dec)), np.cos(r) - np.sin(np.radians(dec)) * np.sin(np.radians(there))
    )
    assert field.contains(ra, dec, np.array([(ra + np.degrees(turn)) % 360.0]), np.array([there]))[0]


@given(ra=ras, dec=decs, fov=fovs)
def test_corners_of_a_square_are_as_far_as_its_reach_and_on_its_border(ra, dec, fov):
    field = Field(fov_deg=fov)
    corners = field.corners(ra, dec)
    assert separation_deg(ra, dec, corners[:, 0], corners[:, 1]) == pytest.approx(field.reach_deg, rel=1e-6)
    towards = np.array([ra, dec])
    inner = Field(fov_deg=fov * 1.001)
    outer = Field(fov_deg=fov * 0.999)
    assert inner.contains(*towards, corners[:, 0], corners[:, 1]).all()
    assert not outer.contains(*towards, corners[:, 0], corners[:, 1]).any()


def test_corners_go_from_north_east_to_north_west():
    (ne_ra, ne_dec), (se_ra, se_dec), (sw_ra, sw_dec), (nw_ra, nw_dec) = Field(fov_deg=2.0).corners(100.0, -30.0)
    assert ne_ra > 100.0 > nw_ra
    assert se_ra > 100.0 > sw_ra
    assert min(ne_dec, nw_dec) > -30.0 > max(se_dec, sw_dec)


@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize(("fov", "dec"), [(3.0, 0.0), (9.6, -88.0), (40.0, 60.0), (89.0, 10.0)])
def test_area_is_the_share_of_random_places_inside(shape, fov, dec):
    rng = np.random.default_rng(1)
    n = 400_000
    field = Field(fov_deg=fov, shape=shape)
    # Random places of the cap that just holds the field, so that small fields have many.
    least = np.cos(np.radians(field.reach_deg))
    cosine = rng.uniform(least, 1.0, n)
    angle = rng.uniform(0.0, 2 * np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    d = np.radians(dec)
    centre = np.array([np.cos(d), 0.0, np.sin(d)])
    east, north = np.array([0.0, 1.0, 0.0]), np.array([-np.sin(d), 0.0, np.cos(d)])
    points = cosine[:, None] * centre + sine[:, None] * (np.cos(angle)[:, None] * east + np.sin(angle)[:, None] * north)
    inside = field.contains(0.0, dec, np.degrees(np.arctan2(points[:, 1], points[:, 0])), np.degrees(np.arcsin(points[:, 2])))
    cap_deg2 = 2 * np.pi * (1 - least) * (180 / np.pi) ** 2
    expected = inside.mean() * cap_deg2
    error = cap_deg2 * np.sqrt(max(inside.mean() * (1 - inside.mean()), 1e-9) / n)
    assert abs(field.area_deg2 - expected) < 4 * error + 1e-6 * cap_deg2


@pytest.mark.parametrize("fov", [0.0, -1.0, 91.0, float("nan"), float("inf")])
def test_a_width_that_is_none_is_refused(fov):
    with pytest.raises(ValueError, match="field of view"):
        Field(fov_deg=fov)
