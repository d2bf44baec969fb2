"""Registers are told of the hub's own pointings: planned, then completed or cancelled; never twice, and of no test.

What should be told follows from the steps of the requests. What is being told is written down before the call and what came of it
after. A register that may still be busy with a lost call is left alone for a while, then what it has is looked up before anything
is sent. When an event is retracted everything that is planned for it is withdrawn at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.errors import NetworkRefused, NotFound, Transient, TransportError
from hub.model.event import Event, EventState
from hub.model.followup import RequestState
from hub.model.instant import Instant
from hub.model.pointing import PointingStatus
from hub.model.register import RegisterReport
from hub.ports import Clock, Health, OwnPointing, TakesReports, WithdrawsPointings
from hub.science.followup_policy import Live
from hub.services.followup_gates import why_not_asked_for
from hub.services.own_pointings import OwnPointings
from hub.services.submission import WAITING_STATES
from hub.storage import events, followup, privacy, registers
from hub.storage.engine import Store
from hub.storage.privacy import PrivateKind
from hub.storage.writing import hold
from hub.telemetry import get_logger

SETTLE_S = 300.0
"""A register may still be busy for so long with a call of which nobody knows the end, seconds."""

RETRY_S = 60.0
"""Pause after a fault by which nothing was stored, seconds."""

_NEXT: Mapping[PointingStatus | None, frozenset[PointingStatus]] = {
    None: frozenset({PointingStatus.PLANNED, PointingStatus.COMPLETED}),
    PointingStatus.PLANNED: frozenset({PointingStatus.COMPLETED, PointingStatus.CANCELLED}),
    PointingStatus.CANCELLED: frozenset({PointingStatus.COMPLETED}),
    PointingStatus.COMPLETED: frozenset(),
}
"""What a register takes after what it has: it gives nothing back that is completed."""

_log = get_logger("registers")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """Something to be told."""

    own: OwnPointing
    """With the status that is to be told."""

    event: Event
    before: RegisterReport

    @property
    def status(self) -> PointingStatus:
        return self.own.pointing.status


class RegisterReports:
    """Tells registers, one thing after the other; holds no transaction meanwhile."""

    def __init__(self, store: Store, networks: Mapping[str, TakesReports], clock: Clock, own: OwnPointings, live: Live) -> None:
        self._store = store
        self._networks = dict(networks)
        self._clock = clock
        self._own = own
        self._live = live
        self._faults: dict[tuple[str, str], str] = {}

    def step(self) -> int:
        """Tell each register the one thing that is due first, where there is one; return how many calls were made."""
        return sum(self._tell_one(register) for register in self._networks.values())

    def health(self) -> Health:
        """Return which registers take nothing; callable from any thread."""
        faults = sorted({(name, why) for (name, _), why in dict(self._faults).items()})
        return Health(
            state="running",
            alarms=tuple(f"the register {name} was not told: {why}" for name, why in faults),
            facts={"registers": sorted(self._networks)},
        )

    def _tell_one(self, register: TakesReports) -> int:
        with self._store.transaction() as session:
            hold(session, f"register {register.name}")  # two hubs never tell the same
            due = next(self._dues(session, register, self._clock()), None)
            if due is None:
                return 0
            before = replace(due.before, telling=due.status, at=self._clock())
            registers.save_report(session, before)
        outcome = self._told(register, due, before)
        with self._store.transaction() as session:
            registers.save_report(session, outcome)
        return 1

    def _told(self, register: TakesReports, due: _Due, telling: RegisterReport) -> RegisterReport:
        """Tell it once, and return what is known then."""
        log = _log.bind(register=register.name, event=due.event.event_id, pointing=telling.pointing_id, status=due.status.value)
        try:
            number = self._call(register, due)
        except NetworkRefused as error:
            self._faults.pop((register.name, telling.pointing_id), None)
            log.warning("a register refuses", reason=str(error))
            return replace(telling, telling=None, refused=due.status, at=self._clock(), reason=str(error))
        except TransportError as error:
            self._faults[register.name, telling.pointing_id] = str(error)
            log.warning("a register was not told", reason=str(error))
            nothing_was_stored = isinstance(error, Transient | NotFound) and due.before.telling is None
            in_doubt = None if nothing_was_stored else telling.telling
            return replace(telling, telling=in_doubt, at=self._clock(), reason=str(error))
        self._faults.pop((register.name, telling.pointing_id), None)
        log.info("a register was told", number=number)
        return replace(telling, at=self._clock(), told=due.status, number=number, telling=None, refused=None, reason="")

    @staticmethod
    def _call(register: TakesReports, due: _Due) -> int | None:
        name = _name(register, due.event, due.own)
        if due.event.state is EventState.RETRACTED and isinstance(register, WithdrawsPointings):
            register.cancel_all(name)
            return due.before.number
        is_there = (
            due.before.told is PointingStatus.PLANNED
        )  # what is cancelled there stays so: what comes after it is another row
        return register.tell(name, due.own, due.before.number if is_there else None)

    def _dues(self, session: Session, register: TakesReports, now: Instant) -> Iterator[_Due]:
        """Yield what a register should be told, the oldest request first."""
        known = {one.pointing_id: one for one in registers.reports(session, network=register.name)}
        there: dict[str, Event | None] = {}
        for submission in followup.in_states(session, sorted(set(RequestState) - WAITING_STATES)):
            intent = submission.intent
            if intent.network == register.name:
                continue  # a request to the register itself: the sender looks after it
            if intent.event_id not in there:
                there[intent.event_id] = events.get(session, intent.event_id)
            event = there[intent.event_id]
            who = (PrivateKind.NETWORK, register.name)
            about = {"event_id": intent.event_id, "network": intent.network, "target": intent.target, "within": intent.group}
            if not privacy.may_know(session, who, **about):
                continue
            for own in self._own.of(submission) if event is not None else ():
                assert event is not None
                name = own.pointing.pointing_id
                blank = RegisterReport(network=register.name, pointing_id=name, event_id=intent.event_id, told=None, at=now)
                before = known.get(name, blank)
                status = next_status(own.pointing.status, before, is_retracted=event.state is EventState.RETRACTED)
                if status is None or _is_early(before, now) or (status is PointingStatus.PLANNED and now >= intent.window_end):
                    continue
                stated = _as(own, status)
                if status is PointingStatus.CANCELLED or not self._why_not(register, event, stated):
                    yield _Due(own=stated, event=event, before=before)

    def _why_not(self, register: TakesReports, event: Event, own: OwnPointing) -> str:
        """Return why a register may not be told that something is planned or completed, a sentence, or the empty text."""
        if not self._live.enabled:
            return "live requests are switched off"
        if register.host not in self._live.hosts:
            return f"the host {register.host} is not on the list of allowed hosts"
        return why_not_asked_for(event) or register.why_not_told(_name(register, event, own), own)


def next_status(wanted: PointingStatus, before: RegisterReport, *, is_retracted: bool) -> PointingStatus | None:
    """Return what a register is to be told next of a pointing; None where nothing is.

    Parameters
    ----------
    wanted
        What is true of it now.
    before
        What the register was told.
    is_retracted
        Whether its event is: then it is told nothing new, and what is planned there is withdrawn.
    """
    if is_retracted:
        wanted = PointingStatus.CANCELLED
    if before.telling is not None:  # to be looked up: what it may have is told again, unless it is to be withdrawn anyway
        return wanted if wanted is PointingStatus.CANCELLED else before.telling
    if wanted not in _NEXT[before.told] or wanted is before.refused:
        return None
    return wanted


def _is_early(before: RegisterReport, now: Instant) -> bool:
    """Return whether a register may still be busy with the last call, or had a fault only a moment ago."""
    pause_s = SETTLE_S if before.telling is not None else RETRY_S if before.reason else 0.0
    return 0.0 <= now.minus(before.at) < pause_s


def _as(own: OwnPointing, status: PointingStatus) -> OwnPointing:
    """Return a pointing with another status: what is not completed stands at the time for which it was planned."""
    at = own.pointing.at if status is PointingStatus.COMPLETED else own.planned_at
    return replace(own, pointing=replace(own.pointing, status=status, at=at))


def _name(register: TakesReports, event: Event, own: OwnPointing) -> str:
    """Return the name of an event that a register may know; its id where it knows none of them."""
    names = (event.event_id, *event.aliases)
    return next((name for name in names if not register.why_not_told(name, own)), event.event_id)
