"""Events of several messengers, and objects, that may be one occurrence: who belongs to it, by what, and one account of all."""

import hashlib
from dataclasses import dataclass

from hub.model.coincidence import MemberKind, PairState, Score
from hub.model.instant import Instant
from hub.model.joint_rates import JointRates

UNCALIBRATED = "no calibrated rate for groups of this kind"
"""Why a group has no false-alarm rate of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """An event or an object of a group."""

    kind: MemberKind
    id: str
    """As in the coincidences: ``S230518h``, ``LSST:169...``."""

    part: str
    """What it is a view of: id of the burst or event; of several detectors of one burst of neutrinos that of the first; of an
    object its own."""

    what: str
    """``gw``, ``grb``, ``neutrino``, ``frb``, ``x-ray``, ``mev-neutrino``, ``optical``."""

    via: str | None
    """The coincidence by which it belongs here; None for the centre."""

    t0: Instant | None
    localization_id: str | None
    """Of the event itself; None for objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPair:
    """A pair of events that the group rests upon, or that one of its members lost: listed, never multiplied."""

    coincidence_id: str
    kind: str
    members: tuple[str, ...]
    rates: JointRates | None
    """Of the pair: noise alone beside unrelated real events."""

    held_back: bool
    elsewhere: str = ""
    """Why it does not count here, a sentence; empty where it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One version of a group; a new version per change, never edited."""

    group_id: str
    centre: str
    """The superevent; where there is none the one neutrino or the one burst that all others have to do with."""

    kind: str
    """What its members are, e.g. ``gw+grb+neutrino``."""

    members: tuple[GroupMember, ...]
    """The centre first, then events by time and id, then objects by id."""

    pairs: tuple[GroupPair, ...]
    """By id: those that hold it together first."""

    state: PairState
    version: int
    scores: tuple[Score, ...]
    """The account of all members at once."""

    reasons: tuple[str, ...]
    localization_ids: tuple[str, ...]
    """Maps that the account was computed with, one for each part that has one."""

    is_live: bool
    t0: Instant | None
    """Of its earliest event."""

    created_at: Instant

    def score(self, statistic: str) -> float | None:
        """Return the value of a statistic, None where there is none."""
        return next((score.value for score in self.scores if score.statistic == statistic), None)


def group_id(centre: str) -> str:
    """Return the id of the group around an event: 20 hex digits of SHA-256."""
    return hashlib.sha256(f"group\n{centre}".encode()).hexdigest()[:20]
