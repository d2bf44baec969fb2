"""The policy against the networks of the settings: what does not fit is a sentence before the night, not a refusal in it."""

import pytest

from hub.bootstrap import check_policy
from hub.config import Settings
from tests.support.policies import policy_book

ALLOCATION = 'network = "simulated"\ninstrument = "1M0-SIMCAM"'
RUBIN = {"kind": "rubin", "url": "http://127.0.0.1:9/tap", "hosts": ["127.0.0.1"], "allow_loopback": True}


def said(*changes, networks=None):
    settings = Settings.model_validate({"networks": {"simulated": {"kind": "simulated"}} if networks is None else networks})
    return check_policy(settings, policy_book(*changes).policy)


def test_what_is_shipped_fits():
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "networks", "sentence"),
    [
        (
            [(ALLOCATION, ALLOCATION.replace("simulated", "lco"))],
            None,
            "the allocation 'simulated' is of the network 'lco', which the settings do not have; there are simulated",
        ),
        ([], {"simulated": {"kind": "simulated", "enabled": False}}, "which the settings do not have; there are none"),
        ([(ALLOCATION, ALLOCATION.replace("1M0-SIMCAM", "WFC3"))], None, "simulated has no instrument WFC3"),
        (
            [('{ filter = "i", seconds = 120.0', '{ filter = "F606W", seconds = 120.0')],
            None,
            "the rule 'kilonova' asks simulated for 'two colours': simulated has no filter F606W",
        ),
        (
            [('sites = ["CTIO"]', 'host = "portal.example.org"\nsites = ["CTIO"]')],
            None,
            "names the host portal.example.org, and [networks.simulated] speaks to None: nothing would be sent",
        ),
        ([("stopped_networks = []", 'stopped_networks = ["lc0"]')], None, "stopped_networks has 'lc0'"),
        ([], {"simulated": RUBIN}, "takes no requests: it decides by itself what it observes"),
    ],
)
def test_what_does_not_fit_is_a_sentence(changes, networks, sentence):
    assert sentence in " | ".join(said(*changes, networks=networks))
