"""GET and POST with every limit that a request to a stranger needs.

A name is resolved once for each hop, all of its addresses are checked, and the connection goes to a checked address; TLS still
asks for the certificate of the name. Proxies of the environment are not used, nothing is decompressed, no cookie is kept.
`Transient` means that the same request may succeed later, `Permanent` that it never will.
"""

import json
import ssl
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore2
from pydantic import BaseModel, ConfigDict, Field

from adapters.http.addresses import Address, Resolver, allowed_addresses, resolve, system_addresses
from adapters.http.targets import Target, redirected, target_of
from hub.errors import ConfigError, Permanent, Transient, TransportError, sentence_of
from hub.version import VERSION

MAX_REDIRECTS = 3
"""Hops after the first request."""

USER_AGENT = f"multimessenger-hub/{VERSION}"
"""How the hub names itself."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429})
_OPEN_HEADERS = frozenset({"accept", "accept-language"})
"""Header fields of a caller that go along to another host; all others may be secrets."""


class HttpOptions(BaseModel):
    """What a client may ask for and how much of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    hosts: tuple[str, ...] = ()
    """Host names that may be asked; ``*.example.org`` allows every name below. Empty: none."""

    ports: tuple[int, ...] = (443,)
    """TCP ports that may be asked."""

    max_bytes: int = Field(64 * 2**20, ge=1)
    """Longest body of an answer, bytes."""

    connect_s: float = Field(10.0, gt=0)
    """Longest time to resolve the name, and to reach an address, seconds."""

    read_s: float = Field(20.0, gt=0)
    """Longest silence of the server, seconds."""

    total_s: float = Field(120.0, gt=0)
    """Longest time for everything, redirects included, seconds."""

    ca_file: Path | None = None
    """Certificates (PEM) to trust instead of the system's."""

    allow_loopback: bool = False
    """Also ask servers on this machine, in plain http and on any port; for trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered."""

    status: int
    url: str
    """Where it came from in the end."""

    headers: Mapping[str, str]
    """Names in small letters; of a repeated one the last."""

    body: bytes = field(repr=False)
    """As it came: nothing was decompressed."""

    @property
    def is_passing(self) -> bool:
        """Whether the server is busy or broken, so that the same may succeed later."""
        return self.status in _BUSY or self.status >= 500

    @property
    def is_refusal(self) -> bool:
        """Whether the server said no, and would again."""
        return 400 <= self.status < 500 and self.status not in _BUSY

    @property
    def retry_after_s(self) -> float | None:
        """The pause that the server demands in seconds (``Retry-After``); None where it states none, or a date."""
        after = self.headers.get("retry-after", "").strip()
        return float(after) if after.isascii() and after.isdecimal() and len(after) < 7 else None

    def json(self) -> Any:
        """Return what the body says.

        Raises
        ------
        Permanent
            It is no JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Permanent(sentence_of(f"the answer of {self.url} is no JSON")) from error

    def demand_success(self) -> "Answer":
        """Return this answer if its status is 2xx.

        Raises
        ------
        Transient
            The server is busy or broken.
        Permanent
            It said no.
        """
        if 200 <= self.status < 300:
            return self
        said = sentence_of(f"{self.url} answered {self.status}")
        raise Transient(said, retry_after_s=self.retry_after_s) if self.is_passing else Permanent(said)


class HttpClient:
    """Asks servers of a list; safe to share between threads, keeps no connection open."""

    def __init__(self, options: HttpOptions, *, resolver: Resolver = system_addresses) -> None:
        self._options = options
        self._resolver = resolver
        try:
            self._tls = ssl.create_default_context(cafile=options.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"the file of certificates {options.ca_file} cannot be used: {error.strerror or error}") from error

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int | None = None) -> Answer:
        """Fetch an URL, following redirects; ``headers`` other than ``Accept`` go only to its own host.

        Raises
        ------
        Transient, Permanent
            There is no answer; a status of 4xx or 5xx is one.
        """
        deadline = _Deadline(self._options.total_s)
        target = first = self._target(url)
        sent = dict(headers or {})
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._ask("GET", target, sent, deadline=deadline, max_bytes=max_bytes)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            target = self._redirected(target, location)
            if target.place != first.place:
                sent = {name: value for name, value in sent.items() if name.lower() in _OPEN_HEADERS}
        raise Permanent(sentence_of(f"{first} redirects more than {MAX_REDIRECTS} times"))

    def post(
        self,
        url: str,
        body: bytes,
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> Answer:
        """Send bytes to an URL, once; a redirect is not followed.

        Raises
        ------
        Transient, Permanent
            There is no answer; whether the server took the bytes is unknown unless `nothing_was_sent` of the error says no.
        """
        deadline = _Deadline(self._options.total_s)
        try:
            target = self._target(url)
            sent = {**(headers or {}), "Content-Type": media_type}
            answer = self._ask("POST", target, sent, deadline=deadline, max_bytes=max_bytes, body=body)
            if answer.status in _REDIRECTS:
                raise Permanent(sentence_of(f"{target} redirects what is sent to it: the new address must be configured"))
        except TransportError as error:
            error.nothing_was_sent = not deadline.has_written
            raise
        return answer

    def demand_allowed(self, url: str) -> None:
        """Find out whether an URL may be asked for at all, without asking anybody.

        Raises
        ------
        Permanent
            It may not, with the reason.
        """
        self._target(url)

    def reach(self, url: str) -> None:
        """Find out whether a server can be asked: by its name, at a checked address, over TLS. What it answers does not matter.

        Raises
        ------
        Transient, Permanent
            It cannot, with the reason.
        """
        self._ask("HEAD", self._target(url), {}, deadline=_Deadline(self._options.total_s), max_bytes=sys.maxsize)

    def _target(self, url: str) -> Target:
        options = self._options
        return target_of(url, hosts=options.hosts, ports=options.ports, allow_loopback=options.allow_loopback)

    def _redirected(self, origin: Target, location: str) -> Target:
        options = self._options
        return redirected(origin, location, hosts=options.hosts, ports=options.ports, allow_loopback=options.allow_loopback)

    def _ask(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        *,
        deadline: "_Deadline",
        max_bytes: int | None,
        body: bytes | None = None,
    ) -> Answer:
        options = self._options
        origin = httpcore2.Origin(target.scheme.encode(), target.host.encode(), target.port)
        request = httpcore2.Request(
            method,
            httpcore2.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target.path_and_query.encode()),
            headers=_header_lines(target, headers, body),
            content=body,
            extensions={"timeout": {"connect": options.connect_s, "read": options.read_s, "write": options.read_s}},
        )
        limit = options.max_bytes if max_bytes is None else max_bytes
        try:
            found = resolve(self._resolver, target.host, target.port, deadline.at_most(options.connect_s))
            backend = _Pinned(allowed_addresses(target.host, found, allow_loopback=options.allow_loopback), deadline)
            with httpcore2.HTTPConnection(origin, ssl_context=self._tls, network_backend=backend) as connection:
                response = connection.handle_request(request)
                try:
                    return _answer(response, target, limit)
                finally:
                    response.close()
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise _fault(error, target) from error


class _Deadline:
    """The moment at which patience ends, and whether any byte has been written until now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.has_written = False

    def at_most(self, seconds: float | None) -> float:
        """Return the shorter of a time-out and what is left, seconds.

        Raises
        ------
        httpcore2.ReadTimeout
            Nothing is left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the time for the whole request is over")
        return left if seconds is None else min(left, seconds)


class _Pinned(httpcore2.NetworkBackend):
    """Connects to addresses that were checked, whatever the name would resolve to now."""

    def __init__(self, addresses: Sequence[Address], deadline: _Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception | None = None
        for address in self._addresses:
            try:
                stream = self._plain.connect_tcp(
                    str(address), port, self._deadline.at_most(timeout), local_address, socket_options or ()
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Timed(stream, self._deadline)
        assert failure is not None
        raise failure


class _Timed(httpcore2.NetworkStream):
    """A connection on which no wait goes on beyond the deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.at_most(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left_s = self._deadline.at_most(timeout)
        self._deadline.has_written = True  # before the call: of one that fails a part may have gone
        self._stream.write(buffer, left_s)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.at_most(timeout))
        return _Timed(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _header_lines(target: Target, headers: Mapping[str, str], body: bytes | None) -> list[tuple[bytes, bytes]]:
    own = {"host": target.authority, "accept-encoding": "identity", "connection": "close"}
    if body is not None:
        own["content-length"] = str(len(body))
    given = {name.lower(): value for name, value in headers.items()}
    try:
        return [
            (name.encode("ascii"), value.encode("latin-1"))
            for name, value in ({"accept": "*/*", "user-agent": USER_AGENT} | given | own).items()
        ]
    except UnicodeEncodeError as error:
        raise Permanent("a header field of the request has characters that no header may have") from error


def _answer(response: httpcore2.Response, target: Target, limit: int) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    too_long = Permanent(sentence_of(f"the answer of {target} is longer than the limit of {limit} bytes"))
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise too_long
    parts: list[bytes] = []
    size = 0
    for part in response.iter_stream():
        size += len(part)
        if size > limit:
            raise too_long
        parts.append(part)
    return Answer(status=response.status, url=str(target), headers=headers, body=b"".join(parts))


def _fault(error: Exception, target: Target) -> Transient | Permanent:
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Permanent(f"the certificate of {target.host} is not accepted: {cause.verify_message}")
    if isinstance(error, httpcore2.LocalProtocolError):
        return Permanent(sentence_of(f"the request to {target} cannot be written: {error}"))
    if isinstance(error, httpcore2.TimeoutException):
        return Transient(sentence_of(f"{target} did not answer in time"))
    reason = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
    return Transient(sentence_of(f"{target} cannot be read: {reason}"))
