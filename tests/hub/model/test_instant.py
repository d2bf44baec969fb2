import pytest
from astropy.time import Time
from astropy.utils.iers import LeapSeconds
from hypothesis import given
from hypothesis import strategies as st

from hub.model.instant import LEAP_SECONDS, Instant


def test_lsst_tai_is_37_seconds_ahead_of_utc() -> None:
    # midpointMjdTai of a packet: 2026-01-01T00:00:37 TAI is midnight UTC.
    instant = Instant.from_mjd_tai(61041 + 37 / 86400)
    assert instant.to_utc_iso() == "2026-01-01T00:00:00.000000Z"


def test_gcn_utc_of_grb_170817a() -> None:
    instant = Instant.from_utc_iso("2017-08-17T12:41:06.47")
    assert instant.to_utc_iso() == "2017-08-17T12:41:06.470000Z"
    assert instant.mjd_utc == pytest.approx(57982.52854710648, abs=1e-10)


def test_gw_gps_of_gw170817() -> None:
    # Abbott et al. 2017, PRL 119, 161101: GPS 1187008882.43 is 2017-08-17T12:41:04.43 UTC.
    instant = Instant.from_gps_s(1187008882.43)
    assert instant.to_utc_iso() == "2017-08-17T12:41:04.430000Z"
    assert instant.gps_s == pytest.approx(1187008882.43, abs=1e-6)


def test_a_leap_second_is_a_moment_of_its_own() -> None:
    leap = Instant.from_utc_iso("2016-12-31T23:59:60.5Z")
    assert leap.to_utc_iso() == "2016-12-31T23:59:60.500000Z"
    assert leap.minus(Instant.from_utc_iso("2016-12-31T23:59:59.5Z")) == 1.0
    assert Instant.from_utc_iso("2017-01-01T00:00:00Z").minus(leap) == 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018-04-12", "2018-04-12T00:00:00.000000Z"),
        ("2018-04-12T03:04", "2018-04-12T03:04:00.000000Z"),
        (" 2018-04-12T03:04:05.1234567Z ", "2018-04-12T03:04:05.123457Z"),
        ("2018-04-12 03:04:05+00:00", "2018-04-12T03:04:05.000000Z"),
        ("2018-04-12T03:04:05+0200", "2018-04-12T01:04:05.000000Z"),
    ],
)
def test_iso_dialects(text: str, expected: str) -> None:
    assert Instant.from_utc_iso(text).to_utc_iso() == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2018-13-01", "2018-01-01T25:00:00", "2018-01-01T12:00:60", "1969-01-01", "\uff11\uff12"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Instant.from_utc_iso(text)


@given(st.integers(min_value=63_072_010_000_000, max_value=4_000_000_000_000_000))
def test_text_and_back_is_exact(tai_us: int) -> None:
    instant = Instant(tai_us)
    assert Instant.from_utc_iso(instant.to_utc_iso()) == instant


@given(st.floats(min_value=41318, max_value=62000))
def test_agrees_with_astropy(mjd: float) -> None:
    ours = Instant.from_mjd_tai(mjd)
    theirs = Time(mjd, format="mjd", scale="tai")
    assert ours.gps_s == pytest.approx(theirs.gps, abs=2e-6)
    assert abs((Time(ours.to_utc_iso()[:-1], scale="utc") - theirs).to_value("s")) < 2e-6


def test_the_leap_second_table_is_astropys() -> None:
    theirs = [(f"{row['year']}-{row['month']:02d}-01", int(row["tai_utc"])) for row in LeapSeconds.from_iers_leap_seconds()]
    assert [(day, offset) for day, offset in LEAP_SECONDS] == theirs
