"""All events that alerts are matched with now, as snapshots of the sky index; and when a snapshot is replaced.

A snapshot serves the alerts of one night, as long as the counter of the events stays. It is made from what changed since the one
before: events are read anew only where they changed, maps are prepared once for each content. A batch waits for its snapshot,
since alerts that were archived after an event's own search must meet the event here.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub.errors import StorageError
from hub.model.alert import AlertBatch
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.sky import SkymapSummary
from hub.science.crossmatch import Link, LinkColumns, admitted, fitting
from hub.science.place_levels import PlaceLevels
from hub.science.rules import DAY_S, Hypothesis, Rules
from hub.science.sky_index import SkyIndex, SkyPiece
from hub.storage import counters, events, localizations, promoted

BUDGET_BYTES = 128 << 20
"""Memory for snapshots and their maps; the latest one stays however large it is."""

MAX_NIGHTS = 8
"""Most snapshots kept: late alerts are few and of the last nights."""

MARGIN_DAYS = 3
"""Events are read for so many nights more than were asked for."""

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """What matching needs of an event."""

    event_id: str
    t0s: tuple[Instant, ...]
    hypotheses: tuple[Hypothesis, ...]
    localization_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveMap:
    """A localization as snapshots keep it."""

    piece: SkyPiece
    summary: SkymapSummary


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """All localizations of one night and what they stand for."""

    index: SkyIndex[str]
    """By localization id."""

    links: LinkColumns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fits:
    """Which alerts of a batch fit which events; columns of the shape ``(n,)``, each pair of row and event once."""

    rows: NDArray[np.int64]
    """Row of the batch."""

    event_ids: NDArray[np.object_]
    """The event of each."""

    n_in_large: int
    """Pairs that would fit but for the map, which is too large to make candidates."""


class LiveSky:
    """Answers which alerts fit which events; shared by threads.

    Parameters
    ----------
    rules
        Hypotheses and limits.
    budget_bytes
        Most memory that snapshots take.
    """

    def __init__(self, rules: Rules, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._rules = rules
        self._budget = budget_bytes
        self._max_level = max((one.max_level for one in rules.hypotheses), default=0.0)
        self._earliest_d = min((one.window_d[0] for one in rules.hypotheses), default=0.0)
        self._latest_d = max((one.window_d[1] for one in rules.hypotheses), default=0.0)
        self._lock = threading.Lock()
        """Held for reads of the database and arithmetic only."""
        self._counter = -1
        self._nights = range(0)
        """Nights whose events are known."""
        self._events: dict[str, LiveEvent] = {}
        self._snapshots: OrderedDict[int, Snapshot] = OrderedDict()
        self._maps: dict[str, LiveMap] = {}

    @property
    def nbytes(self) -> int:
        """Memory of all snapshots, bytes."""
        return sum(one.piece.nbytes for one in self._maps.values()) + sum(
            one.links.nbytes + one.index.nbytes - sum({id(piece): piece.nbytes for piece in one.index.pieces}.values())
            for one in self._snapshots.values()
        )

    def matches(self, session: Session, batch: AlertBatch) -> Fits:
        """Return which alerts fit which events, as `crossmatch.match` does for each event and hypothesis by itself.

        Parameters
        ----------
        session
            Opened after the batch was archived.
        batch
            Alerts of one survey, of any nights.
        """
        usable = np.flatnonzero(batch.object_id != b"")
        rows, event_ids, n_in_large = [np.empty(0, np.int64)], [np.empty(0, object)], 0
        nights = _night(batch.mid_tai_us[usable])
        for night in np.unique(nights).tolist():
            snapshot = self.snapshot(session, night)
            asked = usable[nights == night]
            found, named, n_large = _of_night(batch, asked, snapshot)
            rows.append(found)
            event_ids.append(named)
            n_in_large += n_large
        return Fits(rows=np.concatenate(rows), event_ids=np.concatenate(event_ids), n_in_large=n_in_large)

    def is_ready(self, batch: AlertBatch) -> bool:
        """Tell whether there are snapshots for the nights of a batch, so that none has to be made from nothing."""
        nights = np.unique(_night(batch.mid_tai_us[batch.object_id != b""])).tolist()
        with self._lock:
            return all(night in self._snapshots for night in nights)

    def place(self, localization_id: str, pixels: NDArray[np.int64]) -> tuple[SkymapSummary, PlaceLevels] | None:
        """Return the few numbers of a map, and of its rows those that hold some order-29 pixels; None where not all are at hand.

        The rows are those of the whole map: it has not to be read for alerts that matched.
        """
        known = self._maps.get(localization_id)
        rows = None if known is None else known.piece.holding(pixels)
        return None if known is None or rows is None else (known.summary, rows)

    def snapshot(self, session: Session, night: int) -> Snapshot:
        """Return the snapshot for the alerts of a night (days since 1970, from noon TAI) that the session's state asks for."""
        with self._lock:
            self._refresh(session, night)
            if night not in self._snapshots:
                self._snapshots[night] = self._made(session, night)
                self._trim()
            self._snapshots.move_to_end(night)
            return self._snapshots[night]

    def _refresh(self, session: Session, night: int) -> None:
        """Read what changed; forget the snapshots where that matters."""
        counter = counters.value(session, counters.EVENTS)
        if night not in self._nights:
            wanted = range(night - MARGIN_DAYS, night + MARGIN_DAYS + 1)
            near = self._nights and wanted.start <= self._nights.stop and self._nights.start <= wanted.stop
            self._nights = range(min(wanted.start, self._nights.start), max(wanted.stop, self._nights.stop)) if near else wanted
            start, end = self._t0s(self._nights.start)[0], self._t0s(self._nights.stop)[1]
            self._events = {
                one.event_id: one
                for event in self._searched(session, events.in_span(session, start, end))
                if (one := self._live(event))
            }
            self._snapshots.clear()
        elif counter > self._counter:
            changed = events.changed_since(session, self._counter)
            searched = {event.event_id for event in self._searched(session, changed)}
            for event in changed:
                live = self._live(event) if event.event_id in searched else None
                if live == self._events.get(event.event_id):
                    continue
                self._snapshots.clear()
                if live is None:
                    del self._events[event.event_id]
                else:
                    self._events[event.event_id] = live
        else:
            return
        self._counter = counter

    def _searched(self, session: Session, found: list[Event]) -> list[Event]:
        """Return those of some events whose counterparts are searched: one of low significance needs a pair that lifts it."""
        low = {event.event_id for event in found if self._rules.low_significance.is_low(event)}
        alone = low - promoted.of_ids(session, low)
        return [event for event in found if event.event_id not in alone]

    def _live(self, event: Event) -> LiveEvent | None:
        """Return an event as matching needs it; None where no alert of the nights can match it."""
        hypotheses = tuple(admitted(event, self._rules.hypotheses))
        if not (hypotheses and event.t0s and event.localization_ids):
            return None
        start, end = self._t0s(self._nights.start)[0], self._t0s(self._nights.stop)[1]
        if max(event.t0s) < start or min(event.t0s) > end:
            return None
        return LiveEvent(event_id=event.event_id, t0s=event.t0s, hypotheses=hypotheses, localization_ids=event.localization_ids)

    def _t0s(self, night: int) -> tuple[Instant, Instant]:
        """Return between which times an event must lie for any alert of a night to fit."""
        begin = Instant(night * _DAY_US + _DAY_US // 2)
        return begin.plus_s(-self._latest_d * DAY_S - 1.0), begin.plus_s(DAY_S - self._earliest_d * DAY_S + 1.0)

    def _made(self, session: Session, night: int) -> Snapshot:
        begin = night * _DAY_US + _DAY_US // 2
        links = []
        for event in self._events.values():
            for hypothesis in event.hypotheses:
                for t0 in event.t0s:
                    low, high = (t0.plus_s(days * DAY_S).tai_us for days in hypothesis.window_d)
                    if low < begin + _DAY_US and high >= begin:
                        links += [
                            Link(
                                event_id=event.event_id,
                                localization_id=name,
                                hypothesis=hypothesis,
                                t0=t0,
                                is_too_large=self._map(session, name).summary.area90_deg2 > self._rules.max_area_of(hypothesis),
                            )
                            for name in event.localization_ids
                        ]
        names = list(dict.fromkeys(link.localization_id for link in links))
        index = SkyIndex.of((self._counter, night), ((name, self._maps[name].piece) for name in names))
        return Snapshot(index=index, links=LinkColumns.of(index.keys, links))

    def _map(self, session: Session, name: str) -> LiveMap:
        if name not in self._maps:
            place = localizations.get(session, name)
            if place is None:
                raise StorageError(f"localization {name} is named by a notice but not stored")
            flat = replace(place.skymap, distmu=None, distsigma=None, distnorm=None)  # nobody asks a hit for its distance
            self._maps[name] = LiveMap(piece=SkyPiece.of(name, flat, self._max_level), summary=place.summary)
        return self._maps[name]

    def _trim(self) -> None:
        """Forget the snapshots that were not asked for longest, and the maps that are in none."""
        while True:
            used = {name for one in self._snapshots.values() for name in one.index.keys}
            self._maps = {name: one for name, one in self._maps.items() if name in used}
            if len(self._snapshots) == 1 or (len(self._snapshots) <= MAX_NIGHTS and self.nbytes <= self._budget):
                return
            self._snapshots.popitem(last=False)


def _night(times_us: NDArray[np.int64]) -> NDArray[np.int64]:
    return (times_us - _DAY_US // 2) // _DAY_US


def _of_night(
    batch: AlertBatch, asked: NDArray[np.intp], snapshot: Snapshot
) -> tuple[NDArray[np.int64], NDArray[np.object_], int]:
    """Return rows and events that fit, and how many fit by too large maps only."""
    links = snapshot.links
    hits = snapshot.index.match(batch.hpx29[asked])
    rows, link = fitting(batch, asked[hits.point].astype(np.int64), hits.entry, hits.searched_before, links)
    n_events = max(len(links.event_ids), 1)
    pairs = rows * n_events + links.event[link]
    is_large = links.is_too_large[link]
    fits = np.unique(pairs[~is_large])
    n_in_large = len(np.setdiff1d(pairs[is_large], fits))
    names = np.array(links.event_ids, dtype=object)
    return fits // n_events, names[fits % n_events], n_in_large
