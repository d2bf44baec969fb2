"""Who may connect to a listening port, how many at once and how fast."""

import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

from pydantic import AfterValidator, Field

from hub.errors import Transient

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAX_BUCKETS = 10_000
_MAPPED_BITS = 96  # before the IPv4 address in ::ffff:192.0.2.7


class NotAdmitted(Transient):
    """A peer may not connect now; the text says why."""


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"{text!r} is no network such as 192.0.2.0/24 or 2001:db8::/32") from error
    return text


Cidr = Annotated[str, AfterValidator(_network)]
"""An address or network as text, e.g. ``192.0.2.7`` or ``2001:db8::/32``."""

AllowList = Annotated[tuple[Cidr, ...], Field(description="Addresses and networks that may connect; nobody where there is none")]
"""Option of a listening part."""


def networks(cidrs: Sequence[str]) -> tuple[Network, ...]:
    """Return networks of their texts; bits behind the mask do not count, and IPv4 written as IPv6 is IPv4.

    >>> networks(["::ffff:192.0.2.7"])
    (IPv4Network('192.0.2.7/32'),)
    """
    return tuple(_plain(ipaddress.ip_network(cidr, strict=False)) for cidr in cidrs)


def _plain(network: Network) -> Network:
    """Return a network of mapped addresses as what it stands for."""
    first = network.network_address
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped is not None and network.prefixlen >= _MAPPED_BITS:
        return ipaddress.IPv4Network((first.ipv4_mapped, network.prefixlen - _MAPPED_BITS))
    return network


def is_in(address: str, allowed: Sequence[Network]) -> bool:
    """Return whether an address lies in one of some networks.

    An IPv4 address that came through an IPv6 socket counts as both: ``192.0.2.0/24`` and ``::/0`` let it in.

    >>> [is_in("::ffff:192.0.2.7", networks([cidr])) for cidr in ("192.0.2.0/24", "::/0", "2001:db8::/32")]
    [True, True, False]
    """
    try:
        peer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    names = [peer]
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        names.append(peer.ipv4_mapped)
    return any(name.version == network.version and name in network for name in names for network in allowed)


class Admission:
    """Counts who is connected. Used from one thread."""

    def __init__(self, allow: Sequence[str], *, max_connections: int, max_per_address: int) -> None:
        self._allowed = networks(allow)
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._open: Counter[str] = Counter()
        self.n_refused = 0
        """Connections that were not let in."""

    @property
    def n_open(self) -> int:
        """Connections now."""
        return self._open.total()

    @contextmanager
    def entered(self, address: str) -> Iterator[None]:
        """Let a peer in for as long as the context lasts.

        Raises
        ------
        NotAdmitted
            It is not on the list, or there are too many.
        """
        reason = self._reason_against(address)
        if reason:
            self.n_refused += 1
            raise NotAdmitted(reason)
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def _reason_against(self, address: str) -> str:
        if not is_in(address, self._allowed):
            return f"{address} is not in the list of those who may connect"
        if self.n_open >= self._max_connections:
            return f"there are {self.n_open} connections already"
        if self._open[address] >= self._max_per_address:
            return f"there are {self._open[address]} connections from {address} already"
        return ""


class RateLimit:
    """So many messages a minute for each address, with a minute's worth saved up at most. Used from one thread."""

    def __init__(self, per_minute: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, float]] = {}  # address: (what is left, when that was)

    def allows(self, address: str) -> bool:
        """Take one message from what an address may still send; False where nothing is left."""
        now = self._monotonic()
        left, then = self._buckets.pop(address, (self._per_minute, now))
        left = min(self._per_minute, left + (now - then) * self._per_minute / 60.0)
        is_allowed = left >= 1.0
        self._buckets[address] = (left - 1.0 if is_allowed else left, now)
        if len(self._buckets) > _MAX_BUCKETS:
            del self._buckets[next(iter(self._buckets))]  # the one that was silent longest
        return is_allowed
