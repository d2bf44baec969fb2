"""The catalogues of simulated worlds are data that is read strictly."""

import pytest

from hub.calibration.known_rules import load_known_rules
from hub.demo.survey.light_curves import ACTIVE_GALAXY, VARIABLE_STAR
from hub.errors import ConfigError
from hub.resources import read_text

TEXT = read_text("conf/calibration.toml")


def test_the_shipped_file_is_read() -> None:
    rules = load_known_rules(TEXT)
    assert rules.own.nights == 365
    assert {one.of for one in rules.public} == {VARIABLE_STAR, ACTIVE_GALAXY}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("nights = 365", "nights = 0", "nights"),
        ("nights = 365", "nigths = 365", "nigths"),
        ('of = "variable star"', 'of = "star"', "variable star"),
        ('kind = "agn"', 'kind = "quasar"', "quasar"),
        ("share = 0.65", "share = 6.5", "share"),
        ("[own]", "[own", "conf/calibration.toml"),
    ],
)
def test_a_mistake_is_one_sentence(old: str, new: str, why: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=why):
        load_known_rules(TEXT.replace(old, new, 1))
