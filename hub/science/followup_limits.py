"""Budgets, caps and circuit breakers: pure functions of what was asked and answered; nothing is counted up beside the rows."""

from collections.abc import Iterable, Sequence

from hub.science.followup_facts import Asked
from hub.science.followup_policy import Allocation, Breaker, Limit

NIGHT_H = 24.0
"""A night is any 24 hours: a limit that holds in each of them holds in each night of each site."""


def over(limit: Limit, spent: Iterable[Asked], *, requests: int, seconds: float, what: str) -> str:
    """Return why so much more would be too much, a sentence, or the empty text.

    Parameters
    ----------
    limit
        At most so much.
    spent
        What counts already.
    requests, seconds
        What is wanted besides.
    what
        Of what the limit is, as the sentence calls it.
    """
    counted = list(spent)
    if limit.requests is not None and len(counted) + requests > limit.requests:
        return f"{what} has room for {limit.requests} requests, {len(counted)} were made: {requests} more are too many"
    used = sum(sorted(one.seconds for one in counted))  # sorted: a sum of floats depends on the order
    if limit.seconds is not None and used + seconds > limit.seconds:
        return f"{what} has room for {limit.seconds:g} s of exposure, {used:g} s were asked for: {seconds:g} s more are too much"
    return ""


def of_event(asked: Iterable[Asked], event_id: str) -> list[Asked]:
    """Return the requests for an event."""
    return [one for one in asked if one.event_id == event_id]


def of_night(asked: Iterable[Asked]) -> list[Asked]:
    """Return the requests of the 24 hours before, those with a later date too."""
    return [one for one in asked if one.hours_ago < NIGHT_H]


def of_allocation(asked: Iterable[Asked], allocation: Allocation) -> list[Asked]:
    """Return the requests that an allocation pays."""
    return [one for one in asked if (one.network, one.instrument) == (allocation.network, allocation.instrument)]


def over_allocation(allocation: Allocation, asked: Sequence[Asked], *, requests: int, seconds: float) -> str:
    """Return why an allocation cannot pay so much more, a sentence, or the empty text."""
    own = of_allocation(asked, allocation)
    night = f"the allocation {allocation.name}, in 24 h,"
    return over(allocation.per_night, of_night(own), requests=requests, seconds=seconds, what=night) or over(
        allocation.total, own, requests=requests, seconds=seconds, what=f"the allocation {allocation.name}"
    )


def breaker_opens(breaker: Breaker, answers: Iterable[tuple[float, bool]]) -> str:
    """Return why a network is left alone, a sentence, or the empty text.

    Parameters
    ----------
    breaker
        The policy's.
    answers
        What came of the calls of the network, in any order: how many hours ago, and whether it was a fault.
    """
    newest = sorted(answers)[: breaker.faults]
    if len(newest) < breaker.faults or not all(is_fault for _, is_fault in newest):
        return ""
    last, first = newest[0][0], newest[-1][0]
    if first - last > breaker.within_h or last >= breaker.pause_h:
        return ""
    return (
        f"its last {breaker.faults} answers within {breaker.within_h:g} h are faults: it is left alone for another "
        f"{breaker.pause_h - last:.2g} h"
    )
