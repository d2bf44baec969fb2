"""When places were last looked at by visits of which nothing is in doubt: one that lost alerts may have seen more.

Which visits these are is worked out from the ledgers of months and the books (`hub.services.hearing`), far dearer than a look-up,
and the same for one batch of alerts after the other. So it is remembered as long as no ledger changed, no other stream was heard,
and no gap or packet that was not understood came to the books; and no longer than `KEPT_S`, for what else it follows from.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from hub.archive import visits_file
from hub.archive.layout import night_of
from hub.archive.visits_file import State
from hub.archive.visits_lookup import Times, VisitLookup
from hub.archive.visits_slices import bounds
from hub.model.coverage import Coverage
from hub.science.onset import FirstSeen, LastVisits
from hub.services import coverage
from hub.services.hearing import hearing
from hub.storage import deadletters, incidents
from hub.storage.engine import Store

KEPT_S = 60.0
"""How far partitions were read, and whether rows came late to a night with a ledger, is looked at again after this, seconds."""

BLOCK = 30
"""What is remembered begins at a night that is a multiple of this: so it serves batches whose objects are of different ages."""

MAX_KEPT = 16
"""Most spans of time that are remembered."""

_DAY_US = 86_400_000_000
_NOTHING = Times(())

_Span = tuple[str, int, int]
"""Survey, first and last night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What an answer follows from, as far as it is quick to ask for."""

    states: dict[int, State]
    """Of the ledgers."""

    hears: Coverage
    n_incidents: dict[str, int]
    unread: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    told: _Told
    at_s: float
    """By the clock."""

    sure: Times


class SureVisits:
    """Looks up last visits in the ledgers of an archive, and asks the books which of them count; shared by threads.

    Parameters
    ----------
    store
        The books.
    archive
        Folder of the archive.
    clock
        Seconds that only grow.
    """

    def __init__(self, store: Store, archive: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._archive = archive
        self._clock = clock
        self._lookup = VisitLookup(archive)
        self._known: OrderedDict[_Span, _Known] = OrderedDict()
        self._lock = threading.Lock()
        """Held for `_known` only."""

    def before(self, first: FirstSeen, look_back_d: float) -> LastVisits:
        """Return the last visit of each place before a time of which nothing is in doubt; see `VisitLookup.before`.

        Raises
        ------
        StorageError
            A ledger or the books cannot be read.
        """
        return self._lookup.before(first, look_back_d, self._sure(first, look_back_d))

    def _sure(self, first: FirstSeen, look_back_d: float) -> Times:
        states = visits_file.states(self._archive)
        if not states or not len(first.time_us):
            return _NOTHING
        begin = max(int(first.time_us.min()), bounds(min(states))[0].tai_us) - int(look_back_d * _DAY_US)
        end = min(int(first.time_us.max()), bounds(max(states))[1].tai_us)
        if begin > end:
            return _NOTHING
        span = first.survey, night_of(begin) // BLOCK * BLOCK, night_of(end)
        with self._store.reading() as session:
            hears = coverage.heard(session)
            topics = hears.full_topics(first.survey)
            if not topics:
                return _NOTHING
            told = _Told(
                states=states,
                hears=hears,
                n_incidents=incidents.counts(session),
                unread=deadletters.unread_mark(session, sorted(topics)),
            )
            now = self._clock()
            with self._lock:
                known = self._known.get(span)
            if known is None or known.told != told or now - known.at_s >= KEPT_S:
                known = _Known(told=told, at_s=now, sure=self._found(session, hears, span))
                self._remember(span, known)
        return known.sure

    def _found(self, session: Session, hears: Coverage, span: _Span) -> Times:
        survey, first, last = span
        window = bounds(first)[0], bounds(last)[1]
        heard = hearing(session, self._archive, hears, survey, window)
        return Times(tuple((one.begin_us, one.end_us) for one in heard.sure(window)))

    def _remember(self, span: _Span, known: _Known) -> None:
        with self._lock:
            self._known[span] = known
            self._known.move_to_end(span)
            while len(self._known) > MAX_KEPT:
                self._known.popitem(last=False)
