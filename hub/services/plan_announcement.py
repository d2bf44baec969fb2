"""Requests to telescopes become messages in the outbox: what a network has, completed, or does no more, for who asked for that.

The messages follow from the steps of a request, so that computing them again makes none twice. A request that stayed in the hub,
was made of a network without telescopes, or is for no live observation has none. What was announced is taken back by a message
that retracts it, wherever it went to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.event import Event
from hub.model.followup import RequestState, Submission, Transition
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind
from hub.model.outgoing import Outgoing, Subject
from hub.ports import PlanMessage, PlanRenderer
from hub.services.announcement import AnnouncementSettings, event_facts, notice_ivorn
from hub.services.followup_gates import REPLACED_BY, why_not_asked_for
from hub.services.own_pointings import OwnPointings
from hub.services.routes import Route
from hub.services.submission import ALIVE_STATES
from hub.storage import events, followup, outbox, privacy
from hub.storage.privacy import PrivateKind

SUBMITTED, COMPLETED, CANCELLED, REPLACED = "submitted", "completed", "cancelled", "replaced"

_GIVEN_UP = frozenset({RequestState.CANCELLED, RequestState.EXPIRED, RequestState.FAILED, RequestState.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnnouncements:
    """Renders what became of requests and puts it into the outbox, in the caller's transaction."""

    settings: AnnouncementSettings
    routes: Sequence[Route]
    own: OwnPointings

    def keep(self, session: Session, submission: Submission, now: Instant) -> int:
        """Write the messages about a request that are not written yet; return how many."""
        routes = [one for one in self.routes if Subject.PLAN in one.subjects and isinstance(one.renderer, PlanRenderer)]
        if not self.settings.enabled or not routes or not self.own.of(submission):
            return 0
        event = events.get(session, submission.intent.event_id)
        if event is None:
            return 0
        n_written = 0
        former: str | None = None
        for until, word in _words(submission):
            ivorn = self.ivorn(submission.intent.intent_id, until.number)
            if outbox.get(session, ivorn) is not None:
                former = ivorn
                continue
            if former is None and (word is not SUBMITTED or why_not_asked_for(event) or now >= submission.intent.window_end):
                return 0  # who was told nothing is told of no end, and nobody is told of what is over
            wanted = [one for one in routes if _may_know(session, one, submission)] if former is None else routes
            if former is not None:
                told = outbox.destinations_told(session, [former])
                wanted = [one for one in routes if one.destination in told]
            then = Submission(intent=submission.intent, transitions=submission.transitions[: until.number])
            message = self._message(session, then, event, word, ivorn, former)
            for route in wanted:
                n_written += outbox.put(session, _outgoing(message, route))
            if not wanted:
                return n_written
            former = ivorn
        return n_written

    def ivorn(self, intent_id: str, number: int) -> str:
        """Return the deterministic ivorn of what is said of a request after a step."""
        return f"ivo://{self.settings.authority}/plan#{intent_id}.{number}"

    def _message(  # noqa: PLR0917 - of what, because of what, in which word and after what
        self, session: Session, then: Submission, event: Event, word: str, ivorn: str, former: str | None
    ) -> PlanMessage:
        last = then.transitions[-1]
        cites = [Citation(ivorn=notice_ivorn(event, self.settings.authority), kind=CiteKind.FOLLOWUP)]
        if former is not None:
            kind = CiteKind.RETRACTION if word in (CANCELLED, REPLACED) else CiteKind.SUPERSEDES
            cites.insert(0, Citation(ivorn=former, kind=kind))
        elif (replaced := self._replaced(session, then)) is not None:
            cites.insert(0, Citation(ivorn=replaced, kind=CiteKind.SUPERSEDES))
        return PlanMessage(
            ivorn=ivorn,
            author_ivorn=f"ivo://{self.settings.authority}",
            word=word,
            cites=tuple(cites),
            event_facts=event_facts(event),
            intent=then.intent,
            pointings=tuple(self.own.of(then)),
            reason=then.intent.reason
            if word is SUBMITTED
            else last.reason or f"the network says {last.remote_state or last.state}",
            issued_at=last.at,
        )

    def _replaced(self, session: Session, submission: Submission) -> str | None:
        """Return the last message about a request that this one takes the place of; None where there is none."""
        intent = submission.intent
        for other in followup.of_event(session, intent.event_id):
            if any(step.detail.get(REPLACED_BY) == intent.intent_id for step in other.transitions):
                names = [self.ivorn(other.intent.intent_id, until.number) for until, word in _words(other) if word is SUBMITTED]
                known = [name for name in names if outbox.get(session, name) is not None]
                if known:
                    return known[-1]
        return None


def _may_know(session: Session, route: Route, submission: Submission) -> bool:
    intent = submission.intent
    who = (PrivateKind.DESTINATION, route.destination)
    about = {"event_id": intent.event_id, "network": intent.network, "target": intent.target, "within": intent.group}
    return privacy.may_know(session, who, **about)


def _words(submission: Submission) -> Iterator[tuple[Transition, str]]:
    """Yield the steps that are worth a message, each with its word: the first of each kind in a row."""
    has_it, last = False, ""
    for step in submission.transitions:
        has_it = has_it or step.remote_id is not None
        if not has_it:
            continue
        if step.state in ALIVE_STATES:
            word = SUBMITTED
        elif step.state is RequestState.COMPLETED:
            word = COMPLETED
        elif step.state in _GIVEN_UP:
            is_replaced = any(REPLACED_BY in one.detail for one in submission.transitions[: step.number])
            word = REPLACED if is_replaced else CANCELLED
        else:
            continue
        if word != last:
            last = word
            yield step, word


def _outgoing(message: PlanMessage, route: Route) -> Outgoing:
    assert isinstance(route.renderer, PlanRenderer)
    return Outgoing(
        ivorn=message.ivorn,
        media_type=route.renderer.media_type,
        payload=route.renderer.render_plan(message),
        destination=route.destination,
        subject=Subject.PLAN,
        key=message.key,
        role=message.role,
        cites=message.cites,
        created_at=message.issued_at,
    )
