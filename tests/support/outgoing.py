"""A message on its way out."""

from hub.model.notice import Role
from hub.model.outgoing import Outgoing
from tests.support.parts import T0


def outgoing(number: int = 1, **changes: object) -> Outgoing:
    """Return a message of the hub; the number makes it another one."""
    return Outgoing(
        **{
            "ivorn": f"ivo://hub.test/coincidence#C{number}.v1",
            "media_type": "application/json",
            "payload": b'{"n": %d}' % number,
            "destination": "topics",
            "subject": "coincidence",
            "key": "S230518h",
            "role": Role.OBSERVATION,
            "cites": (),
            "created_at": T0,
            **changes,
        }
    )
