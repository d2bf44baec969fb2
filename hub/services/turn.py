"""The turn of one process of several to do a job that one at a time should do: taken, kept while there is work, given back."""

import time

from hub.ports import Clock
from hub.services.instance import is_gone, this_process
from hub.storage import leases
from hub.storage.engine import Store

LEASE_S = 300.0
"""How long it is taken, seconds; it is held longer while there is work."""

RENEWED_AFTER_S = LEASE_S / 10
"""It is held longer when it was not for so long, seconds."""


class Turn:
    """The lease of a job.

    A process that stands still for longer than its lease may find that another goes on in its place, so what is done must do no
    harm when it is done twice. That of a process that is gone does not count.

    Parameters
    ----------
    store
        Of the hub; all processes of it share its leases.
    name
        Of the job.
    clock
        The present.
    """

    def __init__(self, store: Store, name: str, clock: Clock) -> None:
        self._store = store
        self._name = name
        self._clock = clock
        self._holder = f"{this_process()}/{name}"
        self._renewed: float | None = None

    def take(self) -> bool:
        """Return whether it is this process's turn, and hold it for as long as a lease lasts."""
        now = self._clock()
        with self._store.transaction() as session:
            former = leases.holder_of(session, self._name)
            dead = former if former is not None and is_gone(former) else None
            until = now.plus_s(LEASE_S)
            is_mine = leases.acquire(session, self._name, self._holder, now=now, until=until, instead_of=dead)
        self._renewed = time.monotonic() if is_mine else None
        return is_mine

    def keep(self) -> None:
        """Hold it longer where that is due; nothing where it was not taken."""
        if self._renewed is not None and time.monotonic() - self._renewed > RENEWED_AFTER_S:
            self.take()

    def release(self) -> None:
        """Let another process go on at once.

        Raises
        ------
        StorageError
            The database does not take it.
        """
        if self._renewed is not None:
            with self._store.transaction() as session:
                leases.release(session, self._name, self._holder)
            self._renewed = None
