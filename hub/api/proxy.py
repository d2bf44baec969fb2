"""The proxy that says who somebody is: its header is believed from its own addresses, and refused from anywhere else.

The address is that of the connection itself. ``X-Forwarded-For`` and the like, which anybody can send, are never looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.exceptions import HTTPException
from starlette.requests import Request

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxy:
    """Whom the hub believes who somebody is."""

    header: str = ""
    """That holds the subject; empty where no proxy is trusted."""

    addresses: tuple[Network, ...] = field(default=())
    """That the proxy connects from."""

    def subject(self, request: Request) -> str | None:
        """Return the subject that the proxy states of a request; None where there is no proxy or it states none.

        Raises
        ------
        HTTPException
            403: somebody else states one; 400: there are several.
        """
        if not self.header:
            return None
        stated = request.headers.getlist(self.header)
        if not stated:
            return None
        if not self._is_from(request):
            raise HTTPException(403, f"{self.header} is believed from the hub's proxy only: leave it out")
        if len(stated) > 1:
            raise HTTPException(400, f"{self.header} must be one, of one person: the proxy must drop what its callers send")
        return stated[0].strip() or None

    def _is_from(self, request: Request) -> bool:
        try:
            address = ip_address(request.client.host if request.client else "")
        except ValueError:
            return False  # not a connection over a network
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.addresses)


NO_PROXY = TrustedProxy()
"""Nobody is believed."""


def trusted_proxy(header: str, addresses: Sequence[str]) -> TrustedProxy:
    """Return the proxy of some settings, whose addresses were checked."""
    return TrustedProxy(header=header, addresses=tuple(ip_network(one) for one in addresses))
