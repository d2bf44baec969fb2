"""Localizations, their levels and their overlaps, kept by content so that each is computed once."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import fields

import numpy as np
from sqlalchemy.orm import Session

from hub.errors import StorageError
from hub.model.sky import Localization, SkymapSummary
from hub.science.levels import Levels2D
from hub.science.overlap import overlap_integral
from hub.science.place_levels import PlaceLevels
from hub.storage import localizations

BUDGET_BYTES = 64 << 20
"""Memory for maps; a 20,000-tile map with distances and its levels takes about 2 MB."""

PLACE_BUDGET_BYTES = 96 << 20
"""Memory for what evaluating candidates needs of maps: of 20,000 tiles 0.6 MB each, so 150 of them, all that a batch meets. Where
it meets more than are kept, each is read and sorted anew with every batch."""

MAX_OVERLAPS = 65_536
"""Overlap integrals kept."""


class MapCache:
    """Least-recently-used memory of maps, shared by threads. Content-addressed, so nothing in it can be out of date.

    Parameters
    ----------
    budget_bytes
        Most memory that whole maps take; the one that was asked for last stays however large it is.
    place_budget_bytes
        The same of what evaluating candidates needs.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES, place_budget_bytes: int = PLACE_BUDGET_BYTES) -> None:
        self._budget = budget_bytes
        self._place_budget = place_budget_bytes
        self._maps: OrderedDict[str, tuple[Localization, Levels2D]] = OrderedDict()
        self._places: OrderedDict[str, tuple[SkymapSummary, PlaceLevels]] = OrderedDict()
        self._bytes = 0
        self._place_bytes = 0
        self._overlaps: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()
        """Held for reads of the database and arithmetic only, never while one waits for a lock of the database."""

    @property
    def nbytes(self) -> int:
        """Memory of the maps now."""
        return self._bytes + self._place_bytes

    def localization(self, session: Session, localization_id: str) -> Localization:
        """Return a localization that a stored notice names."""
        return self._entry(session, localization_id)[0]

    def levels(self, session: Session, localization_ids: Iterable[str]) -> dict[str, Levels2D]:
        """Return the levels of some localizations by id."""
        return {name: self._entry(session, name)[1] for name in localization_ids}

    def localizations(self, session: Session, localization_ids: Iterable[str]) -> dict[str, Localization]:
        """Return some localizations by id."""
        return {name: self._entry(session, name)[0] for name in localization_ids}

    def places(
        self, session: Session, localization_ids: Iterable[str]
    ) -> tuple[dict[str, SkymapSummary], dict[str, PlaceLevels]]:
        """Return the few numbers of some maps, and what evaluating candidates needs of them: more are kept than of whole ones."""
        found = {name: self.place(session, name) for name in localization_ids}
        return {name: summary for name, (summary, _) in found.items()}, {name: levels for name, (_, levels) in found.items()}

    def overlap(self, a: Localization, b: Localization) -> float:
        """Return the exact overlap integral of two maps."""
        low, high = sorted((a, b), key=lambda localization: localization.localization_id)
        key = (low.localization_id, high.localization_id)
        with self._lock:
            if key not in self._overlaps:
                self._overlaps[key] = overlap_integral(low.skymap, high.skymap)
                if len(self._overlaps) > MAX_OVERLAPS:
                    self._overlaps.popitem(last=False)
            return self._overlaps[key]

    def _entry(self, session: Session, localization_id: str) -> tuple[Localization, Levels2D]:
        with self._lock:
            if localization_id not in self._maps:
                entry = _read(session, localization_id)
                self._maps[localization_id] = entry
                self._bytes += _size(entry)
                while self._bytes > self._budget and len(self._maps) > 1:
                    self._bytes -= _size(self._maps.popitem(last=False)[1])
            self._maps.move_to_end(localization_id)
            return self._maps[localization_id]

    def place(self, session: Session, localization_id: str) -> tuple[SkymapSummary, PlaceLevels]:
        """Return the same of one map."""
        with self._lock:
            if localization_id not in self._places:
                localization, levels = self._maps.get(localization_id) or _read(session, localization_id)
                place = localization.summary, PlaceLevels.of(levels)
                self._places[localization_id] = place
                self._place_bytes += place[1].nbytes
                while self._place_bytes > self._place_budget and len(self._places) > 1:
                    self._place_bytes -= self._places.popitem(last=False)[1][1].nbytes
            self._places.move_to_end(localization_id)
            return self._places[localization_id]


def _read(session: Session, localization_id: str) -> tuple[Localization, Levels2D]:
    localization = localizations.get(session, localization_id)
    if localization is None:
        raise StorageError(f"localization {localization_id} is named by a notice but not stored")
    return localization, Levels2D.of(localization.skymap)


def _size(entry: tuple[Localization, Levels2D]) -> int:
    """Return the memory of a map with its levels, bytes; columns that both have count once."""
    localization, levels = entry
    columns = {
        id(value): value
        for part in (localization.skymap, levels)
        for f in fields(part)
        if (value := getattr(part, f.name)) is not None
    }
    return sum(column.nbytes for column in columns.values() if isinstance(column, np.ndarray))
