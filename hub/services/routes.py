"""Where messages go to, as far as those who write them must know."""

from dataclasses import dataclass

from hub.model.notice import Role
from hub.model.outgoing import Subject
from hub.ports import Renderer

ANNOUNCED = frozenset({Subject.COINCIDENCE, Subject.CANDIDATE, Subject.RETRACTION})
"""What the hub itself has to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One destination."""

    destination: str
    """Name of the sink."""

    renderer: Renderer
    """How announcements are written for it."""

    subjects: frozenset[str] = frozenset(ANNOUNCED)
    """What goes there, `Subject` values. A retraction goes only where a former message about the pair went."""

    relay: bool = False
    """Whether every VOEvent that comes in goes there too, byte for byte."""

    relay_roles: frozenset[str] = frozenset({Role.OBSERVATION, Role.PREDICTION, Role.UTILITY})
    """Roles of the VOEvents that are relayed, `Role` values."""

    relay_untrusted: bool = False
    """Whether what only untrusted sources brought is relayed as well."""

    group: str = ""
    """Of persons, whose private events it may be told of; empty for the public."""

    echo_within_s: float | None = None
    """A message that has not come back after so long is an alarm, seconds; None where nobody listens."""
