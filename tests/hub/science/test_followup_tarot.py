"""A telescope team's own list of rules (skyportal/skyportal issue 5147, in our words) as a policy."""

import pytest

from hub.model.followup import Urgency
from hub.model.notice import EventClass, Messenger, Stage
from hub.science.followup_facts import Seen
from hub.science.followup_policy import Target
from hub.science.followup_reading import load_policy
from hub.science.followup_rules import Verdict, decide
from tests.conftest import REPOSITORY
from tests.support.policies import asked, kilonova

POLICY = load_policy((REPOSITORY / "tests/data/policy/tarot.toml").read_text(encoding="utf-8"))
ALL = ("TCH", "TRE", "TCA")
SEEN = {(name, template): Seen(is_observable=True, reason="") for name in ALL for template in ("merger tiles", "one tile")}
EVENT = {"candidate": None, "hypothesis": None, "credentials": frozenset(ALL), "seen": SEEN}


def merger(**changes):
    return kilonova(**{**EVENT, "ra_deg": None, "distance_mpc": 140.0, "area90_deg2": 90.0, **changes})


def burst(**changes):
    known = {
        "messenger": Messenger.EM,
        "event_class": EventClass.GRB,
        "mission": "SVOM",
        "error_deg": 0.14,
        "hours_since_trigger": 0.01,
    }
    return kilonova(**{**EVENT, **known, **changes})


def test_a_near_merger_with_a_small_map_is_tiled_by_all_three_in_earnest():
    decision = decide(merger(), POLICY)
    assert (decision.verdict, decision.rule, decision.target) == (Verdict.ASK, "near merger", Target.MAP)
    assert (decision.allocations, decision.urgency, decision.dry_run) == (ALL, Urgency.TIME_CRITICAL, {})
    template = POLICY.templates[decision.template]
    assert (template.max_fields, template.max_prob, template.max_airmass) == (20, 0.7, 2.5)
    assert (template.window_h, template.from_trigger, template.field_seconds) == (48.0, True, 600.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"distance_mpc": 201.0}, "the distance in Mpc is 201, above 200"),
        ({"distance_mpc": None}, "the distance in Mpc is not known"),
        ({"area90_deg2": 200.5}, "the 90 % area in square degrees is 200.5, above 200"),
        ({"stage": Stage.UPDATE}, "the stage is update, not initial"),
        ({"hours_since_trigger": 49.0}, "the time since the trigger in hours is 49, above 48"),
        ({"messenger": Messenger.NEUTRINO}, "the messenger is neutrino, not gw"),
    ],
)
def test_a_merger_that_they_do_not_want_says_what_is_wrong(changes, sentence):
    decision = decide(merger(**changes), POLICY)
    assert (decision.verdict, decision.rule) == (Verdict.SKIP, None)
    assert decision.passed_over["near merger"] == (sentence,)


@pytest.mark.parametrize("mission", ["SVOM", "EinsteinProbe"])
def test_an_x_ray_trigger_gets_one_field_of_each_at_once(mission):
    decision = decide(burst(mission=mission), POLICY)
    assert (decision.verdict, decision.rule, decision.target) == (Verdict.ASK, "X-ray trigger", Target.POSITION)
    assert (decision.allocations, decision.urgency, decision.seconds) == (ALL, Urgency.RAPID_RESPONSE, 300.0)


def test_an_x_ray_trigger_that_one_field_does_not_hold_is_left():
    assert decide(burst(error_deg=3.0), POLICY).rule is None
    assert decide(burst(mission="Fermi"), POLICY).rule is None


def test_the_telescope_that_does_not_see_it_is_left_out_and_the_others_are_asked():
    seen = {**SEEN, ("TRE", "one tile"): Seen(is_observable=False, reason="it never rises at Reunion")}
    decision = decide(burst(seen=seen), POLICY)
    assert decision.allocations == ("TCH", "TCA")
    assert decision.refused == {"TRE": "TRE: not observable: it never rises at Reunion"}


def test_twenty_fields_a_night_are_the_most_of_each_telescope():
    spent = (asked(1, event_id="S1", network="tarot", camera="TCH", seconds=12000.0, hours_ago=20.0),)
    decision = decide(merger(asked=spent), POLICY)
    assert decision.allocations == ("TRE", "TCA")
    assert "TCH" in decision.refused


def test_the_second_time_a_person_is_asked_and_the_third_nobody():
    def of_all(times):
        return tuple(asked(n, network="tarot", camera=name, seconds=0.0) for n in range(times) for name in ALL)

    assert decide(merger(asked=of_all(1)), POLICY).verdict is Verdict.ASK_PERSON
    assert decide(merger(asked=of_all(2)), POLICY).verdict is Verdict.SKIP
