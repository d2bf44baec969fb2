"""What a pair asks of the triggers is all that its numbers take from other events."""

import json
from random import Random

import pytest

from hub.model.event import assemble
from hub.model.notice import EventClass, Messenger
from hub.resources import read_text
from hub.science import pairs
from hub.science.pairs import PairResult, Sky
from hub.science.rate_questions import Asked, Counted, RateQuestion
from hub.science.rules import load_rules
from hub.science.trigger_columns import Triggers, triggers_of
from tests.support.words import DAY_S, T0, grb, notice, stored

RULES = load_rules(read_text("conf/coincidence.toml"))
NOWHERE = Sky(maps={}, overlap=lambda *_: 1.0, min_overlap=RULES.min_overlap)
N_TRIALS = 40


def event(message):
    return assemble(message.event_key, [stored(message)])


def gw(**changes):
    return event(notice(**{"far_hz": 1e-7, **changes}))


def answer():
    """Return a search for tracks around the alert."""
    said = {"mission": "IceCube", "instrument": None, "messenger": Messenger.NEUTRINO, "classification": {}, "far_hz": None}
    properties = {"pval_generic": 0.02, "pval_bayesian": 0.01}
    tracks = {"depends_on": (gw().event_id,), "properties": properties, "localizes": False}
    return event(notice("IceCube-S260301a", event_class=EventClass.HIGH_ENERGY_NEUTRINO, **said, **tracks))


def targeted():
    return event(grb("Swift-9", mission="Swift", instrument="BAT", event_class=EventClass.SUB_GRB_TARGETED, far_hz=1e-6))


def detector(name):
    said = {"mission": "SNEWS", "instrument": name, "messenger": Messenger.NEUTRINO, "classification": {}, "far_hz": None}
    return event(notice(f"SNEWS-{name}", event_class=EventClass.SUPERNOVA_NEUTRINO, **said))


def triggers(random: Random) -> Triggers:
    """Return what may have come in 120 days: bursts by the hundred, some in storms, alerts of any significance, tests."""
    rows = []
    for number in range(random.choice((0, 20, 90, 250))):
        days = random.choice((random.uniform(-5.0, 120.0), random.uniform(0.0, 1.2)))
        messenger, event_class, mission = random.choice(
            (("em", "grb", "Fermi"), ("em", "grb", "Swift"), ("em", "frb", "CHIME"), ("gw", "cbc", "LVK"), ("gw", "burst", "LVK"))
        )
        far = 10 ** random.uniform(-12, -5) if messenger == "gw" else None
        source = f"{event_class} {number // random.choice((1, 2))}"
        at = T0.plus_s(-days * DAY_S).tai_us
        is_live, is_standing = random.random() > 0.1, random.random() > 0.2
        rows.append((at, event_class, messenger, mission, source, far, is_live, is_standing))
    return triggers_of(rows)


def evaluated(one, other, counted: Triggers | None) -> PairResult:
    (found,) = pairs.evaluate(one, other, RULES, NOWHERE, counted)
    return found


@pytest.mark.parametrize(
    ("one", "other", "n_asked"),
    [
        (gw(), event(grb()), 2),
        (gw(far_hz=1e-11), event(grb(mission="Swift")), 2),
        (gw(), answer(), 1),
        (gw(), targeted(), 2),
        (detector("Super-Kamiokande"), detector("JUNO"), 0),
        (gw(event_class=EventClass.BURST, far_hz=1e-8), detector("JUNO"), 2),
    ],
)
def test_where_a_pair_is_told_the_same_its_numbers_are_the_same(one, other, n_asked) -> None:
    random = Random(3)
    before = triggers(random)
    first = evaluated(one, other, before)
    assert len(first.asked) == n_asked
    assert all(asked.holds(before, RULES.rate_policy) for asked in first.asked)
    n_same = 0
    for _ in range(N_TRIALS):
        counted = triggers(random)
        found = evaluated(one, other, counted)
        holds = all(asked.holds(counted, RULES.rate_policy) for asked in first.asked)
        assert holds == (found.asked == first.asked)
        assert (found.scores, found.reasons) == (first.scores, first.reasons) or not holds
        n_same += holds
    assert (n_same == N_TRIALS) == (n_asked == 0)


def test_without_triggers_nothing_is_asked() -> None:
    assert evaluated(gw(), event(grb()), None).asked == ()


def test_a_question_is_the_same_after_it_was_stored() -> None:
    for counted, far, missions in ((Counted.ALERTS, 1e-9, ()), (Counted.ALERTS, None, ()), (Counted.TRIGGERS, None, ("Fermi",))):
        question = RateQuestion(
            counted=counted, classes=(EventClass.CBC, EventClass.BURST), missions=missions, far_hz=far, at=T0, configured_hz=0.1
        )
        assert RateQuestion.from_json(json.loads(json.dumps(question.to_json()))) == question
        assert Asked(question=question, hz=1.0, basis="measured") != Asked(question=question, hz=1.0, basis="storm")


def test_only_what_comes_by_the_messenger_that_is_counted_can_change_an_answer() -> None:
    of_bursts = RateQuestion(counted=Counted.TRIGGERS, classes=(EventClass.GRB,), at=T0, configured_hz=1e-5)
    of_alerts = RateQuestion(counted=Counted.ALERTS, classes=(EventClass.CBC,), at=T0, configured_hz=1e-5)
    assert [one.may_count(gw()) for one in (of_bursts, of_alerts)] == [False, True]
    assert [one.may_count(event(grb())) for one in (of_bursts, of_alerts)] == [True, False]
