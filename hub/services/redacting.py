"""Secrets out of what is written down: whatever is called like one, and whatever looks like one."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

REDACTED = "**********"
"""What stands in place of a secret."""

_NAMES = re.compile(r"(authorization|cookie|csrf|password|passwd|secret|token|api[-_]?key|credential|signature)", re.IGNORECASE)
_LOOKS = re.compile(
    r"""mmh_[A-Za-z0-9_-]+                            # a token of ours
    | \b(?:Bearer|Basic|Token)\s+[A-Za-z0-9+/=._~-]{8,}   # a header's value (RFC 9110, section 11.4)
    | \beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*  # a JSON web token (RFC 7519)
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                # name and password in an address (RFC 3986, section 3.2.1)
    | (?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])         # a key of an observation portal (Django REST framework)
    | (?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks|[\w.-]*webhook\.office\.com)/\S+  # who knows these may post
    """,
    re.VERBOSE,
)
_STATED = re.compile(
    r"""(?P<name>[\w-]*(?:authorization|cookie|csrf|password|passwd|secret|token|api[-_]?key|credential|signature)[\w-]*["']?\s*[:=]\s*)
    (?:"[^"]*"|'[^']*'|[^\s"'&,;]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A name as of `_NAMES` with its value, in a text."""


def redacted(value: Any) -> Any:
    """Return a JSON value without secrets: those that are named so, and those that look so anywhere in a text."""
    if isinstance(value, Mapping):
        return {str(key): REDACTED if _NAMES.search(str(key)) else redacted(item) for key, item in value.items()}
    if isinstance(value, str):
        return _STATED.sub(rf"\g<name>{REDACTED}", _LOOKS.sub(REDACTED, value))
    if isinstance(value, Sequence):
        return [redacted(item) for item in value]
    return value
