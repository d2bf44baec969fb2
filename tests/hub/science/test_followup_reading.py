"""Each mistake in the follow-up policy is a sentence that says where it stands."""

import re

import pytest

from hub.errors import ConfigError
from hub.resources import read_text
from hub.science.followup_facts import FLAGS, NUMBERS, WORDS
from hub.science.followup_reading import load_policy
from tests.conftest import REPOSITORY

SHIPPED = read_text("conf/policy.toml")
TAROT = (REPOSITORY / "tests/data/policy/tarot.toml").read_text(encoding="utf-8")
OF_POLICY = "of the follow-up policy"
KILONOVA = f"the rule 'kilonova' {OF_POLICY}"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("version = 1", "version = ", "the follow-up policy is no TOML: "),
        ("version = 1", "version = 0", "version of the follow-up policy must be a whole number of at least 1, not 0"),
        ("version = 1", "version = true", "version of the follow-up policy must be a whole number of at least 1, not True"),
        ("version = 1", "versions = 1", "the follow-up policy has the unknown key 'versions'"),
        ("stop_all = false", 'stop_all = "no"', "stop_all of the follow-up policy must be true or false, not 'no'"),
        ("stop_all = false", "", "the follow-up policy lacks 'stop_all'"),
        ("stopped_networks = []", "stopped_networks = [1]", "stopped_networks of the follow-up policy must be a list of texts"),
        ("[live]", "[[live]]", f"[live] {OF_POLICY} must be a table"),
        ("hosts = []", 'hosts = "a"', f"hosts of [live] {OF_POLICY} must be a list of texts, not 'a'"),
        ("valid_h = 6.0", "valid_h = 0", f"valid_h of [approval] {OF_POLICY} must be a number above 0 and of at most 720, not 0"),
        ("faults = 5", "faults = 0", f"faults of [breaker] {OF_POLICY} must be a whole number of at least 1, not 0"),
        ("requests = 5,", "request = 5,", f"[event] of [budget] {OF_POLICY} has the unknown key 'request'"),
        ("seconds = 7200.0", "seconds = nan", f"seconds of [event] of [budget] {OF_POLICY} must be a number of at least 0 and"),
        (
            "requested_within_deg = 0.01 ",
            "",
            f"requested_within_h of [skip] {OF_POLICY} needs requested_within_deg",
        ),
        ("seconds = 120.0 }]", "seconds = -1 }]", "number 2 of the template 'two colours' " + OF_POLICY),
        (
            "max_airmass = 2.0",
            "max_airmass = 1",
            f"max_airmass of the template 'two colours' {OF_POLICY} must be a number above 1",
        ),
        ('sites = ["CTIO", "SAAO", "SSO"]', "sites = []", f"the allocation 'simulated' {OF_POLICY} names no site"),
        (
            'action = "automatic"',
            'action = "always"',
            f"action of {KILONOVA} must be one of automatic, approval, skip, not 'always'",
        ),
        ('name = "kilonova"', "", f"rule number 2 {OF_POLICY} lacks 'name'"),
        (
            'name = "kilonova"',
            'name = "low significance"',
            "the follow-up policy has two rows [[rule]] of the name 'low significance'",
        ),
        ("max_level = 0.9", "max_lvel = 0.9", f"{KILONOVA} has the unknown key 'max_lvel'"),
        ("max_level = 0.9", 'max_level = "0.9"', f"max_level of {KILONOVA} must be a number"),
        (
            "max_level = 0.9",
            "max_level = 0.9\nmin_level = 1",
            f"min_level of {KILONOVA} is above its max_level: it can never match",
        ),
        ("max_level = 0.9", 'classes = ["bns"]', f"classes of {KILONOVA} has 'bns'; there are cbc, burst, grb"),
        ("max_level = 0.9", "classes = []", f"classes of {KILONOVA} is empty: it can never match"),
        ("max_level = 0.9", "require_any_class = { BNS = 2 }", f"BNS of [require_any_class] of {KILONOVA} must be a number"),
        (
            'template = "two colours"',
            'template = "x"',
            f"the rule 'kilonova' {OF_POLICY} names the template 'x'; there are two colours, two colours, deep, what is left is red",
        ),
        ('allocations = ["simulated"]', "allocations = []", f"{KILONOVA} names no allocation"),
        ('allocations = ["simulated"]', 'allocations = ["a"]', f"{KILONOVA} names the allocation 'a'; there are simulated"),
        (
            'allocations = ["simulated"]',
            'allocations = ["simulated", "simulated"]',
            f"{KILONOVA} names an allocation twice",
        ),
        (
            'target = "candidate"\nhypotheses',
            'target = "map"\nhypotheses',
            f"{KILONOVA} is for the map of an event, and asks for level, which only candidates have",
        ),
        (
            'significances = ["low", "sub_threshold"]',
            "spread = true",
            f"the rule 'low significance' {OF_POLICY} asks for nothing (action = 'skip') and has 'spread'",
        ),
    ],
)
def test_a_mistake_is_a_sentence(old, new, sentence):
    assert old in SHIPPED
    with pytest.raises(ConfigError) as caught:
        load_policy(SHIPPED.replace(old, new, 1))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'instrument = "TRE"',
            'instrument = "TCH"',
            "the allocations 'TCH' and 'TRE' are of one instrument of one network: who pays could not be told",
        ),
        (
            "fov_deg = 1.8",
            "",
            f"the rule 'near merger' {OF_POLICY} is for maps, and its allocation 'TCH' states no field (fov_deg)",
        ),
    ],
)
def test_allocations_that_cannot_be_told_apart_or_tile_are_refused(old, new, sentence):
    with pytest.raises(ConfigError) as caught:
        load_policy(TAROT.replace(old, new, 1))
    assert sentence in str(caught.value)


def test_a_rule_states_its_own_skips_for_single_keys_only():
    text = SHIPPED.replace('reason = "announced, and', 'skip = { classified = false }\nreason = "announced, and')
    *_, last = load_policy(text).rules
    assert (last.skip.classified, last.skip.not_observable, last.skip.observed_within_h) == (False, True, 6.0)


def test_every_key_is_in_the_reference():
    page = (REPOSITORY / "docs/reference/policy.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z_0-9]+)`", page))
    used = set(re.findall(r"^([a-z_0-9]+) = ", SHIPPED + TAROT, re.MULTILINE))
    assert used | set(NUMBERS) | set(WORDS) | set(FLAGS) <= told | {f"{end}_{name}" for end in ("min", "max") for name in NUMBERS}
