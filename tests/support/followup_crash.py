"""Run as a program: take the planned request to the network until nothing moves, and die by SIGKILL at a named point.

Arguments: folder, point to die at (or ``none``), seconds to turn the clock by, ``withdraw`` or ``keep``.
"""

import os
import signal
import sys
from pathlib import Path

from adapters.networks.simulated import SimulatedNetwork, SimulatedOptions
from hub.model.coincidence import PairState
from hub.model.followup import TERMINAL_STATES
from hub.services.followup import FollowupService
from hub.services.followup_policy import FollowupSettings
from hub.storage import coincidences
from hub.storage import followup as storage
from hub.storage.engine import open_store
from tests.support.followup import TurnedClock, make_coincidence
from tests.support.policies import policy_book


class DyingNetwork(SimulatedNetwork):
    """Dies inside the call: after the booking, before the answer."""

    dies = False

    def submit(self, intent):
        answer = super().submit(intent)
        if self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def main(folder, point, seconds, fate):
    clock = TurnedClock()
    clock.forward(seconds)
    network = DyingNetwork(SimulatedOptions(ledger=folder / "ledger.sqlite", refuse_fraction=0.0, cloud_fraction=0.0), clock, 1)
    network.dies = point == "booked"

    def hook(reached):
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    store = open_store(f"sqlite:///{folder / 'state.sqlite'}")
    service = FollowupService(store, {"simulated": network}, clock, FollowupSettings(poll_s=0.0), policy_book(), hook=hook)
    if fate == "withdraw":
        with store.transaction() as session:
            gone = make_coincidence(version=2, state=PairState.WITHDRAWN)
            if coincidences.latest(session, gone.coincidence_id).version == 1:
                coincidences.add(session, gone)
            service.withdraw(session, make_coincidence())
        hook("withdrawn")
    for _ in range(40):
        service.step()
        with store.reading() as session:
            (submission,) = storage.of_event(session, "G298048")
        if submission.state in TERMINAL_STATES:
            break
        clock.forward(120)
    sys.stdout.write(submission.state.value)
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4])
