"""Triggers of some time as columns: what was it, whose, how significant, and which of them are one burst."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger

_US = 1_000_000

_MESSENGERS = {
    EventClass.CBC: Messenger.GW,
    EventClass.BURST: Messenger.GW,
    EventClass.HIGH_ENERGY_NEUTRINO: Messenger.NEUTRINO,
    EventClass.SUPERNOVA_NEUTRINO: Messenger.NEUTRINO,
}
"""What events of a class are carried by, where that is not light."""


def messenger_of(event_class: EventClass) -> Messenger:
    """Return by what events of a class are carried."""
    return _MESSENGERS.get(event_class, Messenger.EM)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Triggers:
    """Events of some time, one row each, in any order; columns have one length."""

    time_us: NDArray[np.int64]
    """Time of the event, TAI."""

    event_class: NDArray[Any]
    """Text, an `EventClass`."""

    messenger: NDArray[Any]
    """Text, a `Messenger`."""

    mission: NDArray[Any]
    """Text."""

    source_id: NDArray[Any]
    """Text: events of one burst have the same."""

    far_hz: NDArray[np.float64]
    """NaN where none is stated."""

    is_live: NDArray[np.bool_]
    """False for tests, mocks and what untrusted sources say; they count for nothing but that somebody was heard."""

    is_standing: NDArray[np.bool_]
    """False where it was retracted, or called something else."""

    def rows(self, mask: NDArray[np.bool_]) -> "Triggers":
        """Return some rows."""
        return Triggers(
            time_us=self.time_us[mask],
            event_class=self.event_class[mask],
            messenger=self.messenger[mask],
            mission=self.mission[mask],
            source_id=self.source_id[mask],
            far_hz=self.far_hz[mask],
            is_live=self.is_live[mask],
            is_standing=self.is_standing[mask],
        )

    def of(self, classes: Collection[str], missions: Collection[str]) -> "Triggers":
        """Return the live ones of some classes, and of some missions where any are named."""
        mask = self.is_live & np.isin(self.event_class, list(classes))
        return self.rows(mask & np.isin(self.mission, list(missions)) if missions else mask)

    def of_mission(self, mission: str) -> "Triggers":
        """Return those of one mission."""
        return self.rows(self.mission == mission)

    def without(self, source_ids: Collection[str]) -> "Triggers":
        """Return those that are not of some bursts."""
        return self.rows(~np.isin(self.source_id, list(source_ids)))

    def standing(self) -> "Triggers":
        """Return those that their observatories stand by."""
        return self.rows(self.is_standing)

    def with_far_up_to(self, far_hz: float) -> "Triggers":
        """Return those whose false-alarm rate is stated and not larger."""
        return self.rows(self.far_hz <= far_hz)

    def mission_names(self) -> list[str]:
        """Return the missions, ascending."""
        return sorted({str(name) for name in self.mission.tolist()})

    def burst_times_us(self) -> NDArray[np.int64]:
        """Return the time of each burst, that of its earliest event."""
        if not len(self.time_us):
            return self.time_us
        order = np.lexsort((self.time_us, self.source_id))
        _, first = np.unique(self.source_id[order], return_index=True)
        return self.time_us[order][first]

    def heard_since_s(self, classes: Collection[str], at: Instant, span_s: float) -> float:
        """Return for how long the messengers of some classes had been heard at a time, within a span, tests included, seconds."""
        wanted = np.isin(self.messenger, [messenger_of(EventClass(name)).value for name in classes])
        age_s = (at.tai_us - self.time_us[wanted]) / _US
        inside = age_s[(age_s > 0.0) & (age_s <= span_s)]
        return float(inside.max()) if len(inside) else 0.0


def triggers_of(rows: Collection[tuple[int, str, str, str, str, float | None, bool, bool]]) -> Triggers:
    """Return columns of rows, each with the fields of `Triggers` in their order."""
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [()] * 8
    time, event_class, messenger, mission, source_id, far, is_live, is_standing = columns
    return Triggers(
        time_us=np.array(time, dtype=np.int64),
        event_class=np.array(event_class, dtype=np.str_),
        messenger=np.array(messenger, dtype=np.str_),
        mission=np.array(mission, dtype=np.str_),
        source_id=np.array(source_id, dtype=np.str_),
        far_hz=np.array([np.nan if one is None else one for one in far], dtype=np.float64),
        is_live=np.array(is_live, dtype=bool),
        is_standing=np.array(is_standing, dtype=bool),
    )
