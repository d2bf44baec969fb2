import csv
import math

import pytest

from hub.errors import ConfigError
from hub.resources import read_text
from hub.science.families import BANDS, load_families

TEXT = read_text("conf/families.toml")
FAMILIES = load_families(TEXT)
NAMES = sorted(FAMILIES.by_name)
AT2017GFO_MPC, MERGER_MJD = 40.7, 57982.5285


def test_the_shipped_families_are_those_that_hypotheses_need() -> None:
    assert NAMES == [
        "AGN flare",
        "afterglow off axis",
        "afterglow on axis",
        "kilonova",
        "supernova II",
        "supernova Ia",
        "supernova Ibc",
        "tidal disruption",
    ]


def test_the_kilonova_family_holds_at2017gfo_within_its_spread(recorded) -> None:
    off = []
    with (recorded / "catalogs" / "AT2017gfo_optical.csv").open() as file:
        for row in csv.DictReader(file):
            days, band = float(row["mjd"]) - MERGER_MJD, row["filter"].removeprefix("sdss").removeprefix("ps1::")
            if band in BANDS and 0.4 < days < 10 and float(row["flux"] or 0) > 3 * float(row["fluxerr"] or "inf"):
                mag = float(row["zp"]) - 2.5 * math.log10(float(row["flux"]))
                expected = FAMILIES.expected_magnitude("kilonova", days, AT2017GFO_MPC, band, ebv=0.11)
                off.append((mag - expected.mean) / expected.std)
    assert len(off) >= 30
    assert max(map(abs, off)) < 1.5
    assert abs(sum(off) / len(off)) < 0.7


def test_distance_and_dust_dim() -> None:
    near = FAMILIES.expected_magnitude("kilonova", 1.0, 40.0, "g")
    far = FAMILIES.expected_magnitude("kilonova", 1.0, 400.0, "g")
    red = FAMILIES.expected_magnitude("kilonova", 1.0, 40.0, "g", ebv=0.1)
    assert far.mean - near.mean == pytest.approx(5.0)
    assert red.mean - near.mean == pytest.approx(0.3237)
    assert near.std == far.std == FAMILIES.of("kilonova").spread_mag


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("band", BANDS)
def test_every_family_is_faint_before_brightest_at_its_peak_and_fades_afterwards(name: str, band: str) -> None:
    family = FAMILIES.of(name)
    peak = family.abs_mag(family.rise_d, band)
    assert math.isinf(family.abs_mag(-0.1, band))
    assert family.abs_mag(family.rise_d * 0.5, band) > peak
    later = [family.abs_mag(family.rise_d * factor, band) for factor in (1, 2, 4, 8, 16)]
    assert later == sorted(later)
    assert family.rate_mag_per_d(-1.0, 1.0, band) is None


def test_an_unknown_band_stands_where_red_does_and_a_prefix_is_passed_over() -> None:
    kilonova = FAMILIES.of("kilonova")
    assert kilonova.abs_mag(1.0, "w") == kilonova.abs_mag(1.0, "r") == kilonova.abs_mag(1.0, "")
    assert kilonova.abs_mag(1.0, "lsstg") == kilonova.abs_mag(1.0, "g")
    assert FAMILIES.of("tidal disruption").abs_mag(1.0, "y") == FAMILIES.of("tidal disruption").abs_mag(1.0, "i")


def test_the_dust_of_the_galaxy_grows_towards_its_plane_and_ends() -> None:
    values = [FAMILIES.dust.ebv(b) for b in (90.0, -30.0, 5.0, 0.0)]
    assert values == sorted(values)
    assert values[0] == FAMILIES.dust.ebv_at_pole
    assert values[-1] == FAMILIES.dust.largest_ebv


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('name = "kilonova"\nshape = "linear"', 'name = "kilonova"\nshape = "power"', "family 'kilonova': unknown key"),
        ("spread_mag = 1.5\n", "spread_mag = 0\n", "spread_mag of family 'kilonova' must be larger than 0"),
        ("spread_mag = 1.5\n", "", "family 'kilonova': missing key 'spread_mag'"),
        ("{ u = -15.2,", "{ q = -15.2,", "peak_abs_mag: 'q' is no band of ugrizy"),
        ('name = "supernova Ia"', 'name = "kilonova"', "two families have one name"),
        ("version = 1", "version = 1\nmore = 2", "unknown key 'more'"),
        ("[dust]", "[dusty]", "unknown key 'dusty'"),
        ("version = 1", "version =", "Invalid value"),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence(before: str, after: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load_families(TEXT.replace(before, after, 1))


def test_an_unknown_family_and_no_distance_are_named() -> None:
    with pytest.raises(ConfigError, match="there is no light-curve family 'nova': there are AGN flare"):
        FAMILIES.expected_magnitude("nova", 1.0, 40.0, "r")
    with pytest.raises(ValueError, match="larger than 0 Mpc"):
        FAMILIES.expected_magnitude("kilonova", 1.0, 0.0, "r")
