"""Pairs of events: which others an event can be one with, and what they make of each other, written as versions."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Member, MemberKind, PairState, coincidence_id
from hub.model.event import Event
from hub.science import pairs as pair_science
from hub.science.rules import Rules
from hub.services.judging import UNFIT
from hub.services.maps import MapCache
from hub.services.versions import Versions
from hub.storage import coincidences, events

CENTRAL_MARGIN_S = 60.0
"""Partners are looked up this much beyond the window, because targeted searches count from the middle of their interval."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairing:
    """Keeps pairs of events equal to the pure function of both."""

    rules: Rules
    maps: MapCache
    versions: Versions

    def of_event(self, session: Session, event: Event | None, locked: Collection[str]) -> int:
        """Evaluate an event with its partners; one that came after the locks were taken has a job of its own, which does it.

        Returns how many versions were written.
        """
        if event is None:
            return 0
        return sum(self._write_pair(session, result) for result in self._fitting_pairs(session, event, locked))

    def _fitting_pairs(self, session: Session, event: Event, locked: Collection[str]) -> Iterable[pair_science.PairResult]:
        partners = {other.event_id: other for other in self.partners(session, event) if other.event_id in locked}
        for other in sorted(partners.values(), key=lambda partner: partner.event_id):
            maps = self.maps.localizations(session, (*event.localization_ids, *other.localization_ids))
            sky = pair_science.Sky(maps=maps, overlap=self.maps.overlap, min_overlap=self.rules.min_overlap)
            yield from pair_science.evaluate(event, other, self.rules, sky)

    def withdraw_unfit(self, session: Session, event: Event | None, locked: Collection[str]) -> int:
        """Withdraw the open pairs of an event with others that the present rules do not make."""
        if event is None:
            return 0
        fitting = {
            coincidence_id(result.rule.kind, _members((result.first, result.second)))
            for result in self._fitting_pairs(session, event, locked)
        }
        written = 0
        for former in coincidences.of_events(session, event.event_id):
            others = [member.id for member in former.members if member.id != event.event_id]
            if former.coincidence_id in fitting or not set(others) <= set(locked):
                continue
            reasons = former.reasons if former.state is PairState.WITHDRAWN else (UNFIT, *former.reasons)
            withdrawn = replace(former, state=PairState.WITHDRAWN, reasons=reasons, created_at=self.versions.clock())
            of_pair = tuple(events.of_ids(session, [member.id for member in former.members]))
            newest = coincidences.newest_of(session, [former.coincidence_id]).get(former.coincidence_id)
            written += self.versions.write(session, withdrawn, newest, events_of_pair=of_pair, candidate=None, hypothesis=None)
        return written

    def _write_pair(self, session: Session, result: pair_science.PairResult) -> int:
        events_of_pair = (result.first, result.second)
        version = self.versions.version(
            kind=result.rule.kind,
            hypothesis=result.rule.name,
            members=_members(events_of_pair),
            state=result.state,
            scores=result.scores,
            reasons=result.reasons,
            localization_ids=result.localization_ids,
            events_of_pair=events_of_pair,
        )
        newest = coincidences.newest_of(session, [version.coincidence_id]).get(version.coincidence_id)
        return self.versions.write(session, version, newest, events_of_pair=events_of_pair, candidate=None, hypothesis=None)

    def partners(self, session: Session, event: Event) -> Iterable[Event]:
        """Yield the events whose times lie in a window of any rule around any time of an event; some more than once."""
        for rule, is_first in pair_science.partners(self.rules, event):
            low, high = rule.window_s if is_first else (-rule.window_s[1], -rule.window_s[0])
            classes = rule.second if is_first else rule.first
            for t0 in event.t0s:
                start, end = t0.plus_s(low - CENTRAL_MARGIN_S), t0.plus_s(high + CENTRAL_MARGIN_S)
                for other in events.in_window(session, classes, start, end):
                    if other.event_id != event.event_id:
                        yield other


def _members(events_of_pair: Iterable[Event]) -> tuple[Member, ...]:
    return tuple(Member(kind=MemberKind.EVENT, id=one.event_id) for one in events_of_pair)
