"""What the shipped follow-up policy does, and why."""

import dataclasses
import itertools

import pytest

from hub.model.notice import Role
from hub.model.significance import Significance
from hub.resources import read_text
from hub.science.followup_facts import Observed, Seen
from hub.science.followup_policy import Live
from hub.science.followup_reading import load_policy
from hub.science.followup_rules import Verdict, decide, summary
from tests.support.policies import asked, kilonova

POLICY = load_policy(read_text("conf/policy.toml"))


def test_an_announced_kilonova_candidate_is_asked_for_without_a_person_and_dry():
    decision = decide(kilonova(), POLICY)
    assert (decision.verdict, decision.rule, decision.allocations) == (Verdict.ASK, "kilonova", ("simulated",))
    assert (decision.template, decision.seconds) == ("two colours", 240.0)
    assert decision.dry_run == {
        "simulated": ("live requests are switched off", "there is no credential for simulated"),
    }


def test_every_reason_of_rules_that_were_passed_over_is_told():
    decision = decide(kilonova(level=0.95, expected_mag=None, score=None), POLICY)
    assert (decision.verdict, decision.rule) == (Verdict.ASK_PERSON, "any announced candidate")
    assert decision.passed_over == {
        "low significance": ("the grade is not known",),
        "kilonova": ("the 2D level is 0.95, above 0.9", "the expected magnitude is not known"),
        "faint kilonova": ("the 2D level is 0.95, above 0.9", "the expected magnitude is not known"),
    }


@pytest.mark.parametrize(
    ("unknown", "sentence"),
    [
        ("level", "the 2D level is not known"),
        ("expected_mag", "the expected magnitude is not known"),
        ("hours_since_trigger", "the time since the trigger in hours is not known"),
        ("hypothesis", "the hypothesis is not known"),
        ("confirmed", "whether the candidate is confirmed is not known"),
        ("announced", "whether its coincidence was announced is not known"),
    ],
)
def test_what_is_not_known_never_satisfies_a_rule(unknown, sentence):
    assert sentence in decide(kilonova(**{unknown: None}), POLICY).passed_over["kilonova"]


def test_no_number_is_unknown_too():
    assert "the 2D level is not known" in decide(kilonova(level=float("nan")), POLICY).passed_over["kilonova"]


def test_both_ends_of_a_bound_count_as_inside():
    assert decide(kilonova(level=0.9, expected_mag=21.5, hours_since_trigger=240.0), POLICY).rule == "kilonova"


def test_the_first_rule_in_order_decides():
    decision = decide(kilonova(significance=Significance.LOW), POLICY)
    assert (decision.verdict, decision.rule) == (Verdict.SKIP, "low significance")
    assert decision.passed_over == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"role": Role.TEST}, "the event is a test, no observation"),
        ({"is_trusted": False}, "a notice of the event is a test or from a source that is not trusted"),
        ({"is_active": False}, "the event is retracted, or the candidate withdrawn"),
    ],
)
def test_nothing_is_ever_asked_for(changes, sentence):
    decision = decide(kilonova(**changes), POLICY)
    assert (decision.verdict, decision.rule, decision.reasons) == (Verdict.SKIP, None, (sentence,))


def test_the_kill_switch_stops_everything():
    decision = decide(kilonova(), dataclasses.replace(POLICY, stop_all=True))
    assert (decision.verdict, decision.reasons) == (Verdict.SKIP, ("the policy stops all follow-up (stop_all)",))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"asked": (asked(7, separation_deg=0.005, hours_ago=2.0),)},
            "already requested: LSST:7 at simulated, 0.005 deg away, 2 h ago",
        ),
        ({"observed": (Observed(by="T80", hours_ago=3.0),)}, "recently observed: by T80, 3 h ago"),
        ({"classified": ("SN Ia",)}, "already classified: SN Ia"),
        (
            {"seen": {("simulated", "two colours"): Seen(is_observable=False, reason="CTIO: the Sun is up")}},
            "simulated: not observable: CTIO: the Sun is up",
        ),
        ({"seen": {}}, "simulated: it is not known whether it can be observed there"),
        ({"stopped": {"simulated": "its last 5 answers are faults"}}, "simulated: its last 5 answers are faults"),
    ],
)
def test_skips_say_why(changes, sentence):
    decision = decide(kilonova(**changes), POLICY)
    assert (decision.verdict, decision.rule) == (Verdict.SKIP, "kilonova")
    assert sentence in decision.reasons


def test_what_is_long_ago_or_elsewhere_is_no_reason_to_skip():
    known = kilonova(
        asked=(asked(1, event_id="S1", separation_deg=0.005, hours_ago=24.0), asked(2, separation_deg=0.02)),
        observed=(Observed(by="T80", hours_ago=6.0),),
    )
    assert decide(known, POLICY).verdict is Verdict.ASK


def test_a_network_that_a_person_stopped_is_not_asked():
    decision = decide(kilonova(), dataclasses.replace(POLICY, stopped=("simulated",)))
    assert "simulated: the policy stops the network simulated" in decision.reasons


def test_beyond_its_cap_a_person_is_asked():
    decision = decide(kilonova(asked=(asked(1), asked(2))), POLICY)
    assert decision.verdict is Verdict.ASK_PERSON
    assert decision.reasons[1] == (
        "a person is asked: the cap of kilonova for the event has room for 2 requests, 2 were made: 1 more are too many"
    )


def test_beyond_the_budget_nobody_is_asked():
    decision = decide(kilonova(asked=tuple(map(asked, range(5)))), POLICY)
    assert decision.verdict is Verdict.SKIP
    assert decision.refused["simulated"].startswith("simulated: the event S230518h has room for 5 requests, 5 were made")


def test_the_order_of_what_was_asked_does_not_matter():
    before = [asked(n, seconds=0.1 * n, hours_ago=n, separation_deg=0.001 * n, event_id=f"S{n % 2}") for n in range(1, 5)]
    decisions = [decide(kilonova(asked=order), POLICY) for order in itertools.permutations(before)]
    assert all(one == decisions[0] for one in decisions)


def test_live_needs_all_five_and_names_each_that_lacks():
    allocation = dataclasses.replace(POLICY.allocations["simulated"], host="portal.example.org")
    policy = dataclasses.replace(POLICY, allocations={"simulated": allocation})
    all_but_hosts = dataclasses.replace(policy, live=Live(enabled=True))
    live = dataclasses.replace(policy, live=Live(enabled=True, hosts=("portal.example.org",)))
    has_credential = {"credentials": frozenset({"simulated"})}
    assert decide(kilonova(**has_credential), live).dry_run == {}
    assert decide(kilonova(), live).dry_run == {"simulated": ("there is no credential for simulated",)}
    assert decide(kilonova(**has_credential), all_but_hosts).dry_run == {
        "simulated": ("the host portal.example.org of simulated is not on the list of allowed hosts",)
    }


def test_each_rule_is_told_in_one_line_and_the_shipped_ones_are_dry_runs():
    lines = [summary(rule, POLICY) for rule in POLICY.rules]
    assert lines[0].startswith("low significance (candidate; significances low/sub_threshold): nothing is asked")
    assert all(line.endswith("a dry run") for line in lines[1:])
    assert not any("\n" in line for line in lines)
