r"""Foreign text made safe to show: no control characters on a terminal or in a log, no password in a URL."""

import re

REDACTED = "[redacted]"
"""What stands in place of a secret."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")


def printable(text: str) -> str:
    r"""Return text fit for a terminal: every control and direction-changing character as ``\xNN`` or ``\uNNNN``.

    >>> printable("GRB\x1b[2J a\nb")
    'GRB\\x1b[2J a\\x0ab'
    """
    return _CONTROL.sub(lambda hit: f"\\x{ord(hit[0]):02x}" if ord(hit[0]) < 256 else f"\\u{ord(hit[0]):04x}", text)


def redacted_url(text: str) -> str:
    """Return text with the passwords of URLs in it hidden.

    >>> redacted_url("postgresql://hub:geheim@db/hub")
    'postgresql://hub:[redacted]@db/hub'
    """
    return _URL_PASSWORD.sub(rf"\1:{REDACTED}@", text)
