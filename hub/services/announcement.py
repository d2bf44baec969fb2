"""A coincidence version becomes messages in the outbox: one for each destination, in its format."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, Coincidence, PairState
from hub.model.event import Event, believed
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind
from hub.model.outgoing import Outgoing
from hub.model.sky import Localization
from hub.ports import Announcement, Renderer
from hub.services.routes import Route
from hub.storage import outbox

OBJECT_RADIUS_DEG = 1.0 / 3600.0
"""Stated error of a survey object's position: generous against the 0.1 arcsec of Rubin and ZTF astrometry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementSettings:
    """Section ``[announce]``, as far as this service needs it."""

    authority: str
    """IVOA authority under which the hub publishes, e.g. ``example.org/mmhub``."""

    enabled: bool = True
    """Whether anything leaves at all."""


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
    ) -> tuple[Outgoing, ...]:
        """Put a coincidence version into the outbox for each destination; return what was put there, which may be nothing.

        An open live pair is announced and supersedes our former message. A pair that is withdrawn, that turned out to be no live
        one, or that is held back, retracts our former message, wherever one about the pair was sent to; where there is none,
        nothing leaves.
        Announcing a version twice makes no second message.
        """
        former = self._former(session, coincidence)
        is_retraction = not stands(coincidence)
        if not self._settings.enabled:
            return ()
        if is_retraction and (former is None or _retracts(former)):
            return ()
        ivorn = self.ivorn(coincidence.coincidence_id, coincidence.version)
        cites = tuple(
            Citation(ivorn=name, kind=CiteKind.FOLLOWUP) for name in dict.fromkeys(self._notice_ivorn(event) for event in events)
        )
        if former is not None:
            kind = CiteKind.RETRACTION if is_retraction else CiteKind.SUPERSEDES
            cites = (Citation(ivorn=former.ivorn, kind=kind), *cites)
        ra_deg, dec_deg, radius_deg = _place(events, localizations, candidate)
        announcement = Announcement(
            coincidence=coincidence,
            ivorn=ivorn,
            cites=cites,
            is_retraction=is_retraction,
            author_ivorn=f"ivo://{self._settings.authority}",
            member_facts=(*(_event_facts(event) for event in events), *_object_facts(candidate)),
            ra_deg=ra_deg,
            dec_deg=dec_deg,
            radius_deg=radius_deg,
            issued_at=coincidence.created_at,
        )
        messages = self._messages(announcement, self._routes_of(session, announcement))
        for outgoing in messages:
            outbox.put(session, outgoing)
        return messages

    def _routes_of(self, session: Session, announcement: Announcement) -> list[Route]:
        """Return who wants it; a retraction only those who were told of the pair."""
        wanted = [route for route in self._routes if announcement.subject in route.subjects]
        if not announcement.is_retraction or not wanted:
            return wanted
        pair = announcement.coincidence
        earlier = [self.ivorn(pair.coincidence_id, version) for version in range(1, pair.version)]
        told = outbox.destinations_told(session, earlier)
        return [route for route in wanted if route.destination in told]

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

    def _notice_ivorn(self, event: Event) -> str:
        """Return what a member is cited by: its newest ivorn, or this hub's own name of its newest notice."""
        return _ivorn(event) or f"ivo://{self._settings.authority}/notice#{event.current.notice_id}"

    def _former(self, session: Session, coincidence: Coincidence) -> Outgoing | None:
        for version in range(coincidence.version - 1, 0, -1):
            found = outbox.get(session, self.ivorn(coincidence.coincidence_id, version))
            if found is not None:
                return found.outgoing
        return None


def stands(coincidence: Coincidence) -> bool:
    """Tell whether a version is one that the world may know of: open, live and not held back."""
    return coincidence.state is PairState.OPEN and coincidence.is_live and not coincidence.held_back


def _retracts(outgoing: Outgoing) -> bool:
    return any(cite.kind is CiteKind.RETRACTION for cite in outgoing.cites)


def _place(
    events: tuple[Event, ...], localizations: tuple[Localization | None, ...], candidate: Candidate | None
) -> tuple[float | None, float | None, float | None]:
    if candidate is not None:
        return candidate.ra_deg, candidate.dec_deg, OBJECT_RADIUS_DEG
    known = [(event, place) for event, place in zip(events, localizations, strict=True) if place is not None]
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


def _event_facts(event: Event) -> dict[str, Any]:
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
