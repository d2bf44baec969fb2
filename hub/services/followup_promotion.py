"""Drafts to requests: decided on with the budgets, in order of worth, just before sending.

The decision in the version's transaction looks at nothing but that version. So what is drafted does not depend on the order in
which things arrived. Here all drafts that are due meet: the most urgent and best come first, and each sees what was asked before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.model.coincidence import PairState
from hub.model.event import Event
from hub.model.followup import Intent, RequestState, Submission, Urgency, payload_hash
from hub.model.followup_decision import StoredDecision, Verdict
from hub.model.instant import Instant
from hub.ports import TelescopeNetwork
from hub.science.followup_facts import FollowupFacts, Seen
from hub.science.followup_policy import Rule, Target
from hub.science.followup_rules import Decision, decide_by
from hub.services import followup_intents as intents
from hub.services.dry_network import is_live
from hub.services.followup_asked import before
from hub.services.followup_facts import PolicyBook, facts_of, seen_of
from hub.services.followup_gates import BY, PAYLOAD, why_not_asked_for
from hub.services.followup_leftover import others, rest_of
from hub.services.followup_sight import seen, visible
from hub.services.sending import PLANNING, append_step
from hub.services.submission import Outcome
from hub.storage import candidates, coincidences, events, followup, followup_decisions
from hub.storage.writing import hold
from hub.telemetry import get_logger

_RANK = {Urgency.RAPID_RESPONSE: 0, Urgency.TIME_CRITICAL: 1, Urgency.NORMAL: 2, None: 3}
_log = get_logger("followup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Decides on drafts."""

    book: PolicyBook
    networks: Mapping[str, TelescopeNetwork]
    is_dry: bool
    """Whether the settings keep even what would go to a network inside the hub."""

    wait_s: float = 0.0
    """So long a draft waits for the first answer of a register of visits, seconds."""

    def due(self, session: Session) -> list[StoredDecision]:
        """Return the decisions of which there are drafts, the most urgent and best first."""
        drafts = followup.intents_in(session, [RequestState.DRAFT])
        found = followup_decisions.of_ids(session, {intents.decision_id_of(one) for one in drafts})
        return sorted(found, key=_order)

    def promote(self, session: Session, decision_id: str, now: Instant) -> int:
        """Decide on the drafts of one decision; return how many steps were written.

        Where nobody can be asked at present it stays a draft: there may be room before its window ends, or the network goes on.
        """
        hold(session, PLANNING)
        decision = followup_decisions.get(session, decision_id)
        if decision is None:
            return 0
        all_of_it = submissions_of(session, decision)
        drafts = [one for one in all_of_it if one.state is RequestState.DRAFT and one.intent.window_end > now]
        if not drafts:
            return 0
        event = events.get(session, decision.event_id)
        candidate = None if decision.candidate is None else candidates.get(session, decision.event_id, *decision.candidate)
        rule = next((rule for rule in self.book.policy.rules if rule.name == decision.rule), None)
        reason = why_not_asked_for(event) or _withdrawn(session, decision)
        if rule is None or decision.policy_version != self.book.policy.version:
            reason = reason or f"the policy {decision.policy_version} that asked for it is no longer in force"
        if reason or event is None or rule is None:
            return take_back(session, drafts, reason, now)
        own = [one.intent.intent_id for one in all_of_it]
        earlier = before(session, self.book.policy, now, self.networks)
        facts = facts_of(session, event, candidate, now=now, book=self.book, asked_before=earlier, own=own)
        if rule.skip.classified and facts.classified:
            reason = f"already classified: {', '.join(sorted(facts.classified))}"
            self._skip(session, decision, (reason,), now)
            return take_back(session, drafts, reason, now)
        if facts.planned is None and rule.skip.planned_within_h and self._may_be_told(drafts, now):
            _log.debug("a draft waits for what others plan", decision=decision.decision_id)
            return 0
        first = [one for one in drafts if one.intent.due_at is None]
        n_written = self._first(session, decision, event, rule, facts, first, now) if first else 0
        if not n_written:  # one look after the other: each sees in the rows what the one before it took of the budgets
            later = [one for one in drafts if one.intent.due_at is not None and one.intent.due_at <= now]
            for one in sorted(later, key=lambda one: (one.intent.window_start, one.intent.intent_id))[:1]:
                n_written += self._later(session, decision, rule, facts, one, now)
        return n_written

    def _may_be_told(self, drafts: Sequence[Submission], now: Instant) -> bool:
        """Return whether a register of visits may soon answer for the first time: nobody waits for one that does not."""
        return any(0.0 <= now.minus(one.intent.due_at or one.intent.created_at) < self.wait_s for one in drafts)

    def _first(  # noqa: PLR0917 - because of what, by which rule, and what is known
        self,
        session: Session,
        decision: StoredDecision,
        event: Event,
        rule: Rule,
        facts: FollowupFacts,
        drafts: Sequence[Submission],
        now: Instant,
    ) -> int:
        by_name = {self._name_of(one.intent): one for one in drafts}
        n_written, waiting = self._give_way(session, decision, event, rule, by_name, now)
        if n_written or len(waiting) == len(by_name):
            return n_written
        made = {name: _template(one.intent, decision, rule) for name, one in by_name.items() if name and name not in waiting}
        sight = {(name, template): self._sight(by_name[name].intent) for name, template in made.items()}
        said = decide_by(rule, replace(facts, seen=sight), self.book.policy, made)
        if said.can_wait and not said.waits_for_others and not rule.spread:  # perhaps another that stands by
            elsewhere = seen_of(session, event, facts, rule, now, self.book)
            elsewhere = {key: one for key, one in elsewhere.items() if key[0] not in waiting}
            said = decide_by(rule, replace(facts, seen={**elsewhere, **sight}), self.book.policy, made)
        if said.verdict is Verdict.SKIP:
            if said.can_wait:
                _log.debug("a draft waits", decision=decision.decision_id, reasons=said.reasons)
                if said.waits_for_others and said.reasons != decision.reasons:
                    self._skip(session, decision, said.reasons, now)
                return 0
            self._skip(session, decision, said.reasons, now)
            return take_back(session, drafts, "; ".join(said.reasons), now)
        if missing := [name for name in said.allocations if name not in by_name]:
            return self._ask_others(session, replace(decision, templates=said.templates), event, missing, drafts, now)
        n_written = sum(self._ask(session, by_name[name], name, said, now) for name in said.allocations)
        if n_written and decision.is_skip:  # it had waited for others
            asks = replace(decision, verdict=said.verdict, reasons=said.reasons, allocations=said.allocations, decided_at=now)
            followup_decisions.save(session, asks)
        if n_written and not rule.spread:
            rest = [one for name, one in by_name.items() if name not in said.allocations]
            n_written += take_back(session, rest, f"{said.allocations[0]} is asked instead", now)
        return n_written

    def _give_way(  # noqa: PLR0917 - because of what, by which rule, and to whom
        self,
        session: Session,
        decision: StoredDecision,
        event: Event,
        rule: Rule,
        drafts: Mapping[str | None, Submission],
        now: Instant,
    ) -> tuple[int, dict[str, str]]:
        """Plan fields that others observe anyway on the rest of the map; return the steps, and which allocations wait and why."""
        n_written, waiting = 0, {}
        taken = others(session, event, rule.skip, now) if rule.target is Target.MAP else []
        for name, one in drafts.items() if taken else ():
            template = self.book.policy.templates.get(_template(one.intent, decision, rule))
            if name is None or template is None:
                continue
            rest = rest_of(session, event, one.intent, taken, self.book.policy.allocations[name], template, now, self.book)
            if rest is None:
                continue
            if not rest.has_fields:
                waiting[name] = f"{name}: {rest.reason}, and nothing is left that it could observe"
            elif rest.is_better:
                n_written += take_back(session, [one], f"{rest.reason}: the rest is planned", now)
                known = submissions_of(session, decision)
                made = intents.make(session, decision, event, None, name, known, now, self.book, rest=rest.skymap)
                n_written += sum(draft(session, intent, now) for intent in made if intent.due_at is None)
        reasons = (f"{rule.name}: {rule.reason}", *waiting.values())
        if len(waiting) == len(drafts) and reasons != decision.reasons:
            self._skip(session, decision, reasons, now)
        return n_written, waiting

    def _later(  # noqa: PLR0917 - as above
        self,
        session: Session,
        decision: StoredDecision,
        rule: Rule,
        facts: FollowupFacts,
        draft: Submission,
        now: Instant,
    ) -> int:
        """Decide on a later look: only the allocation of the first can take it."""
        intent, name = draft.intent, self._name_of(draft.intent)
        template = self.book.policy.templates.get(_template(intent, decision, rule))
        if name is None or name not in rule.allocations or template is None:
            return take_back(session, [draft], f"the rule {rule.name} does not ask {intent.instrument} any more", now)
        sites = self.book.sites_of(self.book.policy.allocations[name])
        found = visible((intent.ra_deg, intent.dec_deg), sites, template, intent.window_start, intent.window_end)
        sight = {(name, template.name): seen(found)}
        said = decide_by(rule, replace(facts, seen=sight), self.book.policy, {name: template.name})
        if said.verdict is not Verdict.SKIP:
            return self._ask(session, draft, name, said, now)
        return 0 if said.can_wait else take_back(session, [draft], "; ".join(said.reasons), now)

    def _ask(self, session: Session, draft: Submission, name: str, said: Decision, now: Instant) -> int:
        network = self.networks.get(draft.intent.network)
        dry = said.dry_run.get(name, ())
        if self.is_dry or network is None or not is_live(network):
            dry = ("the settings say so",)
        if dry:
            _log.debug("a dry run", intent=draft.intent.intent_id, reasons=dry)
            return 0
        if said.verdict is Verdict.ASK_PERSON:
            append_step(session, draft, Outcome(RequestState.AWAITING_APPROVAL, said.reasons[-1]), now)
        else:
            approved = {BY: "policy", PAYLOAD: payload_hash(draft.intent), "rule": said.rule}
            append_step(session, draft, Outcome(RequestState.APPROVED, "approved by policy", detail=approved), now)
        return 1

    def _ask_others(  # noqa: PLR0917 - as above
        self,
        session: Session,
        decision: StoredDecision,
        event: Event,
        names: Sequence[str],
        drafts: Sequence[Submission],
        now: Instant,
    ) -> int:
        """Draft requests of allocations that stood by in place of those that cannot be asked; the next look decides on them."""
        candidate = None if decision.candidate is None else candidates.get(session, decision.event_id, *decision.candidate)
        n_written = 0
        for name in names:
            known = submissions_of(session, decision)
            for intent in intents.make(session, decision, event, candidate, name, known, now, self.book):
                n_written += draft(session, intent, now)
        return n_written + (take_back(session, drafts, f"{names[0]} is asked instead", now) if n_written else 0)

    def _name_of(self, intent: Intent) -> str | None:
        found = self.book.policy.allocations.values()
        pays = (one.name for one in found if (one.network, one.instrument) == (intent.network, intent.instrument))
        return next(pays, None)

    @staticmethod
    def _sight(intent: Intent) -> Seen:
        if intent.fields:
            return Seen(is_observable=True, reason=f"{len(intent.fields)} fields of its map")
        return seen(intent.visibility)

    @staticmethod
    def _skip(session: Session, decision: StoredDecision, reasons: tuple[str, ...], now: Instant) -> None:
        followup_decisions.save(session, replace(decision, verdict=Verdict.SKIP, reasons=reasons, decided_at=now))


def draft(session: Session, intent: Intent, now: Instant) -> int:
    """Store an intent as a draft; return 1, or 0 where it is there."""
    if not followup.add_intent(session, intent):
        return 0
    append_step(session, Submission(intent=intent, transitions=()), Outcome(RequestState.DRAFT, intent.reason), now)
    return 1


def take_back(session: Session, found: Sequence[Submission], reason: str, now: Instant) -> int:
    """Cancel requests that were not sent, by the hub itself; return how many."""
    for one in found:
        append_step(session, one, Outcome(RequestState.CANCELLED, reason, detail={BY: "hub"}), now)
    return len(found)


def submissions_of(session: Session, decision: StoredDecision) -> list[Submission]:
    """Return the submissions of a decision, for writing: nobody else writes any of them until this transaction ends."""
    for name in sorted(
        one.intent.intent_id for one in followup.of_event(session, decision.event_id) if intents.is_of(decision, one.intent)
    ):
        hold(session, f"follow-up {name}")
    return [one for one in followup.of_event(session, decision.event_id) if intents.is_of(decision, one.intent)]


def _template(intent: Intent, decision: StoredDecision, rule: Rule) -> str:
    """Return the name of the template by which a draft was made."""
    return intent.template or decision.template or rule.templates[0]


def _order(decision: StoredDecision) -> tuple[int, float, str, str, str]:
    score = decision.score if decision.score is not None and decision.score == decision.score else float("-inf")
    return _RANK[decision.urgency], -score, decision.event_id, decision.target, decision.purpose


def _withdrawn(session: Session, decision: StoredDecision) -> str:
    if decision.coincidence_id is None:
        return ""
    newest = coincidences.latest(session, decision.coincidence_id)
    is_standing = newest is not None and newest.state is PairState.OPEN and not newest.held_back
    return "" if is_standing else "the coincidence is withdrawn, or not announced"
