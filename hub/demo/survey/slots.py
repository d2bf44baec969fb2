"""Which fields of a packet vary from one to the next, and the plans by which the records of a schema version are written."""

import json
from typing import Any, NamedTuple

from hub.demo.packet_layout import packet_layout
from hub.demo.survey.record_writing import Plan, plan_of
from hub.errors import ConfigError

SCHEMAS = ("10.0", "11.0", "11.1")
"""Versions of the packets that can be written."""

RELIABILITY_VERSION = "simulated-1"
"""What packets of 11.1 say of the real-bogus score."""

REALS = (
    "midpointMjdTai",
    "ra",
    "dec",
    "raErr",
    "decErr",
    "ra_dec_Cov",
    "x",
    "y",
    "xErr",
    "yErr",
    "apFlux",
    "apFluxErr",
    "snr",
    "psfFlux",
    "psfFluxErr",
    "psfLnL",
    "psfChi2",
    "trailFlux",
    "trailRa",
    "trailDec",
    "trailLength",
    "trailAngle",
    "scienceFlux",
    "scienceFluxErr",
    "templateFlux",
    "templateFluxErr",
    "dipoleMeanFlux",
    "dipoleFluxDiff",
    "dipoleLength",
    "dipoleAngle",
    "ixx",
    "iyy",
    "ixy",
    "ixxPSF",
    "iyyPSF",
    "ixyPSF",
    "extendedness",
    "reliability",
    "timeProcessedMjdTai",
)
"""Slots of a diaSource that hold real numbers."""

INTEGERS = (
    "diaSourceId",
    "visit",
    "detector",
    "diaObjectId",
    "ssObjectId",
    "isNegative",
    "isDipole",
    "shape_flag",
    "band",
    "bboxSize",
    "pixelFlags_cr",
    "pixelFlags_streak",
    "pixelFlags_saturated",
    "pixelFlags_saturatedCenter",
)
"""Slots of a diaSource that hold whole numbers."""

FORCED_REALS = ("ra", "dec", "psfFlux", "psfFluxErr", "midpointMjdTai", "scienceFlux", "scienceFluxErr", "timeProcessedMjdTai")
"""Slots of a diaForcedSource that hold real numbers."""

FORCED_INTEGERS = ("diaForcedSourceId", "diaObjectId", "visit", "detector", "band")
"""Slots of a diaForcedSource that hold whole numbers."""

BANDS = "ugrizy"
"""Letters of the bands, by number."""

OBJECT_REALS = (
    "validityStartMjdTai",
    "ra",
    "dec",
    "raErr",
    "decErr",
    "firstDiaSourceMjdTai",
    "lastDiaSourceMjdTai",
    *(f"{band}_psfFluxMean" for band in BANDS),
    *(f"{band}_psfFluxMeanErr" for band in BANDS),
)
"""Slots of a diaObject that hold real numbers."""

OBJECT_INTEGERS = ("diaObjectId", "nDiaSources", *(f"{band}_psfFluxNdata" for band in BANDS))
"""Slots of a diaObject that hold whole numbers."""

SOLAR_REALS = ("eclLambda", "eclBeta", "galLon", "galLat", "ephRa", "ephDec", "ephOffset")
"""Slots of an ssSource that hold real numbers."""

SOLAR_INTEGERS = ("diaSourceId", "ssObjectId", "designation")
"""Slots of an ssSource that hold whole numbers; the designation is made of the id."""

ORBIT_REALS = ("a", "q", "e", "i", "node", "argperi", "peri_time", "epoch_mjd", "h", "g")
"""Slots of an mpc_orbits record that hold real numbers."""

ORBIT_INTEGERS = (
    "designation",
    "packed_primary_provisional_designation",
    "unpacked_primary_provisional_designation",
)
"""Slots of an mpc_orbits record; all are made of the id."""

ORBIT_TEXT_BYTES = 5_600
"""Length of the orbit's own JSON: real packets of known asteroids have 6.6 kB without cutouts, nearly all of it this text."""


class Plans(NamedTuple):
    """How each record of a packet is written."""

    source: Plan
    forced: Plan
    object: Plan
    solar: Plan
    orbit: Plan


def plans_of(version: str) -> tuple[Plans, dict[str, Any], int]:
    """Return the plans of a schema version, the schema, and its id in the framing.

    Raises
    ------
    ConfigError
        The simulation does not write this version.
    """
    if version not in SCHEMAS:
        raise ConfigError(f"packets are written as {', '.join(SCHEMAS)}, not as {version}")
    schema, records = packet_layout(version)
    source = records["diaSource"]
    flags = {field["name"]: False for field in source if "boolean" in field["type"]}
    constants = flags | {
        "parentDiaSourceId": 0,
        "psfNdata": 1681,
        "trailNdata": 0,
        "dipoleNdata": 0,
        "exposureTime": 30.0,
        "reliabilityVersion": RELIABILITY_VERSION,
    }
    counts = {f"{band}_psfFluxNdata": 0 for band in BANDS}
    orbit_text = json.dumps({"simulated": True, "padding": "0" * ORBIT_TEXT_BYTES})
    plans = Plans(
        source=plan_of(source, REALS, INTEGERS, constants, letters=("band",)),
        forced=plan_of(records["prvDiaForcedSources"], FORCED_REALS, FORCED_INTEGERS, {}, letters=("band",)),
        object=plan_of(records["diaObject"], OBJECT_REALS, OBJECT_INTEGERS, counts),
        solar=plan_of(records["ssSource"], SOLAR_REALS, SOLAR_INTEGERS, {"diaDistanceRank": 1}, names=("designation",)),
        orbit=plan_of(records["mpc_orbits"], ORBIT_REALS, ORBIT_INTEGERS, {"mpc_orb_jsonb": orbit_text}, names=ORBIT_INTEGERS),
    )
    major, minor = (int(part) for part in version.split("."))
    return plans, schema, 100 * major + minor
