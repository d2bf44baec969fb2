"""What a process writes of its loops into the database, beside other processes and in the place of earlier ones."""

import pytest
from sqlalchemy import text

from hub.errors import StorageError
from hub.model.instant import Instant
from hub.ports import Health
from hub.runtime.board import Board
from hub.runtime.supervisor import LoopState, LoopStatus
from hub.services import status
from hub.services.instance import this_process
from hub.services.status import SILENT_AFTER_S
from hub.storage import components
from hub.storage.engine import open_store, upgrade

T0 = Instant.from_utc_iso("2026-11-23T00:00:00Z")


class Clock:
    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def board(store, clock):
    return board_of(store, clock, "source/gcn")


def board_of(store, clock, *names):
    made = Board(store, clock, {})
    made.watch(lambda: tuple(LoopStatus(name=name, state=LoopState.RUNNING) for name in names))
    return made


def report(store, instance, at, *, state="listening", name="source/gcn", alarms=()):
    with store.transaction() as session:
        components.report(session, instance, [(name, Health(state=state, alarms=alarms))], at)


def instances(store):
    with store.reading() as session:
        return {one.instance for one in components.listing(session)}


def gone():
    """Return the name of a process of this host that has ended: ours, started at another time."""
    host, space, pid, started = this_process().split("/")
    return "/".join([host, space, pid, str(int(started) + 1)])


def test_a_process_of_another_host_keeps_its_own_state(store, clock, board):
    report(store, "away/ns/1/2", T0, state="failed, needs a person", alarms=("it failed and needs a person",))
    board.report()
    assert instances(store) == {"away/ns/1/2", this_process()}
    with store.reading() as session:
        assert status.not_ready(session, T0) == ["source gcn: it failed and needs a person"]
        assert status.health(session, T0)["sources"][0]["component"]["state"] == "failed, needs a person"


def test_a_start_replaces_what_a_crash_of_the_same_loops_left_on_this_host(store, clock, board):
    report(store, gone(), T0)
    report(store, gone(), T0, name="destination/other")
    board.report()
    assert instances(store) == {this_process(), gone()}
    with store.reading() as session:
        (gcn,) = [one for one in components.listing(session) if one.name == "source/gcn"]
    assert gcn.instance == this_process()


def test_a_start_replaces_what_said_farewell_wherever_it_was(store, clock, board):
    report(store, "away/ns/1/2", T0, state=components.STOPPED)
    board.report()
    assert instances(store) == {this_process()}


def test_a_process_that_dies_beside_this_one_is_missed(store, clock, board):
    board.report()
    report(store, gone(), T0.plus_s(5))
    clock.now = T0.plus_s(SILENT_AFTER_S + 66)
    board.report()
    with store.reading() as session:
        (reason,) = status.not_ready(session, clock.now)
    assert reason == f"source gcn has not reported for 121 s: its process {gone()} may be gone"


def test_a_container_that_was_restarted_under_its_name_takes_its_own_place_within_two_minutes(store, clock, board):
    earlier = f"{this_process().split('/')[0]}/another-space/1/2"
    report(store, earlier, T0.plus_s(-1))
    for seconds in (0, 30, SILENT_AFTER_S):
        clock.now = T0.plus_s(seconds)
        board.report()
        assert instances(store) == {this_process(), earlier}
    clock.now = T0.plus_s(SILENT_AFTER_S + 1)
    board.report()
    assert instances(store) == {this_process()}


def test_a_board_that_cannot_write_remembers_why_until_it_can(store, clock, board):
    board.report()
    assert board.alarms() == ()
    with store.transaction() as session:
        session.execute(text("ALTER TABLE components RENAME TO away"))
    with pytest.raises(StorageError):
        board.report()
    (alarm,) = board.alarms()
    assert alarm.startswith("the state database cannot be written: ")
    with store.transaction() as session:
        session.execute(text("ALTER TABLE away RENAME TO components"))
    board.report()
    assert board.alarms() == ()
