"""Names of VOEvents, compared.

IVOA Identifiers 2.0 compares the resource part of an identifier (before the first ``?`` or ``#``) without case, and leaves the
local part to whoever issues it. This hub compares both without case: brokers and authors change the case of names on their way,
no issuer is known that tells two messages apart by case alone, and a message that is taken for another is only not passed on a
second time; it is stored all the same. The bytes of a message are never touched.
"""

import re
from urllib.parse import unquote

_SCHEME = "ivo://"
_LOCAL = re.compile(r"[?#]")


def ivorn_key(ivorn: str) -> str:
    """Return what is equal for two spellings of one name.

    >>> ivorn_key("IVO://Example.org/Stream#A1") == ivorn_key("ivo://example.org/stream#a1")
    True
    """
    return ivorn.strip().lower()


def is_under(ivorn: str, authority: str) -> bool:
    """Return whether a name claims to be issued by an authority such as ``example.org/mmhub``, in whatever spelling.

    >>> [is_under(name, "example.org/hub") for name in ("IVO://EXAMPLE.org/hub#1", "ivo://example.org/hub/x#1", "ivo://example.org/hub2#1")]
    [True, True, False]
    """
    key = ivorn_key(unquote(ivorn))
    if not key.startswith(_SCHEME):
        return False
    resource = _LOCAL.split(key.removeprefix(_SCHEME), maxsplit=1)[0]
    own = authority.lower()
    return resource == own or resource.startswith(f"{own}/")
