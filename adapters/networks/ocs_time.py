"""The time that a proposal has left at an observation portal, by semester, urgency and instruments.

Names are those of django-ocs-observation-portal 4.18 (``proposals/models.py``, ``TimeAllocation``). The portal books less than
10 % of overuse at scheduling, so that a little less than nothing may be left.
"""

from collections.abc import Collection, Iterator, Mapping
from math import isfinite
from typing import Any

from hub.errors import Permanent, sentence_of
from hub.model.followup import Urgency
from hub.model.instant import Instant
from hub.ports import Quota

_FIELDS: Mapping[Urgency, tuple[str, str]] = {
    Urgency.NORMAL: ("std_allocation", "std_time_used"),
    Urgency.TIME_CRITICAL: ("tc_allocation", "tc_time_used"),
    Urgency.RAPID_RESPONSE: ("rr_allocation", "rr_time_used"),
}
"""Fields of an allocation, in hours, by what they pay for."""


def quotas(
    proposal: Mapping[str, Any], urgencies: Collection[Urgency], instruments: Collection[str], semesters: Mapping[str, Instant]
) -> list[Quota]:
    """Return the time of a proposal, hours.

    Parameters
    ----------
    proposal
        The portal's document.
    urgencies
        Those of which to tell.
    instruments
        Types of instruments of which to tell: an allocation may be for several together.
    semesters
        Of which to tell, and when each ends.

    Raises
    ------
    Permanent
        The document is not one.
    """
    return list(_quotas(proposal, urgencies, instruments, semesters))


def _quotas(
    proposal: Mapping[str, Any], urgencies: Collection[Urgency], instruments: Collection[str], semesters: Mapping[str, Instant]
) -> Iterator[Quota]:
    name, allocations = proposal.get("id"), proposal.get("timeallocation_set")
    if not isinstance(name, str) or not isinstance(allocations, list):
        raise Permanent("the portal's answer is no proposal")
    for allocation in allocations:
        if not isinstance(allocation, Mapping):
            raise Permanent(sentence_of(f"the portal's answer about the proposal {name} has an allocation that is none"))
        semester, types = allocation.get("semester"), allocation.get("instrument_types")
        if not isinstance(types, list) or not isinstance(semester, str):
            raise Permanent(sentence_of(f"the portal's answer about the proposal {name} has an allocation that is none"))
        if semester not in semesters or not {str(one) for one in types} & set(instruments):
            continue
        for urgency in urgencies:
            given, used = (_hours(allocation, field, name) for field in _FIELDS[urgency])
            what = f"{name}, {urgency}, {' and '.join(sorted(map(str, types)))}"
            yield Quota(what=sentence_of(what), unit="hours", allocated=given, used=used, until=semesters[semester])


def _hours(allocation: Mapping[str, Any], field: str, proposal: str) -> float:
    value = allocation.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Permanent(sentence_of(f"the portal's answer about the proposal {proposal} has no {field}"))
    return float(value)
