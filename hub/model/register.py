"""What the hub knows of its talk with registers of pointings, such as the Treasure Map and Rubin's table of visits."""

from dataclasses import dataclass

from hub.model.instant import Instant
from hub.model.pointing import PointingStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAnswer:
    """When a register was asked last what is reported of an event, and what came of it."""

    network: str
    event_id: str
    asked_at: Instant
    answered_at: Instant | None
    """Of the last answer; None where there was none yet."""

    n_pointings: int = 0
    """Of the last answer."""

    reason: str = ""
    """Why the last question had no answer; empty where it had one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterReport:
    """What a register was told of one of the hub's own pointings."""

    network: str
    pointing_id: str
    """As in `hub.model.pointing.Pointing`."""

    event_id: str
    told: PointingStatus | None
    """What the register is known to have; None while it has nothing."""

    number: int | None = None
    """The register's own number of it, once known."""

    telling: PointingStatus | None = None
    """What was being told when this was written: the register may have it or not until it is looked up."""

    at: Instant
    """When this was written."""

    refused: PointingStatus | None = None
    """What it said no to: it is not told again."""

    reason: str = ""
    """Why it was not told, a sentence; empty where all is well."""
