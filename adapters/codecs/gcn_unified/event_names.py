"""Which event a unified notice is about: its key, its other names, and the events that made somebody look."""

import re
from collections.abc import Sequence

from hub.errors import DecodeError

MAX_NAME = 120
"""Longest name of an event, mission or instrument, characters; real ones have at most 40."""

MISSION_SPELLING = {
    "fermi": "Fermi",
    "swift": "Swift",
    "integral": "INTEGRAL",
    "icecube": "IceCube",
    "maxi": "MAXI",
    "svom": "SVOM",
    "lvk": "LVK",
    "superk": "Super-Kamiokande",
}
"""Missions that notices spell in several ways, and the spelling of event keys."""

MAX_NAMES = 64
"""Most names in one notice."""

MOCK_SUPEREVENT = re.compile(r"[MT]S\d{6}[a-z]+")
"""Ids of gravitational-wave events that are mocks or tests."""

_ICECUBE_ID = re.compile(r"(\d+)_(\d+)(?:_(\d+))?")
_MISSION_AND_ID = re.compile(r"(fermi|swift|integral|maxi|svom)[-_/ ]*(?:[a-z]+[-_/ ]+)?(\d{5,})", re.IGNORECASE)


def check_names(*names: str) -> None:
    """Refuse what no event, mission or instrument is called: names become keys, links and lines of a listing.

    Raises
    ------
    DecodeError
        There are too many names, or one is too long or not printable.
    """
    if len(names) > MAX_NAMES:
        raise DecodeError(f"the notice gives {len(names)} names, more than the {MAX_NAMES} allowed")
    for name in names:
        if len(name) > MAX_NAME or not name.isprintable():
            raise DecodeError(f"a name of {len(name)} characters is too long or not printable: {name[:30]!r}")


def mission_name(stated: str) -> str:
    """Return a mission's name as event keys spell it."""
    return MISSION_SPELLING.get(stated.lower(), stated)


def event_key(mission: str, ids: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the canonical key of an event, the same that the classic VOEvent about it gets; None where it has no name.

    >>> event_key("Fermi", ["bn240812094", "745121685"], [])
    'Fermi-745121685'
    >>> event_key("IceCube", ["137840_57034692_0"], ["IceCube-230416A"])
    'IceCube-137840-57034692'
    >>> event_key("IceCube", ["136918_045252263_0"], [])
    'IceCube-136918-45252263'
    """
    chosen = main_id(mission, ids, names)
    if chosen is None:
        return None
    icecube = _ICECUBE_ID.fullmatch(chosen) if mission == "IceCube" else None
    local = f"{int(icecube[1])}-{int(icecube[2])}" if icecube else re.sub(r"\s+", "", chosen)
    prefix = re.sub(r"\s+", "", mission)
    return local if local.lower().startswith(f"{prefix.lower()}-") else f"{prefix}-{local}"


def main_id(mission: str, ids: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the one of several ids that the key is made of: for Fermi and Swift the trigger number, else the first."""
    if mission in ("Fermi", "Swift"):
        numeric = next((name for name in ids if name.isdigit()), None)
        if numeric is not None:
            return numeric
    return next(iter([*ids, *names]), None)


def reference_key(text: str, reporter: str = "") -> str:
    """Return the key of an event that another notice names, as far as it can be told.

    >>> reference_key("Fermi 694215970")
    'Fermi-694215970'
    >>> reference_key("694215970", "Fermi-GBM")
    'Fermi-694215970'
    >>> reference_key("S251117bs", "LVK")
    'S251117bs'
    """
    match = _MISSION_AND_ID.fullmatch(text)
    if match is None and text.isdigit():
        match = _MISSION_AND_ID.fullmatch(f"{reporter} {text}")
    return f"{mission_name(match[1])}-{match[2]}" if match else text
