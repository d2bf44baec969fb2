"""A person is told, once, where the hub cannot cancel a request as it should: at a network without a cancel, or that refused.

The message goes to the first channel of ``[escalation]``; the request stands in ``mmhub followup status`` until it has ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.followup import RequestState, Submission
from hub.model.instant import Instant
from hub.model.notice import Role
from hub.model.outgoing import Outgoing, Subject
from hub.ports import TelescopeNetwork
from hub.storage import outbox, privacy
from hub.storage.privacy import PrivateKind

MEDIA_TYPE = "text/plain"
"""Of the message: it is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCancel:
    """Writes the message into the outbox."""

    networks: Mapping[str, TelescopeNetwork]
    authority: str
    channel: str
    """Destination; nobody is told where it is empty."""

    def keep(self, session: Session, submission: Submission, now: Instant) -> int:
        """Write the message about a request where it is due and not there yet; return how many were written."""
        why = self.why(submission)
        if not why or not self.channel:
            return 0
        intent = submission.intent
        who = (PrivateKind.DESTINATION, self.channel)
        about = {"event_id": intent.event_id, "network": intent.network, "target": intent.target, "within": intent.group}
        if not privacy.may_know(session, who, **about):
            return 0
        said = [
            f"Cannot be cancelled: {_line(intent.target)} of {_line(intent.event_id)} at {intent.network}",
            "",
            f"Request {intent.intent_id}, there {submission.remote_id or 'under a number that nobody knows'}: {_line(why)}.",
            f"It was to be cancelled: {_line(_wish(submission))}.",
            f"Somebody has to ask {intent.network} by another way; its window ends {intent.window_end.to_utc_iso()}.",
        ]
        message = Outgoing(
            ivorn=f"ivo://{self.authority}/no-cancel#{intent.intent_id}",
            media_type=MEDIA_TYPE,
            payload="\n".join(said).encode("utf-8", "backslashreplace"),
            destination=self.channel,
            subject=Subject.ESCALATION,
            key=intent.event_id,
            role=Role.OBSERVATION,
            cites=(),
            created_at=submission.transitions[-1].at,
        )
        return int(outbox.put(session, message))

    def why(self, submission: Submission) -> str:
        """Return why a request cannot be cancelled, a sentence without its stop, or the empty text."""
        if submission.state is RequestState.CANCEL_REFUSED:
            return submission.transitions[-1].reason or "the network refused"
        network = self.networks.get(submission.intent.network)
        if submission.state is not RequestState.CANCEL_REQUESTED or network is None or network.can_cancel:
            return ""
        return f"{network.name} has no way to cancel"


def _wish(submission: Submission) -> str:
    steps = (step for step in reversed(submission.transitions) if step.state is RequestState.CANCEL_REQUESTED)
    return next((step.reason for step in steps if step.reason), "no reason is known")


def _line(words: str) -> str:
    return " ".join(words.split()).rstrip(".")
