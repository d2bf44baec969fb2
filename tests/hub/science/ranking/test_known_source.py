"""An entry of a catalogue speaks against hypotheses that name its kind, by stated shares; nothing speaks against a missing one."""

import math
from dataclasses import replace

import pytest

from hub.calibration.subject import as_shipped
from hub.science.hypotheses import parse
from hub.science.ranking import VALUES
from hub.science.ranking.known_source import NAME, of_entries, value_of

RULES = as_shipped().rules
PRIORS = RULES.hypotheses[0].priors.known_source


def test_no_entry_says_nothing() -> None:
    assert of_entries([], PRIORS) is None


def test_an_entry_says_the_ratio_of_the_shares() -> None:
    term = of_entries(["agn"], PRIORS)
    assert term is not None
    assert term.value == pytest.approx(math.log(PRIORS.agn_counterparts / PRIORS.agn_unrelated))
    assert "active nuclei" in term.reason
    assert VALUES[NAME](term.inputs) == term.value


def test_two_entries_say_no_more_than_the_one_that_says_most() -> None:
    single = [of_entries([kind], PRIORS) for kind in ("agn", "variable")]
    both = of_entries(["variable", "agn"], PRIORS)
    assert both is not None
    assert both.value == min(one.value for one in single if one is not None)


def test_no_entry_decides_alone() -> None:
    term = of_entries(["variable"], replace(PRIORS, variable_counterparts=1e-9))
    assert term is not None
    assert term.value == value_of(term.inputs) == PRIORS.floor


def test_what_known_sources_may_be_is_never_held_against_them() -> None:
    """A blazar or nucleus that flares beside a neutrino, or a star of the Galaxy that explodes, is in catalogues before."""
    spared = {"agn-flare", "burst-transient", "neutrino-transient", "neutrino-active", "core-collapse"}
    assert {one.name for one in RULES.hypotheses if not one.unrelated_catalogues} == spared


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"unrelated_catalogues": ["galaxy"]}, "'galaxy' is none of variable, agn"),
        ({"unrelated_catalogues": ["agn"], "source_catalogues": ["agn"]}, "of its sources and of unrelated ones"),
        ({"unrelated_catalogues": ["agn"], "require_catalogue": "agn"}, "of its sources and of unrelated ones"),
    ],
)
def test_a_kind_that_cannot_speak_is_refused(said: dict[str, object], why: str) -> None:
    row: dict[str, object] = {
        "name": "any",
        "kind": "gw-optical",
        "classes": ["cbc"],
        "onset_d": [0.0, 1.0],
        "window_d": [0.0, 1.0],
        "max_level": 0.9,
        "min_reliability": 0.5,
        "exclude_solar_system": True,
        "exclude_negative": True,
        "prior_activity": "exclude",
        "background_per_deg2": 1.0,
        "min_announce_score": 1.0,
        "followup": False,
    }
    parse(row, RULES.hypotheses[0].priors)
    with pytest.raises(ValueError, match=why):
        parse({**row, **said}, RULES.hypotheses[0].priors)
