"""What was asked of telescopes before, and which networks are left alone: read from the rows each time."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.model.followup import Intent, RequestState
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
    found = {}
    for network in networks:
        stop = next((said[name] for name in (ALL_NETWORKS, network) if name in said and said[name].is_stopped), None)
        if policy.stop_all:
            found[network] = "the policy stops all follow-up (stop_all)"
        elif network in policy.stopped:
            found[network] = f"the policy stops the network {network}"
        elif stop is not None:
            found[network] = f"{stop.actor} stopped {stop.network}{': ' if stop.reason else ''}{stop.reason}"
        elif why := _opened(session, network, policy.breaker, said, now):
            found[network] = why
        elif configured is not None and network not in configured:
            found[network] = f"the network {network} is not configured"
    return found


def _opened(session: Session, network: str, breaker: Breaker, said: Mapping[str, NetworkStop], now: Instant) -> str:
    """Return why the breaker of a network is open, by its newest answers since a person let it go on; or the empty text."""
    after = now.plus_s(-3600.0 * (breaker.within_h + breaker.pause_h) - 1.0)  # older ones open nothing
    resumed = [said[name].at for name in (ALL_NETWORKS, network) if name in said and not said[name].is_stopped]
    answers = followup.answers(session, network, _FAULTS, after=max([after, *resumed]), limit=breaker.faults)
    return breaker_opens(breaker, [(now.minus(at) / 3600.0, is_fault) for at, is_fault in answers])


def _asked(intent: Intent, place: tuple[float, float] | None, now: Instant) -> Asked:
    return Asked(
        event_id=intent.event_id,
        target=intent.target,
        network=intent.network,
        instrument=intent.instrument,
        hours_ago=now.minus(intent.due_at or intent.created_at) / 3600.0,
        seconds=intent.shutter_s,
        separation_deg=None if place is None else separation_arcsec(*place, intent.ra_deg, intent.dec_deg) / 3600.0,
    )
