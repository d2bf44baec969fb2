"""Where telescopes stand and what an observation needs: numbers only, so that it is cheap to know them."""

import tomllib
from dataclasses import dataclass
from typing import Any

from hub.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place on Earth with telescopes."""

    name: str
    lon_deg: float
    """East longitude, WGS84, degrees."""

    lat_deg: float
    """Geodetic latitude, WGS84, degrees."""

    height_m: float
    """Height over the ellipsoid, metres."""

    source: str
    """Where the coordinates come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What an observation needs."""

    max_airmass: float = 2.0
    """Largest secant of the zenith distance, > 1."""

    min_moon_separation_deg: float = 15.0
    """Smallest distance to the Moon, degrees."""

    max_sun_altitude_deg: float = -18.0
    """Highest Sun, degrees; -18 is astronomical twilight."""


def load_sites(text: str) -> tuple[Site, ...]:
    """Return the sites of a TOML text (``conf/sites.toml``) in its order.

    Raises
    ------
    ConfigError
        The text is no TOML, a key is missing or unknown, a name occurs twice or a coordinate is out of range.
    """
    try:
        rows = tomllib.loads(text).get("site", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the table of sites is no TOML: {error}") from error
    sites = tuple(_site(row) for row in rows)
    names = [site.name for site in sites]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"the site {name!r} stands twice in the table of sites")
    return sites


def _site(row: dict[str, Any]) -> Site:
    names = {"name": str, "lon_deg": float, "lat_deg": float, "height_m": float, "source": str}
    label = row.get("name", "without a name")
    if missing := sorted(set(names) - set(row)):
        raise ConfigError(f"the site {label!r} lacks {', '.join(missing)}")
    if unknown := sorted(set(row) - set(names)):
        raise ConfigError(f"the site {label!r} has unknown keys: {', '.join(unknown)}")
    for name, kind in names.items():
        if not isinstance(row[name], (float, int) if kind is float else kind) or isinstance(row[name], bool):
            raise ConfigError(f"{name} of the site {label!r} is no {'number' if kind is float else 'text'}")
    if not (-180 <= row["lon_deg"] <= 360 and -90 <= row["lat_deg"] <= 90 and -500 <= row["height_m"] <= 9000):
        raise ConfigError(f"the site {label!r} does not lie on Earth")
    return Site(**row)
