"""Whether an event's localization says anything about its place that another event's could be compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.event import Event, StoredNotice
from hub.model.notice import Messenger, Stage
from hub.model.sky import Localization, SkymapSummary

NO_INFORMATION = "no spatial information"
"""What stands wherever an overlap would be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialLimits:
    """From when on a map counts as none; part of ``[limits]``."""

    all_sky_area90_deg2: float = float("inf")
    """Maps whose 90 % area is at least this are of the whole sky."""

    least_detectors: int = 0
    """Maps of gravitational waves that fewer detectors saw do not count."""


def parse(limits: Mapping[str, Any]) -> SpatialLimits:
    """Return the limits that ``[limits]`` states; nothing is limited where it has none.

    Raises
    ------
    TypeError, ValueError
        A value is no number, or out of range.
    """
    found = SpatialLimits(
        all_sky_area90_deg2=float(limits.get("all_sky_area90_deg2", float("inf"))),
        least_detectors=int(limits.get("least_detectors", 0)),
    )
    if not found.all_sky_area90_deg2 > 0.0 or found.least_detectors < 0:
        raise ValueError("all_sky_area90_deg2 is above 0 and least_detectors at least 0")
    return found


def whole_sky(name: str, summary: SkymapSummary, limits: SpatialLimits) -> str | None:
    """Return why a map by itself says nothing about a place, by whatever name a person knows it; None where it does."""
    return f"{NO_INFORMATION}: {name} is the whole sky" if summary.area90_deg2 >= limits.all_sky_area90_deg2 else None


def no_place(event: Event, maps: Mapping[str, Localization], limits: SpatialLimits) -> str | None:
    """Return why an event's current localization says nothing about its place, None where it does say something."""
    if event.localization_id is None:
        return f"{NO_INFORMATION}: {event.event_id} has no localization"
    carriers = [v.stored for v in event.versions if event.localization_id in v.stored.localization_ids]
    if carriers and _too_few_detectors(carriers[-1], limits):
        return f"{NO_INFORMATION}: {event.event_id} was seen by too few detectors"
    return whole_sky(f"the localization of {event.event_id}", maps[event.localization_id].summary, limits)


def ever_without_place(event: Event, maps: Mapping[str, Localization], limits: SpatialLimits) -> bool:
    """Tell whether at the time of some notice only the time of an event could be compared."""
    stored = [v.stored for v in event.versions if v.stored.notice.stage is not Stage.RETRACTION]
    return any(_without_place(one, maps, limits) for one in stored)


def _without_place(stored: StoredNotice, maps: Mapping[str, Localization], limits: SpatialLimits) -> bool:
    if stored.localization_id is None or not stored.notice.localizes or _too_few_detectors(stored, limits):
        return True
    areas = [maps[name].summary.area90_deg2 for name in stored.localization_ids if name in maps]
    return any(area >= limits.all_sky_area90_deg2 for area in areas)


def _too_few_detectors(stored: StoredNotice, limits: SpatialLimits) -> bool:
    seen_by = stored.notice.properties.get("instruments")
    return stored.notice.messenger is Messenger.GW and isinstance(seen_by, list) and 0 < len(seen_by) < limits.least_detectors
