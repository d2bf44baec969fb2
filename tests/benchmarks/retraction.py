"""From the retraction of an event to the last confirmed cancellation of its requests, on LCO's own observation portal."""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hub.storage.engine import open_store, upgrade
from tests.benchmarks.figures import Figure, exactly, run
from tests.support.portal import portal
from tests.support.withdrawing import withdraw_all


def measure(asked: argparse.Namespace) -> Iterator[Figure]:
    """Yield how many are cancelled, and when."""
    with tempfile.TemporaryDirectory() as folder, portal() as running:
        url = f"sqlite:///{Path(folder) / 'state.sqlite'}"
        upgrade(url)
        store = open_store(url)
        try:
            found = withdraw_all(running, store, asked.groups)
        finally:
            store.close()
    note = "each cancelled by a call of its own and read back; the portal, with its database, runs on the same machine"
    yield exactly("groups that the portal had", found.submitted, "groups", asked.groups)
    yield exactly("of these cancelled by the portal's own word", found.cancelled, "groups", asked.groups)
    yield exactly("of these confirmed to the hub", found.confirmed, "groups", asked.groups)
    yield Figure(what="from retraction to last confirmation", value=found.seconds, unit="s", note=note)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--groups", type=int, default=20)
    run(measure, arguments)
