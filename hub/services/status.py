"""How everything is, read from the database alone: so that it does not matter which process is asked.

Each loop of a running hub writes down how it is every few seconds (`hub.storage.components`); one that falls silent is an alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from hub.model.instant import Instant
from hub.services.alert_status import alerts_of, dated_ahead_alarm
from hub.services.bodies import Body, jsonable, source_body, text, utc
from hub.services.escalation import alarms as escalation_alarms
from hub.services.watch import law_alarms
from hub.storage import components, envelopes, incidents, positions, queues
from hub.storage.components import STOPPED, Component
from hub.storage.envelopes import SourceCounts
from hub.storage.positions import StreamPosition
from hub.storage.queues import OutboxCounts
from hub.storage.tally import tally

SILENT_AFTER_S = 60.0
"""A loop that has not reported for so long is not there any more, seconds."""

WAITS_TOO_LONG_S = 60.0
"""A message that waits for so long in the outbox is an alarm, seconds."""

SOURCE = "source/"
"""Begins the component names of sources."""

DESTINATION = "destination/"
"""Begins the component names of destinations."""

NOT_UP = (STOPPED, "failed, needs a person", "restarting")
"""States of a loop that does not do its work."""

ROWS_MISSING = "rows_missing"
"""Fact of the loop that watches: whether rows are missing that the books count."""

INCIDENTS = 20
"""Latest incidents that are shown."""


def health(session: Session, now: Instant, more: Sequence[str] = ()) -> Body:
    """Return how each source, destination and loop is, what is wrong, and how much there is of everything.

    Parameters
    ----------
    session
        Read only.
    now
        The present.
    more
        Alarms that could not be written into the database.
    """
    books = envelopes.counts(session)
    known = _present(components.listing(session))
    outgoing = queues.outbox_counts(session)
    held = queues.held_counts(session)
    law_holds = _law_holds(books, known)
    sources = _sources(books, known, held, positions.listing(session), now)
    alarms = [*more, *law_alarms(session), *_component_alarms(known, now), *_held_alarms(held), *_outbox_alarms(outgoing, now)]
    alarms += escalation_alarms(session, now)
    alarms += [alarm for one in sources for alarm in dated_ahead_alarm(one["source"], one["alerts"])]
    return {
        "status": "messages unaccounted for" if not law_holds else "alarm" if alarms else "ok",
        "law_holds": law_holds,
        "alarms": [text(alarm) for alarm in alarms],
        "sources": sources,
        "destinations": _destinations(outgoing, known, now),
        "components": [_component(one, now) for one in known if not one.name.startswith((SOURCE, DESTINATION))],
        "incidents": [
            {
                "source": text(one.source),
                "kind": one.incident.kind,
                "text": text(one.incident.text),
                "facts": jsonable(one.incident.facts),
                "at": utc(one.at),
            }
            for one in incidents.listing(session, limit=INCIDENTS)
        ],
        "counts": tally(session),
    }


def not_ready(session: Session, now: Instant, more: Sequence[str] = ()) -> list[str]:
    """Return why the hub does not do its work: a source is deaf, a loop failed or has fallen silent. None when all is well.

    What was stopped on purpose is no reason, and neither is a backlog. Parameters as of `health`.
    """
    envelopes.counts(session)  # a database that does not answer says so here
    found = _present(components.listing(session))
    reasons = [*more]
    reasons += [alarm for one in found for alarm in _alarms_of(one, now) if one.name.startswith(SOURCE) or _is_silent(one, now)]
    reasons += [
        f"{_called(one.name)} {one.state}" for one in found if one.state.startswith("failed") and not one.name.startswith(SOURCE)
    ]
    return [text(reason) for reason in dict.fromkeys(reasons)]


def forget(session: Session, name: str, now: Instant) -> list[str]:
    """Forget what has fallen silent: a loop by its name, or every loop of a process; return the names of what was forgotten."""
    found = [one for one in components.listing(session) if name in (one.name, one.instance) and _is_silent(one, now)]
    components.forget(session, [(one.name, one.instance) for one in found])
    return [one.name for one in found]


def _law_holds(books: Sequence[SourceCounts], known: Sequence[Component]) -> bool:
    """Return whether the books balance and, when that was last looked at, what they count was there."""
    return envelopes.law_holds(books) and not any(one.facts.get(ROWS_MISSING) for one in known)


def _present(known: Sequence[Component]) -> list[Component]:
    """Return the loops without those that were stopped while another process has the same."""
    running = {one.name for one in known if one.state != STOPPED}
    return [one for one in known if one.state != STOPPED or one.name not in running]


def _worst(known: Sequence[Component], prefix: str, now: Instant) -> dict[str, Component]:
    """Return the loops whose names begin with a prefix, by what follows it; of several processes' the one that is worst."""
    mine = [one for one in known if one.name.startswith(prefix)]
    mine.sort(key=lambda one: (_is_silent(one, now), one.state in NOT_UP, len(one.alarms), one.updated.tai_us))
    return {one.name.removeprefix(prefix): one for one in mine}


def _sources(
    books: Sequence[SourceCounts],
    known: Sequence[Component],
    held: dict[str, int],
    places: Sequence[StreamPosition],
    now: Instant,
) -> list[Body]:
    by_name = _worst(known, SOURCE, now)
    of_source = {one.source: one for one in books}
    found = []
    for name in sorted(by_name.keys() | of_source.keys()):
        nothing = SourceCounts(source=name, received=0, stored=0, duplicates=0, dead_letters=0, in_flight=0)
        mine = [place for place in places if place.source == name]
        found.append(
            {
                **source_body(of_source.get(name, nothing)),
                "held": held.get(name, 0),
                "partitions": len(mine),
                "offsets_missing": sum(place.missing for place in mine),
                "alerts": alerts_of(_facts_of(known, name, now)),
                "component": _component(by_name[name], now) if name in by_name else None,
            }
        )
    return found


def _facts_of(known: Sequence[Component], source: str, now: Instant) -> list[dict[str, Any]]:
    """Return what each loop of a source that is there says of itself."""
    return [one.facts for one in known if one.name == SOURCE + source and one.state != STOPPED and not _is_silent(one, now)]


def _destinations(outgoing: Sequence[OutboxCounts], known: Sequence[Component], now: Instant) -> list[Body]:
    by_name = _worst(known, DESTINATION, now)
    counts = {one.destination: one for one in outgoing}
    found = []
    for name in sorted(by_name.keys() | counts.keys()):
        nothing = OutboxCounts(destination=name, waiting=0, sent=0, failed=0, oldest_waiting_at=None, error="")
        mine = counts.get(name, nothing)
        oldest = mine.oldest_waiting_at
        found.append(
            {
                "destination": text(name),
                "waiting": mine.waiting,
                "sent": mine.sent,
                "failed": mine.failed,
                "error": text(mine.error),
                "oldest_waiting_s": None if oldest is None else round(now.minus(oldest), 3),
                "component": _component(by_name[name], now) if name in by_name else None,
            }
        )
    return found


def _component(one: Component, now: Instant) -> Body:
    return {
        "name": text(one.name),
        "instance": text(one.instance),
        "state": "silent" if _is_silent(one, now) else text(one.state),
        "alarms": [text(alarm) for alarm in one.alarms],
        "facts": jsonable(one.facts),
        "since": utc(one.since),
        "reported_at": utc(one.updated),
        "reported_s_ago": round(now.minus(one.updated), 3),
    }


def _is_silent(one: Component, now: Instant) -> bool:
    return one.state != STOPPED and now.minus(one.updated) > SILENT_AFTER_S


def _alarms_of(one: Component, now: Instant) -> list[str]:
    if one.state == STOPPED:
        return []
    if _is_silent(one, now):
        return [
            f"{_called(one.name)} has not reported for {now.minus(one.updated):.0f} s: its process {one.instance} may be gone"
        ]
    return [f"{_called(one.name)}: {alarm}" for alarm in one.alarms]


def _component_alarms(known: Sequence[Component], now: Instant) -> list[str]:
    return list(dict.fromkeys(alarm for one in known for alarm in _alarms_of(one, now)))


def _called(name: str) -> str:
    """Return what a person calls a component.

    >>> _called("source/gcn"), _called("watch")
    ('source gcn', 'watch')
    """
    return name.replace("/", " ", 1)


def _held_alarms(held: dict[str, int]) -> list[str]:
    return [
        f"{number} messages of source {source} are held because nobody knows their schema:"
        " once it is there, `mmhub deadletter replay --kind held` takes them in"
        for source, number in held.items()
    ]


def _outbox_alarms(outgoing: Sequence[OutboxCounts], now: Instant) -> list[str]:
    return [
        f"{one.waiting} messages to destination {one.destination} wait, the oldest for {waited_s:.0f} s"
        + (f": {one.error}" if one.error else "")
        for one in outgoing
        if one.oldest_waiting_at is not None and (waited_s := now.minus(one.oldest_waiting_at)) > WAITS_TOO_LONG_S
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What is counted, for metrics."""

    books: tuple[SourceCounts, ...]
    held: dict[str, int]
    """Source to messages whose schema nobody knows."""

    outbox: tuple[OutboxCounts, ...]
    followups: dict[str, int]
    """State to requests."""

    jobs_waiting: int
    incidents: dict[str, int]
    """Source to incidents."""

    known: tuple[Component, ...]
    """Every loop that reports."""

    @property
    def law_holds(self) -> bool:
        """Whether no message is unaccounted for."""
        return _law_holds(self.books, self.known)

    def sources(self, now: Instant) -> dict[str, Component]:
        """Return the loops of sources by the name of the source; of several processes' the one that is worst."""
        return _worst(self.known, SOURCE, now)

    def alerts(self, now: Instant) -> dict[str, Body]:
        """Return how alerts pass, by the name of the source; only sources of alert packets."""
        names = [one.name.removeprefix(SOURCE) for one in self.known if one.name.startswith(SOURCE)]
        found = {name: alerts_of(_facts_of(self.known, name, now)) for name in names}
        return {name: body for name, body in found.items() if body is not None}

    def components(self, now: Instant) -> list[tuple[Component, bool]]:
        """Return each loop and whether it runs and has reported; of several processes' the one that is worst."""
        worst = _worst(self.known, "", now).values()
        return [(one, not _is_silent(one, now) and one.state not in NOT_UP) for one in worst]


def numbers(session: Session) -> Numbers:
    """Return what is counted, all of one moment."""
    return Numbers(
        books=tuple(envelopes.counts(session)),
        held=queues.held_counts(session),
        outbox=tuple(queues.outbox_counts(session)),
        followups=queues.followup_counts(session),
        jobs_waiting=queues.jobs_waiting(session),
        incidents=incidents.counts(session),
        known=tuple(_present(components.listing(session))),
    )
