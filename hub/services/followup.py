"""Follow-up: which coincidence asks for which observation, and how it is stopped.

An intent is written inside the transaction of its coincidence, once for each (event, object, network, instrument, hypothesis,
policy version): its id is a hash of these. `hub.services.sending` takes it to the network.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from hub.errors import ConfigError, InvalidRequest
from hub.model.coincidence import Candidate, Coincidence, PairState
from hub.model.event import Event, EventState
from hub.model.followup import Intent, RequestState, Submission, Visibility, intent_id
from hub.model.instant import Instant
from hub.ports import Clock, TelescopeNetwork
from hub.science.rules import Hypothesis
from hub.science.sites import Constraints, Site
from hub.services.followup_policy import FollowupSettings, RequestPolicy
from hub.services.sending import Hook, Sender, append_step, get_submission, no_hook
from hub.services.submission import ALIVE_STATES, BY_PERSON, WAITING_STATES, Outcome
from hub.storage import followup as storage
from hub.storage.engine import Store
from hub.storage.tally import intents_since
from hub.storage.writing import hold
from hub.telemetry import get_logger

_log = get_logger("followup")


class FollowupService:
    """Plans follow-up inside the transaction of a coincidence, and sends, watches and cancels it outside of any.

    `plan` and `withdraw` are called with the session of the correlation; `step` opens its own short transactions and holds none
    while it speaks to a network.
    """

    def __init__(
        self,
        store: Store,
        networks: Mapping[str, TelescopeNetwork],
        sites: Sequence[Site],
        clock: Clock,
        settings: FollowupSettings,
        *,
        hook: Hook = no_hook,
    ) -> None:
        self._store = store
        self._networks = networks
        self._sites = {site.name: site for site in sites}
        for name in {name for policy in settings.requests for name in policy.sites} - set(self._sites):
            raise ConfigError(f"a follow-up request names the site {name!r}, which is not in the table of sites")
        self._clock = clock
        self._settings = settings
        self._sender = Sender(store, networks, clock, settings, hook=hook)

    # ------------------------------------------------------------------------------------------------ inside the correlation

    def plan(
        self, session: Session, coincidence: Coincidence, event: Event, candidate: Candidate, hypothesis: Hypothesis
    ) -> Intent | None:
        """Write the intent that an open coincidence asks for, once; None where none is due, with the reason in the log.

        The first network of the policy with a site that sees the target gets it. Where no site of any network does, the intent is
        written for the first network and rejected at once with the sites' reasons: a result that a person can read, not an error.
        """
        log = _log.bind(coincidence=coincidence.coincidence_id, event=event.event_id, object=candidate.object_id)
        target = f"{candidate.survey}:{candidate.object_id}"
        hold(session, "follow-up planning")  # the budget counts all events
        for_event = storage.of_event(session, event.event_id)
        for submission in for_event:
            intent = submission.intent
            same = (target, hypothesis.name, self._settings.policy_version)
            if (intent.target, intent.purpose, intent.policy_version) == same:
                return intent
        reason = self._why_not(coincidence, event, candidate, hypothesis) or self._over_budget(session, len(for_event))
        if reason:
            log.info("no follow-up", reason=reason)
            return None
        intent = self._best_intent(coincidence, event, candidate, hypothesis, target)
        self._begin(session, intent)
        return intent

    def withdraw(self, session: Session, coincidence: Coincidence) -> tuple[Submission, ...]:
        """Stop every submission of a coincidence; return those that changed.

        What was not sent is cancelled here; what was, or may have been, is marked for `step` to cancel at the network.
        """
        stopped = []
        for planned in storage.of_coincidence(session, coincidence.coincidence_id):
            submission = get_submission(session, planned.intent.intent_id)
            if state := _state_when_stopped(submission.state):
                stopped.append(append_step(session, submission, Outcome(state, "the coincidence was withdrawn"), self._clock()))
        return tuple(stopped)

    # -------------------------------------------------------------------------------------------------------------- a person

    def approve(self, intent_id: str, *, actor: str) -> None:
        """Let a request that awaits approval be sent.

        Raises
        ------
        NotFound
            There is no such request.
        InvalidRequest
            It does not await approval.
        """
        with self._store.transaction() as session:
            submission = get_submission(session, intent_id)
            if submission.state is not RequestState.AWAITING_APPROVAL:
                raise InvalidRequest(
                    f"the request {intent_id} is {submission.state}: only one that awaits approval can be approved"
                )
            append_step(
                session,
                submission,
                Outcome(RequestState.APPROVED, f"approved by {actor}", detail={BY_PERSON: actor}),
                self._clock(),
            )

    def cancel(self, intent_id: str, *, actor: str) -> None:
        """Stop one request, as `withdraw` does.

        Raises
        ------
        NotFound
            There is no such request.
        InvalidRequest
            It has ended.
        """
        with self._store.transaction() as session:
            submission = get_submission(session, intent_id)
            state = _state_when_stopped(submission.state)
            if state is None:
                raise InvalidRequest(f"the request {intent_id} is {submission.state}: it cannot be cancelled")
            append_step(session, submission, Outcome(state, f"cancelled by {actor}", detail={BY_PERSON: actor}), self._clock())

    # --------------------------------------------------------------------------------------------------------------- in a loop

    def step(self) -> int:
        """Take every submission one step further where one is due, outside of any transaction; see `Sender.step`."""
        return self._sender.step()

    # ---------------------------------------------------------------------------------------------------------------- planning

    def _over_budget(self, session: Session, n_for_event: int) -> str:
        if n_for_event >= self._settings.max_per_event:
            return f"the event has {n_for_event} requests already, the most that the policy allows"
        n_today = intents_since(session, self._clock().plus_s(-86_400.0))
        return f"{n_today} requests were planned in 24 h, the budget" if n_today >= self._settings.max_per_day else ""

    def _why_not(self, coincidence: Coincidence, event: Event, candidate: Candidate, hypothesis: Hypothesis) -> str:
        if not self._settings.enabled or not self._settings.requests:
            return "follow-up is switched off"
        if not hypothesis.followup:
            return f"the hypothesis {hypothesis.name} asks for none"
        if not coincidence.is_live or not event.is_live:
            return "a member is a test, a mock or from an untrusted source"
        if coincidence.state is not PairState.OPEN or candidate.state is not PairState.OPEN:
            return "the coincidence is withdrawn"
        if event.state is not EventState.ACTIVE:
            return "the event is retracted"
        if missing := [policy.network for policy in self._settings.requests if policy.network not in self._networks]:
            return f"the network {missing[0]} is not configured"
        return ""

    def _best_intent(
        self, coincidence: Coincidence, event: Event, candidate: Candidate, hypothesis: Hypothesis, target: str
    ) -> Intent:
        intents = []
        for policy in self._settings.requests:
            now = self._clock()
            end = now.plus_s(policy.window_h * 3600.0)
            intent = Intent(
                intent_id=intent_id(
                    event_id=event.event_id,
                    target=target,
                    network=policy.network,
                    instrument=policy.instrument,
                    purpose=hypothesis.name,
                    policy_version=self._settings.policy_version,
                ),
                event_id=event.event_id,
                coincidence_id=coincidence.coincidence_id,
                target=target,
                ra_deg=candidate.ra_deg,
                dec_deg=candidate.dec_deg,
                network=policy.network,
                instrument=policy.instrument,
                purpose=hypothesis.name,
                policy_version=self._settings.policy_version,
                window_start=now,
                window_end=end,
                exposures=tuple(exposure.model_dump() for exposure in policy.exposures),
                max_airmass=policy.max_airmass,
                reason=f"{hypothesis.name} candidate of {event.event_id}, score {candidate.score:.2f}",
                visibility=self._visibility(candidate, policy, now, end),
                created_at=now,
            )
            if any(site.is_observable for site in intent.visibility):
                return intent
            intents.append(intent)
        return intents[0]

    def _visibility(self, candidate: Candidate, policy: RequestPolicy, start: Instant, end: Instant) -> tuple[Visibility, ...]:
        from hub.science.visibility import visibility  # noqa: PLC0415 - two seconds and 100 MB, wanted with the first request only

        sites = [self._sites[name] for name in policy.sites]
        needs = Constraints(max_airmass=policy.max_airmass, min_moon_separation_deg=policy.min_moon_separation_deg)
        return visibility(candidate.ra_deg, candidate.dec_deg, sites, start, end, needs)

    def _begin(self, session: Session, intent: Intent) -> None:
        storage.add_intent(session, intent)
        submission = append_step(
            session, Submission(intent=intent, transitions=()), Outcome(RequestState.DRAFT, intent.reason), self._clock()
        )
        policy = next(policy for policy in self._settings.requests if policy.network == intent.network)
        is_real = not self._networks[intent.network].is_simulated
        if not any(site.is_observable for site in intent.visibility):
            reasons = "; ".join(f"{site.site}: {site.reason}" for site in intent.visibility)
            outcome = Outcome(RequestState.REJECTED, f"not observable: {reasons}")
        elif policy.needs_approval or (is_real and not self._settings.allow_real_networks):
            outcome = Outcome(RequestState.AWAITING_APPROVAL, "a person must approve")
        else:
            outcome = Outcome(RequestState.APPROVED, "approved by policy")
        append_step(session, submission, outcome, self._clock())


def _state_when_stopped(present: RequestState) -> RequestState | None:
    """Return what a submission becomes when it is stopped; None where it has ended or is being stopped."""
    if present in WAITING_STATES:
        return RequestState.CANCELLED
    if present in ALIVE_STATES or present in (RequestState.SENDING, RequestState.UNKNOWN):
        return RequestState.CANCEL_REQUESTED
    return None
