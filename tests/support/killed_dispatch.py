"""Run as a program: empty an outbox to two destinations in a process that is killed by SIGKILL again and again.

Arguments: folder, seed, number of kills, ``careful`` or ``careless``. Each life is a forked child that dies before a statement or a
commit of its database, or between delivering and writing that down, chosen by the seed. A destination is a file that gets a line for each
delivery. A careless dispatch, which tests use to see that they can fail, writes down that it has sent before it sends. What arrived
stands in ``report.json``, with the number of deaths at each step.
"""

import itertools
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from random import Random

from sqlalchemy import event

from hub.model.outgoing import Outgoing
from hub.ports import Health
from hub.services.dispatch import Dispatch
from hub.storage import outbox
from hub.storage.engine import Store, open_store, upgrade
from tests.contracts.sink import message
from tests.support.words import T0

N_MESSAGES = 40
DESTINATIONS = ("first", "second")
MOMENTS = 40
"""A life ends within this many statements, commits and deliveries."""


class Death:
    """Kills this process at its n-th moment, and leaves word of the step it fell on."""

    def __init__(self, folder: Path, moments: int | None) -> None:
        self._folder = folder
        self._left = moments

    def at(self, step: str) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            with (self._folder / "deaths").open("a") as log:
                log.write(f"{step}\n")
            os.kill(os.getpid(), signal.SIGKILL)


class Line:
    """A destination: a file with a line for each delivery."""

    def __init__(self, path: Path, death: Death) -> None:
        self._path = path
        self._death = death

    def deliver(self, outgoing: Outgoing) -> None:
        self._death.at("before delivery")
        with self._path.open("a") as file:
            file.write(f"{outgoing.ivorn}\t{outgoing.payload.decode()}\n")
        self._death.at("after delivery")

    def health(self) -> Health:
        return Health(state="open")


class Careless(Dispatch):
    """Writes down first and sends then."""

    def _send(self, sink, item):
        with self._store.transaction() as session:
            outbox.mark_sent(session, item.outgoing, self._clock())
        sink.deliver(item.outgoing)
        return super()._send(Nowhere(), item)


class Nowhere:
    def deliver(self, outgoing: Outgoing) -> None:
        """Do nothing: it was delivered."""


def live(folder: Path, number: int, moments: int | None, *, careful: bool) -> None:
    """Send until nothing is left, or until death."""
    store = open_store(f"sqlite:///{folder / 'hub.sqlite'}")
    death = Death(folder, moments)
    listen(store, death)
    sinks = {name: Line(folder / name, death) for name in DESTINATIONS}
    kind = Dispatch if careful else Careless
    ticks = itertools.count(float(number), 0.001)  # a dead holder's lease still lasts: it must be seen to be dead
    kind(store=store, sinks=sinks, clock=lambda: T0.plus_s(next(ticks))).drain()
    store.close()


def listen(store: Store, death: Death) -> None:
    event.listen(store.engine, "before_cursor_execute", lambda *_: death.at("statement"))
    event.listen(store.engine, "commit", lambda *_: death.at("commit"))


def main(folder: Path, seed: int, n_kills: int, *, careful: bool) -> None:
    """Fill the outbox, die so many times at most, then live to the end."""
    upgrade(f"sqlite:///{folder / 'hub.sqlite'}")
    store = open_store(f"sqlite:///{folder / 'hub.sqlite'}")
    with store.transaction() as session:
        for number in range(N_MESSAGES):
            for name in DESTINATIONS:
                outbox.put(session, message(number, destination=name, key=f"event {number % 5}"))
    store.close()
    random = Random(seed)
    kills = 0
    for number in range(n_kills):
        if in_child(folder, number, random.randint(1, MOMENTS), careful=careful):
            break
        kills += 1
    in_child(folder, n_kills, None, careful=careful)
    deaths = folder / "deaths"
    report = {name: (folder / name).read_text().splitlines() for name in DESTINATIONS}
    report |= {"kills": kills, "deaths": Counter(deaths.read_text().splitlines()) if deaths.exists() else {}}
    (folder / "report.json").write_text(json.dumps(report))


def in_child(folder: Path, number: int, moments: int | None, *, careful: bool) -> bool:
    """Live in a forked child; return whether it came to its end alive."""
    child = os.fork()
    if child == 0:
        try:
            live(folder, number, moments, careful=careful)
        except BaseException:  # noqa: BLE001 - the child must not run on as a second parent
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit("a life of the dispatch failed")
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), careful=sys.argv[4] == "careful")
