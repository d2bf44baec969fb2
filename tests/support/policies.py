"""Facts for follow-up policies, and policies with a few lines changed."""

from hub.model.notice import EventClass, Messenger, Role, Stage
from hub.resources import read_text
from hub.science.followup_facts import Asked, FollowupFacts, Seen
from hub.services.followup_facts import book_of

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


ONE_SITE = (
    ('sites = ["CTIO", "SAAO", "SSO"]', 'sites = ["CTIO"]'),
    ("max_expected_mag = 21.5", "# without a map nobody expects a magnitude"),
    ("relook_d = [1.0, 3.0, 10.0, 30.0]", ""),
)
"""Changes of the shipped policy: by CTIO alone, whatever the magnitude, and one look at each."""


def policy_text(*changes, base=ONE_SITE, text=None):
    """Return a policy with some words changed; every one of them must be there."""
    text = text or read_text("conf/policy.toml")
    for old, new in (*base, *changes):
        assert old in text, old
        text = text.replace(old, new)
    return text


def policy_book(*changes, base=ONE_SITE, text=None):
    """Return a policy with some words changed, and its tables."""
    return book_of(policy_text(*changes, base=base, text=text))
