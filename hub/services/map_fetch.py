"""Sky maps that notices name by their URL, fetched in the background where the settings allow it.

A fetched map is a localization of its own beside that of the notice, which stays as it came. It belongs to every notice of the
event that names its address, whenever that arrives, so events stay a function of the set of what came. The file itself is not
kept: its SHA-256, its address and the time are.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session

from hub.errors import Permanent, SkymapRefused, Transient, sentence_of
from hub.model.event import FetchedMap, StoredNotice, assemble
from hub.model.sky import Localization, LocalizationSource
from hub.ports import Clock, Health, SkymapReader
from hub.science.localization import localization_from_skymap
from hub.science.skymap_rules import peak_disagrees
from hub.services.correlation import EVENT_JOB
from hub.storage import events, jobs, localizations, map_fetches, notices
from hub.storage.engine import Store
from hub.storage.map_fetches import FetchState, MapFetch
from hub.storage.writing import hold
from hub.telemetry import get_logger

FIRST_PAUSE_S = 60.0
"""Pause after the first look, seconds; doubles with each. Fermi's maps appear minutes after the notice."""

LONGEST_PAUSE_S = 3600.0
"""No pause is longer, seconds."""

LONGEST_URL = 2048
"""Addresses with more characters are not asked for."""

MAX_OF_EVENT = 20
"""Notices of one event, the newest, whose maps are asked for at a time."""

_NOT_YET = frozenset({404, 408, 425, 429})
_FITS = (b"SIMPLE  =", b"\x1f\x8b")
_PICTURE = re.compile(r"\.(png|jpe?g|gif|pdf|svg|html?|txt)$", re.IGNORECASE)

log = get_logger(__name__)


class Fetched(Protocol):
    """What a server answered."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def body(self) -> bytes:
        """The bytes as they came."""
        ...


class Fetcher(Protocol):
    """Asks a server, within the limits of the settings."""

    def get(self, url: str) -> Fetched:
        """Return the answer.

        Raises
        ------
        Transient, Permanent
            There is none now, or it must not be asked for.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFetchSettings:
    """How long a map is waited for."""

    give_up_s: float = 72 * 3600.0
    """A map that is not there after so long is given up, seconds."""


class MapWishes:
    """Asks for the maps that the notices of an event name and do not carry; in the transaction that stores the notice.

    A map that was given up is asked for anew when the event changes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, session: Session, event_id: str, known: Sequence[StoredNotice]) -> None:
        """Ask for what is missing. Only trusted notices can make the hub go and ask somebody."""
        naming = [stored for stored in known if stored.is_trusted and stored.notice.localizes and _may_be_map(stored)]
        if not naming:
            return
        own = localizations.sources(session, [one.localization_id for one in naming if one.localization_id is not None])
        for stored in naming[-MAX_OF_EVENT:]:
            made_from = own.get(stored.localization_id or "")  # of the first that had this map, which may have been a stand-in
            carries_map = not stored.is_placeless and made_from in (LocalizationSource.SKYMAP, LocalizationSource.WHOLE_SKY)
            if not carries_map and stored.fetched_map is None:
                assert stored.notice.skymap_url is not None
                map_fetches.ask(session, event_id, stored.notice.skymap_url, self._clock())


class MapFetching:
    """Fetches what was asked for, one map at a time; safe to run in several processes."""

    def __init__(
        self, *, store: Store, fetcher: Fetcher, skymaps: SkymapReader, clock: Clock, settings: MapFetchSettings
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._skymaps = skymaps
        self._clock = clock
        self._settings = settings

    def step(self) -> int:
        """Look for one map that is due; return how many there were, 0 or 1.

        Raises
        ------
        StorageError
            The database does not take it; the map is asked for again later.
        """
        at = self._clock()
        with self._store.reading() as session:
            fetch = map_fetches.due(session, at)
        if fetch is None:
            return 0
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(fetch.tries, 20))
        with self._store.transaction() as session:  # before asking: a crash while asking must not make the hub ask at once again
            if not map_fetches.claim(session, fetch, at.plus_s(pause_s)):
                return 1
        try:
            body = self._ask(fetch)
            skymap, remarks = self._skymaps.read(body)
            found = localization_from_skymap(skymap, remarks)
        except Transient as error:
            self._fail(fetch, str(error), for_good=at.minus(fetch.first_at) >= self._settings.give_up_s)
        except (Permanent, SkymapRefused) as error:
            self._fail(fetch, str(error), for_good=True)
        else:
            self._keep(fetch, found, hashlib.sha256(body).hexdigest())
        return 1

    def health(self) -> Health:
        """Return how many maps wait, were fetched and were given up; callable from any thread."""
        with self._store.reading() as session:
            numbers = map_fetches.counts(session)
        facts = {state.value.replace(" ", "_"): number for state, number in numbers.items()}
        return Health(state="fetching" if numbers[FetchState.WAITING] else "idle", facts=facts)

    def _ask(self, fetch: MapFetch) -> bytes:
        # Older notices write http; the same servers answer https, and nothing else is ever asked.
        url = "https" + fetch.url.removeprefix("http") if fetch.url.startswith("http://") else fetch.url
        answer = self._fetcher.get(url)
        if answer.status in _NOT_YET or answer.status >= 500:
            raise Transient(sentence_of(f"{url} answered {answer.status}"))
        if not 200 <= answer.status < 300:
            raise Permanent(sentence_of(f"{url} answered {answer.status}"))
        if not answer.body.startswith(_FITS):
            raise Permanent(sentence_of(f"what {url} answered is no FITS file"))
        return answer.body

    def _fail(self, fetch: MapFetch, reason: str, *, for_good: bool) -> None:
        log.warning("map not fetched", event_id=fetch.event_id, url=fetch.url, reason=reason, given_up=for_good)
        with self._store.transaction() as session:
            map_fetches.failed(session, fetch, reason, for_good=for_good)

    def _keep(self, fetch: MapFetch, localization: Localization, sha256: str) -> None:
        """Store the map with what follows from it, in one transaction: the event, and that it must be correlated again."""
        with self._store.transaction() as session:
            hold(session, f"event {fetch.event_id}")  # as a notice that arrives at this moment does
            known = notices.of_event(session, fetch.event_id)
            named = [stored.notice for stored in known if stored.notice.skymap_url == fetch.url]
            disagrees = any(one.position is not None and peak_disagrees(localization.skymap, one.position) for one in named)
            doubt = ("The densest place of the fetched map lies outside the stated error region.",) if disagrees else ()
            localizations.save(session, localization)
            found = FetchedMap(
                url=fetch.url,
                fetched_at=self._clock(),
                sha256=sha256,
                localization_id=localization.localization_id,
                remarks=localization.remarks + doubt,
            )
            map_fetches.store(session, fetch, found)
            events.save(session, assemble(fetch.event_id, notices.of_event(session, fetch.event_id)))
            jobs.put(session, EVENT_JOB, fetch.event_id)
        log.info("map fetched", event_id=fetch.event_id, url=fetch.url, localization_id=localization.localization_id)


def _may_be_map(stored: StoredNotice) -> bool:
    url = stored.notice.skymap_url or ""
    is_plain = len(url) <= LONGEST_URL and url.isascii() and url.isprintable()
    return is_plain and url.startswith(("https://", "http://")) and not _PICTURE.search(url)
