"""What a sender that was killed again and again has done, by the books of the network that it sent to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.model.followup import RequestState, Submission
from hub.model.instant import Instant
from hub.services.followup_asked import COUNTED_STATES
from tests.torture.sender_life import MOVING, POINTS, Order


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One request that the network has."""

    marker: str
    state: RequestState
    """What has become of it there."""

    begin_us: int = 0
    """When it was booked, by the network's clock, microseconds."""

    end_us: int | None = None
    """When it was cancelled or expired there; None where it cost the time that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """One submission that the network received, whatever came of it."""

    marker: str
    at: Instant
    at_ns: int
    """The same by the machine's monotonic clock, nanoseconds."""


@dataclass
class Report:
    """What a run came to."""

    kills: int = 0
    fell: Counter[str] = field(default_factory=Counter)
    """Blows by where they fell; ``any time`` where nobody aimed."""

    asked: int = 0
    booked: int = 0
    cancelled: int = 0
    expired: int = 0
    """Requests that were never booked, since their windows ended before."""

    declined: int = 0
    held_back: int = 0
    """Requests that stay drafts since the budget is spent."""

    budget: int | None = None
    """Requests that there is room for."""

    most_at_once: int = 0
    """Requests that the network had at one time, without those that were cancelled or had expired by then."""

    withdrawn: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """What went wrong at the network, by how often."""

    lost: list[str] = field(default_factory=list)
    """Requests that the network should have, and has not."""

    doubled: list[str] = field(default_factory=list)
    """Requests that it has more than once, or that nobody asked for."""

    after_expiry: list[str] = field(default_factory=list)
    """Requests that came to it after their windows had ended."""

    after_retraction: list[str] = field(default_factory=list)
    """Requests whose sending began after they were withdrawn."""

    left: list[str] = field(default_factory=list)
    """Requests that were withdrawn, and that it would still observe."""

    over_budget: list[str] = field(default_factory=list)
    """When the network had more than the budget has room for."""

    disagreeing: list[str] = field(default_factory=list)
    """Requests of which hub and network do not say the same in the end."""

    stuck: str = ""
    """Why the end was not waited for."""

    seconds: float = 0.0

    def findings(self) -> list[str]:
        """Return what is wrong, by name."""
        lists = ("lost", "doubled", "after_expiry", "after_retraction", "left", "over_budget", "disagreeing")
        return [name for name in lists if getattr(self, name)] + (["stuck"] if self.stuck else [])

    def untouched(self) -> list[str]:
        """Return the points that no blow fell on."""
        return [point for point in POINTS if not self.fell[point]]

    def as_json(self) -> dict[str, Any]:
        """Return it for a person, long lists cut."""
        short = {name: value[:20] if isinstance(value, list) else value for name, value in self.__dict__.items()}
        return {**short, "findings": self.findings(), "untouched": self.untouched()}


def examine(
    submissions: Iterable[Submission],
    bookings: Iterable[Booking],
    arrivals: Iterable[Arrived],
    orders: Mapping[str, Order],
    declined: frozenset[str],
    report: Report,
) -> None:
    """Compare what the network has with what was asked for.

    Parameters
    ----------
    submissions
        The hub's own, in the end.
    bookings, arrivals
        By the network's own books.
    orders
        The retractions.
    declined
        Requests that the network would take of nobody.
    report
        Is written into.
    """
    asked = {one.intent.intent_id: one for one in submissions}
    there: dict[str, list[RequestState]] = {}
    booked = list(bookings)
    for booking in booked:
        there.setdefault(booking.marker, []).append(booking.state)
    arrived = list(arrivals)
    report.asked, report.withdrawn = len(asked), len(orders)
    report.booked = sum(map(len, there.values()))
    _spending(booked, report)
    report.cancelled = sum(states.count(RequestState.CANCELLED) for states in there.values())
    report.doubled = sorted(marker for marker, states in there.items() if len(states) > 1 or marker not in asked)
    counted = sum(one.state in COUNTED_STATES for one in asked.values())
    has_room = report.budget is not None and counted < report.budget
    for marker, submission in asked.items():
        states = there.get(marker, [])
        if states and submission.state is not states[0]:
            report.disagreeing.append(f"{marker}: {submission.state} here, {states[0]} there")
        if not states:
            _missing(submission, marker in orders, marker in declined, arrived, report, has_room=has_room)
        if marker in orders and _is_left(submission, orders[marker], states):
            report.left.append(marker)
    report.after_expiry = sorted({one.marker for one in arrived if one.at >= asked[one.marker].intent.window_end})
    report.after_retraction = sorted(
        {
            one.marker
            for one in arrived
            if one.marker in orders and one.at_ns > orders[one.marker].at_ns and not _was_on_its_way(asked[one.marker])
        }
    )


def _is_left(submission: Submission, order: Order, states: Iterable[RequestState]) -> bool:
    """Return whether a withdrawn request is or was observed though the network might have been told in time."""
    told = {RequestState.CANCEL_REQUESTED, RequestState.CANCELLED} & {step.state for step in submission.transitions}
    return any(state not in _OVER for state in states) or (bool(states) and order.was in MOVING and not told)


_OVER = frozenset({RequestState.CANCELLED, RequestState.COMPLETED, RequestState.FAILED, RequestState.EXPIRED})
_UNSENT = frozenset({RequestState.CANCELLED, RequestState.EXPIRED})


def _spending(bookings: Iterable[Booking], report: Report) -> None:
    """Count what the network had at each moment; at the same moment what ends goes before what begins."""
    turns = [(one.begin_us, 1) for one in bookings] + [(one.end_us, -1) for one in bookings if one.end_us is not None]
    n = 0
    for at_us, change in sorted(turns):
        n += change
        report.most_at_once = max(report.most_at_once, n)
        if report.budget is not None and change > 0 and n > report.budget:
            report.over_budget.append(f"{n} at {Instant(at_us).to_utc_iso()}")


def _missing(
    submission: Submission, withdrawn: bool, declined: bool, arrived: list[Arrived], report: Report, *, has_room: bool
) -> None:
    """Judge a request that the network does not have."""
    marker = submission.intent.intent_id
    if submission.state is RequestState.DRAFT and report.budget is not None and not has_room:
        report.held_back += 1
        return
    if withdrawn and submission.state in _UNSENT | {RequestState.REJECTED}:
        return
    if declined and submission.state is RequestState.REJECTED:
        report.declined += 1
    elif submission.state is RequestState.EXPIRED and submission.transitions[-1].at >= submission.intent.window_end:
        report.expired += 1
    else:
        n = sum(one.marker == marker for one in arrived)
        report.lost.append(f"{marker}: {submission.state} here, came {n} times to the network")


def _was_on_its_way(submission: Submission) -> bool:
    """Return whether the sending had been written down before the retraction, and came to the network behind it."""
    states = [step.state for step in submission.transitions]
    first = states.index(RequestState.CANCEL_REQUESTED) if RequestState.CANCEL_REQUESTED in states else len(states)
    return (
        RequestState.SENDING in states[:first]
        and states[first - 1] is RequestState.SENDING
        and RequestState.CANCELLED not in states[:first]
    )
