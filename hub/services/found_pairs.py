"""Pairs of events as they were evaluated, on their way to be written."""

from dataclasses import dataclass

from hub.model.coincidence import Coincidence
from hub.model.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A coincidence of events as it was evaluated, before anybody knows whether it counts."""

    version: Coincidence
    events: tuple[Event, ...]
    stands_for: tuple[str, ...] = ()
    """Ids of the coincidences of which it takes the place: those that it counts as well, and those that it carries on."""

    @property
    def id(self) -> str:
        """Of the coincidence."""
        return self.version.coincidence_id
