"""The shapes of observatories and of when they see a place."""

from pydantic import Field

from hub.api.wire import Time, Wire


class Facility(Wire):
    """A place on Earth with telescopes."""

    facility_id: str = Field(description="In addresses")
    name: str = Field(description="As in conf/sites.toml and `mmhub plan --site`")
    lon_deg: float = Field(description="East longitude, WGS84")
    lat_deg: float = Field(description="Geodetic latitude, WGS84")
    height_m: float = Field(description="Over the ellipsoid")
    source: str = Field(description="Where the coordinates come from")


class Window(Wire):
    """A span in which all needs hold."""

    start: Time
    end: Time
    duration_s: float
    best_airmass: float


class Visibility(Wire):
    """When an observatory sees a place."""

    facility_id: str
    ra_deg: float
    dec_deg: float
    start: Time = Field(description="Of what was looked at")
    end: Time
    max_airmass: float
    min_moon_separation_deg: float
    max_sun_altitude_deg: float
    windows: list[Window] = Field(description="By time; one shorter than five minutes may be missing")
    observable_s: float = Field(description="Of all windows together")
    reason: str | None = Field(description="Why there is no window; null where there is one")
