import numpy as np
import pytest

from hub.demo.published import GRB_T0, GW_T0, KILONOVA_FIRST_SEEN, LIGHT_CURVE_AB, flux_njy, kilonova_flux_njy


def test_the_times_agree_with_each_other():
    assert GW_T0.to_utc_iso() == "2017-08-17T12:41:04.430000Z"
    assert GRB_T0.minus(GW_T0) == pytest.approx(2.04)
    assert KILONOVA_FIRST_SEEN.minus(GW_T0) / 3600 == pytest.approx(10.87, abs=0.01)


def test_a_magnitude_of_zero_is_3631_jansky():
    assert flux_njy(0.0) == pytest.approx(3631e9)
    assert flux_njy(23.9) == pytest.approx(1000, rel=0.002)


def test_there_is_no_light_before_the_merger():
    assert np.all(kilonova_flux_njy(np.array([-1.0, -0.01, 0.0]), "g") == 0)


def test_the_kilonova_reddens_as_it_fades():
    days = np.array([0.45, 1.45, 2.4, 3.4])
    ratio = kilonova_flux_njy(days, "g") / kilonova_flux_njy(days, "i")
    assert np.all(np.diff(ratio) < 0)


def test_the_table_is_within_a_quarter_magnitude_of_the_recorded_photometry(recorded):
    """The compilation in the recorded data: flux in units of zero point 23.9, i.e. microjansky."""
    lines = (recorded / "catalogs" / "AT2017gfo_optical.csv").read_text().splitlines()[1:]
    differences = []
    for band, mjd, flux, *_ in (line.split(",") for line in lines):
        days = float(mjd) - GW_T0.mjd_utc
        if flux and band.startswith("ps1::") and band[-1] in LIGHT_CURVE_AB and 0.4 < days < 7:
            differences.append(-2.5 * np.log10(1000 * float(flux) / kilonova_flux_njy(np.array([days]), band[-1])[0]))
    assert len(differences) > 30
    assert np.median(np.abs(differences)) < 0.12
    assert np.mean(np.abs(differences) < 0.25) > 0.8
