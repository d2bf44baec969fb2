"""Budgets, caps and circuit breakers: pure functions of what was asked and answered; nothing is counted up beside the rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.science.followup_facts import Asked
from hub.science.followup_policy import Allocation, Breaker, Limit

NIGHT_H = 24.0
"""A night is any 24 hours: a limit that holds in each of them holds in each night of each site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What counts already."""

    requests: int
    seconds: float
    """Open shutter, seconds."""


def spent_by(asked: Iterable[Asked]) -> Spent:
    """Return what some requests take together."""
    each = sorted(one.seconds for one in asked)  # sorted: a sum of floats depends on the order
    return Spent(requests=len(each), seconds=sum(each))


def over(limit: Limit, asked: Iterable[Asked], *, requests: int, seconds: float, what: str) -> str:
    """Return why so much more than some requests would be too much, as `over_spent` does."""
    return over_spent(limit, spent_by(asked), requests=requests, seconds=seconds, what=what)


def over_spent(limit: Limit, spent: Spent, *, requests: int, seconds: float, what: str) -> str:
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
    if limit.requests is not None and spent.requests + requests > limit.requests:
        return f"{what} has room for {limit.requests} requests, {spent.requests} were made: {requests} more are too many"
    used = spent.seconds
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
    return over_allocation_spent(allocation, spent_by(of_night(own)), spent_by(own), requests=requests, seconds=seconds)


def over_allocation_spent(allocation: Allocation, of_night: Spent, in_all: Spent, *, requests: int, seconds: float) -> str:
    """Return why an allocation cannot pay so much more than it has paid in 24 h and in all, as `over_allocation` does."""
    night, ever = f"the allocation {allocation.name}, in 24 h,", f"the allocation {allocation.name}"
    return over_spent(allocation.per_night, of_night, requests=requests, seconds=seconds, what=night) or over_spent(
        allocation.total, in_all, requests=requests, seconds=seconds, what=ever
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
