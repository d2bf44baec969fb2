"""What is expected decides by which template a telescope is asked, and the answer says which and why."""

import pytest

from hub.errors import ConfigError
from hub.resources import read_text
from hub.science.followup_facts import Seen
from hub.science.followup_reading import load_policy
from hub.science.followup_rules import Verdict, decide
from tests.support.policies import kilonova

SHIPPED = read_text("conf/policy.toml")
TWO_TELESCOPES = SHIPPED.replace(
    'name = "two colours, deep"\n', 'name = "two colours, deep"\ninstruments = ["1M0-SIMCAM"]\n'
).replace(
    "[[rule]]",
    """[[allocation]]
name = "large"
network = "simulated"
instrument = "2M0-SIMCAM"
sites = ["SSO"]

[[rule]]""",
    1,
)
"""The shipped policy with a second telescope, for which the deep template is not and the red one is."""

BOTH = TWO_TELESCOPES.replace(
    'templates = ["two colours, deep", "what is left is red"]\nallocations = ["simulated"]',
    'templates = ["two colours, deep", "what is left is red"]\nallocations = ["simulated", "large"]\nspread = true',
)
TEMPLATES = ("two colours", "two colours, deep", "what is left is red")
SEEN = {(name, template): Seen(is_observable=True, reason="") for name in ("simulated", "large") for template in TEMPLATES}


def faint(expected_mags, **changes):
    return kilonova(expected_mag=22.0, expected_mags=expected_mags, seen=SEEN, **changes)


def test_the_first_template_that_reaches_what_is_expected_is_taken_and_the_answer_says_why():
    decision = decide(faint({"g": 22.1, "i": 21.8, "z": 21.6}), load_policy(SHIPPED))
    assert (decision.verdict, decision.rule, decision.template) == (Verdict.ASK_PERSON, "faint kilonova", "two colours, deep")
    assert decision.chosen == {
        "simulated": "'two colours, deep' reaches 22.4 in g where 22.1 is expected and 21.9 in i where 21.8 is expected"
    }
    assert decision.seconds == 1200.0


def test_what_has_faded_in_the_blue_is_asked_for_in_the_red():
    decision = decide(faint({"g": 24.0, "i": 21.5, "z": 21.2}), load_policy(SHIPPED))
    assert (decision.template, decision.seconds) == ("what is left is red", 1500.0)
    assert decision.chosen["simulated"].endswith(", 'two colours, deep' reaches 22.4 in g, and 24.0 is expected")


def test_the_limit_itself_is_reached():
    assert decide(faint({"g": 22.4, "i": 21.9}), load_policy(SHIPPED)).template == "two colours, deep"


@pytest.mark.parametrize(
    ("mags", "sentence"),
    [
        ({"g": 24.0, "i": 22.8, "z": 22.0}, "'what is left is red' reaches 21.9 in i, and 22.8 is expected"),
        ({}, "'two colours, deep' reaches 22.4 in g, and nobody knows what is expected"),
        ({"g": float("nan"), "i": 21.0, "z": float("nan")}, "reaches 22.4 in g, and nobody knows what is expected"),
    ],
)
def test_nothing_is_asked_where_no_template_reaches_what_is_expected_or_nobody_knows(mags, sentence):
    decision = decide(faint(mags), load_policy(SHIPPED))
    assert (decision.verdict, decision.rule, decision.can_wait) == (Verdict.SKIP, "faint kilonova", False)
    assert decision.refused["simulated"].startswith("simulated: no template: ")
    assert sentence in decision.refused["simulated"]


def test_each_telescope_is_asked_by_a_template_that_is_for_it_and_budgets_count_what_each_takes():
    bright = faint({"g": 21.0, "i": 20.5, "z": 20.3})
    decision = decide(bright, load_policy(BOTH))
    assert decision.templates == {"simulated": "two colours, deep", "large": "what is left is red"}
    assert "'two colours, deep' is not for 2M0-SIMCAM at simulated" in decision.chosen["large"]
    assert decision.allocations == ("simulated", "large")
    narrow = BOTH.replace("event = { requests = 5, seconds = 7200.0 }", "event = { requests = 5, seconds = 2699.0 }")
    decision = decide(bright, load_policy(narrow))
    assert decision.allocations == ("simulated",), "1200 s and 1500 s are more than 2699 s"
    assert "2700 s more are too much" in decision.refused["large"]


def test_a_template_without_a_limit_is_taken_whatever_is_expected():
    policy = load_policy(SHIPPED.replace('["two colours, deep", "what is left is red"]', '["two colours, deep", "two colours"]'))
    assert decide(faint({}), policy).template == "two colours"
    assert decide(faint({"g": 21.0, "i": 20.5}), policy).template == "two colours, deep"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            '["two colours, deep", "what is left is red"]',
            "[]",
            "the rule 'faint kilonova' of the follow-up policy names no template",
        ),
        ('["two colours, deep", "what', '["two colours, deep", "two colours, deep", "what', "names a template twice"),
        (
            '["two colours, deep", "what',
            '["two colours", "what',
            "names the template 'what is left is red', which is never taken",
        ),
        ('templates = ["two', 'template = "two colours"\ntemplates = ["two', "has both template and templates"),
        ('instruments = ["1M0-SIMCAM"]', 'instruments = ["9M0"]', "names the instrument '9M0'; there are 1M0-SIMCAM, 2M0-SIMCAM"),
        ('instruments = ["1M0-SIMCAM"]', 'networks = ["lco"]', "names the network 'lco'; there are simulated"),
        (
            'red"]\nallocations = ["simulated"]',
            'red"]\nallocations = ["simulated", "large"]',
            None,
        ),
        (
            '"what is left is red"]\nallocations = ["simulated"]',
            ']\nallocations = ["simulated", "large"]',
            "names the allocation 'large', and no template of two colours, deep is for it",
        ),
        (
            '{ filter = "g", seconds = 600.0',
            '{ filter = "gp", seconds = 600.0',
            "needs the band of it, one of u, g, r, i, z, y, not 'gp'",
        ),
        (
            'seconds = 120.0 }, { filter = "i"',
            'seconds = 120.0, band = "g" }, { filter = "i"',
            "says something of limiting_mag, which it lacks",
        ),
        (
            'target = "candidate"\nconfirmed = true\nannounced = true\ntemplate = "two colours"',
            'target = "position"\ntemplate = "two colours, deep"',
            "is for the position of an event, of which no magnitude is expected: it needs a template without limiting_mag",
        ),
    ],
)
def test_unknown_names_and_templates_that_fit_nobody_are_a_sentence(old, new, sentence):
    assert old in TWO_TELESCOPES
    changed = TWO_TELESCOPES.replace(old, new, 1)
    if sentence is None:
        assert load_policy(changed).rules
        return
    with pytest.raises(ConfigError) as caught:
        load_policy(changed)
    assert sentence in str(caught.value)


def test_a_filter_of_another_name_states_its_band():
    text = SHIPPED.replace('{ filter = "g", seconds = 600.0', '{ filter = "gp", band = "g", seconds = 600.0')
    decision = decide(faint({"g": 22.0, "i": 21.5}), load_policy(text))
    assert "22.4 in gp where 22.0 is expected" in decision.chosen["simulated"]
