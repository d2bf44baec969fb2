"""When and how telescopes are asked: the settings of follow-up."""

from pydantic import BaseModel, ConfigDict, Field


class ExposureSettings(BaseModel):
    """One kind of exposure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: str = Field(description="Filter by the network's name")
    seconds: float = Field(gt=0, description="Length of one exposure, seconds")
    count: int = Field(1, ge=1, description="How many")


class RequestPolicy(BaseModel):
    """What is asked of one network for a counterpart candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str = Field("simulated", description="Name of the network")
    instrument: str = Field("1M0-SIMCAM", description="Instrument by the network's name")
    sites: tuple[str, ...] = Field(("CTIO", "SAAO", "SSO"), description="Its sites, names of conf/sites.toml")
    exposures: tuple[ExposureSettings, ...] = Field(
        (ExposureSettings(filter="g", seconds=120.0), ExposureSettings(filter="i", seconds=120.0)), description="Exposures"
    )
    max_airmass: float = Field(2.0, gt=1, description="Largest airmass")
    min_moon_separation_deg: float = Field(15.0, ge=0, le=180, description="Smallest distance to the Moon, degrees")
    window_h: float = Field(24.0, gt=0, le=240, description="From the decision to the end of the window, hours")
    needs_approval: bool = Field(False, description="Whether a person must approve each request")


class FollowupSettings(BaseModel):
    """When and how telescopes are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(True, description="False stops planning and sending at once; cancelling goes on")
    allow_real_networks: bool = Field(False, description="Whether a network with real telescopes may be asked without approval")
    policy_version: int = Field(1, ge=1, description="Raised when a changed policy shall make new requests for old targets")
    requests: tuple[RequestPolicy, ...] = Field((RequestPolicy(),), description="In order of preference")
    max_per_event: int = Field(5, ge=0, description="Most requests for one event")
    max_per_day: int = Field(50, ge=0, description="Most requests planned in 24 h, for all networks together")
    settle_s: float = Field(30.0, ge=0, description="Age of an unanswered sending before the network is searched for it, seconds")
    sending_timeout_s: float = Field(
        300.0,
        ge=0,
        description="After so long a sending without outcome counts as crashed, seconds; longer than any network's time-out",
    )
    retry_s: float = Field(30.0, ge=0, description="First pause after a fault, seconds; doubles up to 64 times itself")
    poll_s: float = Field(60.0, ge=0, description="Pause between two questions about one request, seconds")
