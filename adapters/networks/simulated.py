"""A telescope network that is not there: it books, refuses, is clouded out, completes, and misbehaves on demand.

Everything it has received stands in a ledger (a small SQLite file), so it survives the hub being killed and tests can count what
really arrived. Like the real networks it has no idempotency key: two equal submissions are two requests. The fate of a request
follows from the seed, our marker and the clock alone, so a night can be run again; what goes wrong at a submission follows from
the seed and from how many came before, so that a hub that is killed meets other troubles in its next life.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from hub.errors import NetworkRefused, NotFound, Transient, TransportError
from hub.model.followup import Intent, RequestState
from hub.model.instant import Instant
from hub.ports import Clock, DryRun, PartContext, Quota, RemoteState

KIND = "simulated"
"""What the settings call it."""

_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    marker TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    window_start_us INTEGER NOT NULL,
    window_end_us INTEGER NOT NULL,
    cancelled_us INTEGER,
    payload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_of_marker ON requests (marker);
CREATE TABLE IF NOT EXISTS arrivals (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    marker TEXT NOT NULL,
    arrived_us INTEGER NOT NULL,
    arrived_ns INTEGER NOT NULL,
    window_end_us INTEGER NOT NULL,
    fault TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outages (until_us INTEGER NOT NULL);
"""
_LOCK_TIMEOUT_S = 30.0
_DAY_US = 86_400_000_000


class Fault(StrEnum):
    """What goes wrong at one submission."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    """No connection: nothing was sent."""

    TOO_MANY = "too_many"
    """Answer 429 with Retry-After: nothing was booked."""

    DROP_REPLY = "drop_reply"
    """Booked, and then the connection is lost."""

    ERROR_AFTER_BOOKING = "error_after_booking"
    """Booked, and then answer 500."""

    LOST_ON_THE_WAY = "lost_on_the_way"
    """Sent, never booked, no answer: looks like `DROP_REPLY` from outside."""

    SLOW = "slow"
    """Booked, and found, after ``slow_s`` only; it is not waited for longer than ``patience_s``."""

    RESTART = "restart"
    """Booked, and then the network goes down for ``restart_s``: no answer, and none to any question."""


class SimulatedOptions(BaseModel):
    """A network without telescopes, for trials: it books, declines, is clouded out, completes, and misbehaves on demand."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ledger: Path = Field(Path("simulated-network.sqlite"), description="SQLite file in which it keeps what it received")
    filters: tuple[str, ...] = Field(("u", "g", "r", "i", "z", "y"), description="Filters that it has")
    instruments: tuple[str, ...] = Field(("1M0-SIMCAM",), description="Instruments that it has")
    max_exposure_s: float = Field(3600.0, gt=0, description="Longest sum of exposures of one request, seconds")
    quota_per_day: int = Field(200, ge=0, description="Requests that it takes in 24 h")
    refuse_fraction: float = Field(0.1, ge=0, le=1, description="Fraction of good requests that its observers decline")
    cloud_fraction: float = Field(0.2, ge=0, le=1, description="Fraction of nights that are clouded out")
    schedule_after_s: float = Field(60.0, ge=0, description="From acceptance to a place in the schedule, seconds")
    observe_after_s: float = Field(
        600.0, ge=0, description="From acceptance, or the window's start if later, to the first exposure"
    )
    overhead_s: float = Field(60.0, ge=0, description="Pointing and readout of one request, seconds")
    n_attempts: int = Field(2, ge=1, description="Nights on which it tries before it gives up")
    can_find: bool = Field(True, description="Whether requests can be searched by our marker")
    can_cancel: bool = Field(True, description="Whether requests can be withdrawn")
    faults: tuple[Fault, ...] = Field((), description="What goes wrong at the first submissions, one after the other")
    fault_odds: dict[Fault, Annotated[float, Field(ge=0, le=1)]] = Field(
        {}, description="How often each goes wrong at later submissions"
    )
    silence_odds: float = Field(0.0, ge=0, le=1, description="Fraction of questions and cancels whose answer is lost")
    slow_s: float = Field(120.0, ge=0, description="What a slow booking takes, seconds")
    patience_s: float = Field(60.0, gt=0, description="How long an answer is waited for, seconds")
    restart_s: float = Field(90.0, ge=0, description="How long a restart takes, seconds")


Options = SimulatedOptions
"""As the catalogue of kinds calls it."""

Wait = Callable[[float], None]
"""Waits for some seconds of the network's clock."""


@contextmanager
def open_network(options: SimulatedOptions, context: PartContext) -> Iterator["SimulatedNetwork"]:
    """Give the network of some options; its ledger lies in the data folder."""
    there = options.model_copy(update={"ledger": context.data_dir / options.ledger})
    yield SimulatedNetwork(there, context.clock, context.seed, name=context.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One request as the network received it."""

    remote_id: str
    marker: str
    received_at: Instant
    window_end: Instant
    exposure_s: float
    is_cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One submission that reached the network, booked or not."""

    marker: str
    arrived_at: Instant
    arrived_ns: int
    """The same by the machine's monotonic clock, nanoseconds: comparable between processes until the next boot."""

    window_end: Instant
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class _Booking:
    """What the fate of a request depends on; times are `Instant.tai_us`."""

    marker: str
    received_us: int
    start_us: int
    end_us: int
    exposure_s: float


class SimulatedNetwork:
    """A `hub.ports.TelescopeNetwork` without telescopes.

    Raises
    ------
    sqlite3.Error
        The ledger cannot be opened.
    """

    is_simulated = True
    host: str | None = None

    def __init__(
        self, options: SimulatedOptions, clock: Clock, seed: int, *, name: str = "simulated", wait: Wait = time.sleep
    ) -> None:
        self.name = name
        self.can_find = options.can_find
        self.can_cancel = options.can_cancel
        self._options = options
        self._clock = clock
        self._seed = seed
        self._wait = wait
        self._faults = list(options.faults)
        with self._open() as ledger:
            ledger.executescript(_TABLES)

    def dry_run(self, intent: Intent) -> DryRun:
        """Return what would be booked, and why it would be refused."""
        if reasons := self.validate(intent):
            return DryRun(payload={}, reasons=tuple(reasons))
        duration_s = _exposure_s(intent) + self._options.overhead_s
        return DryRun(payload=_payload(intent), reasons=(), duration_s=duration_s)

    def quota(self) -> tuple[Quota, ...]:
        """Return what is left of the requests that it takes in 24 h."""
        now = self._clock()
        with self._open() as ledger:
            n_booked, first_us = ledger.execute(
                "SELECT count(*), min(received_us) FROM requests WHERE received_us > ?", (now.tai_us - _DAY_US,)
            ).fetchone()
        until = None if first_us is None else Instant(first_us + _DAY_US)
        allocated = float(self._options.quota_per_day)
        return (Quota(what="requests in 24 h", unit="requests", allocated=allocated, used=float(n_booked), until=until),)

    def validate(self, intent: Intent) -> list[str]:
        """Return the reasons for which the network cannot take this intent; empty where it can."""
        options = self._options
        reasons = []
        if intent.instrument not in options.instruments:
            reasons.append(f"{self.name} has no instrument {intent.instrument}")
        unknown = {str(exposure.get("filter")) for exposure in intent.exposures} - set(options.filters)
        reasons.extend(f"{self.name} has no filter {name}" for name in sorted(unknown))
        if not intent.exposures:
            reasons.append("the request has no exposures")
        if (total := _exposure_s(intent)) > options.max_exposure_s:
            reasons.append(f"exposures of {total:g} s are longer than the {options.max_exposure_s:g} s of one request")
        if intent.window_end <= self._clock():
            reasons.append(f"the window ended at {intent.window_end.to_utc_iso()}")
        if intent.visibility and not any(site.is_observable for site in intent.visibility):
            reasons.append("not observable from any site")
        return reasons

    def submit(self, intent: Intent) -> RemoteState:
        """Book the observation; a second call books a second one.

        Raises
        ------
        NetworkRefused
            It is invalid, over quota, or declined.
        Transient
            Nothing was sent (unreachable, or 429).
        TransportError
            The outcome is unknown from outside.
        """
        if self._is_down():
            raise Transient(f"{self.name} cannot be reached; nothing was sent")
        fault = self._arrive(intent)
        self._fail_before_booking(fault)
        if reasons := self.validate(intent):
            raise NetworkRefused("; ".join(reasons))
        if self._chance(intent.intent_id, "refuse") < self._options.refuse_fraction:
            raise NetworkRefused(f"the observers of {self.name} declined the request")
        remote_id = self._book(intent, after_s=self._options.slow_s if fault is Fault.SLOW else 0.0)
        self._fail_after_booking(fault)
        return self._status(remote_id)

    def find_by_marker(self, intent_id: str) -> RemoteState | None:
        """Return the first request that carries our id, None where there is none.

        Raises
        ------
        NotFound
            This network cannot search (``can_find`` is false).
        TransportError
            It does not answer.
        """
        if not self.can_find:
            raise NotFound(f"{self.name} cannot search its requests by our marker")
        self._demand_answer(intent_id, "search")
        with self._open() as ledger:
            row = ledger.execute(
                "SELECT number FROM requests WHERE marker = ? AND received_us <= ? ORDER BY number",
                (intent_id, self._clock().tai_us),
            ).fetchone()
        return None if row is None else self._status(str(row[0]))

    def status(self, remote_id: str) -> RemoteState:
        """Return the present state of a request.

        Raises
        ------
        NotFound
            There is no such request.
        TransportError
            It does not answer.
        """
        self._demand_answer(remote_id, "status")
        return self._status(remote_id)

    def _status(self, remote_id: str) -> RemoteState:
        with self._open() as ledger:
            row = ledger.execute(
                "SELECT marker, received_us, window_start_us, window_end_us, cancelled_us, payload FROM requests"
                " WHERE number = ?",
                (int(remote_id) if remote_id.isdecimal() and len(remote_id) < 19 else -1,),
            ).fetchone()
        if row is None:
            raise NotFound(f"{self.name} has no request {remote_id}")
        marker, received_us, start_us, end_us, cancelled_us, payload = row
        booking = _Booking(
            marker=marker, received_us=received_us, start_us=start_us, end_us=end_us, exposure_s=json.loads(payload)["exposure_s"]
        )
        if cancelled_us is not None:
            word, state, reason = "CANCELED", RequestState.CANCELLED, "withdrawn by its owner"
        else:
            word, state, reason = self._fate(booking, self._clock().tai_us)
        return RemoteState(remote_id=remote_id, remote_state=word, state=state.value, reason=reason)

    def cancel(self, remote_id: str) -> RemoteState:
        """Withdraw a request; repeating it does no harm.

        Raises
        ------
        NetworkRefused
            It is too late: the request has ended; or this network has no way to cancel (``can_cancel`` is false).
        NotFound
            There is no such request.
        TransportError
            It does not answer; whether it cancelled is unknown.
        """
        if not self.can_cancel:
            raise NetworkRefused(f"{self.name} has no way to cancel a request")
        if self._is_down():
            raise Transient(f"{self.name} cannot be reached; nothing was sent")
        present = self._status(remote_id)
        if present.remote_state == "CANCELED":
            return present
        if present.state in (RequestState.COMPLETED, RequestState.FAILED, RequestState.EXPIRED):
            raise NetworkRefused(f"request {remote_id} cannot be cancelled: it is {present.remote_state}")
        with self._open() as ledger:
            ledger.execute("UPDATE requests SET cancelled_us = ? WHERE number = ?", (self._clock().tai_us, int(remote_id)))
        self._demand_answer(remote_id, "cancel")
        return self._status(remote_id)

    def ledger(self) -> tuple[LedgerEntry, ...]:
        """Return everything that was booked, in order of reception."""
        with self._open() as ledger:
            rows = ledger.execute(
                "SELECT number, marker, received_us, window_end_us, cancelled_us, payload FROM requests ORDER BY number"
            ).fetchall()
        return tuple(
            LedgerEntry(
                remote_id=str(number),
                marker=marker,
                received_at=Instant(received_us),
                window_end=Instant(end_us),
                exposure_s=json.loads(payload)["exposure_s"],
                is_cancelled=cancelled_us is not None,
            )
            for number, marker, received_us, end_us, cancelled_us, payload in rows
        )

    def arrivals(self) -> tuple[Arrival, ...]:
        """Return every submission that reached the network, in order, whatever came of it."""
        with self._open() as ledger:
            rows = ledger.execute(
                "SELECT marker, arrived_us, arrived_ns, window_end_us, fault FROM arrivals WHERE fault != ? ORDER BY number",
                (Fault.UNREACHABLE,),
            ).fetchall()
        return tuple(
            Arrival(
                marker=marker,
                arrived_at=Instant(arrived_us),
                arrived_ns=arrived_ns,
                window_end=Instant(end_us),
                fault=Fault(fault),
            )
            for marker, arrived_us, arrived_ns, end_us, fault in rows
        )

    def _arrive(self, intent: Intent) -> Fault:
        """Write down that a submission came, durably, and return what goes wrong with it."""
        arrived_us, arrived_ns = self._clock().tai_us, time.monotonic_ns()
        with self._open() as ledger:
            ledger.execute("BEGIN IMMEDIATE")
            (n_before,) = ledger.execute("SELECT count(*) FROM arrivals").fetchone()
            fault = self._faults.pop(0) if self._faults else self._drawn(n_before)
            ledger.execute(
                "INSERT INTO arrivals (marker, arrived_us, arrived_ns, window_end_us, fault) VALUES (?, ?, ?, ?, ?)",
                (intent.intent_id, arrived_us, arrived_ns, intent.window_end.tai_us, fault),
            )
        return fault

    def _fail_before_booking(self, fault: Fault) -> None:
        if fault is Fault.UNREACHABLE:
            raise Transient(f"{self.name} cannot be reached; nothing was sent")
        if fault is Fault.TOO_MANY:
            raise Transient(f"{self.name} answered 429 too many requests; nothing was booked")
        if fault is Fault.LOST_ON_THE_WAY:
            raise TransportError(f"the connection to {self.name} broke before an answer")

    def _fail_after_booking(self, fault: Fault) -> None:
        options = self._options
        if fault is Fault.ERROR_AFTER_BOOKING:
            raise TransportError(f"{self.name} answered 500 internal server error")
        if fault is Fault.RESTART:
            self._go_down()
        if fault in (Fault.DROP_REPLY, Fault.RESTART):
            raise TransportError(f"the connection to {self.name} broke before an answer")
        if fault is Fault.SLOW:
            self._wait(min(options.slow_s, options.patience_s))
            if options.slow_s > options.patience_s:
                raise TransportError(f"{self.name} did not answer in time")

    def _drawn(self, n_before: int) -> Fault:
        drawn = self._chance("", f"arrival {n_before}")
        for fault, odds in self._options.fault_odds.items():
            if drawn < odds:
                return fault
            drawn -= odds
        return Fault.NONE

    def _demand_answer(self, name: str, question: str) -> None:
        """Raise where the network is down, or where this answer is lost."""
        if self._is_down():
            raise Transient(f"{self.name} cannot be reached")
        if self._options.silence_odds and self._chance(name, f"{question} {self._clock().tai_us}") < self._options.silence_odds:
            raise TransportError(f"the connection to {self.name} broke before an answer")

    def _is_down(self) -> bool:
        if Fault.RESTART not in {*self._options.faults, *self._options.fault_odds}:
            return False
        with self._open() as ledger:
            (until_us,) = ledger.execute("SELECT max(until_us) FROM outages").fetchone()
        return until_us is not None and self._clock().tai_us < until_us

    def _go_down(self) -> None:
        with self._open() as ledger:
            ledger.execute("INSERT INTO outages VALUES (?)", (self._clock().plus_s(self._options.restart_s).tai_us,))

    def _book(self, intent: Intent, *, after_s: float) -> str:
        """Write a request down durably; others see it after some seconds.

        Raises
        ------
        NetworkRefused
            The quota of the last 24 h is used up.
        """
        now_us = self._clock().tai_us + round(after_s * 1e6)
        with self._open() as ledger:
            ledger.execute("BEGIN IMMEDIATE")
            since_us = now_us - _DAY_US
            (n_booked,) = ledger.execute("SELECT count(*) FROM requests WHERE received_us > ?", (since_us,)).fetchone()
            if n_booked >= self._options.quota_per_day:
                raise NetworkRefused(f"the quota of {self._options.quota_per_day} requests in 24 h is used up")
            cursor = ledger.execute(
                "INSERT INTO requests (marker, received_us, window_start_us, window_end_us, payload) VALUES (?, ?, ?, ?, ?)",
                (intent.intent_id, now_us, intent.window_start.tai_us, intent.window_end.tai_us, json.dumps(_payload(intent))),
            )
        return str(cursor.lastrowid)

    def _fate(self, booking: "_Booking", now_us: int) -> tuple[str, RequestState, str]:
        """Return the network's word, ours and the reason, for a request that nobody cancelled."""
        options = self._options
        begin_us = max(booking.received_us, booking.start_us) + round(options.observe_after_s * 1e6)
        duration_us = round((booking.exposure_s + options.overhead_s) * 1e6)
        for n_clouded in range(options.n_attempts):
            if now_us < begin_us or begin_us + duration_us > booking.end_us:
                return self._waiting(booking, now_us, n_clouded)
            if self._chance(booking.marker, f"clouds {n_clouded}") >= options.cloud_fraction:
                if now_us >= begin_us + duration_us:
                    return "COMPLETED", RequestState.COMPLETED, "observed"
                return "IN_PROGRESS", RequestState.IN_PROGRESS, "exposing"
            begin_us += _DAY_US
        return "FAILURE_LIMIT_REACHED", RequestState.FAILED, f"clouded out on {options.n_attempts} nights"

    def _waiting(self, booking: "_Booking", now_us: int, n_clouded: int) -> tuple[str, RequestState, str]:
        clouds = f"clouded out on {n_clouded} nights" if n_clouded else ""
        if now_us >= booking.end_us:
            return "WINDOW_EXPIRED", RequestState.EXPIRED, clouds or "not observed within its window"
        if now_us >= booking.received_us + round(self._options.schedule_after_s * 1e6):
            return "SCHEDULED", RequestState.SCHEDULED, clouds
        return "PENDING", RequestState.ACCEPTED, clouds

    def _chance(self, marker: str, what: str) -> float:
        """Return a number in [0, 1) that depends on the seed, the request and the question alone."""
        digest = hashlib.sha256(f"{self._seed}\n{marker}\n{what}".encode()).digest()
        return int.from_bytes(digest[:7]) / 2**56

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the ledger for one call, committed at its end: nothing is held between calls."""
        with closing(sqlite3.connect(self._options.ledger, timeout=_LOCK_TIMEOUT_S)) as connection, connection:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection


def _payload(intent: Intent) -> dict[str, Any]:
    return {"target": intent.target, "ra_deg": intent.ra_deg, "dec_deg": intent.dec_deg, "exposure_s": _exposure_s(intent)}


def _exposure_s(intent: Intent) -> float:
    return sum(float(exposure.get("seconds", 0.0)) * int(exposure.get("count", 1)) for exposure in intent.exposures)
