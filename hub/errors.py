"""Every error that the hub raises, by what its receiver should do.

::

    HubError
    ├── DecodeError          quarantine this message, go on with the next
    │   ├── NotAMessage      the bytes are of no format that the hub knows
    │   └── SchemaUnknown    keep the message; it can be read once its schema is there
    ├── SkymapRefused        keep the notice, fall back to its cone
    ├── TransportError
    │   ├── Transient        retry with growing pauses
    │   └── Permanent        give up, show it to a person
    ├── NetworkRefused       the telescope network said no to this request
    ├── StorageError         stop taking messages until the store answers
    ├── ConfigError          stop and tell the operator which key is wrong
    ├── InvalidRequest       tell the caller what is wrong with the question
    ├── NotFound             tell the caller that there is no such thing
    ├── NotAuthenticated     tell the caller to show a valid token
    └── NotAuthorized        tell the caller which scope the token lacks
"""

from hub.text import printable

LONGEST_SENTENCE = 280
"""Most characters of a sentence about a stranger's message."""


class HubError(Exception):
    """Root of all errors that the hub raises on purpose; the text is one sentence for a person."""


class DecodeError(HubError):
    """The bytes cannot be understood: they go to the dead letters with this sentence, whatever foreign words are in it."""

    def __init__(self, reason: str, *, format: str | None = None) -> None:  # noqa: A002 - the field's word
        self.reason = sentence_of(reason)
        super().__init__(self.reason)
        self.format = format


def sentence_of(reason: str) -> str:
    r"""Return a reason that quotes a stranger as one line of bearable length.

    >>> sentence_of("the band 'i\n' is none")
    "the band 'i\\x0a' is none"
    """
    line = printable(reason).strip()
    return line if len(line) <= LONGEST_SENTENCE else line[: LONGEST_SENTENCE - 4].rstrip() + " ..."


class NotAMessage(DecodeError):
    """The bytes are of no format that the hub knows."""


class SchemaUnknown(DecodeError):
    """An alert names a schema that nobody knows yet."""

    def __init__(self, reason: str, schema_id: int) -> None:
        super().__init__(reason)
        self.schema_id = schema_id


class SkymapRefused(HubError):
    """A sky map breaks a rule of the validator; the notice that carried it lives on without."""

    def __init__(self, reason: str) -> None:
        super().__init__(sentence_of(reason))


class TransportError(HubError):
    """Bytes could not be sent or received."""

    nothing_was_sent = False
    """Whether it is certain that the other side got no byte of the request; set by the outgoing HTTP client."""


class Transient(TransportError):
    """A passing fault: the same call may succeed later."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        """How long the other side wants to be left alone, seconds; None where it did not say."""


class Permanent(TransportError):
    """The same call will never succeed."""


class NetworkRefused(HubError):
    """A telescope network answered no; the text is its reason."""


class StorageError(HubError):
    """The state database does not do what it must."""


class ConfigError(HubError):
    """A setting is missing, unknown or out of range; the text names the key."""


class InvalidRequest(HubError):
    """A caller's question cannot be answered as it was put."""

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.field = field


class NotFound(HubError):
    """There is no such resource."""


class NotAuthenticated(HubError):
    """A caller showed no token where one is needed, or one that is not valid."""


class NotAuthorized(HubError):
    """A caller's token is valid and does not allow this."""

    def __init__(self, reason: str, *, scope: str) -> None:
        super().__init__(reason)
        self.scope = scope
        """What the token would need."""
