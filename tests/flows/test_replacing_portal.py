"""A newer map at LCO's own portal: the group of fields on the older one is cancelled there before the group of the newer is sent."""

from dataclasses import replace

import pytest

from adapters.networks.ocs_words import marker
from hub.model.followup import RequestState
from hub.science.localization import localization_from_skymap
from hub.services.followup import FollowupService
from hub.services.followup_facts import book_of
from hub.services.followup_gates import REPLACED_BY
from hub.services.followup_policy import FollowupSettings
from hub.storage import events, followup, localizations
from hub.storage.engine import open_store, upgrade
from tests.conftest import REPOSITORY
from tests.support.followup import make_event
from tests.support.ocs import make_network, midnight_ra_deg, now
from tests.support.portal_parts import INSTRUMENT
from tests.support.portal_relay import Loss, relay
from tests.support.skymaps import gaussian_map, with_distance

pytestmark = pytest.mark.portal

TILES = (REPOSITORY / "tests/data/policy/tarot.toml").read_text(encoding="utf-8")
AT_ONCE = FollowupSettings(settle_s=0.0, sending_timeout_s=0.0, retry_s=0.0, poll_s=0.0)
SEND = "POST /api/requestgroups/ "
N_STEPS = 8


def policy():
    """Return the policy of the three robotic telescopes with the portal's camera in their place: one allocation, five fields."""
    head, _, rest = TILES.partition("[[allocation]]")
    _, _, rules = rest.partition("[[rule]]")
    head = head.replace("tarot.example.org", "127.0.0.1").replace("max_fields = 20", "max_fields = 5")
    head = head.replace('filter = "open", seconds = 200.0, count = 3', 'filter = "rp", seconds = 30.0')
    camera = f'[[allocation]]\nname = "camera"\nnetwork = "lco"\ninstrument = "{INSTRUMENT}"\nsites = ["CTIO", "SAAO", "SSO"]\n'
    camera += 'host = "127.0.0.1"\nfov_deg = 2.0\n\n'
    merger = rules.partition("[[rule]]")[0].replace('["TCH", "TRE", "TCA"]', '["camera"]')
    merger = merger.replace("max_hours_since_trigger = 48.0\n", "").replace('stages = ["initial"]', 'stages = ["update"]')
    return head.replace("from_trigger = true\n", "") + camera + "[[rule]]" + merger


class Night:
    """A hub that asks the portal for the fields of an event's map, and the event as its newest map has it."""

    def __init__(self, store, network):
        self.store = store
        self.service = FollowupService(store, {"lco": network}, now, AT_ONCE, book_of(policy()))

    def hear(self, dec_deg):
        """Take in a map that lies around a declination, and let the policy decide about it."""
        made = with_distance(gaussian_map(midnight_ra_deg(), dec_deg, 2.0, top_nside=8, rounds=4), 120.0, 24.0)
        place = localization_from_skymap(made)
        event = replace(make_event("G298048"), localization_id=place.localization_id)
        with self.store.transaction() as session:
            localizations.save(session, place)
            events.save(session, event)
            return self.service.plan_event(session, event)

    def get(self, intent):
        with self.store.reading() as session:
            return followup.get(session, intent.intent_id)

    def step_until(self, intent, state):
        for _ in range(N_STEPS):
            if self.get(intent).state is state:
                return
            self.service.step()
        assert self.get(intent).state is state, self.get(intent).transitions


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


def group_of(portal, intent):
    """Return what the portal has of a request; None where it has nothing."""
    found = [one for one in portal.groups() if one["name"] == marker(intent.intent_id)]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_group_of_fields_gives_way_to_that_of_a_newer_map_only_once_the_portal_has_cancelled_it(portal, store):
    with relay(portal.url) as between:
        night = Night(store, make_network(between.url))
        old = night.hear(-65.0)
        assert len(old.fields) > 1
        night.step_until(old, RequestState.ACCEPTED)
        group = group_of(portal, old)
        assert (group["operator"], group["state"], len(group["requests"])) == ("MANY", "PENDING", len(old.fields))

        new = night.hear(-45.0)
        assert new.intent_id != old.intent_id
        assert night.get(old).state is RequestState.CANCEL_REQUESTED
        assert night.get(old).transitions[-1].detail[REPLACED_BY] == new.intent_id
        before = len(between.questions)
        between.draw = lambda: Loss.QUESTION  # the portal is told nothing
        for _ in range(3):
            night.service.step()
        assert group_of(portal, old)["state"] == "PENDING"
        assert any("/cancel/" in line for line in between.questions[before:])
        assert not any(line.startswith(SEND) for line in between.questions[before:])
        assert night.get(new).state is RequestState.APPROVED
        assert group_of(portal, new) is None

        between.draw = lambda: Loss.NONE
        night.step_until(new, RequestState.ACCEPTED)
        assert night.get(old).state is RequestState.CANCELLED
    former, latter = group_of(portal, old), group_of(portal, new)
    assert (former["state"], {one["state"] for one in former["requests"]}) == ("CANCELED", {"CANCELED"})
    assert (latter["operator"], latter["state"], len(latter["requests"])) == ("MANY", "PENDING", len(new.fields))
    cancelled = next(step.at for step in night.get(old).transitions if step.state is RequestState.CANCELLED)
    sent = next(step.at for step in night.get(new).transitions if step.state is RequestState.SENDING)
    assert cancelled <= sent


def test_a_newer_map_that_gains_little_leaves_the_group_at_the_portal_alone(portal, store):
    night = Night(store, make_network(portal.url))
    old = night.hear(-60.0)
    night.step_until(old, RequestState.ACCEPTED)
    kept = night.hear(-60.2)
    assert kept.intent_id == old.intent_id
    for _ in range(2):
        night.service.step()
    assert group_of(portal, old)["state"] == "PENDING"
