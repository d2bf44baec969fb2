"""``conf/simulation.toml`` as types."""

import tomllib
from functools import cache

from pydantic import BaseModel, ConfigDict, Field

from hub.resources import read_text

BANDS = "ugrizy"
"""LSST's bands; kernels know them by their place here."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reasons(_Section):
    """What packets give as ``observation_reason``."""

    wide: str
    deep: str
    too: str


class Survey(_Section):
    """The telescope and its main survey."""

    cadence_s: float = Field(gt=0)
    exposure_s: float = Field(gt=0)
    longitude_deg: float
    dec_deg: tuple[float, float]
    galactic_gap_deg: float
    block_visits: int = Field(gt=0)
    wide_history_nights: int = Field(ge=0)
    deep_history_nights: int = Field(ge=0)
    lost_nights: float = Field(ge=0, le=1)
    efficiency: float = Field(ge=0, le=1)
    unprocessed: float = Field(ge=0, le=1)
    templates: dict[str, float]
    depth_ab: dict[str, float]
    reasons: Reasons


class DeepField(_Section):
    """A place that is seen again and again."""

    name: str
    position_deg: tuple[float, float]


class DeepProgramme(_Section):
    """How often deep fields are seen."""

    every_nights: int = Field(gt=0)
    visits: int = Field(gt=0)


class TooProgramme(_Section):
    """Visits around the first counterpart of a night."""

    fields: int = Field(gt=0)
    bands: tuple[str, ...]


class Population(_Section):
    """Densities per square degree."""

    stars_per_deg2: float
    galaxies_per_deg2: float
    supernovae_per_deg2_day: float
    flares_per_deg2_night: float
    fast_per_deg2_day: float
    artefacts_per_deg2: float
    ghosts_per_deg2_night: float
    bad_sites_per_deg2: float
    known_asteroids_per_deg2: float
    unknown_asteroids_per_deg2: float


class Counterparts(_Section):
    """Kilonovae that are put into each night."""

    per_night: int = Field(ge=0)
    distance_mpc: tuple[float, float]
    age_days: tuple[float, float]
    keep_nights: int = Field(gt=0)


class Simulation(_Section):
    """All of it."""

    version: int
    survey: Survey
    deep: tuple[DeepField, ...]
    deep_programme: DeepProgramme
    too_programme: TooProgramme
    population: Population
    counterparts: Counterparts


@cache
def shipped() -> Simulation:
    """Return the settings that the hub ships."""
    return Simulation.model_validate(tomllib.loads(read_text("conf/simulation.toml")))
