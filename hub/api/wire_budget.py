"""The shape of the budget of false announcements."""

from pydantic import Field

from hub.api.wire import Time, Wire


class Share(Wire):
    """What one rule may spend, and what it spent."""

    rule: str = Field(description="Of pairs of events, or a counterpart hypothesis")
    kind: str
    search: str | None = Field(description="The search whose numbers a rule for pairs uses")
    share_per_month: float = Field(description="False announcements in 30 days that it may make")
    promised_per_month: float = Field(description="That its thresholds let through at most")
    max_joint_far_hz: float | None = Field(
        description="Largest joint false-alarm rate of a pair that leaves; null for hypotheses"
    )
    max_expected_per_event: float | None = Field(description="Most unrelated objects an event that score as well; null for pairs")
    basis: str = Field(description="What is compared with the share")
    reason: str = Field(description="Why so much")
    promised_in_days: float = Field(description="promised_per_month in the days that are counted")
    announced: int = Field(description="Coincidences that left first in those days, each once")
    taken_back: int = Field(description="Of those, how many do not stand any more")
    spent_per_month: float = Field(description="What a threshold that lets just the loosest that stands through would promise")


class Announced(Wire):
    """A coincidence that left."""

    coincidence_id: str
    rule: str
    kind: str
    version: int = Field(description="The first that left")
    spends_per_month: float | None = Field(description="False announcements of a threshold that lets just it through")
    first_at: Time
    taken_back_at: Time | None


class Budget(Wire):
    """False announcements, promised against announced and taken back."""

    false_per_month: float = Field(description="Of the whole hub, in 30 days")
    shared_per_month: float = Field(description="Sum of the shares, never more")
    promised_per_month: float
    spent_per_month: float
    promised_in_days: float
    days: float
    since: Time
    announced: int
    taken_back: int
    shares: list[Share] = Field(description="By name of the rule")
    last: list[Announced] = Field(description="Up to 100 that left in those days, the latest first")
