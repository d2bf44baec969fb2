"""Whether a newer plan takes the place of an older one: what waits gives way at once, what a network has only for enough gain."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.event import Event
from hub.model.followup import Intent, RequestState, Submission
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.services.followup_facts import PolicyBook
from hub.services.followup_gates import BY, REPLACED_BY
from hub.services.followup_intents import LATER, was_taken_back
from hub.services.followup_sight import prob_of
from hub.services.sending import append_step
from hub.services.submission import ALIVE_STATES, WAITING_STATES, Outcome
from hub.storage import localizations

_HELD = ALIVE_STATES | {RequestState.SENDING, RequestState.UNKNOWN}
"""A network has it, or may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacing:
    """Compares an intent that is about to be drafted with what was asked for the same before."""

    book: PolicyBook

    def kept(
        self, session: Session, event: Event, intent: Intent, known: Sequence[Submission], now: Instant
    ) -> tuple[Intent, ...]:
        """Return the older requests of the same instrument that stay in place of a new intent; none where it is drafted.

        Where its fields hold enough more of the present map than those that the network has, these are cancelled.
        """
        same = [one for one in known if (one.intent.network, one.intent.instrument) == (intent.network, intent.instrument)]
        own = [one for one in same if _is_same_target(one.intent, intent) and not was_taken_back(one)]
        if any(one.intent.intent_id == intent.intent_id or one.state not in WAITING_STATES for one in own):
            return tuple(one.intent for one in own)
        held = [one for one in same if one.state in _HELD and one.intent.fields and one.intent.due_at is None]
        if not held or not intent.fields or event.localization_id is None:
            return ()
        found = localizations.get(session, event.localization_id)
        if found is None:
            return ()
        new = self._prob(found.skymap, intent)
        best = max(self._prob(found.skymap, one.intent) for one in held)
        if new - best <= self.book.policy.replace.min_prob:
            return tuple(one.intent for one in same)
        reason = f"fields on the newer map hold {new:.3g} of it, these {best:.3g}"
        for one in held:
            detail = {BY: "hub", REPLACED_BY: intent.intent_id}
            append_step(session, one, Outcome(RequestState.CANCEL_REQUESTED, reason, detail=detail), now)
        return ()

    def _prob(self, skymap: Skymap, intent: Intent) -> float:
        """Return the probability in the union of an intent's fields."""
        side = next(
            one.fov_deg
            for one in self.book.policy.allocations.values()
            if (one.network, one.instrument) == (intent.network, intent.instrument) and one.fov_deg is not None
        )
        return prob_of(skymap, side, [(one.ra_deg, one.dec_deg) for one in intent.fields])


def _is_same_target(one: Intent, other: Intent) -> bool:
    return (one.target, one.purpose.partition(LATER)[0]) == (other.target, other.purpose.partition(LATER)[0])
