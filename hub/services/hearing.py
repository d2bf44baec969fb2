"""From when to when a survey was heard in full, as far as the ledgers show it: only of these times are answers to be had.

A ledger tells from when to when each topic of a full stream brought visits in a night. Two nights of one topic are joined, with
the nights and days in between, where the hub read the topic on from the one to the other: no gap is recorded there, and what it
brought of the nights in between was not deleted. So a cloudy night was heard, and a night in which the hub listened to nothing,
or to a broker's filter alone, was not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from hub.archive import layout, removed, visits_file
from hub.archive.layout import night_name, night_of
from hub.archive.visits_count import Span
from hub.archive.visits_file import Note
from hub.model.coverage import Coverage, SelectionKind
from hub.model.instant import Instant
from hub.services.bodies import text, utc
from hub.storage import incidents, positions

REACH = 60
"""Two nights farther apart are not joined: a silence of two months is none of the weather."""

LATE_S = 30 * 86_400.0
"""Messages that a broker lost are of exposures this much before the hub noticed, at most, where nobody knows which they were."""

Window = tuple[Instant, Instant]
"""Both ends count."""

_NAMED = 5
"""Nights that a sentence names; of more it says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time in which every alert was heard, `Instant.tai_us`, both ends included."""

    begin_us: int
    end_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """A part of a window in which a survey may have searched unknown to the hub."""

    begin: Instant
    end: Instant
    reason: str
    """A sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What of a window was heard in full."""

    heard: tuple[Interval, ...]
    """Ascending, disjoint; they may reach beyond the window."""

    unheard: tuple[Unheard, ...]
    until: Instant | None
    """Middle of the latest visit in any ledger."""

    @property
    def is_known(self) -> bool:
        """Whether any of the window was heard."""
        return bool(self.heard)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """A gap: messages that never came."""

    at: Instant
    topic: str | None
    partition: int | None
    offsets: tuple[int, int] | None
    """First, and one past the last; None where nobody knows."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """All that is known of a survey's nights in and around a window."""

    survey: str
    topics: Mapping[str, Instant]
    notes: Mapping[int, Note]
    with_rows: frozenset[int]
    deleted: frozenset[int]
    gaps: Sequence[_Lost]
    first_offsets: Mapping[tuple[str, int], int]
    """Where the hub began to read each partition."""

    def spans(self, topic: str) -> list[tuple[int, Span]]:
        """Return the nights that a topic brought visits of, ascending, and from when to when."""
        return [
            (night, span)
            for night in sorted(self.notes)
            for span in self.notes[night].spans
            if (span.survey, span.topic) == (self.survey, topic)
        ]

    def is_missing(self, night: int) -> bool:
        """Return whether a night has or had rows of which no ledger tells."""
        note = self.notes.get(night)
        return night in (self.with_rows | self.deleted) and (note is None or not note.is_current)

    def breaks(self, night: int, topic: str) -> bool:
        """Return whether a night shows that a topic, which brought nothing of it, was not all there was."""
        note = self.notes.get(night)
        if self.is_missing(night):
            return True
        if note is None or not note.topics.get(self.survey):
            return False
        return not any((one.survey, one.topic) == (self.survey, topic) for one in note.spans)


def hearing(session: Session, archive: Path, hears: Coverage, survey: str, window: Window) -> Hearing:
    """Return what of a window was heard of a survey by its full streams.

    Parameters
    ----------
    session, archive
        The books and the ledgers.
    hears
        Every stream that was ever heard.
    survey
        Which.
    window
        Both ends count.

    Raises
    ------
    StorageError
        A ledger cannot be read.
    """
    begin, end = window
    topics = hears.full_topics(survey)
    books = _books(session, archive, hears, survey, window)
    intervals = _union(one for topic in topics for one in _runs(books, topic))
    met = tuple(one for one in intervals if one.begin_us <= end.tai_us and one.end_us >= begin.tai_us)
    latest = max((span.last_us for topic in topics for _, span in books.spans(topic)), default=None)
    unheard = [*_parts(books, hears, intervals, begin, end), *_lost_in(books, begin, end)]
    return Hearing(
        heard=met,
        unheard=tuple(sorted(unheard, key=lambda one: (one.begin, one.end))),
        until=None if latest is None else Instant(latest),
    )


def _books(session: Session, archive: Path, hears: Coverage, survey: str, window: Window) -> _Books:
    begin, end = window
    topics = hears.full_topics(survey)
    full = [one for one in hears.streams if one.survey == survey and one.selection.kind is SelectionKind.FULL]
    sources = frozenset(source for one in full for source in one.sources)
    nights = visits_file.nights(archive)
    low, high = night_of(begin.tai_us), night_of(end.tai_us)
    notes = {night: visits_file.read_note(archive, night) for night in nights if low <= night <= high}

    def look(some: Iterable[int], nearest: int) -> None:
        """Go on from the window until each topic was met, or none of them is near any more."""
        sought = set(topics)
        for night in some:
            far = abs(night - nearest) > REACH
            if not sought or (far and len(sought) < len(topics)):
                break
            notes[night] = visits_file.read_note(archive, night)
            sought -= {one.topic for one in notes[night].spans if one.survey == survey}

    look((night for night in reversed(nights) if night < low), low)
    look((night for night in nights if high < night <= high + REACH), high)
    return _Books(
        survey=survey,
        topics=topics,
        notes=notes,
        with_rows=frozenset(layout.nights(archive)),
        deleted=frozenset(removed.nights(archive)),
        gaps=_gaps(session, topics, sources, begin.plus_s(-REACH * 86_400.0)),
        first_offsets=_first_offsets(session),
    )


def _gaps(session: Session, topics: Mapping[str, Instant], sources: frozenset[str], since: Instant) -> list[_Lost]:
    found = []
    for told in incidents.listing(session, since=since, limit=None):
        facts = told.incident.facts
        topic = facts.get("topic")
        if told.incident.kind != "gap" or (topic not in topics if topic is not None else told.source not in sources):
            continue
        is_certain = facts.get("n_messages") is not None and {"first_offset", "end_offset"} <= facts.keys()
        found.append(
            _Lost(
                at=told.at,
                topic=topic,
                partition=facts.get("partition"),
                offsets=(int(facts["first_offset"]), int(facts["end_offset"])) if is_certain else None,
                text=told.incident.text,
            )
        )
    return found


def _first_offsets(session: Session) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for one in positions.listing(session):
        key = one.topic, one.partition
        found[key] = min(one.first_offset, found.get(key, one.first_offset))
    return found


def _runs(books: _Books, topic: str) -> list[Interval]:
    """Return the times in which a topic was heard without a break."""
    spans = books.spans(topic)
    runs: list[Interval] = []
    for index, (night, span) in enumerate(spans):
        begin = span.first_us
        if index and _is_joined(books, spans[index - 1], (night, span)):
            begin = runs.pop().begin_us
        elif not index:
            begin = _beginning(books, topic, night, span)
        runs.append(Interval(begin_us=begin, end_us=span.last_us))
    return runs


def _is_joined(books: _Books, before: tuple[int, Span], after: tuple[int, Span]) -> bool:
    """Return whether the hub read a topic on from one night to the next that it brought visits of."""
    (first, one), (last, other) = before, after
    if last - first > REACH or not one.offsets or any(books.breaks(night, one.topic) for night in range(first + 1, last)):
        return False
    for partition, (_, high) in one.offsets.items():
        began = books.first_offsets.get((one.topic, partition))
        if began is None or high < began:  # the hub, or its database, is younger than these alerts
            return False
    return not any(_meets(gap, one, other) for gap in books.gaps)


def _beginning(books: _Books, topic: str, night: int, span: Span) -> int:
    """Return from when on a topic was heard before its first visits: since its first alert, where nothing speaks against it."""
    since = books.topics[topic].tai_us
    began = night_of(since)
    if since >= span.first_us or night - began > REACH or any(books.breaks(one, topic) for one in range(began, night)):
        return span.first_us
    return span.first_us if any(_precedes(gap, since, span) for gap in books.gaps) else since


def _precedes(gap: _Lost, since: int, span: Span) -> bool:
    """Return whether messages may have been lost between the first alert of a topic and the first visit that it brought."""
    if gap.topic not in {None, span.topic}:
        return False
    own = span.offsets.get(gap.partition) if gap.partition is not None else None
    if gap.offsets is None or own is None:
        return since <= gap.at.tai_us <= Instant(span.last_us).plus_s(LATE_S).tai_us
    return gap.offsets[0] < own[0]


def _meets(gap: _Lost, one: Span, other: Span) -> bool:
    """Return whether messages were lost in a night, or between two of them."""
    if gap.topic not in {None, one.topic}:
        return False
    here, there = (span.offsets.get(gap.partition) if gap.partition is not None else None for span in (one, other))
    if gap.offsets is None or here is None or there is None:
        return one.first_us <= gap.at.tai_us <= Instant(other.last_us).plus_s(LATE_S).tai_us
    edges = here if one is other else (here[1], there[0])
    return gap.offsets[0] <= max(edges) and gap.offsets[1] > min(edges)


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    found: list[Interval] = []
    for one in sorted(intervals, key=lambda some: some.begin_us):
        if found and one.begin_us <= found[-1].end_us:
            found[-1] = Interval(begin_us=found[-1].begin_us, end_us=max(found[-1].end_us, one.end_us))
        else:
            found.append(one)
    return found


def _parts(books: _Books, hears: Coverage, heard: Sequence[Interval], begin: Instant, end: Instant) -> list[Unheard]:
    """Return the parts of a window that lie in no interval."""
    found = []
    at = begin.tai_us
    for one in [*heard, None]:
        stop = end.tai_us if one is None else min(one.begin_us, end.tai_us)
        if stop > at:
            found.append(_part(books, hears, heard, Instant(at), Instant(stop)))
        if one is not None:
            at = max(at, one.end_us)
    return found


def _part(books: _Books, hears: Coverage, heard: Sequence[Interval], begin: Instant, end: Instant) -> Unheard:
    """Return a part of a window with the reason why it was not heard."""
    survey = text(books.survey)
    before = [one for one in heard if one.end_us < end.tai_us]
    after = [one for one in heard if one.begin_us > begin.tai_us]
    if not after and before:
        until = utc(Instant(before[-1].end_us))
        said = f"the latest visit of {survey} in the ledger is of {until}: whether it observed after that is not known"
    elif not before and after:
        said = f"{survey} is heard in full since {utc(Instant(after[0].begin_us))}: where it searched before that is not known"
    elif not heard:
        said = f"no visit of {survey} is in the ledger: none is complete yet, or its packets do not name their visits"
    else:
        said = f"{survey} was not heard in full from {utc(begin)} to {utc(end)}: where it searched then is not known"
    nights = range(night_of(begin.tai_us), night_of(end.tai_us) + 1)
    gone = [night for night in nights if night in books.deleted - books.with_rows and books.is_missing(night)]
    if gone:
        said += f"; the alerts and the ledger of {_named(gone)} were deleted"
    return Unheard(begin=begin, end=end, reason=said + _filtered(books, hears, nights) + _gap(books, begin, end))


def _filtered(books: _Books, hears: Coverage, nights: Iterable[int]) -> str:
    """Return which filtered streams alone brought alerts of some nights, to end a sentence with."""
    by_topic = {topic: one for one in hears.streams if one.survey == books.survey for topic, _ in one.topics}
    some: list[int] = []
    names: set[str] = set()
    for night in nights:
        note = books.notes.get(night)
        topics = [topic for topic, is_full in note.topics.get(books.survey, {}).items() if not is_full] if note else []
        if note and topics and not any(one.survey == books.survey for one in note.spans):
            some.append(night)
            for topic in topics:
                one = by_topic.get(topic)
                cuts = f" ({one.selection.cuts})" if one and one.selection.cuts else ""
                names.add(f"{one.name}{cuts}" if one else f"the topic {topic}" if topic else "alerts without a topic")
    return f"; {_named(some)} only through {', '.join(sorted(names))}" if some else ""


def _gap(books: _Books, begin: Instant, end: Instant) -> str:
    texts = sorted({gap.text for gap in books.gaps if begin <= gap.at <= end.plus_s(LATE_S)})
    return "".join(f"; {text(one)}" for one in texts[:_NAMED])


def _lost_in(books: _Books, begin: Instant, end: Instant) -> list[Unheard]:
    """Return the nights within a window in which messages were lost, in part."""
    found = []
    for topic in books.topics:
        for _, span in books.spans(topic):
            if span.first_us > end.tai_us or span.last_us < begin.tai_us:
                continue
            found += [
                Unheard(
                    begin=Instant(span.first_us),
                    end=Instant(span.last_us),
                    reason=f"alerts were lost, so a visit may look unsearched: {text(gap.text)}",
                )
                for gap in books.gaps
                if _meets(gap, span, span)
            ]
    return found


def _named(nights: Sequence[int]) -> str:
    if len(nights) == 1:
        return f"the night {night_name(nights[0])}"
    if len(nights) <= _NAMED:
        return f"the nights {', '.join(night_name(night) for night in nights)}"
    return f"{len(nights)} nights from {night_name(nights[0])} to {night_name(nights[-1])}"
