import itertools
from dataclasses import replace

import numpy as np
import pytest

from hub.model.alert import NO_TIME
from hub.model.coincidence import PairState, Score
from hub.model.event import assemble
from hub.model.notice import Stage
from hub.resources import read_text
from hub.science.candidates import Judgement, Question, evaluate, evaluate_all, evaluate_many
from hub.science.crossmatch import targets_of
from hub.science.facts import Facts, ObjectFacts
from hub.science.levels import Levels2D
from hub.science.light_curves import LightCurves
from hub.science.onset import NEVER, FirstSeen, LastVisits, Onsets
from hub.science.ranking import Term
from hub.science.rules import PriorActivity, load_rules
from hub.science.target_columns import TargetNumbers
from tests.support import candidate_reference
from tests.support.words import DAY_S, T0, alerts, gaussian_map, localization, notice, stored

RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
EVERY_PAST = [replace(one, prior_activity=past) for one in RULES.hypotheses for past in PriorActivity]
WIDE = localization(gaussian_map(130.0, 20.0, 6.0))
NARROW = localization(gaussian_map(130.0, 20.0, 1.5))
PLACES = {place.localization_id: place for place in (WIDE, NARROW)}
SUMMARIES = {name: place.summary for name, place in PLACES.items()}
LEVELS = {name: Levels2D.of(place.skymap) for name, place in PLACES.items()}

PRELIMINARY = stored(notice(stage=Stage.PRELIMINARY, issued_at=T0.plus_s(60)), WIDE.localization_id)
UPDATE = stored(notice(stage=Stage.UPDATE, issued_at=T0.plus_s(6000)), NARROW.localization_id)
RETRACTION = stored(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(9000), t0=None))
BLACK_HOLES = stored(
    notice(stage=Stage.UPDATE, issued_at=T0.plus_s(7000), classification={"BNS": 0.0, "NSBH": 0.0, "BBH": 1.0}),
    NARROW.localization_id,
)


def kilonova(notices, batch):
    event = assemble("S260301a", notices)
    maps = {name: LEVELS[name] for name in event.localization_ids}
    targets = [t for t in targets_of(event, RULES.hypotheses, maps) if t.hypothesis.name == "kilonova"]
    return evaluate(targets[0], batch, SUMMARIES) if targets else None


def fading(dec=20.0, **changes):
    return alerts(
        {"dec": dec, "days": 0.5, "flux_njy": 100_000.0, **changes},
        {"dec": dec, "days": 1.5, "flux_njy": 60_000.0},
        {"dec": dec, "days": 2.5, "flux_njy": 36_000.0},
    )


def test_a_fading_new_source_is_confirmed_open_and_explained() -> None:
    candidate = kilonova([PRELIMINARY, UPDATE], fading())
    assert candidate is not None
    assert (candidate.state, candidate.confirmed, candidate.n_detections) == (PairState.OPEN, True, 3)
    assert candidate.level is not None
    assert candidate.level < 0.1
    assert any("fades by 0.55" in reason for reason in candidate.reasons)
    assert any(reason.startswith("timing: coverage unknown") for reason in candidate.reasons)
    assert candidate.score == pytest.approx(sum(one.value for one in candidate.scores if one.value is not None), abs=1e-8)


def test_the_order_of_alerts_and_notices_does_not_matter() -> None:
    batch = fading()
    found = [
        kilonova(list(notices), batch.take(list(rows)))
        for notices in itertools.permutations([PRELIMINARY, UPDATE])
        for rows in itertools.permutations(range(3))
    ]
    assert all(one == found[0] for one in found)


def test_one_detection_is_unconfirmed() -> None:
    candidate = kilonova([PRELIMINARY], alerts({"days": 0.5}))
    assert candidate is not None
    assert not candidate.confirmed


def test_what_only_an_earlier_map_contained_is_withdrawn() -> None:
    outside = fading(dec=32.0)
    assert kilonova([PRELIMINARY], outside).state is PairState.OPEN
    candidate = kilonova([PRELIMINARY, UPDATE], outside)
    assert candidate.state is PairState.WITHDRAWN
    assert kilonova([UPDATE], outside) is None


def test_a_retraction_withdraws() -> None:
    assert kilonova([PRELIMINARY, RETRACTION], fading()).state is PairState.WITHDRAWN


def test_a_change_of_class_withdraws() -> None:
    assert kilonova([PRELIMINARY, BLACK_HOLES], fading()).state is PairState.WITHDRAWN
    assert kilonova([BLACK_HOLES], fading()) is None


def test_an_old_alert_that_arrives_late_shows_prior_activity_and_withdraws() -> None:
    young = fading()
    old = alerts({"days": -40.0}, {"days": 0.5, "flux_njy": 100_000.0}, {"days": 1.5, "flux_njy": 60_000.0})
    assert kilonova([PRELIMINARY], young).state is PairState.OPEN
    candidate = kilonova([PRELIMINARY], old)
    assert candidate.state is PairState.WITHDRAWN
    assert "prior activity" in candidate.flags


def test_what_the_packet_knows_of_the_past_counts_before_any_old_alert_is_seen() -> None:
    known_variable = fading(first_tai_us=T0.plus_s(-300 * DAY_S).tai_us)
    candidate = kilonova([PRELIMINARY], known_variable)
    assert candidate is not None  # its later rows do not say so, so they fit by themselves
    assert candidate.state is PairState.WITHDRAWN


def test_a_fader_ranks_above_a_constant_source_and_a_likely_place_above_an_unlikely_one() -> None:
    constant = alerts(*({"days": day, "flux_njy": 50_000.0} for day in (0.5, 1.5, 2.5)))
    assert kilonova([UPDATE], fading()).score > kilonova([UPDATE], constant).score
    assert kilonova([UPDATE], fading()).score > kilonova([UPDATE], fading(dec=23.0)).score


def test_every_level_is_recorded_by_map() -> None:
    candidate = kilonova([PRELIMINARY, UPDATE], fading(dec=22.0))
    assert set(candidate.levels) == set(PLACES)
    assert candidate.levels[NARROW.localization_id] > candidate.levels[WIDE.localization_id]


def test_saturation_and_known_variability_are_recorded_and_cut_nothing_by_themselves() -> None:
    bright = fading(is_saturated=True)
    assert "saturated" in kilonova([UPDATE], bright).flags
    assert kilonova([UPDATE], bright).state is PairState.OPEN
    old = fading(first_tai_us=T0.plus_s(-300 * DAY_S).tai_us, n_history=40)
    assert "known variable" in kilonova([UPDATE], old).flags


def test_a_hypothesis_may_use_a_recorded_flag() -> None:
    text = read_text("conf/coincidence.toml").replace(
        'exclude_flags = ["solar-system association", "negative detections"]', 'exclude_flags = ["saturated"]', 1
    )
    event = assemble("S260301a", [UPDATE])
    targets = targets_of(
        event,
        load_rules(text, read_text("conf/families.toml")).hypotheses,
        {name: LEVELS[name] for name in event.localization_ids},
    )
    assert evaluate(targets[0], fading(is_saturated=True), SUMMARIES).state is PairState.WITHDRAWN
    assert evaluate(targets[0], fading(), SUMMARIES).state is PairState.OPEN


def random_alerts(rng, n):
    """Return alerts of few objects around the maps, with everything that makes a difference, equal S/N included."""
    return alerts(
        *(
            {
                "object_id": b"%d" % rng.integers(100, 100 + n // 2),
                "source_id": int(number),
                "ra": float(rng.normal(130.0, 4.0)),
                "dec": float(rng.normal(20.0, 5.0)),
                "days": float(rng.choice([rng.uniform(-2, 20), rng.uniform(-200, 300)])),
                "first_tai_us": int(rng.choice([NO_TIME, T0.plus_s(float(rng.choice([-150, -3, 0.1, 2])) * DAY_S).tai_us])),
                "n_history": int(rng.integers(0, 20)),
                "flux_njy": float(rng.uniform(-1e4, 1e5)),
                "snr": float(rng.choice([5.0, 7.5, 20.0, np.nan, np.inf])),
                "reliability": float(rng.choice([0.05, 0.6, 0.95, np.nan])),
                "band": rng.choice([b"g", b"r"]),
                **{name: bool(rng.random() < 0.1) for name in ("is_solar_system", "is_negative", "is_saturated", "is_dipole")},
            }
            for number in rng.permutation(n)
        )
    )


def random_visits(rng, curves):
    """Return last visits before the first detections of some objects, by name, and the onsets of all."""
    first = FirstSeen.of(curves)
    ago = rng.choice([0.02, 1.0, 10.0, 30.0], len(curves))
    times = np.where(rng.random(len(curves)) < 0.5, first.time_us - (ago * DAY_S * 1e6).astype(np.int64), NO_TIME)
    times[first.time_us == NEVER] = NO_TIME
    last = LastVisits(time_us=times, is_known=np.zeros(len(curves), dtype=bool))
    known = {name: int(at) for name, at in zip(curves.names, times, strict=True) if at != NO_TIME}
    return known, Onsets.of(first, last, 30.0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("notices", [[PRELIMINARY], [PRELIMINARY, UPDATE], [PRELIMINARY, BLACK_HOLES], [UPDATE, RETRACTION]])
def test_objects_in_columns_are_judged_as_one_after_the_other(notices, seed: int) -> None:
    event = assemble("S260301a", notices)
    maps = {name: LEVELS[name] for name in event.localization_ids}
    batch = random_alerts(np.random.default_rng(seed), 120)
    curves = LightCurves.of(batch)
    n_made = 0
    visits, onsets = random_visits(np.random.default_rng(seed), curves)
    for target in targets_of(event, EVERY_PAST, maps):
        one_by_one = [
            candidate_reference.evaluate(
                target, batch.take(batch.object_id == name.encode()), PLACES, last_visit_us=visits.get(name)
            )
            for name in curves.names
        ]
        assert evaluate_all(target, curves, SUMMARIES, Judgement(onsets=onsets)) == one_by_one
        n_made += sum(one is not None for one in one_by_one)
    assert n_made > 3


def test_what_is_known_beside_the_alerts_is_recorded_and_counts() -> None:
    event = assemble("S260301a", [UPDATE])
    targets = targets_of(event, RULES.hypotheses, {name: LEVELS[name] for name in event.localization_ids})[:1]
    curves = LightCurves.of(fading())
    shown = Score(statistic="level_3d", version=1, value=0.25, unit="1")
    known = ObjectFacts(flags=("in galaxy catalogue",), extra_terms={"host": Term(value=1.5, reason="r")}, extra_scores=(shown,))
    asked = Question(
        targets=targets, numbers=[TargetNumbers.of(one) for one in targets], summaries=SUMMARIES, objects=np.arange(len(curves))
    )
    ((plain,), (told,)) = evaluate_many([asked, replace(asked, facts=Facts(objects={curves.names[0]: known}))], curves)
    assert told.score == pytest.approx(plain.score + 1.5)
    assert (*plain.flags, "in galaxy catalogue") == told.flags
    assert [one.value for one in told.scores if one.statistic == "level_3d"] == [0.25]
    assert [one.value for one in told.scores if one.statistic == "host"] == [1.5]
