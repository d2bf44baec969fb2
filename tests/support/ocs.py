"""What is asked of the observation portal, and as whom."""

import time
from pathlib import Path

from adapters.networks.ocs import Options, open_network
from hub.model.followup import Intent, intent_id
from hub.model.instant import Instant
from hub.ports import PartContext
from tests.support.portal_parts import FILTERS, INSTRUMENT, PROPOSAL, USER_TOKEN

DAY_S = 86_400.0


def now():
    """Return the present moment: the portal has no other clock."""
    return Instant.from_unix_s(time.time())


def midnight_ra_deg():
    """Return the right ascension that culminates at midnight now, degrees (mean Sun, a few degrees wrong at most)."""
    days = now().mjd_utc - 51_544.5
    return (280.46 + 0.9856474 * days + 180.0) % 360.0


def make_intent(number="1", **changes):
    """Return an intent at a place that is up each night of the test site, and far from wherever the Moon is."""
    values = {
        "intent_id": intent_id(
            event_id="S1", target=str(number), network="lco", instrument=INSTRUMENT, purpose="kilonova", policy_version=1
        ),
        "event_id": "S1",
        "coincidence_id": "c",
        "target": f"LSST:{number}",
        "ra_deg": midnight_ra_deg(),
        "dec_deg": -65.0,
        "network": "lco",
        "instrument": INSTRUMENT,
        "purpose": "kilonova",
        "policy_version": 1,
        "window_start": now(),
        "window_end": now().plus_s(2 * DAY_S),
        "exposures": ({"filter": "gp", "seconds": 60.0, "count": 2}, {"filter": "rp", "seconds": 30.0}),
        "max_airmass": 2.0,
        "reason": "kilonova candidate of S1, score 5.50",
        "created_at": now(),
    }
    return Intent(**{**values, **changes})


def part_context(data_dir=Path(), *, name="lco", clock=now):
    """Return what an opener of a network gets from the hub."""
    return PartContext(name=name, authority="hub.example", data_dir=data_dir, clock=clock, report=lambda _: None)


def make_options(url, **changes):
    """Return the options of a network behind a portal at an address."""
    values = {
        "url": url,
        "hosts": ("127.0.0.1",),
        "token": USER_TOKEN,
        "proposal": PROPOSAL,
        "instruments": {INSTRUMENT: {"telescope_class": "1m0", "filters": FILTERS}},
        "allow_loopback": True,
        "answer_s": 120.0,
    }
    return Options.model_validate({**values, **changes})


def make_network(url, *, clock=now, **changes):
    """Return the hub's side of a portal at an address."""
    with open_network(make_options(url, **changes), part_context(clock=clock)) as network:  # nothing of it needs closing
        return network
