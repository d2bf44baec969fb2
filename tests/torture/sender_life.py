"""One life of a sender that is going to be killed: in a process of its own, forked from one that has loaded everything."""

import mmap
import os
import signal
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.model.followup import Intent, RequestState, Submission
from hub.model.instant import Instant
from hub.ports import TelescopeNetwork
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import Sender, append_step, get_submission
from hub.services.submission import ALIVE_STATES, WAITING_STATES, Outcome
from hub.storage import followup as storage
from hub.storage.engine import Store, open_store

SENDER_POINTS = ("before claim", "claimed", "answered", "recorded", "searched", "cancelled")
"""Between every two steps of `hub.services.sending.Sender`."""

NETWORK_POINTS = ("calling", "booked", "cancelling", "cancelled there", "asked")
"""Around a call: before it, when it is booked and the answer is not yet known, and so on."""

WITHDRAWAL_POINTS = ("withdrawing", "withdrawn")
"""Before and after a retraction is durable."""

POINTS = SENDER_POINTS + NETWORK_POINTS + WITHDRAWAL_POINTS
"""Where a blow can be aimed at; others fall at any time."""

UNCLEAR = tuple(sorted(WAITING_STATES | {RequestState.SENDING, RequestState.UNKNOWN, RequestState.CANCEL_REQUESTED}))
"""States in which the hub has something to do."""

MOVING = tuple(sorted({*UNCLEAR, *ALIVE_STATES}))
"""States in which hub or network have something to do."""

STEPS = 6
"""Of a life that is not killed before."""

PAUSE_S = 20.0
"""From one step of the sender to the next, by the clock of the run, seconds."""


class SharedClock:
    """A clock that outlives processes: what stands in a file, and this machine's time on top where a network lives by that."""

    def __init__(self, path: Path, *, runs: bool = False) -> None:
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)
        self._runs = runs

    def set(self, moment: Instant) -> None:
        """Turn it to a moment."""
        struct.pack_into("<q", self._memory, 0, moment.tai_us - self._run_us())

    def forward(self, seconds: float) -> None:
        """Turn it on."""
        (was,) = struct.unpack_from("<q", self._memory, 0)
        struct.pack_into("<q", self._memory, 0, was + round(seconds * 1e6))

    def __call__(self) -> Instant:
        (said,) = struct.unpack_from("<q", self._memory, 0)
        return Instant(said + self._run_us())

    def _run_us(self) -> int:
        return round(time.time() * 1e6) if self._runs else 0


class Notes:
    """What is written down in a folder by lives that may end in the middle of it."""

    def __init__(self, folder: Path) -> None:
        self._fell, self._orders = folder / "fell", folder / "orders"

    def fall(self, point: str) -> None:
        """Write where this life ends, and end it."""
        self._add(self._fell, f"{point}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    def fell(self) -> list[str]:
        """Return where lives ended by themselves."""
        return self._fell.read_text().splitlines() if self._fell.exists() else []

    def order(self, intent_id: str, was: RequestState) -> None:
        """Write down that a retraction is durable now, and in which state it found the request."""
        self._add(self._orders, f"{intent_id} {time.monotonic_ns()} {was}\n")

    def orders(self) -> dict[str, "Order"]:
        """Return the first word of each retraction."""
        found: dict[str, Order] = {}
        for line in self._orders.read_text().splitlines() if self._orders.exists() else ():
            intent_id, at_ns, was = line.split()
            found.setdefault(intent_id, Order(at_ns=int(at_ns), was=RequestState(was)))
        return found

    @staticmethod
    def _add(path: Path, line: str) -> None:
        door = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(door, line.encode())
        finally:
            os.close(door)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A retraction."""

    at_ns: int
    """When it was known to be durable, by the machine's monotonic clock, nanoseconds."""

    was: RequestState
    """What it found."""


class Dying:
    """A telescope network whose caller dies inside of a call, and whose requests are withdrawn there, where it is told to."""

    def __init__(self, network: Any, reached: Callable[[str], None], meanwhile: Callable[[str, str], None]) -> None:
        self._network, self._reached, self._meanwhile = network, reached, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def validate(self, intent: Any) -> Any:
        said = self._network.validate(intent)
        self._meanwhile("before claim", intent.intent_id)
        return said

    def submit(self, intent: Any) -> Any:
        self._meanwhile("calling", intent.intent_id)
        self._reached("calling")
        answer = self._network.submit(intent)
        self._reached("booked")
        self._meanwhile("booked", intent.intent_id)
        return answer

    def cancel(self, remote_id: str) -> Any:
        self._reached("cancelling")
        answer = self._network.cancel(remote_id)
        self._reached("cancelled there")
        return answer

    def status(self, remote_id: str) -> Any:
        answer = self._network.status(remote_id)
        self._reached("asked")
        return answer


@dataclass(frozen=True, kw_only=True)
class Run:
    """What all lives of a run have in common."""

    folder: Path
    url: str
    """Of the state database."""

    name: str
    """Of the network."""

    open_network: Callable[[SharedClock], TelescopeNetwork]
    clock: SharedClock
    settings: FollowupSettings
    sender: type[Sender] = Sender
    """Another one that makes a mistake must be found out."""

    withdraw: Callable[[Submission], RequestState | None] | None = None
    """What a retraction makes of a submission; None for what the hub does."""

    moving: tuple[RequestState, ...]
    """States that are not the end of a run."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """What one life is to do."""

    point: str | None
    """Where it ends; None for at any time, by another's hand."""

    nth: int
    """When it comes there so often."""

    approved: tuple[Intent, ...]
    """Requests that are approved at its beginning, where they were not before."""

    withdrawn: tuple[str, ...]
    """Intents that are withdrawn before anything is sent."""

    meanwhile: Mapping[str, str]
    """Intents that are withdrawn just when they come to a point: ``before claim``, ``calling``, ``booked``."""


def stopped(submission: Submission) -> RequestState | None:
    """Return what a submission becomes when it is withdrawn, as of `hub.services.followup`; None where it has ended."""
    if submission.state in WAITING_STATES:
        return RequestState.CANCELLED
    if submission.state in ALIVE_STATES | {RequestState.SENDING, RequestState.UNKNOWN}:
        return RequestState.CANCEL_REQUESTED
    return None


def live(run: Run, life: Life) -> None:
    """Be a hub that sends, until it is killed or has done its steps; then die all the same."""
    notes, n_reached = Notes(run.folder), 0

    def reached(point: str) -> None:
        nonlocal n_reached
        if point == life.point:
            n_reached += 1
            if n_reached >= life.nth:
                notes.fall(point)

    with closing(open_store(run.url)) as store:

        def meanwhile(point: str, intent_id: str) -> None:
            if life.meanwhile.get(intent_id) == point:
                withdraw(run, store, intent_id, reached)

        network = Dying(run.open_network(run.clock), reached, meanwhile)
        sender = run.sender(store, {run.name: network}, run.clock, run.settings, hook=reached)
        approve(store, life.approved, run.clock())
        for intent_id in life.withdrawn:
            withdraw(run, store, intent_id, reached)
        for _ in range(STEPS):
            sender.step()
            run.clock.forward(PAUSE_S)
    notes.fall("at its end")


def approve(store: Store, intents: Iterable[Intent], at: Instant) -> None:
    """Write approved requests, as a plan does; those that are there stay as they are."""
    with store.transaction() as session:
        for one in intents:
            if storage.add_intent(session, one):
                drafted = append_step(session, Submission(intent=one, transitions=()), Outcome(RequestState.DRAFT), at)
                append_step(session, drafted, Outcome(RequestState.APPROVED), at)


def withdraw(run: Run, store: Store, intent_id: str, reached: Callable[[str], None]) -> None:
    """Withdraw a request that is there, and write down when that was durable."""
    with store.transaction() as session:
        if storage.get(session, intent_id) is None:
            return
        submission = get_submission(session, intent_id)
        if state := (run.withdraw or stopped)(submission):
            append_step(session, submission, Outcome(state, "withdrawn"), run.clock())
        reached("withdrawing")
    Notes(run.folder).order(intent_id, submission.state)
    reached("withdrawn")


def finish(run: Run, asked: Iterable[Intent], withdrawn: Iterable[str], *, step_s: float, most: int) -> str:
    """Be a hub that is not killed, until nothing moves any more; return why that did not come about."""
    with closing(open_store(run.url)) as store:
        approve(store, asked, run.clock())
        for intent_id in withdrawn:
            withdraw(run, store, intent_id, lambda _: None)
        sender = run.sender(store, {run.name: run.open_network(run.clock)}, run.clock, run.settings)
        for _ in range(most):
            sender.step()
            with store.reading() as session:
                left = storage.in_states(session, run.moving)
            if not left:
                return ""
            run.clock.forward(step_s)
    return f"{len(left)} still move after {most} steps, such as {[(one.state.value, one.intent.intent_id) for one in left[:3]]}"
