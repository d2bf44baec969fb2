"""What cannot be observed gets one sentence, and the portal never gets it: neither from the hub's sender nor, asked directly, by the adapter."""

import math

import pytest

from hub.errors import NetworkRefused
from hub.model.followup import RequestState, Submission
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import Sender, append_step
from hub.services.submission import Outcome
from hub.storage import followup as storage
from hub.storage.engine import open_store, upgrade
from tests.support.followup import open_gate
from tests.support.ocs import DAY_S, make_intent, make_network, now
from tests.support.portal_parts import POOR_PROPOSAL
from tests.support.portal_relay import relay

pytestmark = pytest.mark.portal

EXPOSURE = {"filter": "gp", "seconds": 60.0}

BAD = {
    "a window that is over": ({"window_end": now().plus_s(-60.0)}, "its window ended before it was sent"),
    "a window that ends before it begins": (
        {"window_start": now().plus_s(2 * DAY_S), "window_end": now().plus_s(DAY_S)},
        "the window ends before it begins",
    ),
    "an unknown instrument": ({"instrument": "9M9-NOTHING"}, "lco has no instrument 9M9-NOTHING"),
    "an unknown filter": ({"exposures": ({"filter": "zs", "seconds": 60.0},)}, "has no filter zs"),
    "no exposures": ({"exposures": ()}, "the request has no exposures"),
    "right ascension 400": ({"ra_deg": 400.0}, "the right ascension 400 is not within 0 to 360 degrees"),
    "declination -91": ({"dec_deg": -91.0}, "the declination -91 is not within -90 to 90 degrees"),
    "a place that is no number": ({"ra_deg": math.nan, "dec_deg": math.inf}, "the right ascension nan is not within"),
    "an exposure that is no number": ({"exposures": (EXPOSURE | {"seconds": math.nan},)}, "an exposure has no length"),
    "an airmass that is no number": ({"max_airmass": math.nan}, "the largest airmass nan is none"),
    "a target that is never up": ({"dec_deg": 85.0}, "will not be visible within the time window"),
    "longer than a night": ({"exposures": (EXPOSURE | {"count": 2000},)}, "will only be visible for a maximum of"),
}


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


def sent(between):
    return [line for line in between.questions if line.startswith("POST /api/requestgroups/ ")]


def judged(store, network, intent):
    """Return the last step of a request that was approved and handed to the sender."""
    with store.transaction() as session:
        storage.add_intent(session, intent)
        drafted = append_step(session, Submission(intent=intent, transitions=()), Outcome(RequestState.DRAFT), now())
        append_step(session, drafted, Outcome(RequestState.APPROVED), now())
    sender = Sender(store, {"lco": network}, now, FollowupSettings(), gate=open_gate)
    for _ in range(2):
        sender.step()
    with store.reading() as session:
        return storage.get(session, intent.intent_id).transitions[-1]


def is_a_sentence(text):
    return "\n" not in text and "Traceback" not in text and 0 < len(text) < 500


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_observed_is_one_sentence_and_is_not_sent(portal, store, case):
    changes, sentence = BAD[case]
    intent = make_intent(f"bad-{case}", **changes)
    with relay(portal.url) as between:
        network = make_network(between.url)
        last = judged(store, network, intent)
        if not math.isnan(intent.ra_deg + intent.max_airmass):
            assert any(part in "; ".join(network.validate(intent)) for part in (sentence, "the window ended at"))
        if "never up" not in case and "longer" not in case:
            with pytest.raises(NetworkRefused):  # what the portal alone knows it says to a submission, too
                network.submit(intent)
        assert sent(between) == []
    assert last.state in (RequestState.REJECTED, RequestState.EXPIRED)
    assert sentence in last.reason
    assert is_a_sentence(last.reason), last.reason


def test_a_proposal_without_time_is_one_sentence_and_is_not_sent(portal, store):
    with relay(portal.url) as between:
        last = judged(store, make_network(between.url, proposal=POOR_PROPOSAL), make_intent("bad-poor"))
        assert sent(between) == []
    assert last.state is RequestState.REJECTED
    assert "You do not have sufficient NORMAL time allocated" in last.reason
    assert is_a_sentence(last.reason), last.reason


def test_what_can_be_observed_is_sent_once(portal, store):
    with relay(portal.url) as between:
        assert judged(store, make_network(between.url), make_intent("bad-not")).state is RequestState.ACCEPTED
        assert len(sent(between)) == 1
