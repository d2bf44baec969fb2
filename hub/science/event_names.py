"""Names of events as people write them: ``GRB 170817A``, ``GRB170817A`` and ``grb_170817a`` are one."""

import re
from collections.abc import Iterable

MAX_TEXT = 2_000
"""Characters of a text in which names are looked for; subjects are shorter."""

_NETWORK = re.compile(
    r"^\s{0,9}(?:LIGO|Virgo|KAGRA|LVC|LVK)(?:[/ -](?:LIGO|Virgo|KAGRA|LVC|LVK)){0,3}[ :._-]{1,3}", re.IGNORECASE
)
_NO_LETTER = re.compile(r"[^0-9a-z+]")
_SEPARATOR = r"[ ._-]{0,2}"
_PATTERNS = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (rf"\b(?:GRB|XRF){_SEPARATOR}\d{{6}}(?:[A-Z]\b|(?![\dA-Za-z]))", re.IGNORECASE),
        (rf"\bFRB{_SEPARATOR}(?:\d{{8}}|\d{{6}})[A-Za-z]{{0,2}}\b", re.IGNORECASE),
        (r"\b[MT]?S\d{6}[a-zA-Z]{1,5}\b", 0),
        (r"\bGW\d{6}(?:_\d{6})?\b", 0),
        (r"\bG\d{5,6}\b", 0),
        (rf"\bIceCube{_SEPARATOR}\d{{6}}[A-Z]\b", re.IGNORECASE),
        (rf"\b(?:HAWC|ANTARES|KM3){_SEPARATOR}\d{{6}}[A-Z]\b", re.IGNORECASE),
        (r"\bEP\d{6}[a-z]\b", 0),
        (r"\bbn\d{9}\b", 0),
        (r"\b(?:AT|SN) ?(?:19|20)\d\d[a-zA-Z]{1,4}\b", 0),
        (r"\bZTF\d\d[a-z]{7}\b", 0),
    )
)
_TRIGGER = re.compile(
    r"\b(Fermi|Swift)\b[ /\w-]{0,20}?\btrigger[ .:#=]{0,3}(?:No[. ]{1,2}|number )?(\d{6,9})(?!\d)", re.IGNORECASE
)
_GBM_TRIGGER = re.compile(r"\(trigger (\d{9})(?:\.\d{1,9})? ?/ ?(\d{9})\)")
"""As each automatic circular of Fermi GBM has it: seconds of Fermi's clock, and the burst's number."""

_SWIFT_TRIGGER = re.compile(r"\(trigger ?[=#]? ?(\d{6,9})\)")
"""As each first circular of Swift has it."""


def name_key(name: str) -> str:
    """Return the key under which all spellings of a name meet: small letters, no blanks or punctuation, no network before it.

    >>> name_key("LIGO/Virgo/KAGRA S230518h")
    's230518h'
    >>> name_key("GRB 170817A") == name_key("GRB170817A") == name_key("grb_170817a")
    True
    >>> name_key("IceCube-170922A")
    'icecube170922a'
    """
    return _NO_LETTER.sub("", _NETWORK.sub("", name[:MAX_TEXT]).casefold())


def keys_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of some names, each once, in order; names without a letter or digit have none."""
    return tuple(dict.fromkeys(key for key in map(name_key, names) if key))


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of events in a line of text, as written, in the order of the kinds of names.

    >>> names_in("LIGO/Virgo/KAGRA S230518h: Fermi trigger 706123456 and GRB 230518A")
    ('GRB 230518A', 'S230518h', 'Fermi-706123456')
    """
    line = text[:MAX_TEXT]
    found = [match[0] for pattern in _PATTERNS for match in pattern.finditer(line)]
    found += [f"{match[1].capitalize()}-{match[2]}" for match in _TRIGGER.finditer(line)]
    return tuple(dict.fromkeys(found))


def gbm_triggers_in(body: str) -> tuple[str, ...]:
    """Return the names of the trigger that a circular of Fermi GBM states in its first lines, in its fixed form.

    >>> gbm_triggers_in("triggered and located GRB 230410A (trigger 702818765.135562 / 230410476).")
    ('Fermi-702818765', 'bn230410476')
    """
    match = _GBM_TRIGGER.search(body[:MAX_TEXT])
    return () if match is None else (f"Fermi-{match[1]}", f"bn{match[2]}")


def swift_triggers_in(body: str) -> tuple[str, ...]:
    """Return the name of the trigger that a circular of Swift states in its first lines; none where it names several.

    >>> swift_triggers_in("the Swift Burst Alert Telescope (BAT) triggered and located GRB 210905A (trigger=1071993).")
    ('Swift-1071993',)
    """
    named = set(_SWIFT_TRIGGER.findall(body[:MAX_TEXT]))
    return (f"Swift-{named.pop()}",) if len(named) == 1 else ()
