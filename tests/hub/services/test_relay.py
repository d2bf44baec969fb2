"""Relaying: each VOEvent once for each destination, byte for byte, and never in circles."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hub.model.envelope import Trust
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


OPEN_TO_ALL = {"out": {"relay": True, "relay_untrusted": True}}
NAME = "ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_7-001"
FALSE, TRUE, LATER = (voevent(ivorn=NAME, position=(ra, 2.0, 0.5)) for ra in (1.0, 200.0, 201.0))


def test_what_only_untrusted_sources_brought_is_not_relayed_unless_that_is_wanted(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations={**OPEN, "all": OPEN_TO_ALL["out"]}) as one:
        one.take(BURST, trust=Trust.UNTRUSTED)
        assert (one.sent("out"), one.sent("all")) == ([], [BURST])
        one.take(BURST, source="broker")  # a trusted source has it too
        one.take(BURST, source="broker")
        assert (one.sent("out"), one.sent("all")) == ([BURST], [BURST])


def test_nobody_keeps_a_message_from_its_readers_by_using_its_name_first(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations={**OPEN, "all": OPEN_TO_ALL["out"]}) as one:
        one.take(FALSE, trust=Trust.UNTRUSTED)
        one.take(TRUE)
        one.take(LATER)  # a name goes out once more, not for ever
        one.take(FALSE, LATER, trust=Trust.UNTRUSTED)
        assert (one.sent("out"), one.sent("all")) == ([TRUE], [FALSE, TRUE])
        assert one.law_holds()


def test_one_name_in_three_spellings_is_relayed_once(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations=OPEN) as one:
        one.take(*(voevent(ivorn=name) for name in ("ivo://a.example/s#x1", "ivo://A.example/s#x1", "IVO://a.example/s#X1")))
        assert one.sent("out") == [voevent(ivorn="ivo://a.example/s#x1")]


@pytest.mark.parametrize(
    "name",
    [
        "ivo://example.org/mmhub/coincidence#c1.v1",
        "IVO://example.org/mmhub/coincidence#c1.v1",
        "ivo://EXAMPLE.org/MMhub/coincidence#c1.v1",
        "ivo://example.org/mmhub",
        "ivo://example.org/mmhub#x",
        "ivo://example.org/mmhub?x",
        "ivo://example.org/%6dmhub/x#1",
    ],
)
def test_no_spelling_of_our_own_authority_is_believed_or_relayed(tmp_path: Path, name: str) -> None:
    with neighbour(tmp_path, destinations=OPEN) as one:
        (outcome,) = one.take(voevent(ivorn=name))
        assert outcome.state is MessageState.DEAD
        assert "never wrote it" in outcome.reason
        one.take(voevent(ivorn="ivo://example.org/mmhub2#x"))
        assert [entry.outgoing.ivorn for entry in one.entries()] == ["ivo://example.org/mmhub2#x"]


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_our_own_message_is_known_in_any_case(tmp_path: Path, case: Callable[[str], str]) -> None:
    with neighbour(tmp_path, destinations=OPEN) as one:
        one.take(*STORY)
        own = one.entries()[0].outgoing
        payload = own.payload.replace(own.ivorn.encode(), case(own.ivorn).encode())
        (outcome,) = one.take(payload)
        assert (outcome.state, len(one.entries())) == (MessageState.DUPLICATE, 2)


def test_three_hubs_in_a_ring_that_relay_everything_send_each_content_of_a_name_on_once(tmp_path: Path) -> None:
    with ExitStack() as stack:
        ring = []
        for name in ("one", "two", "three"):
            (tmp_path / name).mkdir()
            ring.append(stack.enter_context(neighbour(tmp_path / name, authority=f"{name}.example", destinations=OPEN_TO_ALL)))
        for hub, payload in zip(ring, (FALSE, TRUE, LATER), strict=True):
            hub.take(payload, trust=Trust.TRUSTED if payload is TRUE else Trust.UNTRUSTED)
        carried = [0, 0, 0]
        for _ in range(8):
            for place, hub in enumerate(ring):
                fresh = hub.sent("out")[carried[place] :]
                carried[place] += len(fresh)
                ring[(place + 1) % 3].take(*fresh, source="neighbour", trust=Trust.TRUSTED)
        for place, hub in enumerate(ring):
            sent = hub.sent("out")
            assert carried[place] == len(sent) == len(set(sent)) <= 2
            assert hub.law_holds()
