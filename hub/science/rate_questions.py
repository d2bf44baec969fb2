"""What a pair asks of the triggers that came: all that its numbers take from other events, so that one can tell what changed.

A trigger that comes late, or is worded anew, changes the numbers of a pair only where it changes an answer. Rates move in steps,
so it seldom does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.notice import EventClass
from hub.science.trigger_columns import Triggers, messenger_of
from hub.science.trigger_rates import RatePolicy, UsedRate, at_least_as_significant, of_triggers


class Counted(StrEnum):
    """What is counted."""

    TRIGGERS = "triggers"
    """Unrelated triggers: `hub.science.trigger_rates.of_triggers`."""

    ALERTS = "alerts"
    """Alerts at least as significant as one, real ones included: `hub.science.trigger_rates.at_least_as_significant`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateQuestion:
    """How often something came before a pair."""

    counted: Counted
    classes: tuple[EventClass, ...]
    missions: tuple[str, ...] = ()
    """Of triggers; all where none is named."""

    far_hz: float | None = None
    """Of alerts: the largest false-alarm rate that counts; all count where there is none."""

    at: Instant
    """Of the pair; what came from then on does not count."""

    configured_hz: float

    def answer(self, triggers: Triggers, policy: RatePolicy) -> UsedRate:
        """Return the rate that a pair is computed with.

        Parameters
        ----------
        triggers
            All events in the interval before the pair, but for its own bursts; any that came before or since do no harm.
        policy
            Interval and thresholds.
        """
        classes = [one.value for one in self.classes]
        found = (
            of_triggers(triggers, classes, self.missions, self.at, configured_hz=self.configured_hz, policy=policy)
            if self.counted is Counted.TRIGGERS
            else at_least_as_significant(triggers, classes, self.far_hz, self.at, configured_hz=self.configured_hz, policy=policy)
        )
        return found.rounded(policy)

    def may_count(self, event: Event) -> bool:
        """Tell whether any version of an event may have a part in the answer.

        All that comes by the same messenger may: it can tie two bursts of the class together, and tests show when one heard.
        """
        return event.messenger in {messenger_of(one) for one in self.classes} or not event.classes.isdisjoint(self.classes)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "counted": self.counted.value,
            "classes": [one.value for one in self.classes],
            "missions": list(self.missions),
            "far_hz": self.far_hz,
            "at": self.at.tai_us,
            "configured_hz": self.configured_hz,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Return the question that `to_json` wrote."""
        return cls(
            counted=Counted(row["counted"]),
            classes=tuple(map(EventClass, row["classes"])),
            missions=tuple(row["missions"]),
            far_hz=row["far_hz"],
            at=Instant(row["at"]),
            configured_hz=row["configured_hz"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a pair asked, and what it was told."""

    question: RateQuestion
    hz: float
    basis: str

    @classmethod
    def of(cls, question: RateQuestion, told: UsedRate) -> Self:
        """Return a question with its answer."""
        return cls(question=question, hz=told.hz, basis=told.basis.value)

    def holds(self, triggers: Triggers, policy: RatePolicy) -> bool:
        """Tell whether the answer is still the same; see `RateQuestion.answer`."""
        return Asked.of(self.question, self.question.answer(triggers, policy)) == self
