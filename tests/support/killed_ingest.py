"""Run as a program: bring the small world to a hub that is killed by SIGKILL again and again, then let it finish.

Arguments: folder, seed, number of kills, ``careful`` or ``careless``. Each life of the hub is a forked child; it dies before a
statement or a commit of its database, chosen by the seed, so also between a file that was written or a request that was booked and
the record of it. The child notes after each batch how far it came, as a consumer commits its offset. A careless one, which tests use
to see that they can fail, notes it before, and does not finish what it finds unfinished. What is there in the end stands in ``report.json``.
"""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from sqlalchemy import event

from hub.bootstrap import create_database, open_hub
from hub.services.flow import in_batches
from hub.services.state import final_state
from hub.storage import envelopes, followup, outbox
from hub.storage.engine import Store
from hub.storage.tally import tally
from tests.support import small_world as world
from tests.support.flow_checks import check_what_left

FIRST_MOMENTS = 250
"""A life ends within this many statements and commits; an undisturbed run has about 2,500."""


def live(folder: Path, seed: int, number: int, die_after: int | None, *, careful: bool) -> None:
    """Open the hub, finish what is unfinished, and take in what was not acknowledged."""
    settings = world.settings_in(folder, with_followup=True)
    clock = world.Ticking(world.NOW.plus_s(600.0 * number))
    order = [one.envelope for one in Random(seed).sample(world.everything(), len(world.everything()))]
    offset = folder / "offset"
    with create_database(settings) as store, open_hub(settings, store, clock=clock) as hub:
        if die_after is not None:
            doom(store, die_after)
        if careful:
            hub.flow.resume()
        done = int(offset.read_text()) if offset.exists() else 0
        for batch in in_batches(order[done:], 4):
            done += len(batch)
            if not careful:
                offset.write_text(str(done))
            with (folder / "delivered").open("a") as log:
                log.write(f"{sum(2 if one.payload.startswith(b'Obj') else 1 for one in batch)}\n")  # the container holds two
            hub.flow.take(batch)
            offset.write_text(str(done))
            hub.flow.step()
        for _ in range(40):
            hub.flow.step()
            clock.forward(600.0)
        if careful:
            check_what_left(hub)


def doom(store: Store, moments: int) -> None:
    """Let this process die at the n-th moment from now at which its database is about to do something."""
    left = moments

    def pass_by(*_: object) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "commit"):
        event.listen(store.engine, name, pass_by)


def in_child(life: Callable[[], None]) -> bool:
    """Live in a forked child; return whether it came to its end alive."""
    child = os.fork()
    if child == 0:
        try:
            life()
        except BaseException:  # noqa: BLE001 - the child must not run on as a second parent
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit("a life of the hub failed")
    return True


def report(folder: Path, n_kills: int) -> dict[str, object]:
    """Return what is there in the end."""
    settings = world.settings_in(folder)
    with create_database(settings) as store, store.reading() as session:
        books = envelopes.counts(session)
        submissions = followup.search(session, limit=None)
        found = {
            "state": final_state(session),
            "tally": tally(session),
            "law": envelopes.law_holds(books),
            "book": [
                sum(getattr(book, name) for book in books)
                for name in ("received", "stored", "duplicates", "dead_letters", "in_flight")
            ],
            "ivorns": [(entry.outgoing.ivorn, entry.state.value) for entry in outbox.search(session, limit=None)],
            "requests": {one.intent.intent_id: one.state.value for one in submissions},
        }
    ledger = sqlite3.connect(folder / "simulated-network.sqlite")
    found["booked"] = [marker for (marker,) in ledger.execute("SELECT marker FROM requests")]
    ledger.close()
    found["delivered"] = sum(int(line) for line in (folder / "delivered").read_text().split())
    return found | {"kills": n_kills}


def main(folder: Path, seed: int, n_kills: int, *, careful: bool) -> None:
    """Die the given number of times at most, then live to the end."""
    world.everything()
    random = Random(seed)
    killed = 0
    for number in range(n_kills):
        die_after = random.randint(1, FIRST_MOMENTS if careful else 20)
        if in_child(lambda number=number, die_after=die_after: live(folder, seed, number, die_after, careful=careful)):
            break
        killed += 1
    in_child(lambda: live(folder, seed, n_kills, None, careful=careful))
    (folder / "report.json").write_text(json.dumps(report(folder, killed)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), careful=sys.argv[4] == "careful")
