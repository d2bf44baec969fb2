"""One life of a sender that is going to be killed: in a process of its own, forked from one that has loaded everything."""

import mmap
import os
import signal
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.errors import InvalidRequest
from hub.model.coincidence import PairState
from hub.model.followup import Intent, RequestState, Submission
from hub.model.instant import Instant
from hub.ports import TelescopeNetwork
from hub.services.followup import FollowupService
from hub.services.followup_desk import FollowupDesk
from hub.services.followup_facts import shipped
from hub.services.followup_gates import Gates
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import Sender, append_step, get_submission
from hub.services.submission import ALIVE_STATES, WAITING_STATES, Outcome
from hub.storage import coincidences, events
from hub.storage import followup as storage
from hub.storage.engine import Store, open_store
from tests.support.followup import make_coincidence, make_event, open_gate
from tests.support.policies import policy_book

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

EVENT = "S1"
"""Because of which everything is asked for."""

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
    """What a retraction makes of a submission, where that is a mistake; None for what the hub does."""

    budget: int | None = None
    """Requests that the policy has room for; None where nobody asks it, and everything is approved."""

    gates: type[Gates] = Gates
    """Others that make a mistake must be found out."""

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


def gates_of(run: Run, networks: Mapping[str, Any]) -> Gates | None:
    """Return what asks the policy before each approval and each sending; None for a run without a budget."""
    if run.budget is None:
        return None
    much = "{ requests = 1000000, seconds = 1e9 }"
    book = policy_book(
        ("valid_h = 6.0", "valid_h = 720.0"),
        ("faults = 5", "faults = 1000000"),  # a network of so many faults would be left alone for most of the run
        ("event = { requests = 5, seconds = 7200.0 }", f"event = {{ requests = {run.budget}, seconds = 1e9 }}"),
        ("night = { requests = 50, seconds = 36000.0 }", f"night = {much}"),
        ("per_night = { requests = 20, seconds = 14400.0 }", f"per_night = {much}"),
        ("total = { requests = 500 }", f"total = {much}"),
        base=(),
    )
    inside = frozenset(networks)
    return run.gates(book=replace(book, inside=inside), is_enabled=True, is_dry=False, networks=networks)


def sender_of(run: Run, store: Store, network: Any, hook: Callable[[str], None]) -> Sender:
    """Return the sender of a run."""
    networks = {run.name: network}
    gates = gates_of(run, networks)
    gate = open_gate if gates is None else gates.check
    return run.sender(store, networks, run.clock, run.settings, hook=hook, gate=gate)


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
        sender = sender_of(run, store, network, reached)
        approve(run, store, life.approved)
        for intent_id in life.withdrawn:
            withdraw(run, store, intent_id, reached)
        for _ in range(STEPS):
            sender.step()
            run.clock.forward(PAUSE_S)
    notes.fall("at its end")


def approve(run: Run, store: Store, intents: Iterable[Intent]) -> int:
    """Draft requests, as a plan does, and approve those that there is room for; return how many were approved."""
    asked, at = list(intents), run.clock()
    with store.transaction() as session:
        if events.get(session, EVENT) is None:
            events.save(session, make_event(EVENT))
        for one in asked:
            if storage.add_intent(session, one):
                if one.coincidence_id == coincidence_of(one.target).coincidence_id:
                    coincidences.add(session, coincidence_of(one.target))
                drafted = append_step(session, Submission(intent=one, transitions=()), Outcome(RequestState.DRAFT), at)
                if run.budget is None:
                    append_step(session, drafted, Outcome(RequestState.APPROVED), at)
        waiting = {one.intent.intent_id for one in storage.in_states(session, [RequestState.DRAFT])}
    gates, n_approved = gates_of(run, {run.name: run.open_network(run.clock)}), 0
    for one in asked:
        if gates is None or one.intent_id not in waiting:
            continue
        try:
            FollowupDesk(store=store, clock=run.clock, gates=gates).approve(one.intent_id, actor="person:torture")
            n_approved += 1
        except InvalidRequest as error:
            if "has room for" in str(error):
                break  # nor has it for any other: all are of one size
    return n_approved


def coincidence_of(target: str) -> Any:
    """Return the open coincidence because of which a target is asked for."""
    return make_coincidence(EVENT, target)


def withdraw(run: Run, store: Store, intent_id: str, reached: Callable[[str], None]) -> None:
    """Withdraw a request that is there, as a retraction does, and write down when that was durable."""
    with store.transaction() as session:
        if storage.get(session, intent_id) is None:
            return
        submission = get_submission(session, intent_id)
        if run.withdraw is not None:
            if state := run.withdraw(submission):
                append_step(session, submission, Outcome(state, "withdrawn"), run.clock())
        else:
            pair = coincidence_of(submission.intent.target)
            newest = coincidences.latest(session, pair.coincidence_id)
            if newest is not None and newest.state is PairState.OPEN:
                coincidences.add(session, replace(newest, version=newest.version + 1, state=PairState.WITHDRAWN))
            FollowupService(store, {}, run.clock, run.settings, shipped()).withdraw(session, pair)
        reached("withdrawing")
    Notes(run.folder).order(intent_id, submission.state)
    reached("withdrawn")


def finish(run: Run, asked: Iterable[Intent], withdrawn: Iterable[str], *, step_s: float, most: int) -> str:
    """Be a hub that is not killed, until nothing moves any more; return why that did not come about."""
    intents = list(asked)
    with closing(open_store(run.url)) as store:
        approve(run, store, intents)
        for intent_id in withdrawn:
            withdraw(run, store, intent_id, lambda _: None)
        sender = sender_of(run, store, run.open_network(run.clock), lambda _: None)
        moving = [state for state in run.moving if state is not RequestState.DRAFT or run.budget is None]
        for _ in range(most):
            sender.step()
            n_approved = approve(run, store, intents)  # what was cancelled or has expired makes room
            with store.reading() as session:
                left = storage.in_states(session, moving)
            if not left and not n_approved:
                return ""
            run.clock.forward(step_s)
    return f"{len(left)} still move after {most} steps, such as {[(one.state.value, one.intent.intent_id) for one in left[:3]]}"
