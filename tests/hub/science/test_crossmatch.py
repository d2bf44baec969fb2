import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.event import assemble
from hub.model.instant import Instant
from hub.model.notice import EventClass
from hub.resources import read_text
from hub.science.crossmatch import contains, match, targets_of
from hub.science.healpix import pixels29
from hub.science.levels import Levels2D
from hub.science.rules import load_rules
from tests.support.words import DAY_S, T0, alerts, gaussian_map, grb, notice, stored

RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
MAP = gaussian_map(130.0, 20.0, 4.0)
LEVELS = Levels2D.of(MAP)


def kilonova_target(message=None, levels=LEVELS):
    event = assemble("S260301a", [stored(message or notice(), "map")])
    return next(t for t in targets_of(event, RULES.hypotheses, {"map": levels}) if t.hypothesis.name == "kilonova")


def test_an_alert_inside_and_in_time_matches() -> None:
    batch = alerts({}, {"ra": 300.0}, {"days": 31.0}, {"days": -1.0}, {"dec": 25.0})
    assert match(batch, kilonova_target()).tolist() == [True, False, False, False, True]


def test_cuts_are_the_hypothesis_and_missing_values_never_exclude() -> None:
    batch = alerts(
        {"reliability": 0.1},
        {"reliability": float("nan")},
        {"is_solar_system": True},
        {"is_negative": True},
        {"object_id": b""},
        {"first_tai_us": T0.plus_s(-30 * DAY_S).tai_us},
    )
    assert match(batch, kilonova_target()).tolist() == [False, True, False, False, False, False]


def test_a_binary_black_hole_asks_for_flares_not_kilonovae() -> None:
    bbh = notice(classification={"BNS": 0.0, "NSBH": 0.01, "BBH": 0.97, "Terrestrial": 0.02}, properties={"HasRemnant": 0.0})
    event = assemble("S260301a", [stored(bbh, "map")])
    assert [t.hypothesis.name for t in targets_of(event, RULES.hypotheses, {"map": LEVELS})] == ["agn-flare"]


def test_an_event_without_time_or_map_has_no_targets() -> None:
    assert targets_of(assemble("x", [stored(notice(t0=None), "map")]), RULES.hypotheses, {"map": LEVELS}) == []
    assert targets_of(assemble("x", [stored(notice())]), RULES.hypotheses, {}) == []


def test_a_map_of_one_tile_contains_that_tile() -> None:
    density = np.where(np.arange(len(MAP.lo)) == 100, 1.0, 0.0) / (4 * np.pi / len(MAP.lo))
    one = Levels2D.of(type(MAP)(lo=MAP.lo.copy(), hi=MAP.hi.copy(), probdensity=density))
    inside = contains(one, np.array([MAP.lo[100], MAP.lo[101]]), 0.9)
    assert inside.tolist() == [True, False]


positions = st.tuples(st.floats(0, 359.999), st.floats(-90, 90), st.floats(-3, 40), st.floats(0, 1), st.booleans(), st.booleans())


@settings(deadline=None, max_examples=60)
@given(st.lists(positions, min_size=1, max_size=30))
def test_every_row_is_judged_by_itself_as_brute_force_judges_it(rows) -> None:
    batch = alerts(
        *(
            {"ra": ra, "dec": dec, "days": days, "reliability": score, "is_solar_system": moving, "is_negative": negative}
            for ra, dec, days, score, moving, negative in rows
        )
    )
    target = kilonova_target()
    together = match(batch, target)
    alone = [bool(match(batch.take(np.array([i])), target)[0]) for i in range(len(batch))]
    assert together.tolist() == alone
    levels = LEVELS.lookup(pixels29(batch.ra_deg, batch.dec_deg))
    for i, (_, _, _, score, moving, negative) in enumerate(rows):
        in_time = 0 <= Instant(int(batch.mid_tai_us[i])).minus(T0) <= 30 * DAY_S
        passes = in_time and score >= 0.5 and not moving and not negative
        if passes and levels.searched_prob[i] <= 0.999:
            assert together[i]
        if not passes or levels.searched_prob[i] > 0.9999:
            assert not together[i]


def test_grb_classes_use_the_afterglow_hypothesis() -> None:
    event = assemble("Fermi-1", [stored(grb(), "map")])
    assert event.event_class is EventClass.GRB
    assert [t.hypothesis.name for t in targets_of(event, RULES.hypotheses, {"map": LEVELS})] == ["afterglow", "burst-supernova"]
