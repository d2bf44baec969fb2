"""Events below their observatory's own threshold for the public: taken in and paired, and no more than that by themselves.

They come by the dozen a day, and nearly all are noise. Nobody searches for their counterparts, and lists leave them out, until a
pair that the budget of false announcements has room for lifts one: then it is searched like any other, and back in time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.model.event import Event
from hub.model.notice import Messenger
from hub.model.significance import Significance


@dataclass(frozen=True, slots=True, kw_only=True)
class LowSignificance:
    """Table ``[low_significance]`` of conf/coincidence.toml."""

    grades: Mapping[Messenger, frozenset[Significance]] = field(default_factory=dict)
    """By messenger the grades that count as low; a messenger that is not named has none."""

    def is_low(self, event: Event) -> bool:
        """Tell whether an event does nothing by itself but make pairs."""
        return event.significance in self.grades.get(event.messenger, ())


NONE = LowSignificance()
"""That of rules without the table: every event is searched."""


def parse(row: Mapping[str, Any]) -> LowSignificance:
    """Return the policy; raises ValueError where a messenger or a grade is none, or a grade cannot be low."""
    grades = {Messenger(name): frozenset(Significance(one) for one in listed) for name, listed in row.items()}
    if any(Significance.SIGNIFICANT in listed or Significance.UNSTATED in listed for listed in grades.values()):
        raise ValueError("low_significance: only the grades 'low' and 'sub_threshold' can be low")
    return LowSignificance(grades=grades)
