"""Follow-up: which coincidence or event asks for which observation, and how it is stopped.

What the policy (``conf/policy.toml``) makes of a version is decided and written in the transaction of that version: a decision,
and where it asks a draft for each allocation, whose id is a hash of its content. `step` then decides on the drafts with the
budgets (`hub.services.followup_promotion`), and `hub.services.sending` takes them to the networks through the gates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, Coincidence, PairState
from hub.model.event import Event, EventState
from hub.model.followup import Intent, Submission
from hub.model.followup_decision import StoredDecision, Verdict, decision_id
from hub.model.instant import Instant
from hub.ports import Clock, TelescopeNetwork
from hub.science.followup_policy import Policy, Target
from hub.science.followup_rules import Decision
from hub.science.hypotheses import Hypothesis
from hub.services import followup_intents as intents
from hub.services.dry_network import ClosedNetwork, registers_of
from hub.services.followup_asked import Before
from hub.services.followup_desk import FollowupDesk
from hub.services.followup_facts import PolicyBook, decide_one
from hub.services.followup_gates import BY, Gates, why_not_asked_for
from hub.services.followup_policy import FollowupSettings
from hub.services.followup_promotion import Promotion, draft, submissions_of, take_back
from hub.services.followup_replacing import Replacing
from hub.services.sending import Hook, Sender, append_step, get_submission, no_hook
from hub.services.submission import WAITING_STATES, Outcome, state_when_stopped
from hub.storage import followup as storage
from hub.storage import followup_decisions
from hub.storage.engine import Store
from hub.telemetry import get_logger

_log = get_logger("followup")


class FollowupService:
    """Plans follow-up inside the transaction of a version, and sends, watches and cancels it outside of any.

    `plan`, `plan_event` and `withdraw` are called with the session of the correlation; `step` opens its own short transactions
    and holds none while it speaks to a network. What persons do is at `desk`.
    """

    def __init__(
        self,
        store: Store,
        networks: Mapping[str, TelescopeNetwork],
        clock: Clock,
        settings: FollowupSettings,
        book: PolicyBook,
        *,
        hook: Hook = no_hook,
    ) -> None:
        self._store = store
        self._networks = networks
        self._clock = clock
        self._settings = settings
        self._book = replace(
            book,
            inside=frozenset(name for name, network in networks.items() if network.is_simulated),
            visits=frozenset(name for name, register in registers_of(networks).items() if not register.is_of_events),
            credentials=frozenset(
                name
                for name, one in book.policy.allocations.items()
                if one.network in networks and not isinstance(networks[one.network], ClosedNetwork)
            ),
        )
        self.gates = Gates(book=self._book, is_enabled=settings.enabled, is_dry=settings.dry_run, networks=networks)
        self.desk = FollowupDesk(store=store, clock=clock, gates=self.gates, sending_timeout_s=settings.sending_timeout_s)
        self._promotion = Promotion(
            book=self._book, networks=networks, is_dry=settings.dry_run, wait_s=settings.wait_for_registers_s
        )
        self._replacing = Replacing(book=self._book)
        self._sender = Sender(store, networks, clock, settings, gate=self.gates.check, hook=hook)
        self._looked: dict[str, Instant] = {}

    @property
    def policy(self) -> Policy:
        """What is in force."""
        return self._book.policy

    # ------------------------------------------------------------------------------------------------ inside the correlation

    def plan(
        self, session: Session, coincidence: Coincidence, event: Event, candidate: Candidate, hypothesis: Hypothesis
    ) -> Intent | None:
        """Write what the policy makes of an open coincidence; return the first intent that it asks for, None where none.

        The decision stands in the rows in either case, with its reasons. What a former version asked for and this one does not is
        taken back where it was not sent.
        """
        log = _log.bind(coincidence=coincidence.coincidence_id, event=event.event_id, object=candidate.object_id)
        if reason := self._why_not(coincidence, event, candidate, hypothesis):
            log.info("no follow-up", reason=reason)
            return None
        _, said = decide_one(session, event, candidate, now=self._clock(), book=self._book, asked_before=self._unconfigured())
        decision = self._stored(said, event, candidate, coincidence.coincidence_id)
        found = self._take(session, decision, event, candidate)
        if found is None:
            log.info("no follow-up", reason="; ".join(decision.reasons))
        return found

    def plan_event(self, session: Session, event: Event) -> Intent | None:
        """Write what the policy makes of an event itself, its stated position or its map; as `plan`.

        A retracted event takes back and cancels what it asked for.
        """
        if event.state is not EventState.ACTIVE:
            self._stop(session, storage.of_event(session, event.event_id), "the event is retracted")
            return None
        asks = any(rule.target is not Target.CANDIDATE for rule in self._book.policy.rules)
        if not asks or not self._settings.enabled or why_not_asked_for(event):
            return None
        _, said = decide_one(session, event, None, now=self._clock(), book=self._book, asked_before=self._unconfigured())
        return self._take(session, self._stored(said, event, None, None), event, None)

    def withdraw(self, session: Session, coincidence: Coincidence) -> tuple[Submission, ...]:
        """Stop every submission of a coincidence; return those that changed.

        What was not sent is cancelled here; what was, or may have been, is marked for `step` to cancel at the network.
        """
        return self._stop(session, storage.of_coincidence(session, coincidence.coincidence_id), "the coincidence was withdrawn")

    # --------------------------------------------------------------------------------------------------------------- in a loop

    def step(self) -> int:
        """Decide on the drafts that are due, and take every submission one step further; return how many steps were written."""
        return (self._promote() if self._settings.enabled else 0) + self._sender.step()

    def reconcile(self) -> int:
        """Ask the networks about what was sent, without deciding on anything new; return how many steps were written."""
        return self._sender.reconcile()

    def _promote(self) -> int:
        with self._store.reading() as session:
            found = [one.decision_id for one in self._promotion.due(session)]
        n_written, now = 0, self._clock()
        self._looked = {name: at for name, at in self._looked.items() if name in set(found)}
        for name in found:
            last = self._looked.get(name)
            if last is not None and 0 <= now.minus(last) < self._settings.poll_s:
                continue
            with self._store.transaction() as session:
                n = self._promotion.promote(session, name, self._clock())
            n_written += n
            if not n:
                self._looked[name] = now
        return n_written

    # ---------------------------------------------------------------------------------------------------------------- planning

    def _why_not(self, coincidence: Coincidence, event: Event, candidate: Candidate, hypothesis: Hypothesis) -> str:
        if not self._settings.enabled:
            return "follow-up is switched off"
        if not hypothesis.followup:
            return f"the hypothesis {hypothesis.name} asks for none"
        if not coincidence.is_live:
            return "a member is a test, a mock or from an untrusted source"
        if coincidence.state is not PairState.OPEN or candidate.state is not PairState.OPEN:
            return "the coincidence is withdrawn"
        return why_not_asked_for(event)

    def _unconfigured(self) -> Before:
        """Return that nothing was asked before: the order in which versions come decides nothing; budgets are counted later."""
        networks = {one.network for one in self._book.policy.allocations.values()} - set(self._networks)
        return Before(intents=(), stopped={name: f"the network {name} is not configured" for name in sorted(networks)})

    def _stored(self, said: Decision, event: Event, candidate: Candidate | None, coincidence_id: str | None) -> StoredDecision:
        target = intents.target_of(event, candidate, is_map=said.target is Target.MAP)
        purpose = candidate.hypothesis if candidate is not None else intents.EVENT
        return StoredDecision(
            decision_id=decision_id(
                event_id=event.event_id,
                target=target if candidate is not None else intents.EVENT,
                purpose=purpose,
                policy_version=said.policy_version,
            ),
            event_id=event.event_id,
            coincidence_id=coincidence_id,
            candidate=None if candidate is None else (candidate.survey, candidate.object_id, candidate.hypothesis),
            target=target,
            purpose=purpose,
            policy_version=said.policy_version,
            rule=said.rule,
            verdict=said.verdict,
            reasons=said.reasons
            if not said.refused
            else (*said.reasons, *sorted(set(said.refused.values()) - set(said.reasons))),
            allocations=said.allocations,
            template=said.template,
            templates=said.templates,
            urgency=said.urgency,
            group=next((one.group for one in self._book.policy.rules if one.name == said.rule), ""),
            score=None if candidate is None else candidate.score,
            decided_at=self._clock(),
        )

    def _take(self, session: Session, decision: StoredDecision, event: Event, candidate: Candidate | None) -> Intent | None:
        """Write a decision and the drafts that follow, and take back what it does not ask for any more."""
        followup_decisions.save(session, decision)
        now = self._clock()
        known = submissions_of(session, decision)
        waiting = [one for one in known if one.state in WAITING_STATES]
        if decision.verdict is Verdict.SKIP:
            take_back(session, waiting, f"not asked for any more: {'; '.join(decision.reasons)}", now)
            return None
        first: Intent | None = None
        wanted: set[str] = set()
        for name in decision.allocations:
            for intent in intents.make(session, decision, event, candidate, name, known, now, self._book):
                if intent.due_at is None and (kept := self._replacing.kept(session, event, intent, known, now)):
                    wanted |= {one.intent_id for one in kept}
                    first = first or next((one for one in kept if one.due_at is None), None)
                    break
                wanted.add(intent.intent_id)
                draft(session, intent, now)
                first = first or intent
        waiting = [one for one in waiting if one.intent.intent_id not in wanted]
        take_back(session, waiting, "another request takes its place", now)
        return first

    def _stop(self, session: Session, found: Sequence[Submission], reason: str) -> tuple[Submission, ...]:
        stopped = []
        for name in sorted(one.intent.intent_id for one in found):
            submission = get_submission(session, name)
            if state := state_when_stopped(submission.state):
                stopped.append(append_step(session, submission, Outcome(state, reason, detail={BY: "hub"}), self._clock()))
        return tuple(stopped)
