"""Keeps sources equal to the pure function of the events and of what persons said.

A burst of one mission has no row. What has changed is found by reading; only where something has to be written is a transaction
opened, in which it is found again, for one transaction after the other changes sources. Events that were brought together or
parted get a job each source, so that their pairs are evaluated again; the event whose job it is does its own.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.errors import SkymapRefused
from hub.model.event import Event
from hub.model.notice import Messenger
from hub.model.sky import Localization, LocalizationSource
from hub.model.source import Source, Word
from hub.ports import Clock
from hub.science.association import Sighting, associate, link, sighting
from hub.science.association_policy import AssociationPolicy
from hub.science.combined import combined
from hub.science.event_names import keys_of
from hub.services.maps import MapCache
from hub.storage import circulars, events, localizations, sources
from hub.telemetry import get_logger

log = get_logger(__name__)

NO_PRODUCT = "; together they leave no place, so it is the smallest of them"
"""Said of a source where the localizations that were to be combined cannot be."""

MAX_TOGETHER = 2_000
"""Events that hang together before the hub stops following links: more is a fault of a rule, and must not stop everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What must be written so that sources are what they should be."""

    sources: tuple[tuple[Source, str], ...]
    """Each with what is different, a sentence. Those without members are no more."""

    event_ids: frozenset[str]
    """Events of which the source has changed, one for each source."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Association:
    """Finds and writes sources."""

    policy: AssociationPolicy
    maps: MapCache
    clock: Clock

    def is_due(self, session: Session, event: Event | None) -> bool:
        """Return whether the sources around an event are not what they should be."""
        return (
            event is not None
            and event.messenger is Messenger.EM
            and bool(self._changes(session, [event.event_id], [event]).sources)
        )

    def update(self, session: Session, event_ids: Collection[str], because: str = "") -> frozenset[str]:
        """Write the sources around some events as they should be.

        Parameters
        ----------
        session
            Of a transaction.
        event_ids
            Electromagnetic events.
        because
            What a person said, where that is the reason.

        Returns
        -------
        frozenset of str
            Events of which the source has changed, one for each source: their pairs must be evaluated again.
        """
        sources.associate(session)
        changes = self._changes(session, event_ids)
        for found, change in changes.sources:
            source = self._with_place(session, found)
            sources.save(session, source, f"{change}; {because}" if because else change, self.clock())
            log.info("source", id=source.source_id, members=source.event_ids)
        return changes.event_ids

    def _changes(self, session: Session, event_ids: Collection[str], known: Sequence[Event] = ()) -> Changes:
        found = self._together(session, event_ids, known)
        if not found.sightings:
            return Changes(sources=(), event_ids=frozenset())
        overlap = _Overlap(session, self.maps)
        wanted = {one.source_id: one for one in associate(found.sightings.values(), found.words, self.policy, overlap)}
        latest = sources.latest_of(session, {*found.stored.values(), *wanted})
        stored = {name: one.source for name, one in latest.items()}
        return _compared({name: _as_placed(one, stored.get(name)) for name, one in wanted.items()}, stored)

    def _with_place(self, session: Session, source: Source) -> Source:
        """Return a source with the combined map of its members, stored, where one is to be made that was not made before."""
        if not source.combined_ids or source.localization_id != source.combined_ids[0]:
            return source
        if source.localization_origin.endswith(NO_PRODUCT):
            return source
        maps = self.maps.localizations(session, source.combined_ids)
        try:
            made = combined([one.skymap for one in maps.values()])
        except SkymapRefused:
            return replace(source, localization_origin=source.localization_origin + NO_PRODUCT)
        place = Localization(
            localization_id=made.skymap.digest(),
            source=LocalizationSource.COMBINED,
            skymap=made.skymap,
            summary=made.summary,
            remarks=(f"The place of the burst {source.source_id}: {source.localization_origin}.", *made.remarks),
        )
        localizations.save(session, place)
        return replace(source, localization_id=place.localization_id)

    def _together(self, session: Session, event_ids: Collection[str], read: Sequence[Event]) -> "_Together":
        """Return all events that anything links with some events, directly or through others; some were read already."""
        overlap = _Overlap(session, self.maps)
        known: dict[str, Sighting] = {}
        seen = self._seen(session, read)
        words: dict[int, Word] = {}
        stored: dict[str, str] = {}
        frontier = set(event_ids)
        while frontier and len(known) < MAX_TOGETHER:
            fresh = self._sightings(session, frontier - set(seen))
            seen |= fresh
            reached = {name: seen[name] for name in frontier if name in seen}
            known |= reached
            said = sources.words_about(session, reached)
            words |= {word.number: word for word in said}
            theirs = self._companions(session, reached)
            stored |= theirs.stored
            bound = {*theirs.event_ids, *(name for word in said for name in (word.first, word.second))} - set(known)
            others = self._sightings(session, self._candidates(session, reached) - set(seen) - bound)
            seen |= others
            linked = {
                name
                for name, one in seen.items()
                if name not in known and any(link(one, other, self.policy, overlap) is not None for other in reached.values())
            }
            frontier = bound | linked
        return _Together(sightings=known, words=tuple(words.values()), stored=stored)

    def _companions(self, session: Session, event_ids: Collection[str]) -> "_Companions":
        """Return who shares a source with some events as it is written down."""
        theirs = sources.source_ids(session, event_ids)
        listed = sources.members(session, theirs.values()) if theirs else {}
        stored = {name: source_id for source_id, names in listed.items() for name in names}
        return _Companions(event_ids=set(stored), stored=stored)

    def _candidates(self, session: Session, reached: Mapping[str, Sighting]) -> set[str]:
        """Return the ids of all events that may be linked with some events."""
        spans = [
            (one.t0.plus_s(-self.policy.widest_s), one.t0.plus_s(self.policy.widest_s), one.mission)
            for one in reached.values()
            if one.t0 is not None and not one.is_void
        ]
        found = sources.near(session, spans)
        found |= {name for one in reached.values() for name in one.cites}
        found |= sources.citing(session, reached)
        named = {name for one in reached.values() for name in one.designations}
        if named:
            texts = circulars.names_beside(session, named)
            keys = named | {key for text in texts if self.policy.is_of_one_burst(text) for key in text}
            found |= {name for names in circulars.events_named(session, sorted(keys)).values() for name in names}
        return found

    def _sightings(self, session: Session, event_ids: Collection[str]) -> dict[str, Sighting]:
        """Return what counts of some events; what is no electromagnetic one is passed over."""
        return self._seen(session, events.of_ids(session, list(event_ids)) if event_ids else ())

    def _seen(self, session: Session, found: Sequence[Event]) -> dict[str, Sighting]:
        found = [one for one in found if one.messenger is Messenger.EM]
        if not found:
            return {}
        cited = sources.cited_by(session, [one.event_id for one in found])
        areas = localizations.areas(session, {one.localization_id for one in found if one.localization_id is not None})
        keys = {one.event_id: set(keys_of([one.event_id, *one.aliases])) for one in found}
        texts = circulars.names_beside(session, {key for own in keys.values() for key in own})
        texts = [text for text in texts if self.policy.is_of_one_burst(text)]
        return {
            one.event_id: sighting(
                one,
                self.policy,
                area90_deg2=areas.get(one.localization_id or ""),
                stated_names={key for text in texts if text & keys[one.event_id] for key in text},
                cites=cited.get(one.event_id, ()),
            )
            for one in found
        }

    @staticmethod
    def _area(session: Session, event: Event) -> float | None:
        if event.localization_id is None:
            return None
        summary = localizations.summary(session, event.localization_id)
        return None if summary is None else summary.area90_deg2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Together:
    """Events that hang together."""

    sightings: Mapping[str, Sighting]
    words: tuple[Word, ...]
    stored: Mapping[str, str]
    """The source of each that shares one, as it is written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Companions:
    """Who shares a source with some events."""

    event_ids: set[str]
    stored: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Overlap:
    """Overlap integrals by the ids of localizations."""

    session: Session
    maps: MapCache

    def __call__(self, a: str, b: str) -> float:
        return self.maps.overlap(self.maps.localization(self.session, a), self.maps.localization(self.session, b))


def _as_placed(source: Source, former: Source | None) -> Source:
    """Return a source with the combined map that it has already, where that is of the same localizations."""
    if not source.combined_ids or former is None or former.combined_ids != source.combined_ids:
        return source
    refused = NO_PRODUCT if former.localization_id == source.localization_id else ""
    return replace(source, localization_id=former.localization_id, localization_origin=source.localization_origin + refused)


def _compared(wanted: Mapping[str, Source], stored: Mapping[str, Source]) -> Changes:
    """Return what must be written, and one event of each source that changed."""
    home = {name: one for one in wanted.values() for name in one.event_ids}
    gone: list[tuple[Source, str]] = []
    changed: list[tuple[Source, str]] = []
    moved: set[str] = set()
    for source_id, former in sorted(stored.items()):
        now = wanted.get(source_id)
        if len(former.members) > 1 and (now is None or len(now.members) < 2):
            gone.append(_ended(former, now, home))
            moved.update(former.event_ids)
    for source_id, one in sorted(wanted.items()):
        before = stored.get(source_id)
        if len(one.members) > 1 and before != one:
            changed.append((one, _change(before, one)))
            moved.update(one.event_ids, before.event_ids if before is not None else ())
    representatives = {home[name].source_id if name in home else name for name in moved}
    return Changes(sources=(*gone, *changed), event_ids=frozenset(representatives))


def _ended(former: Source, now: Source | None, home: Mapping[str, Source]) -> tuple[Source, str]:
    """Return a source that has no second member any more, with what became of it."""
    if now is not None:
        return now, f"all others left: {', '.join(name for name in former.event_ids if name not in now.event_ids)}"
    owner = home.get(former.source_id)
    became = f"part of {owner.source_id} now" if owner is not None else "no more"
    return replace(former, members=(), links=()), became


def _change(former: Source | None, now: Source) -> str:
    """Return in a sentence what is different."""
    before = set(former.event_ids) if former is not None else set()
    joined = [name for name in now.event_ids if name not in before]
    left = sorted(before - set(now.event_ids))
    if not before:
        return f"one burst: {', '.join(now.event_ids)} ({'; '.join(one.reason for one in now.links)})"
    parts = [f"joined: {', '.join(joined)} ({_reasons_of(now, joined)})"] if joined else []
    parts += [f"left: {', '.join(left)}"] if left else []
    return "; ".join(parts) or "what its members say has changed"


def _reasons_of(source: Source, names: Iterable[str]) -> str:
    wanted = set(names)
    return "; ".join(one.reason for one in source.links if wanted & {one.first, one.second})
