"""Families of light curves: how bright a counterpart of a kind is expected to be, by band, time, distance and extinction.

The numbers and their sources are those of ``conf/families.toml``. Distances are luminosity distances; K corrections and the
dilation of times are left out: below 1,000 Mpc they are smaller than the spreads.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.errors import ConfigError

BANDS = "ugrizy"
"""From blue to red: a band that is not named takes the number of its nearest neighbour, of two the bluer one."""

EARLIEST_D = 1e-4
"""Power laws are not followed to earlier times after the onset than this, days."""


class Shape(StrEnum):
    """How a light curve goes up and down."""

    LINEAR = "linear"
    """In magnitudes, rise and decline and tail."""

    POWER = "power"
    """Power laws of the flux before and after the peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A magnitude that a family gives, as a normal distribution."""

    mean: float
    """AB magnitude, extinction included."""

    std: float
    """Standard deviation among the sources of the family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dust:
    """The Galaxy's dust."""

    extinction: Mapping[str, float]
    """A_band / E(B-V)."""

    ebv_at_pole: float
    largest_ebv: float

    def ebv(self, b_deg: float) -> float:
        """Return E(B-V) of a plane slab of dust, by galactic latitude: where no dust map is at hand."""
        return min(self.ebv_at_pole / max(abs(math.sin(math.radians(b_deg))), 1e-6), self.largest_ebv)

    def mag(self, band: str, ebv: float) -> float:
        """Return how much dust dims a band, magnitudes."""
        return of_band(self.extinction, band) * ebv


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family; bands to numbers. Times are in days after the onset."""

    name: str
    shape: Shape
    peak_abs_mag: Mapping[str, float]
    """AB."""

    spread_mag: float
    rise_d: float
    """From the onset to the peak."""

    rise_mag: float
    """Linear: how much fainter than the peak it is at the onset."""

    rise_slope: float
    """Power: exponent of the rise."""

    decline_slope: float
    """Power: exponent of the decline, positive."""

    decline_mag_per_d: Mapping[str, float]
    tail_after_d: float
    """Linear: after the peak."""

    tail_mag_per_d: Mapping[str, float]
    spread_rate_mag_per_d: float
    """Standard deviation of the rate of change."""

    spread_colour_mag: float | None
    """Standard deviation of colours at a time, magnitudes; None where nobody stated it."""

    dust: Dust
    """Dims it on its way."""

    def abs_mag(self, t_d: float, band: str) -> float:
        """Return the mean absolute AB magnitude; infinite before the onset."""
        if t_d < 0:
            return math.inf
        peak = of_band(self.peak_abs_mag, band)
        if self.shape is Shape.POWER:
            ratio = max(t_d, EARLIEST_D) / self.rise_d
            return peak + 2.5 * (self.decline_slope if ratio >= 1.0 else -self.rise_slope) * math.log10(ratio)
        if t_d < self.rise_d:
            return peak + self.rise_mag * (1.0 - t_d / self.rise_d)
        since = t_d - self.rise_d
        early = min(since, self.tail_after_d) * of_band(self.decline_mag_per_d, band)
        return peak + early + max(since - self.tail_after_d, 0.0) * of_band(self.tail_mag_per_d, band)

    def rate_mag_per_d(self, first_d: float, last_d: float, band: str) -> float | None:
        """Return the mean rate of change between two times, positive is fading; None where it has not begun at the first."""
        if first_d < 0 or last_d <= first_d:
            return None
        return (self.abs_mag(last_d, band) - self.abs_mag(first_d, band)) / (last_d - first_d)


@dataclass(frozen=True, slots=True, kw_only=True)
class Families:
    """All of ``conf/families.toml``."""

    version: int
    by_name: Mapping[str, Family]
    dust: Dust

    def of(self, name: str) -> Family:
        """Return a family.

        Raises
        ------
        ConfigError
            There is none of that name; the sentence lists those that there are.
        """
        if name not in self.by_name:
            raise ConfigError(f"there is no light-curve family {name!r}: there are {', '.join(sorted(self.by_name))}")
        return self.by_name[name]

    def expected_magnitude(
        self, family: str | Family, t_d: float, distance_mpc: float, band: str, *, ebv: float = 0.0
    ) -> Expected:
        """Return the magnitude that is expected of a source of a family.

        Parameters
        ----------
        family
            By name or itself.
        t_d
            Time after its onset, days; before it the mean is infinitely faint.
        distance_mpc
            Luminosity distance, > 0.
        band
            One of `BANDS`, with or without a prefix of the survey's (``lsstg`` is ``g``).
        ebv
            Colour excess E(B-V) of the foreground, magnitudes.

        Raises
        ------
        ConfigError
            There is no such family.
        ValueError
            The distance is none.
        """
        one = self.of(family) if isinstance(family, str) else family
        if not distance_mpc > 0:
            raise ValueError(f"a distance is larger than 0 Mpc, and not {distance_mpc:g}")
        modulus = 5.0 * math.log10(distance_mpc) + 25.0
        mean = one.abs_mag(t_d, band) + modulus + self.dust.mag(band, ebv)
        return Expected(mean=mean, std=one.spread_mag)


def of_band(numbers: Mapping[str, float], band: str) -> float:
    """Return the number of a band, or of its nearest neighbour; of a band that nobody knows that of ``r``'s place."""
    if band in numbers:
        return numbers[band]
    place = BANDS.find(band[-1:]) if band else -1
    place = place if place >= 0 else BANDS.index("r")
    return numbers[min(numbers, key=lambda one: (abs(BANDS.index(one) - place), BANDS.index(one)))]


def load_families(text: str) -> Families:
    """Return the families in a TOML text.

    Raises
    ------
    ConfigError
        A key is missing, unknown or out of range; the sentence names it.
    """
    try:
        return _families(tomllib.loads(text))
    except KeyError as error:
        raise ConfigError(f"light-curve families: missing key {error}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"light-curve families: {error}") from error


def _families(data: Mapping[str, Any]) -> Families:
    unknown = set(data) - {"version", "extinction", "dust", "family"}
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}")
    dust = Dust(
        extinction=_bands(data, "extinction"),
        ebv_at_pole=float(data["dust"]["ebv_at_pole"]),
        largest_ebv=float(data["dust"]["largest_ebv"]),
    )
    found = [_family(row, dust) for row in data["family"]]
    by_name = {one.name: one for one in found}
    if len(by_name) != len(found):
        raise ValueError("two families have one name")
    return Families(version=int(data["version"]), by_name=by_name, dust=dust)


_BOTH = {"name", "shape", "peak_abs_mag", "spread_mag", "rise_d", "spread_rate_mag_per_d"}
_MAY = {"spread_colour_mag"}
_OF_SHAPE = {
    Shape.LINEAR: {"rise_mag", "decline_mag_per_d", "tail_after_d", "tail_mag_per_d"},
    Shape.POWER: {"rise_slope", "decline_slope"},
}


def _family(row: Mapping[str, Any], dust: Dust) -> Family:
    name, shape = str(row["name"]), Shape(row["shape"])
    keys = _BOTH | _OF_SHAPE[shape]
    if set(row) - _MAY != keys:
        wrong = min((set(row) - _MAY) ^ keys)
        raise ValueError(f"family {name!r}: {'unknown' if wrong in row else 'missing'} key {wrong!r}")
    is_linear = shape is Shape.LINEAR
    return Family(
        name=name,
        shape=shape,
        peak_abs_mag=_bands(row, "peak_abs_mag"),
        spread_mag=_positive(row, "spread_mag"),
        rise_d=_positive(row, "rise_d"),
        rise_mag=float(row["rise_mag"]) if is_linear else 0.0,
        rise_slope=0.0 if is_linear else float(row["rise_slope"]),
        decline_slope=0.0 if is_linear else float(row["decline_slope"]),
        decline_mag_per_d=_bands(row, "decline_mag_per_d") if is_linear else {},
        tail_after_d=float(row["tail_after_d"]) if is_linear else 0.0,
        tail_mag_per_d=_bands(row, "tail_mag_per_d") if is_linear else {},
        spread_rate_mag_per_d=_positive(row, "spread_rate_mag_per_d"),
        spread_colour_mag=_positive(row, "spread_colour_mag") if "spread_colour_mag" in row else None,
        dust=dust,
    )


def _bands(row: Mapping[str, Any], key: str) -> dict[str, float]:
    found = {str(band): float(value) for band, value in row[key].items()}
    wrong = set(found) - set(BANDS)
    if wrong or not found:
        raise ValueError(f"{key}: {min(wrong)!r} is no band of {BANDS}" if wrong else f"{key} names no band")
    return found


def _positive(row: Mapping[str, Any], key: str) -> float:
    value = float(row[key])
    if not value > 0:
        raise ValueError(f"{key} of family {row['name']!r} must be larger than 0")
    return value
