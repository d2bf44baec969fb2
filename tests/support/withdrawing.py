"""Requests of one event at an observation portal, and what a retraction of the event makes of them."""

import time
from dataclasses import dataclass

from adapters.networks.ocs_words import marker
from hub.model.followup import RequestState, Submission
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import Sender, append_step, get_submission
from hub.services.submission import Outcome
from hub.storage import followup as storage
from tests.support.followup import open_gate
from tests.support.ocs import make_intent, make_network, now

STEPS = 10
"""Of the sender at most: each tries everything that is due."""


@dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """What a retraction came to."""

    asked: int
    submitted: int
    """Groups that the portal had before."""

    confirmed: int
    """Requests of which the hub says that the network cancelled them."""

    cancelled: int
    """Groups that the portal itself calls cancelled."""

    seconds: float
    """From the retraction to the last confirmation."""


def withdraw_all(portal, store, count, *, url=None):
    """Submit requests, retract their event, and take the cancelling to its end; the portal itself is asked what became of them."""
    network = make_network(url or portal.url)
    at_once = FollowupSettings(settle_s=0.0, sending_timeout_s=0.0, retry_s=0.0, poll_s=0.0)
    sender = Sender(store, {"lco": network}, now, at_once, gate=open_gate)
    intents = [make_intent(f"withdrawn-{number}-{time.monotonic_ns()}") for number in range(count)]
    with store.transaction() as session:
        for one in intents:
            storage.add_intent(session, one)
            drafted = append_step(session, Submission(intent=one, transitions=()), Outcome(RequestState.DRAFT), now())
            append_step(session, drafted, Outcome(RequestState.APPROVED), now())
    _until(sender, store, {RequestState.ACCEPTED})
    names = {marker(one.intent_id) for one in intents}
    submitted = _states(portal, names)
    begin = time.monotonic()
    with store.transaction() as session:
        for one in intents:
            present = get_submission(session, one.intent_id)
            append_step(session, present, Outcome(RequestState.CANCEL_REQUESTED, "the event was retracted"), now())
    _until(sender, store, {RequestState.CANCELLED})
    seconds = time.monotonic() - begin
    with store.reading() as session:
        confirmed = len(storage.in_states(session, [RequestState.CANCELLED]))
    return Withdrawn(
        asked=count,
        submitted=submitted.count("PENDING"),
        confirmed=confirmed,
        cancelled=_states(portal, names).count("CANCELED"),
        seconds=seconds,
    )


def _until(sender, store, states):
    for _ in range(STEPS):
        sender.step()
        with store.reading() as session:
            if not storage.in_states(session, sorted(set(RequestState) - states)):
                return


def _states(portal, names):
    return [group["state"] for group in portal.groups() if group["name"] in names]
