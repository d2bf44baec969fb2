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
    assert {h.name for h in rules.hypotheses_for([EventClass.GRB])} == {"afterglow"}
    assert {h.name for h in rules.hypotheses_for([EventClass.CBC])} == {"kilonova", "agn-flare"}


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
    ],
)
def test_a_mistake_is_named(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=says.replace("[", r"\[")):
        load_rules(TEXT.replace(old, new, 1))
