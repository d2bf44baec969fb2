"""Of times of which it is not proved that all was read and understood, no more is claimed than that."""

from pathlib import Path

import pytest

from hub.archive import visits_file
from hub.archive.layout import night_of
from hub.archive.retention import retire
from hub.archive.visits_count import EVIDENCE
from hub.archive.visits_ledger import VisitLedger
from hub.model.envelope import Envelope, Trust
from hub.ports import Position
from hub.storage import deadletters, positions
from hub.storage.engine import Store
from tests.support.api_night import fill
from tests.support.hearing import DAY_S, Hub
from tests.support.searched import FIRST
from tests.support.visits import CAMERAS, TOPIC


@pytest.fixture
def hub(store: Store, tmp_path: Path) -> Hub:
    fill(store)
    return Hub(store, tmp_path / "archive")


def waits(hub: Hub) -> None:
    """Let visits wait ten minutes."""
    hub.ledger = VisitLedger(hub.history, CAMERAS, quiet_s=600.0)


def at_s(seconds: float) -> float:
    return 400.0 + seconds / DAY_S


def states(hub: Hub, *windows: tuple[float, float]) -> list[str]:
    return [hub.ask(*window)["coverage"] for window in windows]


def refuse(hub: Hub, day: float, *payloads: bytes, partition: int = 0) -> None:
    """Let packets come that nobody understands: their places are booked, and they are dead letters."""
    run = Position(
        topic=TOPIC,
        partition=partition,
        first_offset=hub.offset,
        next_offset=hub.offset + len(payloads),
        n_messages=len(payloads),
    )
    with hub.store.transaction() as session:
        for index, payload in enumerate(payloads):
            letter = Envelope(
                payload=payload,
                source=hub.source,
                received_at=FIRST.plus_s(day * DAY_S),
                position=f"{TOPIC}/{partition}/{hub.offset + index}",
                topic=TOPIC,
                trust=Trust.TRUSTED,
            )
            deadletters.add(session, letter, reason="not known", format=None, adapter_version="1", at=FIRST.plus_s(day * DAY_S))
        positions.advance(session, hub.source, [run])
    hub.offset += len(payloads)


def test_an_ordinary_night_and_a_cloudy_one_between_two_are_known(hub: Hub) -> None:
    hub.full(-1)
    for day in (0.0, 0.1, 0.2, 2.0, 2.1, 3.0):
        hub.visit(day, partitions=3)
    hub.update(4.0)
    assert states(hub, (0.0, 0.2), (0.05, 0.15), (0.5, 1.5), (1.2, 1.4), (2.0, 2.1), (0.0, 2.9)) == ["known"] * 6
    found = hub.ask(1.0, 1.5)
    assert (found["n_visits"], found["reason"], found["remarks"]) == (0, None, [])
    assert found["surveys"][0]["unheard"] == []
    assert hub.ask(2.5, 3.5)["coverage"] == "partial"


# ------------------------------------------------------------------------------------------------------------ dates and order


@pytest.mark.parametrize("n_alerts", [1, EVIDENCE - 1, None])
def test_alerts_that_are_dated_ahead_do_not_make_the_time_until_then_known(hub: Hub, n_alerts: int | None) -> None:
    hub.full(-0.001)
    hub.visit(0)
    hub.visit(30, n_alerts=n_alerts)
    hub.update(0.5)
    assert states(hub, (0.5, 3.5), (29, 31)) == ["unknown", "unknown"]
    hub.visit(1)
    hub.update(1.5)
    assert states(hub, (0.2, 0.8), (1.1, 3.5)) == ["known", "unknown"]


def test_a_few_alerts_that_are_dated_ahead_count_for_nothing_also_when_their_date_is_over(hub: Hub) -> None:
    hub.full(-0.001)
    hub.visit(0)
    hub.visit(30, n_alerts=EVIDENCE - 1)
    hub.update()
    assert hub.ask(0.5, 3.5)["coverage"] == "unknown"


def test_a_visit_that_is_dated_ahead_within_its_night_does_not_extend_it(hub: Hub) -> None:
    hub.full(-0.001)
    hub.visit(0)
    hub.visit(0.3)
    hub.visit(0.05)
    hub.update()
    assert states(hub, (0, 0.04), (0.1, 0.2)) == ["known", "unknown"]


@pytest.mark.parametrize("n_alerts", [1, None])
def test_late_alerts_of_a_time_before_the_hub_began_do_not_make_that_known(hub: Hub, n_alerts: int | None) -> None:
    hub.full(0)
    hub.visit(0.01)
    hub.visit(-7, n_alerts=n_alerts)
    hub.visit(-6.99, n_alerts=n_alerts)
    hub.visit(0.02)
    hub.update()
    assert states(hub, (-5, -1), (-7, -6.995), (0.01, 0.019)) == ["unknown", "unknown", "known"]


def test_a_visit_that_comes_hours_late_takes_nothing_away(hub: Hub) -> None:
    hub.full(-0.001)
    for day in (0.0, 0.1, 0.2, 0.05):
        hub.visit(day)
    hub.update()
    found = hub.ask(0.0, 0.19)
    assert (found["coverage"], found["n_visits"]) == ("known", 3)


def test_late_alerts_of_the_hours_before_the_hub_began_do_not_make_those_known(hub: Hub) -> None:
    hub.full(0.2)
    hub.visit(0.2)
    hub.visit(0.1)
    hub.visit(0.25)
    hub.update()
    assert states(hub, (0.1, 0.15), (0.2, 0.24)) == ["unknown", "known"]


# ------------------------------------------------------------------------------------------------------------ packets refused


def test_a_night_whose_packets_were_all_refused_is_no_cloudy_one(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    refuse(hub, 1.0, *(b"broken %d" % number for number in range(50)))
    hub.visit(2)
    hub.update()
    found = hub.ask(0.5, 1.5)
    assert found["coverage"] == "unknown"
    assert "50 packets of lsst-alerts could not be read" in found["reason"]


def test_a_night_of_which_a_packet_was_refused_is_known_in_part_also_when_the_letter_was_dropped(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    refuse(hub, 0.01, b"broken")
    hub.visit(0.02)
    hub.visit(1)
    hub.visit(2)
    hub.update()
    for _ in range(2):
        found = hub.ask(0.0, 0.02)
        assert (found["coverage"], found["n_visits"]) == ("partial", 2)
        assert "a packet of lsst-alerts could not be read" in found["remarks"][0]
        assert states(hub, (1.2, 1.8)) == ["known"]
        with hub.store.transaction() as session:
            for letter in deadletters.listing(session):
                deadletters.remove(session, letter.digest)


def test_of_bytes_that_were_refused_twice_the_second_place_counts_too(hub: Hub) -> None:
    hub.full(-1)
    refuse(hub, -0.5, b"")
    hub.visit(0)
    hub.visit(1)
    refuse(hub, 1.5, b"")
    hub.visit(2)
    hub.update()
    assert hub.ask(1.2, 1.8)["coverage"] == "unknown"


# ------------------------------------------------------------------------------------------------------------ what was not read


@pytest.mark.parametrize("after", [1, 20_000])
def test_what_a_new_source_did_not_read_is_unknown_and_what_each_read_alone_is_known(hub: Hub, after: int) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.visit(1)
    hub.source = "rubin-two"
    hub.visit(5, after=after)
    hub.visit(6)
    hub.update()
    found = hub.ask(1.5, 4.5)
    assert found["coverage"] == "unknown"
    assert "no source alone has read partition 0 of lsst-alerts" in found["reason"]
    assert states(hub, (0.2, 0.8), (5.2, 5.8)) == ["known", "known"]


def test_a_night_in_which_the_source_changed_is_known_in_part(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.source = "rubin-two"
    hub.visit(0.1, after=100)
    hub.update()
    assert hub.ask(0.0, 0.1)["coverage"] == "partial"


def test_offsets_that_were_passed_over_and_that_no_gap_tells_of_leave_a_doubt(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.visit(2, after=5)
    hub.update()
    found = hub.ask(0.5, 1.5)
    assert found["coverage"] == "unknown"
    assert "5 offsets of partition 0 of lsst-alerts were passed over" in found["reason"]


def test_a_partition_of_which_nothing_came_may_hold_visits(hub: Hub) -> None:
    hub.full(-1)
    with hub.store.transaction() as session:
        idle = Position(topic=TOPIC, partition=1, first_offset=0, next_offset=0, n_messages=0)
        positions.advance(session, "rubin", [idle])
    hub.visit(0)
    hub.visit(0.1)
    hub.update()
    found = hub.ask(-0.1, 0.1)
    assert (found["coverage"], found["n_visits"]) == ("partial", 2)
    assert "no alert of these nights came by partition 1 of lsst-alerts" in found["remarks"][0]


def test_a_partition_that_lags_makes_known_in_part_what_came_after_it(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0, partitions=2)
    hub.visit(0.1)
    hub.visit(1)
    hub.update()
    assert states(hub, (-0.1, -0.01), (-0.1, 0), (0.05, 0.1), (0.4, 0.6)) == ["known", "partial", "partial", "partial"]
    hub.visit(2, partitions=2)
    hub.update()
    assert states(hub, (-0.1, 0), (0.05, 0.1), (0.4, 0.6), (1.4, 1.6)) == ["known"] * 4


# ------------------------------------------------------------------------------------------------------------ ledgers


def test_a_night_that_was_deleted_before_its_ledger_was_complete_is_known_in_part_for_good(hub: Hub) -> None:
    waits(hub)
    hub.full(-1)
    first = hub.visit(0)
    hub.update(at_s(0))
    hub.visit(0.05)
    hub.visit(1)
    hub.visit(2)
    hub.update(at_s(300))
    hub.update(at_s(610))
    assert len(retire(hub.folder, now=FIRST.plus_s(3 * DAY_S), keep_days=400, max_bytes=1)) == 1
    for seconds in (1300, 2000, 4000):
        hub.update(at_s(seconds))
        found = hub.ask(-0.1, 0.3)
        assert (found["coverage"], hub.visits(-0.1, 0.3)) == ("partial", [first])
        assert "were deleted before its ledger was complete" in " ".join(found["remarks"])
        assert hub.ask(0.04, 0.06)["coverage"] == "unknown"
    hub.visit(0.001)
    hub.update(at_s(5000))
    hub.update(at_s(6000))
    assert hub.ask(-0.1, 0.3)["coverage"] == "partial"
    assert hub.ask(0.04, 0.06)["coverage"] == "unknown"


def test_alerts_that_were_deleted_before_the_ledger_looked_at_them_leave_a_doubt(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.update()
    hub.visit(0.05)
    for day in (1, 2):
        hub.visit(day)
    retire(hub.folder, now=FIRST.plus_s(3 * DAY_S), keep_days=400, max_bytes=1)
    hub.update(401)
    assert states(hub, (-0.1, 0.0), (0.04, 0.06), (1.2, 1.8)) == ["partial", "unknown", "known"]


def test_nights_are_not_joined_over_a_visit_that_waits(hub: Hub) -> None:
    waits(hub)
    hub.full(-1)
    first, other = hub.visit(0), hub.visit(1)
    hub.update(at_s(0))
    between = hub.visit(0.05)
    hub.update(at_s(300))
    assert hub.update(at_s(610)) == 2
    assert hub.visits(-0.1, 1) == [first, other]
    assert states(hub, (-0.1, 1), (0.04, 0.06)) == ["partial", "unknown"]
    hub.update(at_s(1300))
    assert hub.visits(-0.1, 1) == [first, other, between]


def test_a_ledger_that_was_complete_is_not_while_late_alerts_wait(hub: Hub) -> None:
    waits(hub)
    hub.full(-1)
    for day in (0, 0.09, 0.1):
        hub.visit(day)
    hub.update(at_s(0))
    hub.update(at_s(610))
    assert hub.ask(0.04, 0.09)["coverage"] == "known"
    hub.visit(0.05)
    hub.update(at_s(1000))
    assert visits_file.read_note(hub.folder, night_of(FIRST.tai_us)).settled == ""
    assert hub.ask(0.04, 0.1)["coverage"] == "unknown"
    hub.update(at_s(1700))
    assert hub.visits(0.04, 0.1)
    assert hub.ask(0.04, 0.09)["coverage"] == "known"
