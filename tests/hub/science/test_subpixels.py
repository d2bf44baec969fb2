"""Against astropy-healpix, which takes one pixel at a time through longitude and latitude."""

import numpy as np
import pytest
from astropy import units as u
from astropy_healpix import healpix_to_lonlat

from hub.model.sky import Annulus, Asymmetric, Circle, Ellipse, Polygon, Region, StatedPosition
from hub.resources import read_text
from hub.science import localization
from hub.science.healpix import MAX_ORDER, Floats, Int64s
from hub.science.localization_table import load_localization_table
from hub.science.subpixels import centre_vectors


def slow_vectors(lo: Int64s, hi: Int64s, parts: int = 1) -> Floats:
    """Return the centres of the nested children that the parts are, through angles."""
    step = (hi - lo) // parts**2
    children = lo[None, :] + step[None, :] * np.arange(parts**2)[:, None]
    order = MAX_ORDER - np.round(np.log2(step.astype(np.float64)) / 2).astype(np.int64)
    lon, lat = (angle.to_value(u.rad) for angle in healpix_to_lonlat(children // step, 1 << order, order="nested"))
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def by_child(vectors: Floats, parts: int) -> Floats:
    """Put parts into the nested order of children: bits of x and y take turns."""
    child = np.arange(parts**2)
    x = sum(((child >> 2 * bit) & 1) << bit for bit in range(4))
    y = sum(((child >> 2 * bit + 1) & 1) << bit for bit in range(4))
    return vectors[:, x * parts + y]


@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("order", [0, 1, 2, 5, 13, 20, 26])
def test_parts_lie_where_the_children_of_a_pixel_lie(order: int, parts: int) -> None:
    number = 12 << (2 * order)
    some = np.arange(number) if order < 5 else np.random.default_rng(order).integers(0, number, 3000)
    # The four pixels around each pole, and the corners of a base pixel.
    some = np.concatenate((some, (np.arange(12) + 1) * (number // 12) - 1, np.arange(12) * (number // 12)))
    size = np.int64(1) << (2 * (MAX_ORDER - order))
    lo = some * size
    found = centre_vectors(lo, lo + size, parts)
    assert found.shape == (3, parts**2, len(lo))
    np.testing.assert_allclose(by_child(found, parts), slow_vectors(lo, lo + size, parts), rtol=0, atol=3e-15)
    np.testing.assert_allclose(np.square(found).sum(axis=0), 1.0, rtol=0, atol=1e-15)


def test_pixels_of_different_orders_may_be_asked_for_together() -> None:
    lo = np.array([0, 1 << 58, 5 << 58, (11 << 58) + (1 << 56)], dtype=np.int64)
    hi = lo + np.array([1 << 58, 1 << 56, 1 << 30, 1 << 56])
    one_by_one = [centre_vectors(lo[i : i + 1], hi[i : i + 1], 4) for i in range(4)]
    np.testing.assert_array_equal(centre_vectors(lo, hi, 4), np.concatenate(one_by_one, axis=2))


def test_a_pole_keeps_its_digits() -> None:
    first = np.array([(1 << 58) - 1], dtype=np.int64)  # the northernmost pixel of the finest order
    x, y, _ = centre_vectors(first, first + 1)[:, 0, 0]
    # Half a pixel's diagonal from the pole: away = sqrt(2/3) / nside, by z = 1 - (1/nside)^2 / 3.
    assert np.hypot(x, y) == pytest.approx(np.sqrt(2 / 3) / (1 << MAX_ORDER), rel=1e-12)


@pytest.mark.parametrize(
    ("region", "model"),
    [
        (Circle(radius_deg=0.05), None),
        (Circle(radius_deg=12.0), None),
        (Circle(radius_deg=3.0), "fermi-gbm-final"),
        (Ellipse(semi_major_deg=3.0, semi_minor_deg=0.2, position_angle_deg=40.0), None),
        (Asymmetric(ra_plus_deg=1.0, ra_minus_deg=2.0, dec_plus_deg=0.3, dec_minus_deg=0.5), None),
        (Annulus(radius_deg=30.0, half_width_deg=0.5), None),
        (Polygon(corners=((140.0, -2.0), (142.0, -2.0), (142.0, 1.0), (140.0, 1.0))), None),
    ],
)
@pytest.mark.parametrize("dec_deg", [-20.0, 89.99])
def test_maps_are_those_that_the_slow_way_gives(
    monkeypatch: pytest.MonkeyPatch, region: Region, model: str | None, dec_deg: float
) -> None:
    position = StatedPosition(ra_deg=141.0, dec_deg=dec_deg, region=region, containment=0.9)
    table = load_localization_table(read_text("conf/localizations.toml"))
    found = table.localize(position, model)
    monkeypatch.setattr(localization, "centre_vectors", slow_vectors)
    expected = table.localize(position, model)
    assert found is not None
    assert expected is not None
    np.testing.assert_array_equal(found.skymap.lo, expected.skymap.lo)
    np.testing.assert_array_equal(found.skymap.hi, expected.skymap.hi)
    peak = expected.skymap.probdensity.max()
    np.testing.assert_allclose(found.skymap.probdensity / peak, expected.skymap.probdensity / peak, rtol=0, atol=2e-12)
