"""One type for time: microseconds of International Atomic Time (TAI).

UTC, MJD(TAI), GPS seconds and ISO strings are turned into an `Instant` at the edge and nowhere else. TAI and UTC differ by 37 s
since 2017, more than many coincidence windows are wide.
"""

import bisect
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

LEAP_SECONDS: tuple[tuple[str, int], ...] = (
    ("1972-01-01", 10),
    ("1972-07-01", 11),
    ("1973-01-01", 12),
    ("1974-01-01", 13),
    ("1975-01-01", 14),
    ("1976-01-01", 15),
    ("1977-01-01", 16),
    ("1978-01-01", 17),
    ("1979-01-01", 18),
    ("1980-01-01", 19),
    ("1981-07-01", 20),
    ("1982-07-01", 21),
    ("1983-07-01", 22),
    ("1985-07-01", 23),
    ("1988-01-01", 24),
    ("1990-01-01", 25),
    ("1991-01-01", 26),
    ("1992-07-01", 27),
    ("1993-07-01", 28),
    ("1994-07-01", 29),
    ("1996-01-01", 30),
    ("1997-07-01", 31),
    ("1999-01-01", 32),
    ("2006-01-01", 33),
    ("2009-01-01", 34),
    ("2012-07-01", 35),
    ("2015-07-01", 36),
    ("2017-01-01", 37),
)
"""First UTC day and TAI - UTC in seconds from that day on (IERS Bulletin C)."""

GPS_MINUS_TAI_S = -19
"""GPS time lags TAI by 19 s, always (IS-GPS-200)."""

MJD_OF_1970 = 40587
"""Modified Julian Date of 1970-01-01."""

_US = 1_000_000
_DAY_US = 86_400 * _US
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LEAP_DAYS = [date.fromisoformat(day).toordinal() - _EPOCH_DAY for day, _ in LEAP_SECONDS]
_LEAP_OFFSETS = [offset for _, offset in LEAP_SECONDS]
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A moment, exact to the microsecond."""

    tai_us: int
    """Microseconds of TAI since 1970-01-01T00:00:00 TAI."""

    @classmethod
    def from_utc_iso(cls, text: str) -> Self:
        """Return the instant of an ISO 8601 UTC text; a text without a zone is UTC, ``:60`` is a leap second.

        Raises
        ------
        ValueError
            The text is no ISO time, or lies before 1972 when UTC had no whole leap seconds.
        """
        match = _ISO.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not an ISO 8601 time: {text.strip()[:40]!r}")
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        fraction = (match[7] or "")[:7].ljust(7, "0")
        micro = (int(fraction) + 5) // 10
        days = date(year, month, day).toordinal() - _EPOCH_DAY
        zone_s = _zone_seconds(match[8])
        leap = second == 60
        if hour > 23 or minute > 59 or second > 60 or (leap and zone_s == 0 and (hour, minute) != (23, 59)):
            raise ValueError(f"not a time of day: {text.strip()[:40]!r}")
        # A leap second is the one after :59, so count it from there with the offset of its own day.
        whole = days * 86_400 + hour * 3600 + minute * 60 + (59 if leap else second) - zone_s
        return cls((whole + _tai_minus_utc_s(whole // 86_400) + leap) * _US + micro)

    @classmethod
    def from_datetime(cls, moment: datetime) -> Self:
        """Return the instant of an aware `datetime`."""
        if moment.tzinfo is None:
            raise ValueError("a naive datetime has no place on a time scale")
        delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        utc_us = delta // timedelta(microseconds=1)
        return cls(utc_us + _tai_minus_utc_s(utc_us // _DAY_US) * _US)

    @classmethod
    def from_mjd_tai(cls, mjd: float) -> Self:
        """Return the instant of a Modified Julian Date on the TAI scale (LSST ``midpointMjdTai``)."""
        day = int(mjd // 1)
        return cls((day - MJD_OF_1970) * _DAY_US + round((mjd - day) * _DAY_US))

    @classmethod
    def from_mjd_utc(cls, mjd: float) -> Self:
        """Return the instant of a Modified Julian Date on the UTC scale."""
        day = int(mjd // 1)
        offset_us = _tai_minus_utc_s(day - MJD_OF_1970) * _US
        return cls((day - MJD_OF_1970) * _DAY_US + round((mjd - day) * _DAY_US) + offset_us)

    @classmethod
    def from_jd_utc(cls, jd: float) -> Self:
        """Return the instant of a Julian Date on the UTC scale (ZTF ``jd``)."""
        return cls.from_mjd_utc(jd - 2_400_000.5)

    @classmethod
    def from_gps_s(cls, seconds: float) -> Self:
        """Return the instant of GPS seconds since 1980-01-06 (gravitational-wave event times)."""
        gps_epoch_us = (3657 * 86_400 - GPS_MINUS_TAI_S) * _US
        return cls(gps_epoch_us + round(seconds * _US))

    @classmethod
    def from_unix_s(cls, seconds: float) -> Self:
        """Return the instant of Unix seconds (UTC without leap seconds)."""
        utc_us = round(seconds * _US)
        return cls(utc_us + _tai_minus_utc_s(utc_us // _DAY_US) * _US)

    def to_utc_iso(self) -> str:
        """Return ISO 8601 UTC text with six decimals and ``Z``; a leap second shows as ``:60``."""
        utc_us, leap = self._utc()
        day, in_day = divmod(utc_us, _DAY_US)
        seconds, micro = divmod(in_day, _US)
        text = date.fromordinal(int(day) + _EPOCH_DAY).isoformat()
        second = seconds % 60 + leap
        return f"{text}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{second:02d}.{micro:06d}Z"

    def to_datetime(self) -> datetime:
        """Return an aware UTC `datetime`; a leap second becomes the second before it."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._utc()[0])

    @property
    def mjd_tai(self) -> float:
        """Modified Julian Date on the TAI scale, days."""
        return MJD_OF_1970 + self.tai_us / _DAY_US

    @property
    def mjd_utc(self) -> float:
        """Modified Julian Date on the UTC scale, days."""
        return MJD_OF_1970 + self._utc()[0] / _DAY_US

    @property
    def gps_s(self) -> float:
        """GPS seconds since 1980-01-06."""
        return (self.tai_us - (3657 * 86_400 - GPS_MINUS_TAI_S) * _US) / _US

    def plus_s(self, seconds: float) -> "Instant":
        """Return the instant this many seconds later (earlier where negative)."""
        return Instant(self.tai_us + round(seconds * _US))

    def minus(self, other: "Instant") -> float:
        """Return self minus other in seconds."""
        return (self.tai_us - other.tai_us) / _US

    def _utc(self) -> tuple[int, int]:
        """Return UTC microseconds since 1970 as if no leap second were under way, and 1 where one is."""
        index = len(LEAP_SECONDS) - 1
        while index > 0:
            begins_us = (_LEAP_DAYS[index] * 86_400 + _LEAP_OFFSETS[index]) * _US
            if self.tai_us >= begins_us:
                break
            if self.tai_us >= begins_us - _US:  # inside the inserted second
                return self.tai_us - _LEAP_OFFSETS[index] * _US, 1
            index -= 1
        return self.tai_us - _LEAP_OFFSETS[index] * _US, 0


def _tai_minus_utc_s(day: int) -> int:
    index = bisect.bisect_right(_LEAP_DAYS, day) - 1
    if index < 0:
        raise ValueError("times before 1972 have no whole leap seconds and are not supported")
    return _LEAP_OFFSETS[index]


def _zone_seconds(zone: str | None) -> int:
    if zone is None or zone.upper() in ("Z", "UTC"):
        return 0
    sign = -1 if zone[0] == "-" else 1
    digits = zone[1:].replace(":", "")
    return sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
