"""People as a destination: e-mail, or a chat of any of the kinds that the package apprise (BSD-2-Clause) knows.

Its address of a place, such as ``mailtos://USER:PASSWORD@HOST?to=...`` or ``slack://...``, says where and as whom. It tells of a
failure only that there was one. One destination is one place: of several in one, those that had got a message would get it again
with each further try. The package is imported with the first message.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.credentials import secret_of
from hub.errors import ConfigError, Permanent, Transient
from hub.model.outgoing import Outgoing
from hub.ports import Health, PartContext

KIND = "chat"
"""Name in the settings."""

TEXT = "text/plain"
"""The only media type that is for people."""

TITLE_LENGTH = 150
"""Characters of a title; subjects of e-mails are best below 78, and cut by nobody below this."""

_FILES = frozenset({"file", "syslog", "dbus", "gnome", "windows", "macosx", "kde", "qt", "glib"})
"""Schemes of apprise that are no message to anybody else."""


class Options(BaseModel):
    """A person or a room that gets each message as text: e-mail or chat, by apprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url_secret: SecretStr = Field(SecretStr(""), description="Where to, as apprise writes it; in the environment or in a file")
    url_secret_file: str = Field("", description="File that holds the address and nothing else")
    hosts: tuple[str, ...] = Field((), description="Hosts that the address may name; empty: any, as chats name none")
    title: str = Field("Multimessenger hub", min_length=1, max_length=80, description="Begins the title of each message")


@contextmanager
def open_sink(options: Options, context: PartContext) -> Iterator["ChatSink"]:
    """Give the destination; nothing is sent before the first message.

    Raises
    ------
    ConfigError
        There is no address, it names a host that it may not, or apprise is not installed.
    """
    where = f"destinations.{context.name}"
    if find_spec("apprise") is None:
        raise ConfigError(f"{where}: messages to people need the package apprise: pip install multimessenger-hub[chat]")
    url = secret_of(options.url_secret, options.url_secret_file, f"{where}.url_secret_file", context.data_dir)
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    except ValueError:
        scheme, host = "", ""
    if not scheme:
        raise ConfigError(
            f"{where}: url_secret (in the environment) or url_secret_file is missing, or is no address"
        )  # which is a secret
    if scheme in _FILES:
        raise ConfigError(f"{where}.url_secret: {scheme}:// reaches nobody but this machine")
    if options.hosts and host not in {one.lower() for one in options.hosts}:
        raise ConfigError(f"{where}.url_secret: {host} is not among the hosts that may be sent to")
    yield ChatSink(options, url, where)


def check(options: Options, context: PartContext) -> list[str]:
    """Find out whether apprise understands the address, and return what is wrong, in sentences; nothing is sent."""
    with open_sink(options, context) as sink:
        try:
            sink.open()
        except Permanent as error:
            return [f"{error}."]
    return []


class ChatSink:
    """Hands each message to apprise."""

    def __init__(self, options: Options, url: str, where: str) -> None:
        self._options = options
        self._url = url
        self._where = where
        self._scheme = urlsplit(url).scheme.lower()
        self._opened: Any = None
        self._state = "waiting"

    def open(self) -> Any:
        """Return apprise with the address; raises `Permanent` where it does not understand it."""
        if self._opened is None:
            from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - a second that a hub without messages saves

            logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines hold addresses
            asset = AppriseAsset(async_mode=False, app_id="multimessenger-hub", app_desc=self._options.title, plugin_paths=[])
            opened = Apprise(asset=asset)
            if not opened.add(self._url):
                raise Permanent(f"{self._where}.url_secret: apprise does not understand this {self._scheme}:// address")
            self._opened = opened
        return self._opened

    def deliver(self, outgoing: Outgoing) -> None:
        """Send a message.

        Raises
        ------
        Transient
            It was not sent: apprise does not say why.
        Permanent
            It is no text, or apprise does not understand the address.
        """
        if outgoing.media_type != TEXT:
            raise Permanent(f'a message to people must be text, not {outgoing.media_type}: set format = "text" and relay = false')
        opened = self.open()
        text = outgoing.payload.decode("utf-8", "replace")
        first, _, rest = text.partition("\n")
        title = f"{self._options.title}: {first}"[:TITLE_LENGTH]
        if not opened.notify(title=title, body=rest.strip() or first, body_format="text"):
            self._state = "failing"
            raise Transient(f"the message was not sent by {self._scheme}: apprise does not say why")
        self._state = "sending"

    def health(self) -> Health:
        """Return by which way it sends, and how that went; the address is a secret."""
        return Health(state=self._state, facts={"by": self._scheme})
