"""What every destination must keep to: delivering again changes nothing, faults are one of two kinds, health can always be asked.

A test of a kind calls `check_sink` with an open sink and a way to look at what arrived.
"""

import threading
from collections.abc import Callable, Sequence

import pytest

from hub.errors import Permanent, Transient
from hub.model.notice import Role
from hub.model.outgoing import Outgoing, Subject
from hub.ports import Health, Sink
from tests.support.words import T0


def message(number: int, *, payload: bytes | None = None, destination: str = "out", **changes) -> Outgoing:
    """Return a message; its payload is no VOEvent, which is nothing to a sink."""
    values = {
        "ivorn": f"ivo://example.org/mmhub/coincidence#{number:020d}.v1",
        "media_type": "application/xml",
        "payload": payload if payload is not None else f"<x n='{number}'/>".encode(),
        "destination": destination,
        "subject": Subject.COINCIDENCE,
        "key": "S260301a",
        "role": Role.OBSERVATION,
        "cites": (),
        "created_at": T0,
    }
    return Outgoing(**{**values, **changes})


def check_sink(
    sink: Sink,
    arrived: Callable[[], Sequence[bytes]],
    *,
    payload_of: Callable[[int], bytes | None] = lambda _: None,
    carries_binary: bool = True,
) -> None:
    """Deliver some messages and look at what arrived.

    Parameters
    ----------
    sink
        Open, with nobody else sending to it.
    arrived
        Returns the payloads that arrived so far, repeats by ivorn left out, in order; waits for those under way.
    payload_of
        Makes the payload of a message by number, for a sink that does not carry just anything.
    carries_binary
        Whether it carries what is no XML; else it must give that up for good.
    """
    first, second = (message(number, payload=payload_of(number)) for number in (1, 2))
    sink.deliver(first)
    sink.deliver(second)
    sink.deliver(first)
    assert list(arrived()) == [first.payload, second.payload]
    binary = message(3, payload=bytes(range(256)), media_type="application/avro", subject=Subject.RETRACTION)
    if carries_binary:
        sink.deliver(binary)
        assert list(arrived())[-1] == binary.payload
    else:
        with pytest.raises(Permanent):
            sink.deliver(binary)
        assert list(arrived()) == [first.payload, second.payload]
    health = sink.health()
    assert isinstance(health, Health)
    assert health.state
    assert all(isinstance(alarm, str) and alarm for alarm in health.alarms)


class Mailbox:
    """A sink in memory that fails as it is told to, and holds still where it is told to."""

    def __init__(self) -> None:
        self.got: list[Outgoing] = []
        self.fault: Callable[[Outgoing], Exception | None] = lambda _: None
        self.gate = threading.Event()
        """Deliveries wait for it; set from the start."""
        self.gate.set()
        self.entered = threading.Event()
        """Set once a delivery has begun."""

    def deliver(self, outgoing: Outgoing) -> None:
        self.entered.set()
        if not self.gate.wait(60):
            raise Transient("nobody opened the gate")
        if error := self.fault(outgoing):
            raise error
        self.got.append(outgoing)

    def health(self) -> Health:
        return Health(state="open")

    @property
    def ivorns(self) -> list[str]:
        return [one.ivorn for one in self.got]

    def refuses(self, *ivorns: str) -> None:
        self.fault = lambda one: Permanent("the address is gone") if one.ivorn in ivorns else None

    def is_full(self, *ivorns: str) -> None:
        self.fault = lambda one: Transient("the disk is full") if not ivorns or one.ivorn in ivorns else None
