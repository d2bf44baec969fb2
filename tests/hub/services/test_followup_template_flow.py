"""The template of a request in the flow: chosen by what is expected when it is drafted, a later look by what is expected then."""

import dataclasses

import pytest

from hub.science.localization import localization_from_skymap
from hub.storage import localizations
from tests.hub.services.test_followup import Hub
from tests.support.followup import AT2017GFO, make_event
from tests.support.policies import policy_book
from tests.support.skymaps import gaussian_map, with_distance

DEPTH = (
    ('sites = ["CTIO", "SAAO", "SSO"]', 'sites = ["CTIO"]'),
    ("max_expected_mag = 21.5", "max_expected_mag = 25.0"),
    (
        'template = "two colours"\nallocations = ["simulated"]\nurgency = "time_critical"',
        'templates = ["two colours, deep", "what is left is red"]\nallocations = ["simulated"]\nurgency = "time_critical"',
    ),
)
"""Changes of the shipped policy: every kilonova is asked for by a template that reaches it, with all later looks."""


@pytest.fixture
def hub(tmp_path):
    night = Hub(tmp_path, book=policy_book(base=DEPTH))
    yield night
    night.store.close()


def plan(night, distance_mpc):
    skymap = with_distance(gaussian_map(*AT2017GFO, 2.0, top_nside=4, rounds=4), distance_mpc, distance_mpc / 5.0)
    place = localization_from_skymap(skymap)
    with night.store.transaction() as session:
        localizations.save(session, place)
    return night.plan(event=dataclasses.replace(make_event(), localization_id=place.localization_id))


def test_a_first_look_and_each_later_one_is_asked_for_by_the_template_that_reaches_it_then(hub):
    plan(hub, 40.0)
    looks = sorted(hub.submissions, key=lambda one: one.intent.window_start)
    assert [one.intent.template for one in looks] == [
        "two colours, deep",
        "two colours, deep",
        "two colours, deep",
        "what is left is red",
        "what is left is red",
    ], "now, and 1, 3, 10 and 30 days later: at last nothing is left, and the deepest shows that"
    assert [[row["filter"] for row in one.intent.exposures] for one in looks[2:4]] == [["g", "i"], ["i", "z"]]
    hub.run(2)
    assert hub.n_booked == 1
    assert [one.exposure_s for one in hub.network.ledger()] == [1200.0]


def test_what_no_template_reaches_is_asked_of_nobody_and_the_reason_stands_in_the_rows(hub):
    assert plan(hub, 600.0) is None
    (decision,) = hub.decisions
    assert decision.is_skip
    assert any("no template: 'two colours, deep' reaches 22.4 in g, and 2" in reason for reason in decision.reasons)
