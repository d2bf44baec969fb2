"""A sender of follow-up requests is killed by SIGKILL again and again; in the end the network must have each request once, or not at all.

Run as a program for the long version: ``python -m tests.torture.kill_sender FOLDER --intents 1000 --kills 200``. The simulated network
drops replies, answers 500 after it booked, answers 429, books two minutes late, and restarts; a clock that stands still while the hub works
makes minutes cost nothing. Half of the blows are aimed at points between two steps of the sender, the others fall at any time. What is
found is proven from the network's own ledger. ``--mistake NAME`` plants one into the sender, which must be found.
"""

import argparse
import json
import os
import signal
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from adapters.networks.simulated import Fault, SimulatedNetwork, SimulatedOptions
from hub.model.followup import Intent, RequestState, Submission, intent_id
from hub.model.instant import Instant
from hub.services.followup_policy import FollowupSettings
from hub.storage import followup as storage
from hub.storage.engine import open_store, upgrade
from tests.torture.sender_books import Arrived, Booking, Report, examine
from tests.torture.sender_life import (
    EVENT,
    MOVING,
    PAUSE_S,
    POINTS,
    Life,
    Notes,
    Run,
    SharedClock,
    coincidence_of,
    finish,
    live,
)
from tests.torture.sender_mistakes import MISTAKES, Mistake

BEGIN = Instant.from_utc_iso("2017-08-18T00:10:00Z")
"""When a run begins, by its clock."""

LIFE_S = 0.4
"""A life that is not ended at a point gets a blow within so long, seconds."""

LONG_S = 5 * 86_400.0
"""Windows of most requests, seconds: longer than any run."""

BUDGET = 0.5
"""Requests that the policy has room for, of all that are asked for: fewer than the network would get."""

GAP_S = (5.0, 20.0, 40.0, 320.0)
"""The hub is away for one of these after a blow, seconds by the clock of the run."""

ODDS = {
    Fault.DROP_REPLY: 0.08,
    Fault.ERROR_AFTER_BOOKING: 0.08,
    Fault.TOO_MANY: 0.06,
    Fault.LOST_ON_THE_WAY: 0.06,
    Fault.SLOW: 0.08,
    Fault.RESTART: 0.02,
    Fault.UNREACHABLE: 0.04,
}
"""How often each trouble comes at a submission."""


def torture(folder: Path, *, intents: int, kills: int, seed: int = 1, mistake: str = "", url: str = "") -> Report:
    """Run it all on the simulated network and return the report.

    Parameters
    ----------
    folder
        Empty.
    intents
        Requests that are approved at the beginning.
    kills
        Blows.
    seed
        Of everything that is drawn.
    mistake
        Name of one that is planted into the sender; empty for none.
    url
        Address of an empty database; SQLite in the folder where not given.
    """
    begin, random = time.monotonic(), Random(seed)
    planted = MISTAKES[mistake] if mistake else Mistake()
    clock = SharedClock(folder / "clock")
    clock.set(BEGIN)
    options = SimulatedOptions(
        ledger=folder / "ledger.sqlite",
        refuse_fraction=0.05,
        cloud_fraction=0.0,
        quota_per_day=10**9,
        fault_odds=planted.odds or ODDS,
        silence_odds=0.1,
        slow_s=planted.slow_s,
        patience_s=60.0,
    )

    def open_network(clock: SharedClock) -> SimulatedNetwork:
        return SimulatedNetwork(options, clock, seed, wait=clock.forward)

    run = Run(
        folder=folder,
        url=url or f"sqlite:///{folder / 'state.sqlite'}",
        name="simulated",
        open_network=open_network,
        clock=clock,
        settings=FollowupSettings(**planted.settings),
        sender=planted.sender,
        withdraw=planted.withdraw,
        budget=round(intents * BUDGET) if planted.has_budget else None,
        gates=planted.gates,
        moving=MOVING,
    )
    asked = [_intent(number, kills, random, planted.share_short) for number in range(intents)]
    upgrade(run.url)
    report = Report(budget=run.budget)
    fates = withdrawals(asked, kills, random, planted.share_withdrawn)
    kill(run, asked, kills, fates, random, report, points=planted.points)
    report.stuck = in_a_process(lambda: finish(run, asked, fates, step_s=400.0, most=planted.most))
    network = open_network(clock)
    clock.forward(LONG_S)
    bookings = booked(network, options.ledger)
    arrivals = [Arrived(marker=one.marker, at=one.arrived_at, at_ns=one.arrived_ns) for one in network.arrivals()]
    report.faults = Counter(one.fault.value for one in network.arrivals() if one.fault is not Fault.NONE)
    declined = frozenset(one.intent_id for one in asked if network._chance(one.intent_id, "refuse") < options.refuse_fraction)
    examine(stored(run.url), bookings, arrivals, Notes(folder).orders(), declined, report)
    report.seconds = time.monotonic() - begin
    return report


def kill(
    run: Run,
    asked: Sequence[Intent],
    kills: int,
    fates: Mapping[str, "Fate"],
    random: Random,
    report: Report,
    *,
    points: Sequence[str] = POINTS,
    life_s: float = LIFE_S,
) -> None:
    """Let a sender live and die so often, every second time at one of some points; each life gets a portion of the requests."""
    notes = Notes(run.folder)
    for number in range(kills):
        aim = None if number % 2 else points[number // 2 % len(points)]
        known = _portion(asked, max(0, number - 3), number, kills)  # of the lives before too: they may have ended before
        life = Life(
            point=aim,
            nth=random.randint(1, 3),
            approved=known,
            withdrawn=tuple(name for name, fate in fates.items() if fate.life == number and not fate.point),
            meanwhile={name: fate.point for name, fate in fates.items() if fate.point},
        )
        n_before = len(notes.fell())
        _one_life(run, life, None if aim else random.uniform(0.0, life_s))
        fell = notes.fell()[n_before:]
        report.fell[fell[0] if fell else "any time"] += 1
        report.kills += 1
        run.clock.forward(random.choice(GAP_S))


def _portion(asked: Sequence[Intent], first: int, last: int, kills: int) -> tuple[Intent, ...]:
    return tuple(asked[len(asked) * first // kills : len(asked) * (last + 1) // kills])


def _one_life(run: Run, life: Life, patience_s: float | None) -> None:
    """Fork a life and wait for its end, which comes by another's hand after so many seconds, where it does not by itself."""
    child = os.fork()
    if child == 0:
        try:
            live(run, life)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()
            os._exit(70)  # only where it failed, with its traceback above
    end = None if patience_s is None else time.monotonic() + patience_s
    while True:
        ended, status = os.waitpid(child, 0 if end is None else os.WNOHANG)
        if ended:
            break
        if end is not None and time.monotonic() >= end:
            os.kill(child, signal.SIGKILL)
            end = None
        else:
            time.sleep(0.001)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
        raise AssertionError(f"a sender ended by itself, with {os.waitstatus_to_exitcode(status)}")


def in_a_process(work: Callable[[], str]) -> str:
    """Return what work says in a process of its own, which leaves no open database behind."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.write(writing, work().encode())
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return said if status == 0 else f"the last life broke: {os.waitstatus_to_exitcode(status)}"


@dataclass(frozen=True, kw_only=True)
class Fate:
    """When a request is withdrawn."""

    life: int
    """Which life begins with it."""

    point: str
    """In place of that: when its own sending comes to this point; empty for at the beginning of the life."""


def withdrawals(asked: Sequence[Intent], kills: int, random: Random, share: float) -> dict[str, Fate]:
    """Draw which requests are withdrawn, and when: in a life soon after that which gets them, or in the midst of their sending."""
    found = {}
    for place, one in enumerate(asked):
        if random.random() < share:
            first = place * kills // len(asked)
            point = random.choice(("before claim", "calling", "booked", "", "", ""))
            found[one.intent_id] = Fate(life=first + random.randint(0, 5), point=point)
    return found


def booked(network: SimulatedNetwork, ledger: Path) -> list[Booking]:
    """Return what the network has, and from when until when."""
    with closing(sqlite3.connect(ledger)) as opened:
        rows = opened.execute("SELECT number, marker, received_us, cancelled_us, window_end_us FROM requests").fetchall()
    found = []
    for number, marker, received_us, cancelled_us, window_end_us in rows:
        state = RequestState(network._status(str(number)).state)
        end_us = window_end_us if state is RequestState.EXPIRED else cancelled_us
        found.append(Booking(marker=marker, state=state, begin_us=received_us, end_us=end_us))
    return found


def stored(url: str) -> list[Submission]:
    """Return all submissions."""
    with closing(open_store(url)) as store, store.reading() as session:
        return storage.search(session, limit=None)


def _intent(number: int, kills: int, random: Random, share_short: float) -> Intent:
    run_s = kills * (sum(GAP_S) / len(GAP_S) + 2 * PAUSE_S)
    window_s = random.uniform(0.0, run_s) if random.random() < share_short else LONG_S
    need = {"event_id": EVENT, "target": str(number), "network": "simulated", "instrument": "1M0-SIMCAM", "purpose": "kilonova"}
    return Intent(
        intent_id=intent_id(**need, policy_version=1),
        **need,
        coincidence_id=coincidence_of(str(number)).coincidence_id,
        ra_deg=197.45,
        dec_deg=-23.38,
        policy_version=1,
        window_start=BEGIN,
        window_end=BEGIN.plus_s(window_s),
        exposures=({"filter": "g", "seconds": 60.0},),
        max_airmass=2.0,
        reason="to be killed",
        created_at=BEGIN,
    )


def main() -> None:
    """Run the long version, or a run for each mistake, and print a report each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--intents", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mistake", action="append", choices=sorted(MISTAKES), default=[])
    parser.add_argument("--url", default="")
    chosen = parser.parse_args()
    clean = True
    for mistake in chosen.mistake or [""]:
        folder = chosen.folder / (mistake or "none")
        folder.mkdir(parents=True)
        report = torture(folder, intents=chosen.intents, kills=chosen.kills, seed=chosen.seed, mistake=mistake, url=chosen.url)
        print(json.dumps({"mistake": mistake, **report.as_json()}), flush=True)
        clean &= not report.findings()
    sys.exit(not clean)


if __name__ == "__main__":
    main()
