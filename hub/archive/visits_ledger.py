"""Keeps the ledgers of the nights: finds out which visits have rows that their ledger has not seen, and computes those anew.

A visit is computed when no rows of it have come for a while, and again whenever they became others: late ones came, or versions
that hold in the place of former ones. Nothing is remembered that a restart would have to know: the archive and the ledgers tell
what is due, and computing it twice gives the same. A night is read in slices
of the sky, and its visits are computed some at a time: memory does not grow with the night.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.archive import removed, visits_file
from hub.archive.columns import ints_of, words_of
from hub.archive.segments import Footers
from hub.archive.visits import COLUMNS, detector_visits
from hub.archive.visits_count import COUNTED, Counted, FullTopics, Key, Span, held_of, spans_of
from hub.archive.visits_held import Held
from hub.archive.visits_slices import Slice, bounds, slices
from hub.model.instant import Instant
from hub.model.visit import DetectorVisits, joined
from hub.science.footprint_camera import Camera

QUIET_S = 600.0
"""A visit is computed when no rows of it have come for so long, seconds."""

LOOKS = 4
"""So many times in that time a night that changes is looked at: counting its rows takes seconds."""

ROWS_AT_ONCE = 150_000
"""Rows that are read at once, and rows of whole visits that are computed at once: some 40 MB each."""

KEPT_DAYS = 3650.0
"""The ledger of a night whose rows are gone is deleted when the night is older than this, days."""


class Nights(Protocol):
    """What the ledger needs of the archive."""

    folder: Path

    def nights(self) -> list[int]:
        """Return the nights that have rows, ascending."""
        ...

    def rows_in_region(
        self, lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant, columns: Sequence[str]
    ) -> pa.Table:
        """Return columns of all rows in ranges of pixels and a time window, each alert once."""
        ...


class VisitLedger:
    """The ledgers of an archive; one process at a time may update them (lease ``archive``), any may read.

    Parameters
    ----------
    archive
        What is computed from.
    cameras
        By survey.
    quiet_s
        As `QUIET_S`.
    rows_at_once
        As `ROWS_AT_ONCE`.
    """

    def __init__(
        self, archive: Nights, cameras: Mapping[str, Camera], *, quiet_s: float = QUIET_S, rows_at_once: int = ROWS_AT_ONCE
    ) -> None:
        self._archive = archive
        self._cameras = cameras
        self._quiet_s = quiet_s
        self._rows_at_once = rows_at_once
        self._footers = Footers()
        self._seen: dict[int, dict[Key, tuple[int, Instant]]] = {}
        """For each night the visits that wait: the digest of their rows, and since when it is that."""

        self._looked: dict[int, Instant] = {}
        self._settled: set[int] = set()

    def settled(self) -> list[int]:
        """Return the nights whose ledgers became complete since the last call, or became so anew after late rows, ascending."""
        nights, self._settled = sorted(self._settled), set()
        return nights

    def update(
        self, full: FullTopics, now: Instant, keep: Callable[[], None] = lambda: None, *, before: int | None = None
    ) -> int:
        """Compute what is due, and return how many visits that were.

        Parameters
        ----------
        full
            The topics by which surveys are heard in full: a part of its alerts tells nothing of what a survey searched.
        now
            The present.
        keep
            Called now and then, and may raise where it must not go on.
        before
            Only nights before this one are looked at; all where not given.

        Raises
        ------
        StorageError
            The archive cannot be read, or a ledger not be written.
        """
        n_done = 0
        nights = self._archive.nights()
        for night in nights if full else ():
            keep()
            if before is not None and night >= before:
                continue
            looked = self._looked.get(night)
            if looked is None or now.minus(looked) >= self._quiet_s / LOOKS:
                self._looked[night] = now
                n_done += self._update_night(night, full, now, keep)
        visits_file.delete_old(self._archive.folder, frozenset(nights), now.plus_s(-KEPT_DAYS * 86_400.0))
        return n_done

    def _update_night(self, night: int, full: FullTopics, now: Instant, keep: Callable[[], None]) -> int:
        digest = visits_file.digest_of(self._archive.folder, night, full)
        files = visits_file.digest_of(self._archive.folder, night, ())
        note = visits_file.read_note(self._archive.folder, night)
        if note.settled == digest and note.agrees_with(full):
            self._seen.pop(night, None)
            return 0
        sky = slices(self._archive.folder, self._footers, night, self._rows_at_once)
        counted = self._count(night, sky, full, keep)
        known = visits_file.read(self._archive.folder, night) if note.is_current else DetectorVisits.empty()
        had = _alerts_by_visit(known)
        gone = counted.n_alerts.keys() - counted.in_full
        was_deleted = night in removed.nights(self._archive.folder)
        if not was_deleted:  # else their rows went, and the visits were made all the same
            gone |= had.keys() - counted.n_alerts.keys()
        stays = _without(known, gone)
        digests = visits_file.digests(self._archive.folder, night) if note.is_current else {}
        waiting = self._seen.get(night, {})
        seen: dict[Key, tuple[int, Instant]] = {}
        for key in counted.in_full:
            now_is = counted.digest[key]
            is_other = counted.n_alerts[key] > had.get(key, 0) if was_deleted else now_is != digests.get(key)
            if is_other:
                before = waiting.get(key)
                seen[key] = before if before is not None and before[0] == now_is else (now_is, now)
        due = {key for key, (_, since) in seen.items() if now.minus(since) >= self._quiet_s}
        self._seen[night] = {key: told for key, told in seen.items() if key not in due}
        settled = "" if self._seen[night] else digest
        if due or settled or note.settled or len(stays) < len(known) or note.files != files:  # also where it waits again
            spans = self._spans(note, counted, self._seen[night].keys(), full, night=night, now=now)
            computed = (self._compute(night, some, counted, sky, keep) for some in self._groups(due, counted))
            visits = _latest([stays, *computed])
            if settled:
                self._settled.add(night)
            visits_file.write(
                self._archive.folder,
                night,
                visits,
                settled=settled,
                files=files,
                digests=digests | {key: counted.digest[key] for key in due},
                topics=note.topics_with(counted.topics, full),
                spans=spans,
                n_rows=counted.n_rows,
                held=self._held(note, counted, full, night),
            )
        return len(due)

    def _count(self, night: int, sky: Sequence[Slice], full: FullTopics, keep: Callable[[], None]) -> Counted:
        counted = Counted()
        for number, one in enumerate(sky):
            keep()
            counted.add(self._read(night, one, COUNTED), number, full)
            _release()
        return counted

    def _spans(
        self, note: visits_file.Note, counted: Counted, waiting: Collection[Key], full: FullTopics, *, night: int, now: Instant
    ) -> list[Span]:
        """Return from when to when each full topic was heard; of a night that was deleted and has rows again, of both."""
        spans = {(one.survey, one.topic): one for one in spans_of(counted, waiting, now.tai_us)}
        for one in note.spans if note.is_current and night in removed.nights(self._archive.folder) else ():
            if one.topic in full.get(one.survey, ()):
                later = spans.get((one.survey, one.topic))
                spans[one.survey, one.topic] = one if later is None else one.joined(later)
        return list(spans.values())

    def _held(self, note: visits_file.Note, counted: Counted, full: FullTopics, night: int) -> list[Held]:
        """Return at which offsets each full topic has rows; of a night that was deleted and has rows again, or had them."""
        found = {(one.survey, one.topic): one for one in held_of(counted)}
        for one in note.held if note.is_current and night in removed.nights(self._archive.folder) else ():
            if one.topic in full.get(one.survey, ()):
                later = found.get((one.survey, one.topic))
                found[one.survey, one.topic] = one if later is None else one.joined(later)
        return list(found.values())

    def _groups(self, due: Collection[Key], counted: Counted) -> Iterator[list[Key]]:
        """Yield visits in groups of bearable size, neighbours on the sky together: few slices are read for each."""
        group: list[Key] = []
        size = 0
        for key in sorted(due, key=lambda one: (one[0], sorted(counted.slices[one]), one[1])):
            if group and size + counted.n_alerts[key] > self._rows_at_once:
                yield group
                group, size = [], 0
            group.append(key)
            size += counted.n_alerts[key]
        if group:
            yield group

    def _compute(
        self, night: int, keys: Collection[Key], counted: Counted, sky: Sequence[Slice], keep: Callable[[], None]
    ) -> DetectorVisits:
        wanted = {survey: np.array(sorted(visit for name, visit in keys if name == survey)) for survey, _ in keys}
        parts = []
        for number in sorted(set().union(*(counted.slices[key] for key in keys))):
            keep()
            table = self._read(night, sky[number], COLUMNS)
            names = words_of(table["survey"])
            visits = ints_of(table["visit"])
            mask = np.zeros(len(visits), dtype=np.bool_)
            for survey, numbers in wanted.items():
                codes = [code for code, name in enumerate(names.values) if name == survey]
                mask |= np.isin(names.codes, codes) & np.isin(visits, numbers)
            if mask.any():
                parts.append(table.filter(pa.array(mask)))
            del table
        if not parts:
            return DetectorVisits.empty()
        found = detector_visits(pa.concat_tables(parts).unify_dictionaries(), self._cameras)
        parts.clear()
        _release()
        return found

    def _read(self, night: int, one: Slice, columns: Sequence[str]) -> pa.Table:
        return self._archive.rows_in_region(np.array([one[0]]), np.array([one[1]]), *bounds(night), columns)


def _release() -> None:
    """Give memory back to the system that Arrow's allocator keeps: as much for each thread that read a file as all rows take."""
    pa.default_memory_pool().release_unused()


def _alerts_by_visit(visits: DetectorVisits) -> Counter[Key]:
    counts: Counter[Key] = Counter()
    for key, own in _by_key(visits):
        counts[key] += int(visits.n_alerts[own].sum())
    return counts


def _by_key(visits: DetectorVisits) -> Iterator[tuple[Key, NDArray[np.intp]]]:
    """Yield each visit and the indices of its rows."""
    codes, which = visits.survey.codes, visits.visit
    order = np.lexsort((which, codes))
    changes = np.flatnonzero((np.diff(which[order]) != 0) | (np.diff(codes[order]) != 0)) + 1
    for own in np.split(order, changes) if len(order) else ():
        yield (visits.survey.text(own[0]), int(which[own[0]])), own


def _without(visits: DetectorVisits, keys: Collection[Key]) -> DetectorVisits:
    """Return the rows of all visits but some."""
    gone = [own for key, own in _by_key(visits) if key in keys] if keys else []
    if not gone:
        return visits
    mask = np.ones(len(visits), dtype=np.bool_)
    mask[np.concatenate(gone)] = False
    return visits.take(mask)


def _latest(parts: list[DetectorVisits]) -> DetectorVisits:
    """Return all visits, each as it stands in the last part that has it."""
    kept = []
    later: set[Key] = set()
    for part in reversed(parts):
        kept.append(_without(part, later))
        later |= {key for key, _ in _by_key(part)}
    return joined(kept[::-1])
