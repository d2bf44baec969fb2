"""What a notice costs the database. Each commit is a wait for the disk, and nobody should add one unnoticed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event

from hub.bootstrap import open_hub
from hub.model.envelope import Envelope, Trust
from hub.storage.engine import Store
from tests.contracts.sink import Mailbox
from tests.support import small_world as world

MERGER = world.merger("S260301a", "PRELIMINARY", 60, world.FIRST_PLACE)
BURST = world.burst(1, 1.0, 30, world.BURST_PLACE)


@dataclass
class Cost:
    """What was done to a database."""

    commits: int = 0
    """Of transactions that write."""

    statements: int = 0


@contextmanager
def counted(store: Store) -> Iterator[Cost]:
    """Count while inside."""
    cost = Cost()

    def commit(connection: Any) -> None:
        cost.commits += not connection.get_execution_options().get("mmhub_reads", False)

    def statement(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        cost.statements += not text.startswith("BEGIN")

    event.listen(store.engine, "commit", commit)
    event.listen(store.engine, "before_cursor_execute", statement)
    yield cost
    event.remove(store.engine, "commit", commit)
    event.remove(store.engine, "before_cursor_execute", statement)


def env(payload: bytes) -> Envelope:
    return Envelope(payload=payload, source="stream", received_at=world.NOW, trust=Trust.TRUSTED)


def test_a_notice_is_kept_then_understood_then_correlated_with_one_commit_each(store: Store, tmp_path: Path) -> None:
    mailbox = Mailbox()
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking(), sinks={"voevents": mailbox}) as hub:
        hub.flow.take([env(MERGER)])
        with counted(store) as taking:
            report = hub.flow.take([env(BURST)])
        assert report.correlation.versions == 1
        assert taking.commits == 3
        # 19 keep and understand it, 13 ask what hangs together, 7 what it may be paired with, 26 evaluate, store and
        # group the pair, one asks who may know of it.
        assert taking.statements <= 66
        hub.flow.send("voevents")
        with counted(store) as known:
            hub.flow.take([env(BURST)])
        assert known.commits == 2
        with counted(store) as idle:
            hub.flow.send("voevents")
        assert (idle.commits, idle.statements) == (0, 1)
    assert mailbox.ivorns


def test_a_message_costs_one_commit_to_send_while_the_lease_lasts(store: Store, tmp_path: Path) -> None:
    mailbox = Mailbox()
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking(), sinks={"voevents": mailbox}) as hub:
        hub.flow.take([env(MERGER)])
        hub.flow.take([env(BURST)])
        assert hub.flow.send("voevents").sent == 1
        hub.flow.take([env(world.burst(2, 2.0, 90, world.BURST_PLACE))])
        with counted(store) as sending:
            n_sent = hub.flow.send("voevents").sent
        assert sending.commits == n_sent > 0
        assert sending.statements == 1 + n_sent
