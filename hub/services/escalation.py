"""What nobody acknowledged goes to the next channel after a set time: approvals that are awaited, and retractions.

What waits is read from the rows each time: a request that awaits approval, or the requests of an event that the hub withdrew
after they were, or may have been, sent. Each such concern has a name that stays the same, and each of its steps is one row,
written in the transaction that puts its message into the outbox: so a step happens once, whoever is killed when, and however
many do this.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, NotFound
from hub.model.followup import RequestState, Submission
from hub.model.instant import Instant
from hub.model.notice import Role
from hub.model.outgoing import Outgoing, Subject
from hub.ports import Clock
from hub.services.followup_gates import BY
from hub.services.redacting import redacted
from hub.storage import escalation as storage
from hub.storage import followup, followup_log, outbox, privacy
from hub.storage.engine import Store
from hub.storage.escalation import Acknowledgement, EscalationStep
from hub.storage.followup_log import LogEntry
from hub.storage.privacy import PrivateKind
from hub.storage.writing import hold
from hub.telemetry import get_logger

MEDIA_TYPE = "text/plain"
"""Of every message: it is for people."""

LOOKED_BACK_S = 60 * 86_400.0
"""Retractions of requests that were made before are nobody's concern any more, seconds: the latest look is a month later."""

LONGEST_REASON = 1000
"""Most characters of a person's reason."""

_log = get_logger("escalation")


class ConcernKind(StrEnum):
    """Why somebody is needed."""

    APPROVAL = "approval"
    RETRACTION = "retraction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something that waits for a person."""

    name: str
    """Stays the same as long as it is the same wait."""

    kind: ConcernKind
    event_id: str
    opened_at: Instant
    submissions: tuple[Submission, ...]
    """The request that awaits approval, or all of an event that were withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationSettings:
    """Section ``[escalation]``."""

    channels: tuple[str, ...] = ()
    """Destinations, in order."""

    after_s: float = 900.0
    """From one to the next, seconds."""

    authority: str = "example.org/mmhub"
    """IVOA authority under which the hub publishes."""


def concerns(session: Session, now: Instant) -> list[Concern]:
    """Return what waits for somebody and was acknowledged by nobody, the oldest first."""
    found = [*_approvals(session, now), *_retractions(session, now)]
    known = storage.acknowledged(session, [one.name for one in found])
    return sorted((one for one in found if one.name not in known), key=lambda one: (one.opened_at, one.name))


def alarms(session: Session, now: Instant) -> list[str]:
    """Return a sentence for each concern of which every channel was told in vain."""
    waiting = concerns(session, now)
    steps = storage.last_steps(session, [one.name for one in waiting])
    return [
        f"nobody has acknowledged the {one.kind} that {_what(one)} waits for: all {step.number - 1} channels were told;"
        f" `mmhub followup ack {one.submissions[0].intent.intent_id} --by PERSON`"
        for one in waiting
        if (step := steps.get(one.name)) is not None and not step.channel
    ]


def acknowledge_in(session: Session, intent_id: str, *, actor: str, now: Instant, reason: str = "") -> list[str]:
    """Write down that a person has taken note of what waits because of a request, in the caller's transaction.

    That is its approval, and the retraction of its event with all requests that this withdrew. Returns the kinds of what waited.

    Raises
    ------
    NotFound
        There is no such request.
    InvalidRequest
        Nothing waits because of it; the reason is too long.
    """
    if len(reason) > LONGEST_REASON:
        raise InvalidRequest(f"a reason has at most {LONGEST_REASON} characters", field="reason")
    if followup.get(session, intent_id) is None:
        raise NotFound(f"there is no follow-up request {intent_id}")
    why = str(redacted(reason))
    waiting = [one for one in concerns(session, now) if any(each.intent.intent_id == intent_id for each in one.submissions)]
    if not waiting:
        raise InvalidRequest(f"nothing about the request {intent_id} waits to be acknowledged")
    for one in waiting:
        hold(session, _held(one.name))
        storage.acknowledge(session, Acknowledgement(concern=one.name, at=now, actor=actor, reason=why))
        network = one.submissions[0].intent.network
        detail = {"reason": why, "concern": one.name}
        entry = LogEntry(at=now, actor=actor, action="acknowledge", intent_id=intent_id, network=network, detail=detail)
        followup_log.append(session, entry)
    return [one.kind.value for one in waiting]


class Escalation:
    """Tells one channel after the other, outside of any transaction of others."""

    def __init__(self, store: Store, clock: Clock, settings: EscalationSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings

    def step(self) -> int:
        """Take each concern that is due one step further; return how many steps were written."""
        if not self._settings.channels:
            return 0
        now = self._clock()
        with self._store.reading() as session:
            due = [one.name for one in self._due(session, now)]
        return sum(self._take(name) for name in due)

    def _take(self, name: str) -> bool:
        """Write the next step of a concern, where it is still due in the transaction that writes it."""
        with self._store.transaction() as session:
            hold(session, _held(name))
            now = self._clock()
            one = next((each for each in self._due(session, now) if each.name == name), None)
            if one is None:
                return False
            last = storage.last_steps(session, [name]).get(name)
            number = 1 if last is None else last.number + 1
            channels = self._channels(session, one)
            channel = channels[number - 1] if number <= len(channels) else ""
            if not storage.add_step(session, EscalationStep(concern=name, number=number, at=now, channel=channel)):
                return False
            if channel:
                outbox.put(session, self._message(session, one, number, channels, now))
            else:
                detail = {"concern": name, "reason": "every channel was told, and nobody has acknowledged it"}
                intent = one.submissions[0].intent
                entry = LogEntry(
                    at=now,
                    actor="hub",
                    action="escalation ended",
                    intent_id=intent.intent_id,
                    network=intent.network,
                    detail=detail,
                )
                followup_log.append(session, entry)
        if channel:
            _log.warning("waits for somebody", concern=name, channel=channel, step=number)
        else:
            _log.error("nobody acknowledged it", concern=name, channels=number - 1)
        return True

    def _due(self, session: Session, now: Instant) -> list[Concern]:
        waiting = concerns(session, now)
        steps = storage.last_steps(session, [one.name for one in waiting])
        return [
            one
            for one in waiting
            if (last := steps.get(one.name)) is None or (last.channel and now.minus(last.at) >= self._settings.after_s)
        ]

    def _channels(self, session: Session, concern: Concern) -> list[str]:
        """Return the channels that may be told of something: of what is private to a group only those of that group."""
        return [name for name in self._settings.channels if _known_to(session, name, concern)]

    def _message(self, session: Session, concern: Concern, number: int, channels: Sequence[str], now: Instant) -> Outgoing:
        known = replace(concern, submissions=_known_to(session, channels[number - 1], concern))
        return Outgoing(
            ivorn=f"ivo://{self._settings.authority}/escalation#{concern.name}/{number}",
            media_type=MEDIA_TYPE,
            payload="\n".join(_lines(known, number, len(channels))).encode("utf-8", "backslashreplace"),
            destination=channels[number - 1],
            subject=Subject.ESCALATION,
            key=concern.event_id,
            role=Role.OBSERVATION,
            cites=(),
            created_at=now,
        )


def _approvals(session: Session, now: Instant) -> Iterable[Concern]:
    for one in followup.in_states(session, [RequestState.AWAITING_APPROVAL]):
        if now >= one.intent.window_end:
            continue  # it lapses by itself
        since = one.transitions[-1]
        for step in reversed(one.transitions):
            if step.state is not RequestState.AWAITING_APPROVAL:
                break
            since = step
        yield Concern(
            name=f"approval/{one.intent.intent_id}/{since.number}",
            kind=ConcernKind.APPROVAL,
            event_id=one.intent.event_id,
            opened_at=since.at,
            submissions=(one,),
        )


def _retractions(session: Session, now: Instant) -> Iterable[Concern]:
    of_event: dict[str, list[tuple[Instant, Submission]]] = {}
    for one in storage.withdrawn_since(session, now.plus_s(-LOOKED_BACK_S)):
        if (at := _withdrawn_at(one)) is not None:
            of_event.setdefault(one.intent.event_id, []).append((at, one))
    for event_id, found in of_event.items():
        yield from _not_covered(session, event_id, found)


def _not_covered(session: Session, event_id: str, found: Sequence[tuple[Instant, Submission]]) -> Iterable[Concern]:
    """Yield the retraction of an event with the requests that were withdrawn after somebody took note of it last."""
    number = 1
    left = list(found)
    while left:
        name = f"retraction/{event_id}/{number}"
        noted = storage.acknowledged(session, [name]).get(name)
        if noted is None:
            yield Concern(
                name=name,
                kind=ConcernKind.RETRACTION,
                event_id=event_id,
                opened_at=min(at for at, _ in left),
                submissions=tuple(one for _, one in left),
            )
            return
        left = [(at, one) for at, one in left if at > noted.at]
        number += 1


def _withdrawn_at(submission: Submission) -> Instant | None:
    """Return when the hub withdrew a request that had been sent, or may have been; None where it did not."""
    steps = submission.transitions
    return next((s.at for s in steps if s.state is RequestState.CANCEL_REQUESTED and s.detail.get(BY) == "hub"), None)


def _known_to(session: Session, channel: str, concern: Concern) -> tuple[Submission, ...]:
    """Return the requests of a concern that a channel may be told of."""
    who = (PrivateKind.DESTINATION, channel)
    found = []
    for one in concern.submissions:
        intent = one.intent
        about = {"event_id": intent.event_id, "network": intent.network, "target": intent.target, "within": intent.group}
        if privacy.may_know(session, who, **about):
            found.append(one)
    return tuple(found)


def _held(name: str) -> str:
    return f"escalation {name}"


def _what(concern: Concern) -> str:
    intent = concern.submissions[0].intent
    if concern.kind is ConcernKind.APPROVAL:
        return f"the request {intent.intent_id}"
    return f"the event {_line(concern.event_id)}"


def _line(words: str) -> str:
    return " ".join(words.split())


def _lines(concern: Concern, number: int, n_channels: int) -> list[str]:
    intent = concern.submissions[0].intent
    if concern.kind is ConcernKind.APPROVAL:
        said = [
            f"Approval needed: {_line(intent.target)} of {_line(intent.event_id)} at {intent.network}",
            "",
            f"Request {intent.intent_id}: {_line(intent.purpose)}, {_line(intent.reason)}",
            f"Its window ends {intent.window_end.to_utc_iso()}.",
            f"Approve: mmhub followup approve {intent.intent_id} --by PERSON",
        ]
    else:
        said = [f"Retracted: {_line(concern.event_id)}, after telescopes were asked", ""]
        said += [f"Request {one.intent.intent_id} at {one.intent.network}: {one.state}" for one in concern.submissions]
    return [
        *said,
        f"Take note: mmhub followup ack {intent.intent_id} --by PERSON",
        "",
        f"Waiting since {concern.opened_at.to_utc_iso()}; channel {number} of {n_channels}.",
    ]
