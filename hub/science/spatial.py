"""Whether an event's localization says anything about its place that another event's could be compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.event import Event, StoredNotice
from hub.model.notice import Messenger, Notice, Stage
from hub.model.sky import Localization, Skymap

NO_INFORMATION = "no spatial information"
"""What stands wherever an overlap would be shown."""

_WHOLE_SKY_PIXELS = 12 << 58
"""Pixels of order 29."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialLimits:
    """From when on a map counts as none; part of ``[limits]``."""

    flat_within: float = 0.0
    """A map of the whole sky whose largest and smallest density differ by at most this fraction of the larger says nothing."""

    least_detectors: int = 0
    """Maps of gravitational waves that fewer detectors saw do not count."""


def parse(limits: Mapping[str, Any]) -> SpatialLimits:
    """Return the limits that ``[limits]`` states; where it has none, maps of exactly one density say nothing, and no others.

    Raises
    ------
    TypeError, ValueError
        A value is no number, or out of range.
    """
    found = SpatialLimits(
        flat_within=float(limits.get("flat_within", 0.0)),
        least_detectors=int(limits.get("least_detectors", 0)),
    )
    if "all_sky_area90_deg2" in limits:
        raise ValueError(
            "all_sky_area90_deg2 is no limit any more: flat_within says which maps are flat, however wide others are"
        )
    if not 0.0 <= found.flat_within < 1.0 or found.least_detectors < 0:
        raise ValueError("flat_within lies between 0 and 1, and least_detectors is at least 0")
    return found


def is_flat(skymap: Skymap, limits: SpatialLimits) -> bool:
    """Tell whether a map has one density on the whole sky, up to rounding."""
    density = skymap.probdensity
    if not len(density):
        return False
    # Few maps are alike at their ends and in the middle, so that hardly any is read as a whole.
    for some in (density[[0, len(density) // 2, -1]], density):
        largest = float(some.max())
        if not largest > 0.0 or largest - float(some.min()) > limits.flat_within * largest:
            return False
    return int((skymap.hi - skymap.lo).sum()) == _WHOLE_SKY_PIXELS


def whole_sky(name: str, skymap: Skymap, limits: SpatialLimits) -> str | None:
    """Return why a map by itself says nothing about a place, by whatever name a person knows it; None where it does."""
    return f"{NO_INFORMATION}: {name} is the whole sky" if is_flat(skymap, limits) else None


def too_few_detectors(name: str, notice: Notice, limits: SpatialLimits) -> str | None:
    """Return why the map of a notice says nothing about a place, by whatever name a person knows it; None where it does."""
    return f"{NO_INFORMATION}: {name} was seen by too few detectors" if _too_few_detectors(notice, limits) else None


def no_place(event: Event, maps: Mapping[str, Localization], limits: SpatialLimits) -> str | None:
    """Return why an event's current localization says nothing about its place, None where it does say something."""
    if event.localization_id is None:
        return f"{NO_INFORMATION}: {event.event_id} has no localization"
    carriers = [v.stored for v in event.versions if event.localization_id in v.stored.localization_ids]
    too_few = too_few_detectors(event.event_id, carriers[-1].notice, limits) if carriers else None
    return too_few or whole_sky(f"the localization of {event.event_id}", maps[event.localization_id].skymap, limits)


def ever_without_place(event: Event, maps: Mapping[str, Localization], limits: SpatialLimits) -> bool:
    """Tell whether at the time of some notice only the time of an event could be compared."""
    stored = [v.stored for v in event.versions if v.stored.notice.stage is not Stage.RETRACTION]
    return any(_without_place(one, maps, limits) for one in stored)


def _without_place(stored: StoredNotice, maps: Mapping[str, Localization], limits: SpatialLimits) -> bool:
    if stored.localization_id is None or not stored.notice.localizes or _too_few_detectors(stored.notice, limits):
        return True
    return any(is_flat(maps[name].skymap, limits) for name in stored.localization_ids if name in maps)


def _too_few_detectors(notice: Notice, limits: SpatialLimits) -> bool:
    seen_by = notice.properties.get("instruments")
    return notice.messenger is Messenger.GW and isinstance(seen_by, list) and 0 < len(seen_by) < limits.least_detectors
