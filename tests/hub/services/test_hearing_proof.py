"""What is known must be proved, from the last packet before it to the first one after it, partition by partition."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hub.archive import visits_file
from hub.archive.compaction import compact
from hub.archive.history import ArchiveHistory
from hub.archive.layout import night_of
from hub.archive.owner import OWNER, claim
from hub.archive.visits_ledger import VisitLedger
from hub.model.envelope import Envelope, Trust
from hub.ports import Incident, Position
from hub.storage import deadletters, incidents, positions
from hub.storage.engine import Store
from hub.storage.identity import identity
from tests.support.api_night import fill
from tests.support.hearing import DAY_S, FINK, Hub
from tests.support.searched import DEC, FIRST, RA
from tests.support.visits import CAMERAS, TOPIC, alerts, camera_rows, pointing

PART = 300
"""Alerts of a visit that were read, of some 1500."""

REST = 1200


@pytest.fixture
def hub(store: Store, tmp_path: Path) -> Hub:
    fill(store)
    hub = Hub(store, tmp_path / "archive")
    hub.full(-1)
    return hub


def states(hub: Hub, *windows: tuple[float, float]) -> list[str]:
    return [hub.ask(*window)["coverage"] for window in windows]


def why(hub: Hub, begin: float, end: float) -> str:
    found = hub.ask(begin, end)
    return "; ".join([*found["remarks"], found["reason"] or ""])


def lose(hub: Hub, day: float, n: int = REST, partition: int = 0) -> None:
    """Let the next messages of a partition be lost, and the source notice it on some day."""
    first = hub.offset if partition == 0 else hub.others[partition]
    facts = {"topic": TOPIC, "partition": partition, "first_offset": first, "end_offset": first + n, "n_messages": n}
    with hub.store.transaction() as session:
        incident = Incident(kind="gap", subject=f"{partition}/{first}", text="some were lost", facts=facts)
        incidents.record(session, hub.source, incident, FIRST.plus_s(day * DAY_S))
    move(hub, n, partition)


def move(hub: Hub, n: int, partition: int) -> None:
    if partition == 0:
        hub.offset += n
    else:
        hub.others[partition] += n


def book(hub: Hub, n: int, partition: int = 0, topic_id: str = "") -> None:
    """Write down that some messages came."""
    first = hub.offset if partition == 0 else hub.others[partition]
    run = Position(topic=TOPIC, partition=partition, first_offset=first, next_offset=first + n, n_messages=n, topic_id=topic_id)
    with hub.store.transaction() as session:
        positions.advance(session, hub.source, [run])
    move(hub, n, partition)


def refuse(hub: Hub, day: float, n: int = REST, partition: int = 0) -> None:
    first = hub.offset if partition == 0 else hub.others[partition]
    at = FIRST.plus_s(day * DAY_S)
    with hub.store.transaction() as session:
        for offset in range(first, first + n):
            letter = Envelope(
                payload=b"no alert %d/%d" % (partition, offset),
                source=hub.source,
                received_at=at,
                position=f"{TOPIC}/{partition}/{offset}",
                topic=TOPIC,
                trust=Trust.TRUSTED,
            )
            deadletters.add(session, letter, reason="not known", format=None, adapter_version="1", at=at)
    book(hub, n, partition)


# ---------------------------------------------------------------------------------------------------- visits that were cut


def test_a_visit_that_lost_messages_cut_is_known_in_part_at_the_end_and_at_the_beginning_of_a_night(hub: Hub) -> None:
    hub.visit(0)
    hub.visit(0.01, n_alerts=PART)
    lose(hub, 2.9)
    hub.visit(3, n_alerts=PART)
    hub.visit(3.02)
    hub.visit(4)
    hub.update()
    assert states(hub, (0, 0.002), (0, 0.01), (0.0099, 0.01), (1, 2), (3, 3.001), (3.01, 3.9)) == [
        "known",
        "partial",
        "partial",
        "unknown",
        "partial",
        "known",
    ]
    assert hub.share(0, 0.01)["coverage"] == "partial"


def test_a_visit_of_which_packets_were_refused_is_known_in_part(hub: Hub) -> None:
    hub.visit(0)
    hub.visit(0.01, n_alerts=PART)
    refuse(hub, 0.01)
    hub.visit(3)
    hub.visit(4)
    hub.update()
    assert states(hub, (0, 0.002), (0, 0.01), (3.1, 3.9)) == ["known", "partial", "known"]
    assert f"{REST} packets of lsst-alerts could not be read" in why(hub, 0, 0.01)


def test_a_partition_whose_part_of_a_visit_was_refused_makes_it_known_in_part(hub: Hub) -> None:
    hub.visit(0, partitions=2)
    hub.visit(0.01)
    refuse(hub, 0.01, 50, partition=1)
    hub.visit(3, partitions=2)
    hub.visit(4, partitions=2)
    hub.update()
    assert states(hub, (0, 0.01), (3.1, 3.9)) == ["partial", "known"]


@pytest.mark.parametrize("has_rows", [True, False])
def test_a_partition_of_which_a_night_was_refused_is_asked_though_it_brought_nothing_else(hub: Hub, has_rows: bool) -> None:
    hub.visit(0, partitions=2)
    if has_rows:
        hub.visit(2)
    refuse(hub, 2, 50, partition=1)
    hub.visit(4, partitions=2)
    hub.visit(5, partitions=2)
    hub.update()
    assert states(hub, (0.5, 1.5), (4.1, 4.9)) == ["unknown", "known"]
    assert states(hub, (1.9, 2.1)) == ["partial" if has_rows else "unknown"]


def test_a_partition_that_stood_still_for_weeks_and_lost_its_messages_leaves_all_that_time_in_doubt(hub: Hub) -> None:
    hub.visit(0, partitions=2)
    for day in (2, 4, 20, 40):
        hub.visit(day)
    lose(hub, 41, 5000, partition=1)
    hub.visit(45, partitions=2)
    hub.visit(46, partitions=2)
    hub.update()
    assert states(hub, (0.5, 1.5), (1.9, 2.1), (25, 30)) == ["unknown", "partial", "unknown"]
    assert states(hub, (45.1, 45.9)) == ["known"]


def test_the_latest_visit_of_a_partition_may_go_on(hub: Hub) -> None:
    hub.visit(0, partitions=2)
    hub.visit(0.01, partitions=2)
    hub.visit(0.02)
    hub.update(0.1)
    assert states(hub, (0, 0.009), (0, 0.01), (0.01, 0.019)) == ["known", "partial", "partial"]
    hub.visit(0.03, partitions=2)
    hub.update(0.2)
    assert states(hub, (0, 0.029)) == ["known"]


def test_a_hub_that_begins_within_a_visit_does_not_know_that_one(store: Store, tmp_path: Path) -> None:
    fill(store)
    hub = Hub(store, tmp_path / "archive", offset=5000)
    hub.full(0)
    hub.visit(0, n_alerts=PART)
    hub.visit(0.02)
    hub.visit(0.04)
    hub.update()
    assert states(hub, (0, 0.001), (0.01, 0.03)) == ["partial", "known"]


# ---------------------------------------------------------------------------------------------------- rows that are not there


def test_a_night_whose_packets_name_no_visit_is_unknown_and_not_empty(hub: Hub) -> None:
    hub.visit(0)
    rows = camera_rows(
        np.random.default_rng(99),
        pointing(RA, DEC),
        per_detector=1.0,
        visit=0,
        mid_tai_us=FIRST.plus_s(DAY_S).tai_us,
        topic=TOPIC,
        offset=hub.offset,
    )
    hub.history.append(alerts(rows))
    book(hub, rows.num_rows)
    hub.visit(2)
    hub.visit(3)
    hub.update()
    assert states(hub, (0.5, 1.5), (2.1, 2.9)) == ["unknown", "known"]
    assert "its alerts named no visit" in why(hub, 0.5, 1.5)


def test_a_visit_that_came_by_a_filter_first_leaves_a_doubt(hub: Hub) -> None:
    hub.filtered(-1)
    hub.visit(0)
    own = {"per_detector": 1.0, "visit": 2017081799999, "mid_tai_us": FIRST.plus_s(0.1 * DAY_S).tai_us}
    rows = camera_rows(np.random.default_rng(5), pointing(RA, DEC), topic=FINK, offset=0, **own)
    again = camera_rows(np.random.default_rng(5), pointing(RA, DEC), topic=TOPIC, offset=hub.offset, **own)
    hub.history.append(alerts(rows))
    assert not hub.history.append(alerts(again)).any()
    book(hub, again.num_rows)
    hub.visit(0.2)
    hub.visit(1)
    hub.visit(2)
    hub.update()
    assert states(hub, (0, 0.2), (1.1, 1.9)) == ["partial", "known"]


def test_alerts_of_a_visit_that_a_filter_brought_first_leave_a_doubt_though_the_visit_came_in_full_too(hub: Hub) -> None:
    hub.filtered(-1)
    own = {"per_detector": 2.0, "visit": 2017081799999, "mid_tai_us": FIRST.tai_us}
    some = camera_rows(np.random.default_rng(5), pointing(RA, DEC), topic=FINK, offset=0, **own)
    every = camera_rows(np.random.default_rng(5), pointing(RA, DEC), topic=TOPIC, offset=0, **own)
    hub.history.append(alerts(some.take(pa.array(range(50, 60)))))
    hub.history.append(alerts(every))
    book(hub, every.num_rows)
    hub.visit(1)
    hub.visit(2)
    hub.update()
    assert states(hub, (0, 0.9), (1.1, 1.9)) == ["partial", "known"]


def test_of_an_archive_in_another_folder_nothing_of_the_former_one_is_known(hub: Hub) -> None:
    for day in (0, 1, 2):
        hub.visit(day)
    hub.update(3)
    moved = Hub(hub.store, hub.folder.parent / "elsewhere", offset=hub.offset, n=hub.n)
    moved.visit(6)
    moved.visit(7)
    moved.update(8)
    assert states(hub, (0.5, 1.5)) == ["known"]
    assert states(moved, (0.5, 1.5), (6.1, 6.9)) == ["unknown", "known"]


def test_a_night_that_is_missing_on_the_disk_is_not_joined_over(hub: Hub) -> None:
    for day in (0, 1, 2, 3):
        hub.visit(day)
    hub.update(4)
    night = night_of(FIRST.plus_s(DAY_S).tai_us)
    shutil.rmtree(hub.folder / "fresh" / str(night))
    visits_file.path_of(hub.folder, night).unlink()
    hub.history = ArchiveHistory(hub.folder)
    hub.ledger = VisitLedger(hub.history, CAMERAS, quiet_s=0.0)
    hub.update(5)
    assert states(hub, (0.5, 1.5), (2.1, 2.9)) == ["unknown", "known"]


def test_files_that_the_ledger_has_not_looked_at_leave_a_doubt_until_it_has(hub: Hub) -> None:
    for day in (0, 0.1, 0.2):
        hub.visit(day)
    hub.update(2.1)
    assert states(hub, (0, 0.19)) == ["known"]
    compact(hub.folder, night_of(FIRST.tai_us))
    assert states(hub, (0, 0.19)) == ["partial"]  # it may have put other versions in the place of rows
    hub.update(2.1)
    assert states(hub, (0, 0.19)) == ["known"]
    hub.visit(0.05)
    assert states(hub, (0, 0.19)) == ["partial"]
    assert "that its ledger does not tell of yet" in why(hub, 0, 0.19)
    hub.update(2.2)
    assert (states(hub, (0, 0.19)), len(hub.visits(0, 0.19))) == (["known"], 3)


# ---------------------------------------------------------------------------------------------------- whose offsets they are


@pytest.mark.parametrize(("ids", "expected"), [(("", "b"), "unknown"), (("", ""), "unknown"), (("a", "a"), "known")])
def test_two_topics_of_one_name_do_not_prove_each_other(hub: Hub, ids: tuple[str, str], expected: str) -> None:
    hub.visit(0)
    book(hub, 0, topic_id=ids[0])
    end = hub.offset
    hub.source, hub.offset = "rubin-two", 0
    book(hub, end, topic_id=ids[1])
    hub.visit(3)
    hub.visit(4)
    hub.update(5)
    assert states(hub, (0.5, 2.5)) == [expected]


def test_what_was_heard_does_not_depend_on_the_window(hub: Hub) -> None:
    hub.visit(0)
    hub.visit(10.05, n_alerts=10)
    for day in range(1, 11):
        hub.visit(day)
    hub.update()
    assert states(hub, (5, 6), (5, 8.9), (8, 8.9)) == ["known"] * 3
    assert "LSST was heard in full until" in why(hub, 9.5, 10)
    assert "latest visit" not in why(hub, 9.5, 10)


def test_of_an_archive_of_another_database_nothing_is_known(hub: Hub) -> None:
    for day in (0, 1, 2):
        hub.visit(day)
    hub.update()
    with hub.store.transaction() as session:
        own = identity(session)
        assert identity(session) == own
    assert claim(hub.folder, own) == claim(hub.folder, "another") == own
    assert states(hub, (0.5, 1.5)) == ["known"]
    (hub.folder / OWNER).write_text("another")
    assert states(hub, (0.5, 1.5)) == ["unknown"]
    assert "belongs to the database of another hub" in why(hub, 0.5, 1.5)
