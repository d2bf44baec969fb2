"""What terms of the rank suppose is data: read once, refused where it is wrong, used by every term, and stored with it."""

import re

import pytest

from hub.errors import ConfigError
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score
from hub.resources import read_text
from hub.science.arithmetic import explained
from hub.science.onset import Onset
from hub.science.ranking import STATISTICS, STORED_WITHOUT, VALUES, Context
from hub.science.rules import Hypothesis, load_rules
from tests.support.words import T0, alerts

TEXT, FAMILIES = read_text("conf/coincidence.toml"), read_text("conf/families.toml")


def kilonova(text: str = TEXT) -> Hypothesis:
    return next(one for one in load_rules(text, FAMILIES).hypotheses if one.name == "kilonova")


def term(name: str, hypothesis: Hypothesis, **changes: object):
    detections = alerts({"days": 0.5, "flux_njy": 20_000.0}, {"days": 1.5, "flux_njy": 10.0, "flux_err_njy": 1.0})
    values = {
        "hypothesis": hypothesis,
        "detections": detections,
        "delay_d": 0.5,
        "t0_us": T0.tai_us,
        "onset": Onset(after_d=-20.0, before_d=-19.0),
        "probdensity_per_sr": 0.0,
        "level": None,
        "dist_mean_mpc": 4000.0,
        "dist_std_mpc": 8.0,
    }
    return STATISTICS[name](Context(**{**values, **changes}))


@pytest.mark.parametrize(
    ("name", "table", "line", "changed"),
    [
        ("sky", "sky", "floor = -20.0", "floor = -7.0"),
        ("timing", "timing", "floor = -10.0", "floor = -7.0"),
        ("fading", "fading", "cap = 4.0", "cap = 1.0"),
        ("luminosity", "luminosity", "cap = 4.0", "cap = 1.0"),
        ("reality", "reality", "weight = 0.5", "weight = 0.25"),
    ],
)
def test_a_prior_of_the_file_is_what_its_term_counts_with_and_what_is_stored(
    name: str, table: str, line: str, changed: str
) -> None:
    head, rest = TEXT.split(f"[ranking.{table}]\n")
    assert line in rest
    now, then = (term(name, kilonova(text)) for text in (TEXT, f"{head}[ranking.{table}]\n{rest.replace(line, changed, 1)}"))
    assert now.value != then.value
    for one in (now, then):
        assert VALUES[name](one.inputs) == one.value
    lacks = {key: value for key, value in now.inputs.items() if key not in STORED_WITHOUT[name]}
    stored = Score(statistic=name, version=1, value=round(now.value, 9), unit="1", inputs=lacks)
    (said,) = explained(coincidence(stored), {})
    assert said.agrees  # it was stored before its priors were stored with it


def coincidence(score: Score) -> Coincidence:
    return Coincidence(
        coincidence_id="0" * 20,
        kind="gw-optical",
        hypothesis="kilonova",
        members=(Member(kind=MemberKind.EVENT, id="S1"), Member(kind=MemberKind.OBJECT, id="LSST:1")),
        state=PairState.OPEN,
        version=1,
        scores=(score,),
        reasons=(),
        localization_ids=(),
        is_live=True,
        t0=T0,
        created_at=T0,
    )


def test_an_onset_window_that_is_short_by_the_file_fixes_the_age() -> None:
    assert kilonova().fixes_age
    assert not kilonova(TEXT.replace("short_onset_d = 5.0", "short_onset_d = 2.0")).fixes_age


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("background_mag_per_d = 0.08 ", "", "lacks 'background_mag_per_d'"),
        ("range_mag = 8.0 ", "range_mag = 8.0\nspread = 1.0 ", "unknown key 'spread'"),
        ("least_past = 2 ", "least_past = 0 ", "least_past of"),
        ("scale = 3.0 ", "scale = -3.0 ", "scale of"),
        ("shortest_d = 1e-4 ", "shortest_d = '1' ", "shortest_d of"),
        ("[ranking.objects]", "[ranking.things]", "unknown key 'things'"),
    ],
)
def test_priors_that_cannot_be_are_refused_with_a_sentence(old: str, new: str, says: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(ConfigError, match=re.escape(says)):
        load_rules(TEXT.replace(old, new), FAMILIES)
