"""What was asked of telescopes before, and which networks are left alone: read from the rows each time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.followup import Intent, RequestState, Submission
from hub.model.instant import Instant
from hub.science.followup_facts import Asked
from hub.science.followup_limits import breaker_opens
from hub.science.followup_policy import Breaker, Policy
from hub.science.small_cone import separation_arcsec
from hub.storage import followup, followup_log
from hub.storage.followup_log import NetworkStop

ALL_NETWORKS = "all"
"""What a person stops who stops every network."""

COUNTED_STATES = frozenset(RequestState) - {
    RequestState.DRAFT,
    RequestState.REJECTED,
    RequestState.CANCELLED,
    RequestState.EXPIRED,
}
"""Requests that fill budgets and are a reason to leave a place out: a draft is only a plan, the others cost nothing."""

ANSWERED_STATES = frozenset(RequestState) - {RequestState.DRAFT, RequestState.AWAITING_APPROVAL}
"""Requests that a network may have answered."""

_FAULTS = frozenset({RequestState.UNKNOWN, RequestState.REJECTED, RequestState.APPROVED})
"""What a sending becomes when the network did not answer, refused, or could not be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was asked of all telescopes, and which are left alone, at one moment."""

    intents: tuple[Intent, ...]
    """Those that count."""

    stopped: Mapping[str, str]
    """Networks, and why they are left alone."""

    def asked(self, place: tuple[float, float] | None, now: Instant, *, own: Collection[str] = ()) -> tuple[Asked, ...]:
        """Return the requests as a policy is asked with them.

        Parameters
        ----------
        place
            Of the present target, ICRS degrees; None where it has none.
        now
            The present.
        own
            Ids of intents of the present target itself: they fill budgets, but are no reason to leave the place out.
        """
        return tuple(_asked(one, None if one.intent_id in own else place, now) for one in self.intents)


def before(session: Session, policy: Policy, now: Instant, configured: Collection[str] | None = None) -> Before:
    """Return what was asked before, and which networks are left alone.

    Parameters
    ----------
    session
        Only read from.
    policy
        Whose networks and circuit breaker are looked at.
    now
        The present.
    configured
        Networks that the hub has; where not given, nobody asks for that.
    """
    return Before(
        intents=tuple(followup.intents_in(session, COUNTED_STATES)), stopped=left_alone(session, policy, now, configured)
    )


def left_alone(session: Session, policy: Policy, now: Instant, configured: Collection[str] | None = None) -> dict[str, str]:
    """Return the networks of a policy that are left alone, and why: a person, the circuit breaker, or they are not there."""
    networks = sorted({one.network for one in policy.allocations.values()} | set(configured or ()))
    said = followup_log.stops(session)
    span_h = policy.breaker.within_h + policy.breaker.pause_h
    opened = breakers(
        followup.touched_since(session, now.plus_s(-3600.0 * span_h), ANSWERED_STATES), policy.breaker, now, _resumed(said)
    )
    found = {}
    for network in networks:
        stop = next((said[name] for name in (ALL_NETWORKS, network) if name in said and said[name].is_stopped), None)
        if policy.stop_all:
            found[network] = "the policy stops all follow-up (stop_all)"
        elif network in policy.stopped:
            found[network] = f"the policy stops the network {network}"
        elif stop is not None:
            found[network] = f"{stop.actor} stopped {stop.network}{': ' if stop.reason else ''}{stop.reason}"
        elif network in opened:
            found[network] = opened[network]
        elif configured is not None and network not in configured:
            found[network] = f"the network {network} is not configured"
    return found


def breakers(
    submissions: Sequence[Submission], breaker: Breaker, now: Instant, resumed: Mapping[str, Instant] | None = None
) -> dict[str, str]:
    """Return the networks whose circuit breaker is open, and why, by what came of each sending since a person let them go on."""
    answers: dict[str, list[tuple[float, bool]]] = {}
    for one in submissions:
        for earlier, step in zip(one.transitions, one.transitions[1:], strict=False):
            again = max((resumed[name] for name in (ALL_NETWORKS, step.network) if resumed and name in resumed), default=None)
            if earlier.state is RequestState.SENDING and (again is None or step.at > again):
                answers.setdefault(step.network, []).append((now.minus(step.at) / 3600.0, step.state in _FAULTS))
    return {network: why for network, said in sorted(answers.items()) if (why := breaker_opens(breaker, said))}


def _resumed(said: Mapping[str, NetworkStop]) -> dict[str, Instant]:
    return {network: one.at for network, one in said.items() if not one.is_stopped}


def seconds_of(intent: Intent) -> float:
    """Return the open shutter of an intent, seconds."""
    once = sum(float(row.get("seconds", 0.0)) * int(row.get("count", 1)) for row in intent.exposures)
    return once * max(1, len(intent.fields))


def _asked(intent: Intent, place: tuple[float, float] | None, now: Instant) -> Asked:
    return Asked(
        event_id=intent.event_id,
        target=intent.target,
        network=intent.network,
        instrument=intent.instrument,
        hours_ago=now.minus(intent.due_at or intent.created_at) / 3600.0,
        seconds=seconds_of(intent),
        separation_deg=None if place is None else separation_arcsec(*place, intent.ra_deg, intent.dec_deg) / 3600.0,
    )
