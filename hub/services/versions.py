"""Versions of coincidences: written where something changed, with what leaves the hub because of it, in the caller's transaction.

A pass may let out less than everything (`Leaves`). What it kept back counts as not done when the next one asks what is news.
So each version remembers how much left because of it, and what is found is compared twice: with the newest version, to know
whether to write another, and with the newest that let out as much, to know whether it has to leave. A version that stands there
already leaves under its number.

What is measured beside the stream of an object's worth (`hub.science.worth`) is in the versions. Where nothing but these numbers
changed a version is written, and nothing leaves.

An open version that the budget of false announcements has no room for is stored like any other, says so, and is held back:
nothing leaves because of it, and what had left before is taken back.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, Coincidence, Member, PairState, Score, coincidence_id
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.outgoing import Leaves
from hub.model.worth import WORTHS
from hub.ports import Clock
from hub.science.budget import HELD_BACK, ROOM, Budget, Verdict
from hub.science.rules import Hypothesis
from hub.services import group_jobs
from hub.services.announcement import Announcements, stands
from hub.services.followup import FollowupService
from hub.services.maps import MapCache
from hub.storage import announced, coincidences
from hub.telemetry import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Versions:
    """Writes versions; the one place through which anything leaves the hub because of a coincidence."""

    maps: MapCache
    announcements: Announcements
    followups: FollowupService | None
    clock: Clock
    leaves: Leaves
    """How much leaves the hub because of what is written."""

    budget: Budget | None = None
    """Of false announcements; None lets everything out."""

    def version(
        self,
        *,
        kind: str,
        hypothesis: str,
        members: tuple[Member, ...],
        state: PairState,
        scores: tuple[Score, ...],
        reasons: tuple[str, ...],
        localization_ids: tuple[str, ...],
        events_of_pair: tuple[Event, ...],
    ) -> Coincidence:
        """Return what was found as a first version; `write` gives it its number."""
        times = [event.t0 for event in events_of_pair if event.t0 is not None]
        return Coincidence(
            coincidence_id=coincidence_id(kind, members),
            kind=kind,
            hypothesis=hypothesis,
            members=tuple(sorted(members)),
            state=state,
            version=1,
            scores=scores,
            reasons=reasons,
            localization_ids=localization_ids,
            is_live=all(event.is_live for event in events_of_pair),
            t0=min(times) if times else None,
            created_at=self.clock(),
        )

    def write(
        self,
        session: Session,
        found: Coincidence,
        newest: coincidences.Newest | None,
        *,
        events_of_pair: tuple[Event, ...],
        candidate: Candidate | None,
        hypothesis: Hypothesis | None,
        stands_for: Collection[str] = (),
        elsewhere: str = "",
    ) -> int:
        """Store what was found where it differs from the newest version, with what follows.

        Parameters
        ----------
        session
            That holds the locks of the events.
        found
            By `version`.
        newest
            The newest version that is stored; None where there is none.
        events_of_pair, candidate, hypothesis
            What it is about.
        stands_for
            Ids of other coincidences of the same occurrence. Its message takes the place of theirs, so it is written before they
            are, in the same transaction.
        elsewhere
            Why it does not count though it fits: a member belongs to another group, or another coincidence counts the same.

        Returns
        -------
        int
            How many versions were written, or let out only now.
        """
        found = self.judged(found, elsewhere)
        is_new = newest is None or _content(newest.version) != _content(found)
        if newest is not None:
            found = replace(found, version=newest.version.version + is_new)
        news = self._news(session, found, newest)
        if is_new:
            coincidences.add(session, found, let_out=self.leaves)
            group_jobs.leave(session, found)
        elif newest is not None and not newest.let_out.covers(self.leaves):
            coincidences.mark_let_out(session, found, self.leaves)
        if not is_new and not news:
            return 0
        self._let_out(session, found, news, events_of_pair, candidate, hypothesis, stands_for)
        log.info(
            "coincidence",
            id=found.coincidence_id,
            kind=found.kind,
            state=found.state.value,
            version=found.version,
        )
        return 1

    def judged(self, found: Coincidence, elsewhere: str = "") -> Coincidence:
        """Return a version with what the budget says of it, a function of its numbers alone, or why it counts elsewhere."""
        reasons = tuple(reason for reason in found.reasons if not reason.startswith(HELD_BACK))
        why = HELD_BACK + elsewhere if elsewhere else self._verdict(found).held_back
        why = why if found.state is PairState.OPEN else ""
        return replace(found, held_back=bool(why), reasons=(why, *reasons) if why else reasons)

    def _verdict(self, found: Coincidence) -> Verdict:
        return ROOM if self.budget is None else self.budget.verdict(found)

    def _news(self, session: Session, found: Coincidence, newest: coincidences.Newest | None) -> set[Leaves]:
        """Return what of that which this pass lets out has to leave: that of which the last to leave said something else."""
        news = {one for one in (Leaves.MESSAGES, Leaves.ALL) if self.leaves.covers(one)}
        if newest is None:
            return news
        said = {
            one: newest.version
            if newest.let_out.covers(one)
            else coincidences.last_let_out(session, found.coincidence_id, one)  # a quieter pass wrote the newest
            for one in news
        }
        return {one for one, last in said.items() if last is None or _said(last) != _said(found)}

    def _let_out(  # noqa: PLR0917 - all that a version says
        self,
        session: Session,
        coincidence: Coincidence,
        news: Collection[Leaves],
        events_of_pair: tuple[Event, ...],
        candidate: Candidate | None,
        hypothesis: Hypothesis | None,
        stands_for: Collection[str],
    ) -> None:
        """Write down what leaves the hub because of a version: the one place through which anything does."""
        if Leaves.MESSAGES in news:
            places = tuple(
                self.maps.localization(session, event.localization_id) if event.localization_id else None
                for event in events_of_pair
            )
            sent = self.announcements.announce(
                session,
                coincidence,
                events=events_of_pair,
                localizations=places,
                candidate=candidate,
                stands_for=self._standing(session, stands_for),
            )
            if sent.messages and stands(coincidence):
                announced.spend(session, coincidence, self._verdict(coincidence).spends_per_month)
                if sent.instead_of:
                    announced.hand_over(session, sent.instead_of, coincidence)
            elif sent.messages:
                announced.take_back(session, coincidence)
        if self.followups is None or Leaves.ALL not in news:
            return
        if not stands(coincidence):
            self.followups.withdraw(session, coincidence)
        elif candidate is not None and hypothesis is not None and hypothesis.followup:
            self.followups.plan(session, coincidence, events_of_pair[0], candidate, hypothesis)

    def follow_up(self, session: Session, event: Event | None) -> None:
        """Have the follow-up policy decide about an event itself, its stated position or its map."""
        if event is not None and self.followups is not None and self.leaves is Leaves.ALL:
            self.followups.plan_event(session, event)

    @staticmethod
    def _standing(session: Session, coincidence_ids: Collection[str]) -> tuple[Coincidence, ...]:
        """Return the newest versions of those of some coincidences that the world believes, by id."""
        if not coincidence_ids:
            return ()
        believed = [name for name, one in announced.of_ids(session, coincidence_ids).items() if one.withdrawn_at is None]
        newest = coincidences.newest_of(session, believed)
        return tuple(newest[name].version for name in sorted(newest))


def _content(coincidence: Coincidence) -> Coincidence:
    """Return a version without what differs between two versions that say the same."""
    return replace(coincidence, version=0, created_at=Instant(0))


def _said(coincidence: Coincidence) -> Coincidence:
    """Return the same without what was measured beside the stream: that it is another number is no news, what it decides is."""
    scores = tuple(one for one in coincidence.scores if one.statistic not in WORTHS)
    return replace(_content(coincidence), scores=scores)
