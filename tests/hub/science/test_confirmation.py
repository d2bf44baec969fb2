"""Which candidates may be announced: two detections apart, or one with a host away from the ecliptic; others are ranked apart."""

import numpy as np
import pytest

from hub.model.coincidence import Candidate, PairState
from hub.model.event import assemble
from hub.resources import read_text
from hub.science.candidates import Question, evaluate_many
from hub.science.crossmatch import targets_of
from hub.science.facts import Facts, ObjectFacts
from hub.science.levels import Levels2D
from hub.science.light_curves import LightCurves
from hub.science.onset import FirstSeen
from hub.science.rules import load_rules
from hub.science.target_columns import TargetNumbers
from tests.support.words import alerts, gaussian_map, localization, notice, stored

RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
FAR_FROM_ECLIPTIC, ON_ECLIPTIC = (130.0, 60.0), (130.0, 18.0)
MINUTE_D = 1.0 / 1440.0


def judged(hypothesis: str, where, batch, facts: Facts = Facts(), **changes) -> Candidate | None:
    place = localization(gaussian_map(*where, 3.0))
    event = assemble("S260301a", [stored(notice(**changes), place.localization_id)])
    maps = {place.localization_id: Levels2D.of(place.skymap)}
    targets = [one for one in targets_of(event, RULES.hypotheses, maps) if one.hypothesis.name == hypothesis]
    curves = LightCurves.of(batch)
    asked = Question(
        targets=targets,
        numbers=[TargetNumbers.of(one) for one in targets],
        summaries={place.localization_id: place.summary},
        objects=np.arange(len(curves)),
        facts=facts,
    )
    (found,) = evaluate_many([asked], curves)
    return found[0] if found else None


def seen(where, *days, **more):
    return alerts(*({"ra": where[0], "dec": where[1], "days": one, **more} for one in days))


WITH_HOST = Facts(objects={"100": ObjectFacts(has_host=True)})


@pytest.mark.parametrize(
    ("where", "days", "facts", "why"),
    [
        (ON_ECLIPTIC, (0.5, 0.5 + 21 * MINUTE_D), Facts(), None),
        (
            ON_ECLIPTIC,
            (0.5, 0.5 + 19 * MINUTE_D),
            Facts(),
            "its 2 detections are within 19 min of one another, and no host is known",
        ),
        (FAR_FROM_ECLIPTIC, (0.5,), Facts(), "a single detection, and no host is known"),
        (FAR_FROM_ECLIPTIC, (0.5,), WITH_HOST, None),
        (ON_ECLIPTIC, (0.5,), WITH_HOST, "a single detection, and the ecliptic is near"),
    ],
)
def test_what_confirms(where, days, facts: Facts, why: str | None) -> None:
    found = judged("kilonova", where, seen(where, *days), facts)
    assert found.confirmed is (why is None)
    assert [one for one in found.reasons if one.startswith("ranked apart")] == ([] if why is None else [f"ranked apart: {why}"])
    assert ("low ecliptic latitude" in found.flags) is (where is ON_ECLIPTIC)


BLACK_HOLES = {"BBH": 0.95, "BNS": 0.0, "NSBH": 0.0, "Terrestrial": 0.05}


def test_only_objects_of_the_catalogue_that_a_hypothesis_requires_are_candidates_and_none_where_nobody_has_it() -> None:
    batch = seen(FAR_FROM_ECLIPTIC, -30.0, 20.0, 30.0)
    assert judged("agn-flare", FAR_FROM_ECLIPTIC, batch, classification=BLACK_HOLES) is None
    elsewhere = Facts(objects={"100": ObjectFacts(flags=("in galaxy catalogue",))})
    assert judged("agn-flare", FAR_FROM_ECLIPTIC, batch, elsewhere, classification=BLACK_HOLES) is None
    inside = Facts(objects={"100": ObjectFacts(flags=("in agn catalogue",))})
    assert judged("agn-flare", FAR_FROM_ECLIPTIC, batch, inside, classification=BLACK_HOLES).confirmed


def test_a_later_attribution_to_the_solar_system_withdraws() -> None:
    first = {"ra": 130.0, "dec": 60.0}
    two = alerts({**first, "days": 0.5}, {**first, "days": 1.5})
    assert judged("kilonova", FAR_FROM_ECLIPTIC, two).state is PairState.OPEN
    three = alerts({**first, "days": 0.5}, {**first, "days": 1.5}, {**first, "days": 2.5, "is_solar_system": True})
    assert judged("kilonova", FAR_FROM_ECLIPTIC, three).state is PairState.WITHDRAWN


def test_negative_differences_set_no_onset() -> None:
    where = {"ra": 130.0, "dec": 60.0}
    batch = alerts({**where, "days": 0.2, "is_negative": True}, {**where, "days": 0.5}, {**where, "days": 1.5})
    first = FirstSeen.of(LightCurves.of(batch))
    assert first.time_us.tolist() == [int(batch.mid_tai_us[1])]
