"""Where a telescope pointed because of an event, as its observers report it; the words are those of the Treasure Map."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from hub.model.instant import Instant

OWN = "this hub"
"""Who reports the hub's own requests, and nobody else: their names begin with the id of the request and a slash."""


class PointingStatus(StrEnum):
    """What became of a pointing."""

    PLANNED = "planned"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """One field of one telescope, reported by its observers: taken at their word, and shown apart from what the hub heard."""

    event_id: str
    instrument: str
    status: PointingStatus
    at: Instant
    """Middle of the exposure, or when it is planned."""

    band: str
    depth_ab: float | None
    """Limiting AB magnitude as reported; None where not stated."""

    corners_deg: tuple[tuple[float, float], ...]
    """Convex footprint, ICRS right ascension and declination, counter-clockwise as seen on the sky from within."""

    reported_by: str
    """Who says so."""

    name: str = ""
    """The observers' own id of the pointing; a later report of it takes the place of an earlier one."""

    @property
    def pointing_id(self) -> str:
        """The observers' id, or what tells it from all others, hashed: 20 hex digits."""
        own = [self.event_id, self.instrument, self.name or f"{self.at.tai_us} {self.band} {self.corners_deg}"]
        return hashlib.sha256("\n".join(own).encode()).hexdigest()[:20]
