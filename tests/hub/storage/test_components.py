from hub.model.instant import Instant
from hub.ports import Health, Position
from hub.storage import components, positions
from hub.storage.positions import StreamPosition

T0 = Instant.from_utc_iso("2026-11-23T00:00:00Z")


def report(store, state, at, *, name="source/gcn", alarms=(), instance="a:1"):
    with store.transaction() as session:
        components.report(session, instance, [(name, Health(state=state, alarms=alarms, facts={"lag": 3}))], at)


def listing(store):
    with store.reading() as session:
        return components.listing(session)


def test_a_component_is_what_it_last_said(store):
    report(store, "connecting", T0)
    report(store, "listening", T0.plus_s(10), alarms=("deaf: no heartbeat for 40 s",))
    (one,) = listing(store)
    assert (one.name, one.instance, one.state, one.facts) == ("source/gcn", "a:1", "listening", {"lag": 3})
    assert one.alarms == ("deaf: no heartbeat for 40 s",)
    assert (one.since, one.updated) == (T0.plus_s(10), T0.plus_s(10))


def test_processes_do_not_hide_each_other(store):
    report(store, "failed, needs a person", T0)
    report(store, "listening", T0.plus_s(1), instance="b:2")
    assert [(one.instance, one.state) for one in listing(store)] == [("a:1", "failed, needs a person"), ("b:2", "listening")]
    with store.transaction() as session:
        components.forget(session, [("source/gcn", "a:1")])
    assert [one.instance for one in listing(store)] == ["b:2"]


def test_a_state_that_lasts_keeps_its_beginning(store):
    report(store, "listening", T0)
    report(store, "listening", T0.plus_s(10))
    (one,) = listing(store)
    assert (one.since, one.updated) == (T0, T0.plus_s(10))


def test_parts_that_are_no_longer_configured_are_forgotten(store):
    for name in ("source/gcn", "source/old", "destination/old", "watch"):
        report(store, "running", T0, name=name)
    with store.transaction() as session:
        components.forget_others(session, "source/", ["source/gcn"])
    assert [one.name for one in listing(store)] == ["destination/old", "source/gcn", "watch"]


def advance(store, first, end, n_messages, *, partition=0):
    run = Position(topic="t", partition=partition, first_offset=first, next_offset=end, n_messages=n_messages)
    with store.transaction() as session:
        positions.advance(session, "gcn", [run])
    with store.reading() as session:
        return positions.listing(session, "gcn")[partition]


def test_positions_add_up(store):
    assert advance(store, 5, 8, 3) == StreamPosition(
        source="gcn", topic="t", partition=0, first_offset=5, next_offset=8, messages=3, missing=0
    )
    assert advance(store, 8, 9, 1).next_offset == 9
    assert advance(store, 0, 4, 4, partition=1).messages == 4


def test_what_is_passed_over_is_counted_as_missing(store):
    advance(store, 0, 10, 10)
    found = advance(store, 12, 20, 7)  # two before it, one inside
    assert (found.next_offset, found.messages, found.missing) == (20, 17, 3)


def test_what_comes_again_moves_nothing_back(store):
    advance(store, 0, 10, 9)
    found = advance(store, 0, 10, 9)
    assert (found.next_offset, found.messages, found.missing) == (10, 18, 1)
    found = advance(store, 5, 12, 6)  # of its hole nobody knows on which side of 10 it lies
    assert (found.next_offset, found.missing) == (12, 2)
