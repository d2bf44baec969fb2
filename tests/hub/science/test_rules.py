import pytest

from hub.errors import ConfigError
from hub.model.notice import EventClass
from hub.resources import read_text
from hub.science.rules import YEAR_S, load_rules

TEXT = read_text("conf/coincidence.toml")


def test_the_shipped_rules_are_gwcelerys_windows_and_rates() -> None:
    rules = {rule.name: rule for rule in load_rules(TEXT).pairs}
    assert rules["gw-grb"].window_s == (-1.0, 5.0)
    assert rules["gw-grb"].rate_hz == pytest.approx(325 / YEAR_S)
    assert rules["gw-sub-grb-targeted-swift"].window_s == (-10.0, 20.0)
    assert rules["gw-burst-grb"].width_s == 660.0


def test_hypotheses_are_found_by_event_class() -> None:
    rules = load_rules(TEXT)
    found = {one: {h.name for h in rules.hypotheses_for([one])} for one in EventClass}
    assert found[EventClass.GRB] == found[EventClass.XRAY_TRANSIENT] == {"afterglow", "burst-supernova"}
    assert found[EventClass.CBC] == {"kilonova", "late-afterglow", "agn-flare"}
    assert found[EventClass.HIGH_ENERGY_NEUTRINO] == {"neutrino-transient", "neutrino-active"}
    assert found[EventClass.SUPERNOVA_NEUTRINO] == {"core-collapse"}
    assert found[EventClass.FRB] == set()


def test_onset_windows_and_live_times_are_those_that_were_agreed() -> None:
    agreed = {
        "kilonova": ((0, 3), 30),
        "afterglow": ((0, 2), 14),
        "burst-supernova": ((-1, 1), 45),
        "late-afterglow": ((0, 300), 300),
        "agn-flare": ((0, 200), 250),
        "neutrino-transient": ((-30, 1), 60),
        "neutrino-active": ((-365, 365), 365),
        "core-collapse": ((0, 3), 30),
    }
    rules = load_rules(TEXT, read_text("conf/families.toml"))
    found = {one.name: (one.onset_d, one.window_d[1]) for one in rules.hypotheses if one.name in agreed}
    assert found == agreed
    late = next(one for one in rules.hypotheses if one.name == "late-afterglow")
    assert (late.max_level, rules.max_area_of(late)) == (0.9, 50.0)
    assert all(one.light_curve is None or one.light_curve.name == one.family for one in rules.hypotheses)


def test_a_family_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no light-curve family 'nova'"):
        load_rules(TEXT.replace('family = "kilonova"', 'family = "nova"'), read_text("conf/families.toml"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version = 1", "verzion = 1", "verzion"),
        ("version = 1", "", "missing key 'version'"),
        ("window_s = [-1.0, 5.0]", "window_s = [5.0, -1.0]", "window_s of search 'GRB-CBC'"),
        ("window_s = [-86400.0, 86400.0]", "window_s = [1.0, -1.0]", "window_s of rule 'xray-neutrino'"),
        ('search = "GRB-CBC"', 'search = "GRB"', "missing key 'GRB'"),
        (
            'search = "GRB-CBC"',
            'search = "GRB-CBC"\nrate = "grb_per_yr"',
            "rate of rule 'gw-grb' is that of its search 'GRB-CBC'",
        ),
        ("raven = 310.0", "heron = 310.0", "missing key 'raven'"),
        ('used = "gwcelery"', 'used = "heron"', "'heron' is none of gwcelery, raven"),
        ('name = "GRB-BURST"', 'name = "GRB-CBC"', "two searches have one name"),
        ('rate = "grb_per_yr"', 'rate = "grbs"', "missing key 'grbs'"),
        ("max_level = 0.9995", "max_level = 1.5", "max_level of rule 'kilonova'"),
        ('first = ["cbc"]', 'first = ["chirp"]', "chirp"),
        ('name = "gw-sub-grb"', 'name = "gw-grb"', "two rules have one name"),
        ("trials = 7", "trails = 7", "trails"),
        ("[limits]", "[limits", "no valid TOML"),
        ("max_area_deg2 = 10000", "max_area_deg2 = -1", "max_area_deg2 must lie between 0 and 100000"),
        ("max_area_deg2 = 10000", "", "missing key 'max_area_deg2'"),
        ("confirm_gap_min = 20.0", "", "missing key 'confirm_gap_min'"),
        ("confirm_gap_min = 20.0", "confirm_gap_min = -1", "confirm_gap_min must lie between 0 and 100000"),
        ('activity = "excess at"', 'activity = "odd"', "'odd' is not a valid Activity"),
        (
            'exclude_flags = ["solar-system association", "negative detections"]',
            'exclude_flags = ["odd"]',
            "exclude_flags of rule 'kilonova': 'odd' is none of",
        ),
        ("appears_d = 15.0", "appears_d = -1", "appears_d of rule 'burst-supernova' must lie between 0 and 1000"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=says.replace("[", r"\[")):
        load_rules(TEXT.replace(old, new, 1))
