"""Relaying: each VOEvent once for each destination, byte for byte, and never in circles."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hub.model.outgoing import Subject
from hub.storage.envelopes import MessageState
from tests.support.hubs import STORY, Neighbour, neighbour
from tests.support.json_notices import as_bytes, gbm
from tests.support.voevents import voevent

OPEN = {"out": {"relay": True}}
BURST = voevent(ivorn="ivo://nasa.gsfc.gcn/TEST#1")


def test_a_voevent_goes_out_once_byte_for_byte_whoever_brings_it_again(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations={**OPEN, "quiet": {}}) as one:
        one.take(BURST, BURST)
        one.take(BURST, source="other")
        one.take(voevent(ivorn="ivo://nasa.gsfc.gcn/TEST#1", date="2024-01-02T09:09:09"))  # a revision bears the same name
        (entry,) = one.entries()
        assert (entry.outgoing.payload, one.sent("out"), one.sent("quiet")) == (BURST, [BURST], [])
        assert (entry.outgoing.ivorn, entry.outgoing.subject) == ("ivo://nasa.gsfc.gcn/TEST#1", Subject.NOTICE)
        assert entry.outgoing.key
        assert one.law_holds()


def test_tests_are_relayed_only_where_they_are_wanted(tmp_path: Path) -> None:
    drill = voevent(ivorn="ivo://nasa.gsfc.gcn/TEST#2", role="test")
    with neighbour(tmp_path, destinations={**OPEN, "drills": {"relay": True, "relay_roles": ["test"]}}) as one:
        one.take(drill, BURST)
        assert (one.sent("out"), one.sent("drills")) == ([BURST], [drill])


def test_what_comes_from_a_destination_does_not_go_back_there(tmp_path: Path) -> None:
    both = {"left": {"relay": True}, "right": {"relay": True}}
    with neighbour(tmp_path, destinations=both, echo_of={"from-left": "left"}) as one:
        one.take(BURST, source="from-left")
        assert (one.sent("left"), one.sent("right")) == ([], [BURST])


def test_only_voevents_are_relayed(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations=OPEN) as one:
        one.take(as_bytes(gbm()))
        assert one.entries() == []


def test_a_refused_message_is_not_relayed(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations=OPEN) as one:
        forged = voevent(ivorn="ivo://example.org/mmhub/coincidence#1.v1")
        assert one.take(b"<VOEvent", forged)[1].state is MessageState.DEAD
        assert one.entries() == []


def both(tmp_path: Path, stack: ExitStack, **words: Any) -> tuple[Neighbour, Neighbour]:
    """Open two hubs of different authorities."""
    found = []
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        found.append(stack.enter_context(neighbour(tmp_path / name, authority=f"example.org/{name}", **words)))
    return found[0], found[1]


def carry(left: Neighbour, right: Neighbour, delivered: dict[str, int]) -> int:
    """Bring what each has sent since the last time to the other; return how many messages that were."""
    moved = 0
    for sender, receiver, name in ((left, right, "left"), (right, left, "right")):
        fresh = sender.sent("out")[delivered[name] :]
        delivered[name] += len(fresh)
        receiver.take(*fresh, source="peer")
        moved += len(fresh)
    return moved


def exchange(left: Neighbour, right: Neighbour) -> None:
    """Bring each what the other sends until neither sends anything."""
    delivered = {"left": 0, "right": 0}
    for _ in range(6):
        if not carry(left, right, delivered):
            return
    pytest.fail("the hubs send each other messages for ever")


@pytest.mark.parametrize("listens_to_its_own", [False, True])
def test_two_hubs_that_relay_to_each_other_do_not_amplify(tmp_path: Path, listens_to_its_own: bool) -> None:
    """With ``echo_of`` each knows the other as the far end of its own destination; without, only the outbox stops the circle."""
    with ExitStack() as stack:
        left, right = both(tmp_path, stack, destinations=OPEN, echo_of={"peer": "out"} if listens_to_its_own else {})
        events = [voevent(ivorn=f"ivo://nasa.gsfc.gcn/TEST#{number}") for number in range(5)]
        left.take(*events[:3])
        right.take(*events[2:])
        exchange(left, right)
        for hub in (left, right):
            assert len(set(hub.sent("out"))) == len(hub.sent("out")) <= len(events)
            assert hub.law_holds()
        assert set(left.sent("out")) | set(right.sent("out")) == set(events)


@pytest.mark.parametrize("wire", ["voevent", "hub-json", "hub-avro"])
def test_two_hubs_that_announce_to_each_other_do_not_amplify(tmp_path: Path, wire: str) -> None:
    """Each finds the same coincidence and says so; the other takes that in, and neither makes anything new of it."""
    with ExitStack() as stack:
        left, right = both(tmp_path, stack, destinations={"out": {"relay": True, "format": wire}})
        left.take(*STORY)
        right.take(*STORY)
        own = {hub: len(hub.sent("out")) for hub in (left, right)}
        assert set(own.values()) == {2}
        exchange(left, right)
        relayed = 2 if wire == "voevent" else 0
        for hub in (left, right):
            assert len(hub.sent("out")) == own[hub] + relayed
            assert hub.law_holds()
