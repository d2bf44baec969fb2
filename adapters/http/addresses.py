"""Which addresses may be connected to: those of the public internet, nothing nearer."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from socket import SOCK_STREAM, getaddrinfo
from threading import Thread

from hub.errors import Permanent, Transient

Address = IPv4Address | IPv6Address
"""One numeric address."""

Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port to numeric addresses; raises `OSError` where there are none."""

_REFUSED_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 6890, and so on: IANA registry of special-purpose addresses)
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by carriers; some clouds keep their metadata here
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # a cloud's own agent, in the public range
            "169.254.0.0/16",  # link-local; metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays, deprecated
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
"""The only part of IPv6 that is given out; loopback, link-local, unique local and multicast addresses lie outside."""

_REFUSED_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments; Teredo, which hides an IPv4 address
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which hides an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
"""Stands for the IPv4 address in its last four bytes (RFC 6052)."""


def is_public(address: Address) -> bool:
    """Return whether an address, and the one that it stands for, is of the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_6 and not any(address in network for network in _REFUSED_6)


def allowed_addresses(host: str, found: Sequence[str], *, allow_loopback: bool) -> tuple[Address, ...]:
    """Return what a host name stands for, once each, if every one of its addresses may be connected to.

    Raises
    ------
    Permanent
        One of them may not: a name that points at both the internet and the inside is not used at all.
    """
    addresses = tuple(dict.fromkeys(ip_address(text.partition("%")[0]) for text in found))
    for address in addresses:
        if not (is_public(address) or (allow_loopback and address.is_loopback)):
            raise Permanent(f"{host} has the address {address}, which is not of the public internet")
    return addresses


def system_addresses(host: str, port: int) -> Sequence[str]:
    """Return the addresses that the system's resolver gives, in its order of preference."""
    return [str(place[0]) for *_, place in getaddrinfo(host, port, type=SOCK_STREAM)]


def resolve(resolver: Resolver, host: str, port: int, timeout_s: float) -> Sequence[str]:
    """Return the addresses of a name, asked for in a thread of its own because resolvers know no time-out.

    Raises
    ------
    Transient
        There is no answer, or none in time.
    """
    answers: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except Empty:
        raise Transient(f"the name {host} was not resolved within {timeout_s:g} s") from None
    if isinstance(answer, Exception):
        raise Transient(f"the name {host} cannot be resolved: {getattr(answer, 'strerror', None) or answer}") from answer
    if not answer:
        raise Transient(f"the name {host} has no address")
    return answer
