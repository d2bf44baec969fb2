"""Somebody's web server as a destination: each message is posted to it, signed.

Headers and signature are those of Standard Webhooks (standardwebhooks.com, version 1), for which receivers have libraries:
``webhook-id``, ``webhook-timestamp`` (seconds of Unix time) and ``webhook-signature``, ``v1,`` and the base64 of an HMAC-SHA256
over ``id.timestamp.body``. A message is sent until the server takes it, so that it may come twice, and always with the same id.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from adapters.credentials import secret_of
from adapters.http import Answer, HttpClient, ServiceOptions, open_client
from hub.errors import ConfigError, Permanent, Transient
from hub.model.outgoing import Outgoing
from hub.ports import Clock, Health, PartContext

KIND = "webhook"
"""Name in the settings."""

MAX_ANSWER_BYTES = 64 * 1024
"""Longest answer; what is in it does not matter."""

LEAST_SECRET_BYTES = 16
"""A shorter secret can be guessed."""

REFUSES_THIS_MESSAGE = frozenset({400, 406, 413, 415, 422})
"""Statuses that say that this very message is not wanted; all others say something of the server or of the account, and the
message waits until somebody has mended that."""

_PREFIX = "whsec_"


class Options(ServiceOptions):
    """A web server that gets each message in a signed POST."""

    url: SecretStr = Field(description="Address that messages are posted to; it may hold a secret, and is never shown whole")
    secret: SecretStr = Field(
        SecretStr(""), description="What messages are signed with, also as whsec_BASE64; in the environment"
    )
    secret_file: str = Field("", description="File that holds the secret and nothing else")
    answer_s: float = Field(20.0, gt=0, le=25, description="Longest silence of the server, seconds")


@contextmanager
def open_sink(options: Options, context: PartContext) -> Iterator["WebhookSink"]:
    """Give the destination; nothing is sent before the first message.

    Raises
    ------
    ConfigError
        There is no secret, or the address may not be asked.
    """
    where = f"destinations.{context.name}"
    secret = _secret(secret_of(options.secret, options.secret_file, f"{where}.secret_file", context.data_dir), where)
    url = options.url.get_secret_value()
    try:
        client = open_client(options, url, where, context.data_dir, max_bytes=MAX_ANSWER_BYTES, spare_s=0.0)
    except ConfigError as error:
        raise ConfigError(_without_path(str(error), options)) from None
    yield WebhookSink(options, client, secret, context.clock)


def check(options: Options, context: PartContext) -> list[str]:
    """Try whether the server can be reached, and return what is wrong, in sentences; no message is sent."""
    with open_sink(options, context) as sink:
        try:
            sink.reach()
        except (Transient, Permanent) as error:
            return [f"{error}."]
    return []


class WebhookSink:
    """Posts each message once per try."""

    def __init__(self, options: Options, client: HttpClient, secret: bytes, clock: Clock) -> None:
        self._options = options
        self._url = options.url.get_secret_value()
        self._host = urlsplit(self._url).hostname or ""
        self._client = client
        self._secret = secret
        self._clock = clock
        self._state = "waiting"

    def deliver(self, outgoing: Outgoing) -> None:
        """Post a message.

        Raises
        ------
        Transient
            The server did not take it, and may later.
        Permanent
            It says that it does not want this message.
        """
        number = message_id(outgoing)
        at = str(int(self._clock().to_datetime().timestamp()))
        headers = {
            "webhook-id": number,
            "webhook-timestamp": at,
            "webhook-signature": signature(self._secret, number, at, outgoing.payload),
            "X-Mmhub-Subject": str(outgoing.subject),
            "X-Mmhub-Role": outgoing.role.value,
        }
        try:
            answer = self._client.post(self._url, outgoing.payload, media_type=outgoing.media_type, headers=headers)
        except (Transient, Permanent) as error:  # also what is permanent is of the server, and no reason to give a message up
            self._state = "failing"
            raise Transient(_without_path(str(error), self._options)) from error
        self._judge(answer)

    def health(self) -> Health:
        """Return where it sends to, and how that went."""
        return Health(state=self._state, facts={"host": self._host})

    def reach(self) -> None:
        """Find out whether the server can be asked; raises `Transient` or `Permanent` where it cannot."""
        try:
            self._client.reach(self._url)
        except (Transient, Permanent) as error:
            raise type(error)(_without_path(str(error), self._options)) from error

    def _judge(self, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            self._state = "sending"
            return
        self._state = "failing"
        if answer.status in REFUSES_THIS_MESSAGE:
            raise Permanent(f"{self._host} answered {answer.status}: it does not want this message")
        raise Transient(f"{self._host} answered {answer.status}", retry_after_s=answer.retry_after_s)


def message_id(outgoing: Outgoing) -> str:
    """Return the id of a message, the same for each try: of its ivorn and content, since others' names may be used twice."""
    text = outgoing.ivorn.encode("utf-8", "surrogatepass") + b"\n" + outgoing.payload
    return f"msg_{hashlib.sha256(text).hexdigest()[:32]}"


def signature(secret: bytes, number: str, at: str, body: bytes) -> str:
    """Return what proves that a body is the hub's and from when: the value of ``webhook-signature``."""
    digest = hmac.new(secret, f"{number}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _secret(text: str, where: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else text.encode()
    except (binascii.Error, ValueError) as error:
        raise ConfigError(f"{where}.secret begins with {_PREFIX} and goes on with what is no base64") from error
    if len(secret) < LEAST_SECRET_BYTES:
        raise ConfigError(f"{where}: secret (in the environment) or secret_file is missing or below {LEAST_SECRET_BYTES} bytes")
    return secret


def _without_path(text: str, options: Options) -> str:
    """Return a sentence without the address, whose path may be a secret."""
    url = options.url.get_secret_value()
    parts = urlsplit(url)
    for secret in (url, parts.path if len(parts.path) > 1 else "", parts.query):
        text = text.replace(secret, "/...") if secret else text
    return text
