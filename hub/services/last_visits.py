"""When places were last looked at by visits of which nothing is in doubt: one that lost alerts may have seen more."""

from pathlib import Path

from hub.archive import visits_file
from hub.archive.visits_lookup import Times, VisitLookup
from hub.archive.visits_slices import bounds
from hub.model.instant import Instant
from hub.science.onset import FirstSeen, LastVisits
from hub.services import coverage
from hub.services.hearing import hearing
from hub.storage.engine import Store

_DAY_US = 86_400_000_000
_NOTHING = Times(())


class SureVisits:
    """Looks up last visits in the ledgers of an archive, and asks the books which of them count; shared by threads.

    Parameters
    ----------
    store
        The books.
    archive
        Folder of the archive.
    """

    def __init__(self, store: Store, archive: Path) -> None:
        self._store = store
        self._archive = archive
        self._lookup = VisitLookup(archive)

    def before(self, first: FirstSeen, look_back_d: float) -> LastVisits:
        """Return the last visit of each place before a time of which nothing is in doubt; see `VisitLookup.before`.

        Raises
        ------
        StorageError
            A ledger or the books cannot be read.
        """
        return self._lookup.before(first, look_back_d, self._sure(first, look_back_d))

    def _sure(self, first: FirstSeen, look_back_d: float) -> Times:
        nights = visits_file.nights(self._archive)
        if not nights or not len(first.time_us):
            return _NOTHING
        begin = max(int(first.time_us.min()), bounds(nights[0])[0].tai_us) - int(look_back_d * _DAY_US)
        end = min(int(first.time_us.max()), bounds(nights[-1])[1].tai_us)
        if begin > end:
            return _NOTHING
        window = Instant(begin), Instant(end)
        with self._store.reading() as session:
            hears = coverage.heard(session)
            if not hears.full_topics(first.survey):
                return _NOTHING
            heard = hearing(session, self._archive, hears, first.survey, window)
        return Times(tuple((one.begin_us, one.end_us) for one in heard.sure(window)))
