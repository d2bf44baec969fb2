"""Events that were read before and did not change: to make one of its document takes longer than to evaluate an object."""

import threading
from collections import OrderedDict
from collections.abc import Collection

from sqlalchemy.orm import Session

from hub.model.event import Event
from hub.storage import events

MAX_EVENTS = 500
"""Events kept, some ten kilobytes each; those that were not asked for longest are forgotten."""


class EventMemory:
    """The states of events by the number of the change that made them, so none can be out of date; shared by threads."""

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self._max_events = max_events
        self._known: OrderedDict[str, tuple[int, Event]] = OrderedDict()
        self._lock = threading.Lock()
        """Held for reads of the database and arithmetic only, never while one waits for a lock of the database."""

    def of_ids(self, session: Session, event_ids: Collection[str]) -> list[Event]:
        """Return the events of some ids as they are now, by id; ids that do not exist are passed over.

        An event that did not change is the same object again. The session has changed no event itself: what it changed might be
        rolled back.
        """
        now = events.changes(session, event_ids)
        with self._lock:
            unknown = [name for name, change in now.items() if self._known.get(name, _NONE)[0] != change]
            found = (
                {event.event_id: (change, event) for change, event in events.with_changes(session, unknown)} if unknown else {}
            )
            answer = [(found.get(name) or self._known[name])[1] for name in sorted(now)]
            self._known.update(found)
            for name in now:
                self._known.move_to_end(name)
            while len(self._known) > self._max_events:
                self._known.popitem(last=False)
            return answer


_NONE = (None, None)
