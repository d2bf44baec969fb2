"""Facts for follow-up policies, and a policy with a few lines changed."""

from hub.model.notice import EventClass, Messenger, Role, Stage
from hub.science.followup_facts import Asked, FollowupFacts, Seen

SHIPPED_SEEN = {("simulated", "two colours"): Seen(is_observable=True, reason="CTIO sees it")}


def kilonova(**changes):
    """Return what is known of an announced kilonova candidate that the shipped policy asks for by itself."""
    known = {
        "event_id": "S230518h",
        "role": Role.OBSERVATION,
        "is_trusted": True,
        "is_active": True,
        "event_class": EventClass.CBC,
        "messenger": Messenger.GW,
        "mission": "LVK",
        "stage": Stage.INITIAL,
        "candidate": "LSST:170000000000000001",
        "hypothesis": "kilonova",
        "ra_deg": 197.45,
        "dec_deg": -23.38,
        "level": 0.4,
        "score": 5.5,
        "expected_mag": 17.5,
        "hours_since_trigger": 11.0,
        "confirmed": True,
        "announced": True,
        "classified": (),
        "observed": (),
        "seen": SHIPPED_SEEN,
    }
    return FollowupFacts(**{**known, **changes})


def asked(number=1, *, event_id="S230518h", hours_ago=1.0, seconds=240.0, separation_deg=10.0, network="simulated", camera=None):
    """Return a request that was made before."""
    return Asked(
        event_id=event_id,
        target=f"LSST:{number}",
        network=network,
        instrument=camera or "1M0-SIMCAM",
        hours_ago=hours_ago,
        seconds=seconds,
        separation_deg=separation_deg,
    )
