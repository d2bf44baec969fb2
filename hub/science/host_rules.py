"""The table of hosts, conf/hosts.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import ConfigError
from hub.model.catalog import MAG_BANDS
from hub.science.cosmology import Cosmology


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRules:
    """Priors and policies; the file says what each is and where it comes from."""

    cosmology: Cosmology
    peculiar_velocity_km_s: float
    photometric_error: float
    relative_error: float
    prior_z_max: float
    radius_arcsec: float
    slope: float
    zero: float
    height: float
    to_r: tuple[float, ...]
    """What is added to magnitudes of `MAG_BANDS` for r."""

    unknown_mag: float
    half_light_share: float
    unknown_half_light_arcsec: float
    max_chance: float
    max_hosts: int
    least_unseen: float
    unknown_completeness: float
    range: tuple[float, float]
    nuclear_arcsec: float
    match_arcsec: float
    known_host_chance: float
    same_arcsec: float


def load_host_rules(text: str) -> HostRules:
    """Return the rules in a TOML text; raises `ConfigError`."""
    try:
        data = tomllib.loads(text)
        alignment = dict(data["alignment"])
        to_r: Mapping[str, float] = alignment.pop("to_r")
        mixture: dict[str, Any] = dict(data["mixture"])
        low, high = (float(one) for one in mixture.pop("range"))
        rules = HostRules(
            cosmology=Cosmology(**data["cosmology"]),
            to_r=tuple(float(to_r[band]) for band in MAG_BANDS),
            range=(low, high),
            **data["distance"],
            **alignment,
            **mixture,
            **data["flags"],
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"conf/hosts.toml: {error}") from error
    if not (0.0 < rules.least_unseen < 1.0 and 0.0 < rules.max_chance < 1.0 and low < 0.0 < high):
        raise ConfigError("conf/hosts.toml: least_unseen and max_chance lie between 0 and 1, and the range holds 0")
    return rules
