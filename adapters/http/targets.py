"""What an URL may ask for: https, a host of the list, its usual port, and nothing that two parsers could read in two ways."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from hub.errors import Permanent, sentence_of

LONGEST_URL = 2048
"""Characters; longer ones are refused."""

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
"""A name in ASCII (international names as ``xn--``) whose last part begins with a letter: no number in any notation."""

_PLAIN = re.compile(r"[!-~]+", re.ASCII)
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_QUERY_SAFE = _PATH_SAFE + "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A checked URL in parts."""

    scheme: str
    host: str
    """In small letters, without a dot at the end."""

    port: int
    path_and_query: str
    """Beginning with ``/``."""

    @property
    def place(self) -> tuple[str, str, int]:
        """Where secrets may go that were meant for this URL."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """``host``, with the port where it is not the usual one."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path_and_query}"


def target_of(url: str, *, hosts: Sequence[str], ports: Sequence[int], allow_loopback: bool) -> Target:
    """Return the parts of an URL that may be asked for.

    Parameters
    ----------
    url
        From anywhere, also from a stranger's message.
    hosts
        Allowed host names; ``*.example.org`` allows every name below.
    ports
        Allowed ports.
    allow_loopback
        Whether plain http to this machine itself, on any port, is allowed too.

    Raises
    ------
    Permanent
        It may not be asked for, with the reason.
    """
    if len(url) > LONGEST_URL:
        raise Permanent(f"the URL has {len(url)} characters, more than {LONGEST_URL}")
    if not _PLAIN.fullmatch(url) or "\\" in url:
        raise Permanent(sentence_of(f"the URL {url!r} is empty or has characters that no URL has"))
    try:
        parts = urlsplit(url)
        port = parts.port
        name = (parts.hostname or "").removesuffix(".")
    except ValueError as error:
        raise Permanent(sentence_of(f"the URL {url} cannot be read: {error}")) from error
    is_here = allow_loopback and name in ("localhost", "127.0.0.1")
    if parts.scheme != "https" and not (is_here and parts.scheme == "http"):
        raise Permanent(sentence_of(f"the URL {url} is not https"))
    if "@" in parts.netloc:
        raise Permanent("the URL holds a user name or password")  # which is not repeated here
    if not (is_here or _HOST.fullmatch(name)):
        raise Permanent(sentence_of(f"the URL {url} names no host"))
    if not any(_allows(pattern, name) for pattern in hosts):
        raise Permanent(f"{name} is not among the hosts that may be asked")
    port = _PORTS[parts.scheme] if port is None else port
    if port not in ports and not is_here:
        raise Permanent(f"port {port} of {name} is not among the ports that may be asked")
    query = f"?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else ""
    return Target(scheme=parts.scheme, host=name, port=port, path_and_query=(quote(parts.path, safe=_PATH_SAFE) or "/") + query)


def redirected(origin: Target, location: str, *, hosts: Sequence[str], ports: Sequence[int], allow_loopback: bool) -> Target:
    """Return where a redirect leads, checked like any other URL.

    Raises
    ------
    Permanent
        It may not be followed.
    """
    try:
        absolute = urljoin(str(origin), location)
    except ValueError as error:
        raise Permanent(sentence_of(f"{origin.host} redirects to {location!r}, which is no URL")) from error
    target = target_of(absolute, hosts=hosts, ports=ports, allow_loopback=allow_loopback)
    if target.scheme != origin.scheme:
        raise Permanent(sentence_of(f"{origin.host} redirects from {origin.scheme} to {target.scheme}"))
    return target


def _allows(pattern: str, name: str) -> bool:
    pattern = pattern.lower()
    return name.endswith(pattern[1:]) and name != pattern[2:] if pattern.startswith("*.") else name == pattern
