"""The shape of the table of rates."""

from typing import Literal

from pydantic import ConfigDict, Field

from hub.api.wire import Wire


class Rate(Wire):
    """How often triggers of some classes come, or alerts of one; per year of 365 days."""

    what: Literal["triggers", "alerts"] = Field(
        description="triggers: unrelated ones that fall into windows; alerts: of one class, real ones included"
    )
    classes: list[str]
    missions: list[str] = Field(description="Only these; empty for all")
    configured_per_yr: float
    measured_per_yr: float
    error_per_yr: float = Field(description="Standard error of the measured one")
    used_per_yr: float = Field(description="What a pair at that time is computed with, rounded up to the steps of the policy")
    basis: Literal["configured", "measured", "storm"]
    n: int = Field(description="Bursts or alerts that were counted, each once")
    span_d: float = Field(description="In so many days before")
    n_last_day: int = Field(description="Of the last day, whatever they were called later")
    is_storm: bool
    storm_missions: list[str]
    reason: str
    rules: list[str] = Field(
        description="Pairs that are computed with it; empty for alerts, whose rate depends on the alert's own"
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "what": "triggers",
                    "classes": ["grb"],
                    "missions": [],
                    "configured_per_yr": 325.0,
                    "measured_per_yr": 308.2,
                    "error_per_yr": 35.4,
                    "used_per_yr": 325.0,
                    "basis": "configured",
                    "n": 76,
                    "span_d": 90.0,
                    "n_last_day": 1,
                    "is_storm": False,
                    "storm_missions": [],
                    "reason": "configured: 76 triggers in the 90 days before do not exceed it by 2 standard errors",
                    "rules": ["gw-grb", "gw-burst-grb"],
                }
            ]
        }
    )
