"""From when to when a survey was heard in full, as far as the ledgers show it: only of these times are answers to be had.

The rule: a time is known only if every offset of every full topic and partition whose alerts could belong to it, from the last
packet that was understood before it to the first one after it, was read by one source, understood, and has a row that names a
visit in this archive. So the visits that stand at the ends of what is in doubt (the last one before alerts were lost, and the
last one of all) are in doubt too: nobody knows how many of their alerts are missing.

`_doubts` goes through the partitions one by one and finds these times. Two nights of a topic are joined, with the nights and days
in between, where no doubt lies between them, and `_obstacle` finds nothing else against it: so a cloudy night was heard, and one
in which the hub listened to nothing, or to a broker's filter alone, was not. What is in doubt of the rest is known in part.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from hub.archive import layout, owner, removed, visits_file
from hub.archive.layout import night_name, night_of
from hub.archive.visits_count import NO_PLACE, SLACK_US, Span
from hub.archive.visits_file import Note
from hub.archive.visits_held import Run, merged, n_missing
from hub.archive.visits_slices import bounds
from hub.model.coverage import Coverage, SelectionKind
from hub.model.instant import Instant
from hub.services.bodies import text, utc
from hub.storage import deadletters, incidents, positions
from hub.storage.deadletters import Unread as UnreadPacket
from hub.storage.identity import known_identity

REACH = 60
"""Two nights farther apart are not joined: a silence of two months is none of the weather."""

LATE_S = 30 * 86_400.0
"""Messages that a broker lost are of exposures this much before the hub noticed, at most, where nobody knows which they were."""

MAX_UNREAD = 50_000
"""Most packets that were not understood whose places are looked at; where there are more, nothing is known for certain."""

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
    """Ascending, disjoint; they may reach beyond the window. Visits in them are told of, also where `unheard` meets them."""

    unheard: tuple[Unheard, ...]
    until: Instant | None
    """Middle of the latest visit until which any topic was heard, in the ledgers in and around the window."""

    @property
    def is_known(self) -> bool:
        """Whether any of the window was heard."""
        return bool(self.heard)

    def sure(self, window: Window) -> tuple[Interval, ...]:
        """Return of which times of the window nothing is in doubt; a visit at the edge of a doubt is in it."""
        begin, end = window[0].tai_us, window[1].tai_us
        left = [(max(one.begin_us, begin), min(one.end_us, end)) for one in self.heard]
        for one in self.unheard:
            first, last = one.begin.tai_us, one.end.tai_us
            parts = [part for low, high in left for part in ((low, min(high, first - 1)), (max(low, last + 1), high))]
            left = [(low, high) for low, high in parts if low <= high]
        return tuple(Interval(begin_us=low, end_us=high) for low, high in sorted(left))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """A gap: messages that never came."""

    at: Instant
    source: str
    topic: str | None
    partition: int | None
    offsets: tuple[int, int] | None
    """First, and one past the last; None where nobody knows."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one source has read of a partition, without a break but for gaps and what was passed over."""

    source: str
    topic_id: str
    """What the broker calls the topic; empty where it does not say."""

    first: int
    end: int
    """One past the last offset."""

    n_passed_over: int
    """Offsets that no message was at, though no gap tells of them: they may have been anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NotRead:
    """Packets that were refused or are held."""

    offsets: Mapping[tuple[str, int], Sequence[int]]
    """Where they stood, ascending, by topic and partition."""

    elsewhere: Sequence[UnreadPacket]
    """Those that do not say where they stood, or came more than once."""

    are_too_many: bool
    """Whether there are more than `MAX_UNREAD`."""

    def count(self, topic: str, partition: int, low: int, high: int, times: tuple[int, int]) -> int:
        """Return how many stood between some offsets, or may have come with exposures from a time to another."""
        if self.are_too_many:
            return MAX_UNREAD
        offsets = self.offsets.get((topic, partition), ())
        found = bisect_right(offsets, high) - bisect_left(offsets, low)
        latest = Instant(times[1]).plus_s(LATE_S)
        return found + sum(
            one.topic == topic and one.first_at <= latest and one.last_at.tai_us >= times[0] for one in self.elsewhere
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubt:
    """A time of which it is not proved that all was read, understood and kept; both ends count."""

    begin_us: int
    end_us: int
    reason: str
    is_between: bool
    """Whether it lies between two nights, or before the first one: what came by then may be of any visit, and is no silence."""

    def parts(self, first_us: int, last_us: int) -> bool:
        """Return whether it parts what was heard until a time from what was heard since another."""
        return self.is_between and self.begin_us <= first_us and self.end_us >= last_us


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """All that is known of a survey's nights in and around a window."""

    survey: str
    topics: Mapping[str, Instant]
    notes: Mapping[int, Note]
    with_rows: frozenset[int]
    deleted: frozenset[int]
    gaps: Sequence[_Lost]
    reads: Mapping[tuple[str, int], Sequence[_Read]]
    """What each source has read, by topic and partition."""

    unread: _NotRead

    removed_rows: Mapping[int, int | None]
    """How many rows of each deleted night were deleted."""

    unseen: frozenset[int]
    """Nights of which rows came, or went, since their ledger was computed."""

    held: Mapping[tuple[str, int], Sequence[Run]]
    """At which offsets there are rows of these nights, by topic and partition; none of a former topic of the same name."""

    def is_former(self, night: int, topic: str) -> bool:
        """Return whether a night's alerts may have come by a former topic of the same name: its offsets were others."""
        return _is_former(self.gaps, topic, night)

    def spans(self, topic: str) -> list[tuple[int, Span]]:
        """Return the nights that a topic brought visits of, ascending, and from when to when; none whose alerts all came late."""
        found = [
            (night, span)
            for night in sorted(self.notes)
            for span in self.notes[night].spans
            if (span.survey, span.topic) == (self.survey, topic) and self.notes[night].is_current
        ]
        remade = [gap.at.tai_us for gap in self.gaps if gap.offsets is None and gap.topic in {None, topic}]
        least: dict[int, tuple[int, int]] = {}
        kept = []
        for night, span in reversed(found):
            is_late = any(
                low > least[partition][0] and not any(span.first_us <= at <= least[partition][1] for at in remade)
                for partition, (low, _) in span.offsets.items()
                if partition in least
            )
            if not is_late:
                least |= {partition: (low, span.last_us) for partition, (low, _) in span.offsets.items()}
                kept.append((night, span))
        return kept[::-1]

    def partitions(self, topic: str) -> set[int]:
        """Return the partitions of a topic that any source is in."""
        return {partition for name, partition in self.reads if name == topic}

    def is_whole(self, night: int) -> bool:
        """Return whether every visit that a night brought is in its ledger, and will stay the only ones."""
        note = self.notes.get(night)
        if note is None or not note.is_current or not note.settled or night in self.unseen:
            return False
        return night not in self.deleted or (night not in self.with_rows and note.n_rows == self.removed_rows.get(night))

    def is_missing(self, night: int) -> bool:
        """Return whether a night has or had rows of which no ledger tells."""
        note = self.notes.get(night)
        return night in (self.with_rows | self.deleted) and (note is None or not note.is_current)

    def breaks(self, night: int, topic: str) -> bool:
        """Return whether a night shows that a topic, which brought nothing of it, was not all there was."""
        note = self.notes.get(night)
        if self.is_missing(night) or (note is not None and not self.is_whole(night)):
            return True
        topics = note.topics.get(self.survey) if note is not None else None
        return topics is not None and bool(topics) and topic not in topics


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
    if (owned := owner.owner_of(archive)) is not None and known_identity(session) not in {None, owned}:
        return Hearing(heard=(), unheard=(Unheard(begin=begin, end=end, reason=owner.foreign(archive)),), until=None)
    topics = hears.full_topics(survey)
    books = _books(session, archive, hears, survey, window)
    doubts = {topic: _doubts(books, topic) for topic in topics}
    runs = {topic: _runs(books, topic, doubts[topic]) for topic in topics}
    intervals = _union(one for found, _ in runs.values() for one in found)
    obstacles = [one for _, found in runs.values() for one in found]
    met = tuple(one for one in intervals if one.begin_us <= end.tai_us and one.end_us >= begin.tai_us)
    latest = max((span.last_us for topic in topics for _, span in books.spans(topic)), default=None)
    unheard = [
        *_parts(books, hears, intervals, obstacles, begin=begin, end=end),
        *_in_part(books, [one for found in doubts.values() for one in found], met, begin, end),
    ]
    return Hearing(
        heard=met,
        unheard=tuple(sorted(set(unheard), key=lambda one: (one.begin, one.end, one.reason))),
        until=None if latest is None else Instant(latest),
    )


def _books(session: Session, archive: Path, hears: Coverage, survey: str, window: Window) -> _Books:
    begin, end = window
    topics = hears.full_topics(survey)
    full = [one for one in hears.streams if one.survey == survey and one.selection.kind is SelectionKind.FULL]
    sources = frozenset(source for one in full for source in one.sources)
    nights = visits_file.nights(archive)
    low, high = night_of(begin.tai_us), night_of(end.tai_us)
    notes = {night: visits_file.read_note(archive, night) for night in nights if low - REACH <= night <= high + REACH}

    gaps = _gaps(session, topics, sources)
    reads = _reads(session, topics, gaps)
    sought = set(topics)
    for night in reversed([one for one in nights if one < low]):  # a survey may be silent for longer
        if not sought:
            break
        notes[night] = notes.get(night) or visits_file.read_note(archive, night)
        sought -= {one.topic for one in notes[night].spans if one.survey == survey}
    deleted = frozenset(removed.nights(archive))
    with_rows = frozenset(layout.nights(archive))
    held = [(night, one) for night, note in notes.items() if note.is_current for one in note.held if one.survey == survey]
    runs: dict[tuple[str, int], list[Run]] = {}
    for night, one in held:
        for partition, some in one.runs.items() if not _is_former(gaps, one.topic, night) else ():
            runs.setdefault((one.topic, partition), []).extend(some)
    return _Books(
        survey=survey,
        topics=topics,
        notes=notes,
        with_rows=with_rows,
        deleted=deleted,
        gaps=gaps,
        reads=reads,
        unread=_not_read(session, topics),
        removed_rows={night: removed.rows_of(archive, night) for night in deleted & notes.keys()},
        unseen=frozenset(
            night
            for night, note in notes.items()
            if night in with_rows and note.is_current and not _has_seen(archive, night, note, deleted)
        ),
        held={place: merged(some) for place, some in runs.items()},
    )


def _is_former(gaps: Iterable[_Lost], topic: str, night: int) -> bool:
    begin, _ = bounds(night)
    anew = [gap for gap in gaps if gap.topic == topic and gap.partition is not None and gap.offsets is None]
    return any(gap.at >= begin for gap in anew)


def _has_seen(archive: Path, night: int, note: Note, deleted: Collection[int]) -> bool:
    """Return whether the ledger of a night was computed from the rows that are there; one that lost rows has."""
    return night in deleted or visits_file.has_seen_all(archive, night, note)


def _gaps(session: Session, topics: Mapping[str, Instant], sources: frozenset[str]) -> list[_Lost]:
    found = []
    for told in incidents.listing(session, limit=None):
        facts = told.incident.facts
        topic = facts.get("topic")
        if told.incident.kind != "gap" or (topic not in topics if topic is not None else told.source not in sources):
            continue
        is_certain = facts.get("n_messages") is not None and {"first_offset", "end_offset"} <= facts.keys()
        found.append(
            _Lost(
                at=told.at,
                source=told.source,
                topic=topic,
                partition=facts.get("partition"),
                offsets=(int(facts["first_offset"]), int(facts["end_offset"])) if is_certain else None,
                text=told.incident.text,
            )
        )
    return found


def _reads(session: Session, topics: Mapping[str, Instant], gaps: Sequence[_Lost]) -> dict[tuple[str, int], list[_Read]]:
    found: dict[tuple[str, int], list[_Read]] = {}
    for one in positions.listing(session):
        if one.topic not in topics:
            continue
        told = sum(
            gap.offsets[1] - gap.offsets[0]
            for gap in gaps
            if gap.offsets is not None and (gap.source, gap.topic, gap.partition) == (one.source, one.topic, one.partition)
        )
        read = _Read(
            source=one.source,
            topic_id=one.topic_id,
            first=one.first_offset,
            end=one.next_offset,
            n_passed_over=max(0, one.missing - told),
        )
        found.setdefault((one.topic, one.partition), []).append(read)
    return found


def _not_read(session: Session, topics: Mapping[str, Instant]) -> _NotRead:
    packets = deadletters.unread(session, sorted(topics), MAX_UNREAD + 1)
    offsets: dict[tuple[str, int], list[int]] = {}
    elsewhere = []
    for one in packets:
        partition, _, offset = (one.position or "").removeprefix(f"{one.topic}/").partition("/")
        has_place = partition.isdecimal() and offset.isdecimal()
        if has_place:
            offsets.setdefault((one.topic, int(partition)), []).append(int(offset))
        if not has_place or one.last_at > one.first_at:
            elsewhere.append(one)
    return _NotRead(
        offsets={place: sorted(some) for place, some in offsets.items()},
        elsewhere=elsewhere,
        are_too_many=len(packets) > MAX_UNREAD,
    )


def _doubts(books: _Books, topic: str) -> list[_Doubt]:
    """Return the times of which it is not proved that all that a topic brought is in the ledgers, partition by partition."""
    spans = books.spans(topic)
    if not spans:
        return []
    times = min(spans[0][1].first_us, books.topics[topic].tai_us), max(span.last_us for _, span in spans)
    found = []
    for partition in sorted(books.partitions(topic).union(*(span.offsets for _, span in spans))):
        found += _doubts_of(books, topic, partition, [one for one in spans if partition in one[1].times], times)
    return found


def _doubts_of(
    books: _Books, topic: str, partition: int, spans: Sequence[tuple[int, Span]], times: tuple[int, int]
) -> list[_Doubt]:
    begin, end = times
    if not spans:
        never = (
            f"no alert of these nights came by partition {partition} of {text(topic)}: whether it was read in time is not known"
        )
        return [_Doubt(begin_us=begin, end_us=end, reason=never, is_between=False)]
    found = []
    before: tuple[int, Span] | None = None
    for night, span in spans:
        low, high = span.offsets[partition]
        first, last = span.times[partition]
        since = begin if before is None else before[1].times[partition][1]
        low_before = 0 if before is None else before[1].offsets[partition][1]
        nights = {night} if before is None else {before[0], night}
        # Alerts of visits that are near each other come in any order: where some are lost, the visits around them are cut.
        doubtful = (
            _edge(before[1], partition, 1) - SLACK_US if before is not None else begin,
            _edge(span, partition, 0) + SLACK_US,
        )
        if before is not None and low_before >= low:
            reason: str | None = f"alerts of partition {partition} of {text(topic)} came out of the order of their nights"
        else:
            reason = _unproved(books, topic, partition, (low_before, low), (since, first), nights)
        if reason is not None:
            found.append(_Doubt(begin_us=min(since, doubtful[0]), end_us=max(first, doubtful[1]), reason=reason, is_between=True))
        if (reason := _unproved(books, topic, partition, (low, high), (span.first_us, span.last_us), {night})) is not None:
            ends = min(span.first_us, first), max(span.last_us, last)
            found.append(_Doubt(begin_us=ends[0], end_us=ends[1], reason=reason, is_between=False))
        before = night, span
    until = spans[-1][1].times[partition][1]
    ended = (
        f"partition {partition} of {text(topic)} was read to {utc(Instant(until))} only: whether that visit was over is not known"
    )
    found.append(_Doubt(begin_us=until, end_us=max(end, until), reason=ended, is_between=False))
    return found


def _edge(span: Span, partition: int, which: int) -> int:
    """Return the time of the visit at the first (0) or at the last (1) offset of a partition, or of the one in its turn."""
    some = span.times[partition][which], span.edges.get(partition, span.times[partition])[which]
    return max(some) if which == 0 else min(some)


def _unproved(  # noqa: PLR0917 - the place, the time and the books
    books: _Books, topic: str, partition: int, offsets: tuple[int, int], times: tuple[int, int], nights: Collection[int]
) -> str | None:
    """Return why it is not proved that all from an offset to another was read, understood and kept; None where it is."""
    low, high = offsets
    where = f"partition {partition} of {text(topic)}"
    if partition == NO_PLACE:
        return f"alerts of {text(topic)} do not say at which offsets they stood: whether others were lost is not known"
    lost = sorted(gap.text for gap in books.gaps if _meets(gap, topic, partition, offsets, times))
    if lost:
        return f"alerts were lost, so a visit may look unsearched: {text(lost[0])}"
    near = [read for read in books.reads.get((topic, partition), ()) if read.first <= high and low < read.end]
    found = [read for read in near if read.first <= low and high < read.end]
    if not found:
        return f"no source alone has read {where} from offset {low} to {high}, by the books"
    if len({read.source for read in near}) > 1 and len({read.topic_id or read.source for read in near}) > 1:
        return f"several sources have read {where}, and the books do not say that it was the same topic of the same brokers"
    if least := min(read.n_passed_over for read in found):
        return f"{least} offsets of {where} were passed over without a message: whether alerts were lost is not known"
    if n := books.unread.count(topic, partition, low, high, times):
        said = "a packet" if n == 1 else f"{n} packets"
        return f"{said} of {text(topic)} could not be read, see mmhub deadletter list: what was in there is not known"
    if any(books.is_former(night, topic) for night in nights):
        return f"{text(topic)} was made anew under its name: by which of both these alerts came is not known"
    if n := n_missing(books.held.get((topic, partition), ()), low, high):
        said = "a packet" if n == 1 else f"{n} packets"
        return (
            f"{said} of {where} from offset {low} to {high} left no row with a visit in this archive: its alerts named no visit, "
            "had come before by another way, or are elsewhere"
        )
    return None


def _meets(gap: _Lost, topic: str, partition: int, offsets: tuple[int, int], times: tuple[int, int]) -> bool:
    """Return whether messages were lost between some offsets of a partition or, where nobody knows where they stood, times."""
    if gap.topic not in {None, topic} or gap.partition not in {None, partition}:
        return False
    if gap.offsets is None or gap.partition is None:
        return times[0] <= gap.at.tai_us <= Instant(times[1]).plus_s(LATE_S).tai_us
    return gap.offsets[0] <= offsets[1] and gap.offsets[1] > offsets[0]


def _runs(books: _Books, topic: str, doubts: Sequence[_Doubt]) -> tuple[list[Interval], list[Unheard]]:
    """Return the times in which a topic was heard, and why they do not go on where they end."""
    spans = books.spans(topic)
    runs: list[Interval] = []
    obstacles: list[Unheard] = []
    for index, (night, span) in enumerate(spans):
        begin = span.first_us
        if not index:
            begin = _beginning(books, topic, night, span, doubts)
        elif (reason := _obstacle(books, spans[index - 1], (night, span), doubts)) is None:
            begin = runs.pop().begin_us
        else:
            obstacles.append(Unheard(begin=Instant(runs[-1].end_us), end=Instant(begin), reason=reason))
        runs.append(Interval(begin_us=begin, end_us=max(span.last_us, begin)))
    return runs, obstacles


def _obstacle(books: _Books, before: tuple[int, Span], after: tuple[int, Span], doubts: Sequence[_Doubt]) -> str | None:
    """Return why it is not proved that a topic was read and understood from one night to the next; None where it is."""
    (first, one), (last, other) = before, after
    if last - first > REACH:
        return f"the nights {night_name(first)} and {night_name(last)} are too far apart to tell a silence from a fault"
    if open_nights := [night for night in (first, last) if not books.is_whole(night)]:
        return f"the ledger of {_named(open_nights)} is not complete"
    if any(books.breaks(night, one.topic) for night in range(first + 1, last)):
        return "a night in between did not come by this topic, or its ledger is not complete"
    return next((doubt.reason for doubt in doubts if doubt.parts(one.last_us, other.first_us)), None)


def _beginning(books: _Books, topic: str, night: int, span: Span, doubts: Sequence[_Doubt]) -> int:
    """Return from when on a topic was heard before its first visits: since its first alert, where nothing speaks against it."""
    since = books.topics[topic].tai_us
    began = night_of(since)
    if since >= span.first_us or night - began > REACH or any(books.breaks(one, topic) for one in range(began, night)):
        return span.first_us
    return span.first_us if any(one.parts(since, span.first_us) for one in doubts) else since


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    found: list[Interval] = []
    for one in sorted(intervals, key=lambda some: some.begin_us):
        if found and one.begin_us <= found[-1].end_us:
            found[-1] = Interval(begin_us=found[-1].begin_us, end_us=max(found[-1].end_us, one.end_us))
        else:
            found.append(one)
    return found


def _parts(
    books: _Books, hears: Coverage, heard: Sequence[Interval], obstacles: Sequence[Unheard], *, begin: Instant, end: Instant
) -> list[Unheard]:
    """Return the parts of a window that lie in no interval."""
    found = []
    at = begin.tai_us
    for one in [*heard, None]:
        stop = end.tai_us if one is None else min(one.begin_us, end.tai_us)
        if stop > at:
            found.append(_part(books, hears, heard, obstacles, begin=Instant(at), end=Instant(stop)))
        if one is not None:
            at = max(at, one.end_us)
    return found


def _part(
    books: _Books, hears: Coverage, heard: Sequence[Interval], obstacles: Sequence[Unheard], *, begin: Instant, end: Instant
) -> Unheard:
    """Return a part of a window with the reason why it was not heard."""
    survey = text(books.survey)
    before = [one for one in heard if one.end_us < end.tai_us]
    after = [one for one in heard if one.begin_us > begin.tai_us]
    if not after and before:
        until = utc(Instant(before[-1].end_us))
        said = f"{survey} was heard in full until {until}: where it searched after that is not known"
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
    why = sorted({one.reason for one in obstacles if one.begin < end and one.end > begin})
    said += "".join(f"; {one}" for one in why[:_NAMED])
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


def _in_part(books: _Books, doubts: Sequence[_Doubt], heard: Sequence[Interval], begin: Instant, end: Instant) -> list[Unheard]:
    """Return the times within a window, and within what was heard, that were heard in part."""
    found = [
        Unheard(begin=Instant(max(one.begin_us, some.begin_us)), end=Instant(min(one.end_us, some.end_us)), reason=one.reason)
        for one in doubts
        for some in heard
        if one.begin_us <= some.end_us and one.end_us >= some.begin_us
    ]
    for night in sorted({night for topic in books.topics for night, _ in books.spans(topic)}):
        low, high = bounds(night)
        if night in books.deleted and not books.is_whole(night):
            said = f"alerts of {_named([night])} were deleted before its ledger was complete: other visits may have been made"
            found.append(Unheard(begin=low, end=high, reason=said))
        elif night in books.unseen:
            said = f"alerts of {_named([night])} have come that its ledger does not tell of yet: other visits may have been made"
            found.append(Unheard(begin=low, end=high, reason=said))
    return [one for one in found if one.begin <= end and one.end >= begin]


def _named(nights: Sequence[int]) -> str:
    if len(nights) == 1:
        return f"the night {night_name(nights[0])}"
    if len(nights) <= _NAMED:
        return f"the nights {', '.join(night_name(night) for night in nights)}"
    return f"{len(nights)} nights from {night_name(nights[0])} to {night_name(nights[-1])}"
