"""How an observatory grades its own find: what everyone may be woken for, and what is sent out below that."""

from collections.abc import Sequence
from enum import StrEnum

from hub.model.notice import EventClass, Notice


class Significance(StrEnum):
    """The observatory's own grade of an event, in words that all of them share."""

    SIGNIFICANT = "significant"
    """Above the observatory's threshold for the public: LVK ``significant``, IceCube gold."""

    LOW = "low"
    """Sent out, but below that threshold: LVK low significance, IceCube bronze."""

    SUB_THRESHOLD = "sub_threshold"
    """Found below the trigger's threshold: GBM sub-threshold, BAT sub-threshold, targeted searches (GUANO)."""

    UNSTATED = "unstated"
    """The notice does not grade."""


def significance_of(notice: Notice) -> Significance:
    """Return the grade that a notice states by its kind or its fields."""
    if notice.event_class in (EventClass.SUB_GRB, EventClass.SUB_GRB_TARGETED):
        return Significance.SUB_THRESHOLD
    stated = notice.properties.get("significant")
    if isinstance(stated, bool):
        return Significance.SIGNIFICANT if stated else Significance.LOW
    if notice.mission == "IceCube":
        selection = str(notice.properties.get("selection") or notice.properties.get("pipeline") or "").casefold()
        if selection.startswith("gold"):
            return Significance.SIGNIFICANT
        if selection.startswith("bronze"):
            return Significance.LOW
    return Significance.UNSTATED


def significance_of_all(notices: Sequence[Notice]) -> Significance:
    """Return the grade by the last of some notices, in order of issue, that states one."""
    stated = (significance_of(notice) for notice in reversed(notices))
    return next((one for one in stated if one is not Significance.UNSTATED), Significance.UNSTATED)
