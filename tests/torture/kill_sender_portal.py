"""A sender of follow-up requests is killed by SIGKILL again and again while it sends to LCO's own observation portal.

Run as a program: ``python -m tests.torture.kill_sender_portal FOLDER --intents 250 --kills 50`` starts a portal, with a stretch of network
before it that loses questions and answers. In the end the portal must have exactly one request group for each marker, cancelled where the
request was withdrawn; this is read from the portal as its staff sees it.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

from adapters.networks.ocs_words import MARKER_PREFIX
from hub.model.followup import RequestState
from hub.services.followup_policy import FollowupSettings
from hub.storage.engine import upgrade
from tests.conftest import REPOSITORY
from tests.support.ocs import make_intent, make_network, now
from tests.support.portal import Portal, portal
from tests.support.portal_relay import Loss, relay
from tests.torture.kill_sender import in_a_process, kill, stored, withdrawals
from tests.torture.sender_books import Booking, Report, examine
from tests.torture.sender_life import POINTS, UNCLEAR, Notes, Run, SharedClock, coincidence_of, finish
from tests.torture.sender_mistakes import MISTAKES, Mistake

LOSSES = {Loss.ANSWER: 0.15, Loss.BAD_GATEWAY: 0.05, Loss.QUESTION: 0.05}
"""How often each befalls an exchange with the portal."""

LIFE_S = 3.0
"""A life that is not ended at a point gets a blow within so long, seconds; a submission takes some tenths of one."""

_STATES = {"PENDING": RequestState.ACCEPTED, "CANCELED": RequestState.CANCELLED}


def torture(
    folder: Path, url: str, portal_url: str, *, intents: int, kills: int, seed: int, points: list[str], mistake: str
) -> Report:
    """Run it all and return the report.

    Parameters
    ----------
    folder
        Empty.
    url
        Where the hub believes the portal to be.
    portal_url
        Where it is.
    intents, kills, seed, points, mistake
        As in `tests.torture.kill_sender`.
    """
    begin, random = time.monotonic(), Random(seed)
    planted = MISTAKES[mistake] if mistake else Mistake()
    clock = SharedClock(folder / "clock", runs=True)
    clock.set(now())
    run = Run(
        folder=folder,
        url=f"sqlite:///{folder / 'state.sqlite'}",
        name="lco",
        open_network=lambda clock: make_network(url, clock=clock),
        clock=clock,
        settings=FollowupSettings(**planted.settings),
        sender=planted.sender,
        withdraw=planted.withdraw,
        moving=UNCLEAR,
    )
    names = [f"{folder.name}-{number}" for number in range(intents)]
    asked = [make_intent(name, coincidence_id=coincidence_of(f"LSST:{name}").coincidence_id) for name in names]
    upgrade(run.url)
    report = Report()
    fates = withdrawals(asked, kills, random, planted.share_withdrawn)
    kill(run, asked, kills, fates, random, report, points=points or POINTS, life_s=LIFE_S)
    report.stuck = in_a_process(lambda: finish(run, asked, fates, step_s=400.0, most=60))
    markers = {f"{MARKER_PREFIX}{one.intent_id}" for one in asked}
    bookings = [
        Booking(marker=group["name"].removeprefix(MARKER_PREFIX), state=_STATES[group["state"]])
        for group in Portal(portal_url, Path(), {}).groups()
        if group["name"] in markers
    ]
    examine(stored(run.url), bookings, [], Notes(folder).orders(), frozenset(), report)
    report.seconds = time.monotonic() - begin
    return report


def tortured(portal_url: str, folder: Path, *words: str) -> dict[str, object]:
    """Let a program of its own be tortured behind a lossy stretch of network, and return its report.

    Forking is for processes with one thread, which those who have a relay are not.
    """
    random = Random(len(words))
    with relay(portal_url) as between:
        between.draw = lambda: random.choices([*LOSSES, Loss.NONE], [*LOSSES.values(), 1 - sum(LOSSES.values())])[0]
        command = [
            sys.executable,
            "-m",
            "tests.torture.kill_sender_portal",
            str(folder),
            "--relay",
            between.url,
            "--portal",
            portal_url,
            *words,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.stdout, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run it and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--relay", default="")
    parser.add_argument("--portal", default="")
    parser.add_argument("--intents", type=int, default=250)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--point", action="append", choices=POINTS, default=[])
    parser.add_argument("--mistake", choices=sorted(MISTAKES), default="")
    chosen = parser.parse_args()
    if not chosen.portal:
        with portal() as running:
            found = tortured(running.url, chosen.folder, *sys.argv[2:])
        print(json.dumps(found, indent=1))
        sys.exit(bool(found["findings"]))
    assert threading.active_count() == 1
    chosen.folder.mkdir(parents=True)
    report = torture(
        chosen.folder,
        chosen.relay,
        chosen.portal,
        intents=chosen.intents,
        kills=chosen.kills,
        seed=chosen.seed,
        points=chosen.point,
        mistake=chosen.mistake,
    )
    print(json.dumps(report.as_json()))


if __name__ == "__main__":
    main()
