"""The past under changed rules: every event of some time evaluated again, with what is archived.

Where the present rules say something else than what is stored, a new version is written: a wider window brings candidates, a
narrower one withdraws them, a changed statistic gives them other scores. Doing it twice writes nothing twice. Events are taken in
order of time, one transaction after the other, so that a hub beside it goes on, and one can stop and go on anywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hub.errors import NotFound, StorageError
from hub.model.instant import Instant
from hub.services.correlation import Correlation, CorrelationReport
from hub.storage import events
from hub.storage.engine import Store
from hub.telemetry import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rematched:
    """What became of one event."""

    event_id: str
    last_t0: Instant | None
    """Its time, the latest that any of its notices gives: what to go on from."""

    report: CorrelationReport


class Rematch:
    """Evaluates past events again.

    Parameters
    ----------
    store
        The state database.
    correlation
        Says itself what may leave the hub (`Correlation.leaving`).
    """

    def __init__(self, *, store: Store, correlation: Correlation) -> None:
        self._store = store
        self._correlation = correlation

    def chosen(self, since: Instant | None, event_id: str | None) -> list[str]:
        """Return the ids of the events to evaluate, the earliest first.

        Parameters
        ----------
        since
            Events with a time at or after this by any of their notices; None for all.
        event_id
            Only this one, by its id or another name of it; None for all.

        Raises
        ------
        NotFound
            There is no such event.
        """
        with self._store.reading() as session:
            if event_id is None:
                return events.ids_since(session, since or Instant(-(1 << 62)))
            event = events.get(session, event_id)
            if event is None:
                raise NotFound(f"there is no event {event_id}")
            if since is not None and not any(t0 >= since for t0 in event.t0s):
                return []
            return [event.event_id]

    def run(self, event_ids: Sequence[str]) -> Iterator[Rematched]:
        """Evaluate events one after the other; one that breaks stops no other and is named in its report.

        Raises
        ------
        StorageError
            The database does not take the results.
        """
        for event_id in event_ids:
            with self._store.reading() as session:
                event = events.get(session, event_id)
            try:
                report = self._correlation.on_event(event_id, rules_changed=True)
            except StorageError:
                raise
            except Exception:  # one bad event must not stop the others
                log.exception("event broke the correlation", event_id=event_id)
                report = CorrelationReport(broken=(event_id,))
            times = event.t0s if event is not None else ()
            yield Rematched(event_id=event_id, last_t0=max(times, default=None), report=report)
