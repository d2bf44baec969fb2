"""A coincidence version becomes messages in the outbox: one for each destination, in its format."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, Coincidence, MemberKind, PairState
from hub.model.event import Event, believed
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind
from hub.model.outgoing import Outgoing, Subject
from hub.model.sky import WHOLE_SKY_ID, Localization
from hub.ports import Announcement, Renderer
from hub.services.routes import Route
from hub.storage import announced, outbox, privacy

OBJECT_RADIUS_DEG = 1.0 / 3600.0
"""Stated error of a survey object's position: generous against the 0.1 arcsec of Rubin and ZTF astrometry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementSettings:
    """Section ``[announce]``, as far as this service needs it."""

    authority: str
    """IVOA authority under which the hub publishes, e.g. ``example.org/mmhub``."""

    enabled: bool = True
    """Whether anything leaves at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was put into the outbox because of a version."""

    messages: tuple[Outgoing, ...] = ()
    """One for each destination; none where nothing leaves."""

    instead_of: tuple[str, ...] = ()
    """Ids of the other coincidences whose messages it supersedes."""


class Announcements:
    """Renders what changed and puts it into the outbox, in the caller's transaction."""

    def __init__(self, *, settings: AnnouncementSettings, routes: Sequence[Route]) -> None:
        self._settings = settings
        self._routes = tuple(routes)

    def ivorn(self, coincidence_id: str, version: int) -> str:
        """Return the deterministic ivorn of a coincidence version."""
        return f"ivo://{self._settings.authority}/coincidence#{coincidence_id}.v{version}"

    def announce(
        self,
        session: Session,
        coincidence: Coincidence,
        *,
        events: tuple[Event, ...],
        localizations: tuple[Localization | None, ...],
        candidate: Candidate | None,
        stands_for: Sequence[Coincidence] = (),
    ) -> Sent:
        """Put a coincidence version into the outbox for each destination; return what was put there, which may be nothing.

        An open live pair is announced and supersedes our former message, and those about the coincidences that it stands for:
        another trigger of the same burst, say. A pair that is withdrawn, that turned out to be no live one, or that is held
        back, retracts our former message, wherever one about the pair was sent to; where there is none, or another one has
        superseded it, nothing leaves.
        Announcing a version twice makes no second message.

        Parameters
        ----------
        session
            Of the transaction that stores the version.
        coincidence
            The version.
        events, localizations
            Its events, and the place of each.
        candidate
            Its object, where it has one.
        stands_for
            Newest versions of others of the same occurrence of which a message stands.
        """
        former = self._former(session, coincidence)
        is_retraction = not stands(coincidence)
        if not self._settings.enabled:
            return Sent()
        if is_retraction and (former is None or _retracts(former) or _is_superseded(session, coincidence)):
            return Sent()
        ivorn = self.ivorn(coincidence.coincidence_id, coincidence.version)
        cites = tuple(
            Citation(ivorn=name, kind=CiteKind.FOLLOWUP)
            for name in dict.fromkeys(notice_ivorn(event, self._settings.authority) for event in events)
        )
        taken_over = {} if is_retraction else self._taken_over(session, coincidence, stands_for)
        kind = CiteKind.RETRACTION if is_retraction else CiteKind.SUPERSEDES
        own = former
        if former is not None and taken_over and (_retracts(former) or _is_superseded(session, coincidence)):
            own = None  # it stands no more, and what this one follows are those that do
        replaced = [one.ivorn for one in (own, *taken_over.values()) if one is not None]
        cites = (*(Citation(ivorn=name, kind=kind) for name in replaced), *cites)
        ra_deg, dec_deg, radius_deg = _place(events, localizations, candidate)
        announcement = Announcement(
            coincidence=coincidence,
            ivorn=ivorn,
            cites=cites,
            is_retraction=is_retraction,
            author_ivorn=f"ivo://{self._settings.authority}",
            member_facts=(*(event_facts(event) for event in events), *_object_facts(candidate)),
            ra_deg=ra_deg,
            dec_deg=dec_deg,
            radius_deg=radius_deg,
            issued_at=coincidence.created_at,
        )
        messages = self._messages(announcement, self._routes_of(session, announcement))
        for outgoing in messages:
            outbox.put(session, outgoing)
        return Sent(messages=messages, instead_of=tuple(taken_over) if messages else ())

    def _taken_over(self, session: Session, coincidence: Coincidence, stands_for: Sequence[Coincidence]) -> dict[str, Outgoing]:
        """Return the messages that one about a pair supersedes besides its own former one, by their coincidences.

        One that was sent to somebody who gets retractions, but no coincidences any more, is left to be retracted.
        """
        has_object = any(member.kind is MemberKind.OBJECT for member in coincidence.members)
        subject = Subject.CANDIDATE if has_object else Subject.COINCIDENCE
        reached = {route.destination for route in self._routes if subject in route.subjects}
        others = {route.destination for route in self._routes if Subject.RETRACTION in route.subjects} - reached
        found = {}
        for one in stands_for:
            last = self._former(session, one, below=one.version + 1)
            if last is not None and not _retracts(last) and not others & self._told(session, one, below=one.version + 1):
                found[one.coincidence_id] = last
        return found

    def _routes_of(self, session: Session, announcement: Announcement) -> list[Route]:
        """Return who wants it and may know of it; a retraction only those who were told of the pair."""
        wanted = [route for route in self._routes if announcement.subject in route.subjects]
        if not wanted:
            return wanted
        if not announcement.is_retraction:
            return _who_may_know(session, announcement.coincidence, wanted)
        pair = announcement.coincidence
        told = self._told(session, pair, below=pair.version)
        return [route for route in wanted if route.destination in told]

    def _told(self, session: Session, coincidence: Coincidence, *, below: int) -> frozenset[str]:
        """Return the destinations of all messages about a pair below a version."""
        earlier = [self.ivorn(coincidence.coincidence_id, version) for version in range(1, below)]
        return outbox.destinations_told(session, earlier)

    def _messages(self, announcement: Announcement, routes: Sequence[Route]) -> tuple[Outgoing, ...]:
        rendered: dict[Renderer, bytes] = {}  # routes of one format share their renderer
        for route in routes:
            if route.renderer not in rendered:
                rendered[route.renderer] = route.renderer.render(announcement)
        return tuple(
            Outgoing(
                ivorn=announcement.ivorn,
                media_type=route.renderer.media_type,
                payload=rendered[route.renderer],
                destination=route.destination,
                subject=announcement.subject,
                key=announcement.key,
                role=announcement.role,
                cites=announcement.cites,
                created_at=announcement.issued_at,
            )
            for route in routes
        )

    def _former(self, session: Session, coincidence: Coincidence, *, below: int | None = None) -> Outgoing | None:
        """Return the last message about a pair below a version, its own if none is given."""
        for version in range((below or coincidence.version) - 1, 0, -1):
            found = outbox.get(session, self.ivorn(coincidence.coincidence_id, version))
            if found is not None:
                return found.outgoing
        return None


def _who_may_know(session: Session, pair: Coincidence, routes: Sequence[Route]) -> list[Route]:
    """Return the routes of the group that all of a pair is private to; all of them where it is private to nobody."""
    events = [member.id for member in pair.members if member.kind is MemberKind.EVENT]
    surveys = [member.id.partition(":")[0] for member in pair.members if member.kind is MemberKind.OBJECT]
    may = {group: privacy.is_seen(session, [group], events, surveys) for group in {route.group for route in routes}}
    return [route for route in routes if may[route.group]]


def stands(coincidence: Coincidence) -> bool:
    """Tell whether a version is one that the world may know of: open, live and not held back."""
    return coincidence.state is PairState.OPEN and coincidence.is_live and not coincidence.held_back


def notice_ivorn(event: Event, authority: str) -> str:
    """Return what an event is cited by: its newest ivorn, or this hub's own name of its newest notice."""
    return _ivorn(event) or f"ivo://{authority}/notice#{event.current.notice_id}"


def _retracts(outgoing: Outgoing) -> bool:
    return any(cite.kind is CiteKind.RETRACTION for cite in outgoing.cites)


def _is_superseded(session: Session, coincidence: Coincidence) -> bool:
    """Tell whether the message about another coincidence took the place of our last word about a pair."""
    spent = announced.of_ids(session, [coincidence.coincidence_id]).get(coincidence.coincidence_id)
    return spent is not None and spent.superseded_by is not None


def _place(
    events: tuple[Event, ...], localizations: tuple[Localization | None, ...], candidate: Candidate | None
) -> tuple[float | None, float | None, float | None]:
    if candidate is not None:
        return candidate.ra_deg, candidate.dec_deg, OBJECT_RADIUS_DEG
    places = zip(events, localizations, strict=True)
    known = [(event, place) for event, place in places if place is not None and place.localization_id != WHOLE_SKY_ID]
    if not known:
        return None, None, None
    event, best = min(known, key=lambda pair: (pair[1].summary.area90_deg2, pair[0].event_id))
    radius = math.sqrt(best.summary.area90_deg2 / math.pi)
    if event.position is not None:
        return event.position.ra_deg, event.position.dec_deg, radius
    return best.summary.peak_ra_deg, best.summary.peak_dec_deg, radius


def _ivorn(event: Event) -> str | None:
    """Return the ivorn of the newest notice that has one and is believed; notices in JSON have none."""
    said = believed([version.stored for version in event.versions])
    return next((stored.notice.ivorn for stored in reversed(said) if stored.notice.ivorn), None)


def event_facts(event: Event) -> dict[str, Any]:
    """Return what a message says of an event."""
    position = event.position
    return {
        "id": event.event_id,
        "kind": "event",
        "messenger": event.messenger.value,
        "mission": event.mission,
        "t0": _text(event.t0),
        "ivorn": _ivorn(event),
        "ra_deg": position.ra_deg if position else None,
        "dec_deg": position.dec_deg if position else None,
        "far_hz": event.far_hz,
        "state": event.state.value,
    }


def _object_facts(candidate: Candidate | None) -> tuple[dict[str, Any], ...]:
    if candidate is None:
        return ()
    return (
        {
            "id": f"{candidate.survey}:{candidate.object_id}",
            "kind": "object",
            "survey": candidate.survey,
            "t0": _text(candidate.first_detection),
            "ivorn": None,
            "ra_deg": candidate.ra_deg,
            "dec_deg": candidate.dec_deg,
            "n_detections": candidate.n_detections,
            "level": candidate.level,
        },
    )


def _text(instant: Instant | None) -> str | None:
    return instant.to_utc_iso() if instant else None
