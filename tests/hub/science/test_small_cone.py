import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.science.small_cone import LARGEST_ARCSEC, cell_of, cells_around, cells_around_all, separation_arcsec


@given(
    st.floats(0, 359.999),
    st.floats(-1, 1),
    st.floats(0, 2 * np.pi),
    st.floats(0, 1),
    st.floats(0.1, LARGEST_ARCSEC),
)
def test_every_place_within_a_cone_lies_in_one_of_its_cells(ra, sine, angle, part, radius):
    dec = float(np.degrees(np.arcsin(sine)))
    cosine = max(np.cos(np.radians(dec)), 1e-9)
    away = part * radius / 3600
    other_dec = dec + away * float(np.sin(angle))
    other_ra = (ra + away * float(np.cos(angle)) / cosine) % 360
    if abs(other_dec) > 90 or separation_arcsec(ra, dec, other_ra, other_dec) > radius:
        return
    assert cell_of(other_ra, other_dec) in cells_around(ra, dec, radius)


@pytest.mark.parametrize("dec", [90.0, -90.0, 89.9999])
def test_a_cone_at_a_pole_reaches_over_it(dec):
    sign = np.sign(dec)
    for ra in (0.0, 90.0, 180.0, 270.0):
        assert cell_of(ra, sign * (90 - 1.0 / 3600)) in cells_around(0.0, dec, 3.0)


def test_separations_are_exact_where_they_are_small():
    assert separation_arcsec(10.0, 0.0, 10.0 + 1e-6, 0.0) == pytest.approx(0.0036, rel=1e-6)
    assert separation_arcsec(0.0, 60.0, 1.0 / 3600, 60.0) == pytest.approx(0.5, rel=1e-6)


def test_a_wide_cone_is_refused():
    with pytest.raises(ValueError, match="too wide"):
        cells_around(0.0, 0.0, 60.0)


@pytest.mark.parametrize("radius", [0.5, 1.5, 6.0])
def test_the_cells_of_many_cones_are_found_at_once(radius):
    rng = np.random.default_rng(5)
    ra = np.concatenate([rng.uniform(0, 360, 200), [0.0, 0.0, 45.0, 90.0]])
    dec = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 200))), [90.0, -90.0, 41.8103149, 0.0]])
    place, cell = cells_around_all(ra, dec, radius)
    assert (np.diff(place) >= 0).all()
    for number, (one_ra, one_dec) in enumerate(zip(ra.tolist(), dec.tolist(), strict=True)):
        found = set(cell[place == number].tolist())
        assert cell_of(one_ra, one_dec) in found
        for angle in np.linspace(0, 2 * np.pi, 9):
            other_dec = one_dec + radius / 3600 * np.sin(angle)
            other_ra = (one_ra + radius / 3600 * np.cos(angle) / max(np.cos(np.radians(one_dec)), 1e-9)) % 360
            if abs(other_dec) <= 90 and separation_arcsec(one_ra, one_dec, other_ra, other_dec) <= radius:
                assert cell_of(other_ra, other_dec) in found
    with pytest.raises(ValueError, match="too wide"):
        cells_around_all(ra, dec, 7.0)
