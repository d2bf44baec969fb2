"""How telescopes are asked: the settings of follow-up. Who is asked for what says the policy."""

from pydantic import BaseModel, ConfigDict, Field


class FollowupSettings(BaseModel):
    """When and how telescopes are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(True, description="False stops planning and sending at once; cancelling goes on")
    dry_run: bool = Field(False, description="Whether everything stays a draft, also what would go to a network inside the hub")
    settle_s: float = Field(30.0, ge=0, description="Age of an unanswered sending before the network is searched for it, seconds")
    sending_timeout_s: float = Field(
        300.0,
        ge=0,
        description="After so long a sending without outcome counts as crashed, seconds; longer than any network's time-out",
    )
    retry_s: float = Field(30.0, ge=0, description="First pause after a fault, seconds; doubles up to 64 times itself")
    wait_for_registers_s: float = Field(
        0.0, ge=0, description="So long a draft waits for the first answer of a register of visits, seconds"
    )
    poll_s: float = Field(60.0, ge=0, description="Pause between two questions about one request, seconds")
