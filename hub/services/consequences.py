"""What follows from the steps of requests, computed from the rows: own pointings, so that they count as searched.

Each request is one transaction, and writing the same again changes nothing: whoever is killed when, it is there in the end.
"""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from hub.model.followup import RequestState, Submission
from hub.model.instant import Instant
from hub.ports import Clock
from hub.services.sending import get_submission
from hub.services.submission import WAITING_STATES
from hub.storage import followup
from hub.storage.engine import Store

Consequence = Callable[[Session, Submission, Instant], int]
"""Writes what follows from a request now; returns how much was written."""

LOOK_S = 30.0
"""Steps that other processes wrote are looked for so often, seconds."""

_SEEN_STATES = sorted(set(RequestState) - WAITING_STATES)


class Consequences:
    """Looks at the requests that changed."""

    def __init__(self, store: Store, clock: Clock, each: Sequence[Consequence]) -> None:
        self._store = store
        self._clock = clock
        self._each = tuple(each)
        self._seen: dict[str, int] = {}
        self._looked: Instant | None = None

    def step(self, *, moved: bool = False) -> int:
        """Write what follows from the steps since the last look; return for how many requests something was written.

        Parameters
        ----------
        moved
            Whether this process has just written steps; otherwise it looks only now and then.
        """
        now = self._clock()
        if not moved and self._looked is not None and 0.0 <= now.minus(self._looked) < LOOK_S:
            return 0
        self._looked = now
        with self._store.reading() as session:
            lengths = followup.lengths(session, _SEEN_STATES)
        n_written = 0
        for name in (name for name, n_steps in lengths.items() if self._seen.get(name) != n_steps):
            with self._store.transaction() as session:
                submission = get_submission(session, name)
                n_written += sum(each(session, submission, now) for each in self._each) > 0
            self._seen[name] = len(submission.transitions)
        return n_written
