"""Known counterparts that a cut on the past, on variability or on brightness would have lost."""

import numpy as np
import pytest

from hub.model.coincidence import Candidate, PairState
from hub.model.event import assemble
from hub.model.notice import EventClass, Messenger
from hub.resources import read_text
from hub.science.candidates import evaluate
from hub.science.crossmatch import targets_of
from hub.science.levels import Levels2D
from hub.science.rules import load_rules
from tests.support.words import DAY_S, T0, alerts, gaussian_map, localization, notice, stored

RULES = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml"))
TRUTH = {
    "TXS 0506+056": ((77.43, 5.72), (77.3582, 5.6931), 0.5),
    "AT2019dsg": ((314.08, 12.94), (314.262, 14.204), 2.0),
}
"""Middle of the neutrino's localization, place of the counterpart, width in degrees: as in truth.yaml of the recorded set."""


def judged(event_class: EventClass, where, sigma_deg: float, batch) -> dict[str, Candidate]:
    place = localization(gaussian_map(*where, sigma_deg))
    told = notice("N1", event_class=event_class, messenger=Messenger.NEUTRINO, mission="IceCube", classification={})
    event = assemble("N1", [stored(told, place.localization_id)])
    name = place.localization_id
    found = {}
    for target in targets_of(event, RULES.hypotheses, {name: Levels2D.of(place.skymap)}):
        one = evaluate(target, batch, {name: place.summary})
        if one is not None:
            found[one.hypothesis] = one
    return found


def seen(where, *days_and_flux, **more):
    rows = ({"ra": where[0], "dec": where[1], "days": days, "flux_njy": flux, **more} for days, flux in days_and_flux)
    return alerts(*rows)


def test_a_blazar_that_was_known_as_variable_for_years_stays_and_its_flare_lifts_it() -> None:
    middle, where, sigma = TRUTH["TXS 0506+056"]
    past = [(-360.0 + 10 * step, 50_000.0 + 2_000.0 * (step % 3)) for step in range(30)]
    old = {"first_tai_us": T0.plus_s(-2000 * DAY_S).tai_us, "n_history": 200}
    quiet, flaring = (
        judged(EventClass.HIGH_ENERGY_NEUTRINO, middle, sigma, seen(where, *past, (-1.0, flux), (3.0, flux), **old))[
            "neutrino-active"
        ]
        for flux in (51_000.0, 120_000.0)
    )
    assert flaring.state is quiet.state is PairState.OPEN
    assert {"prior activity", "known variable"} <= set(flaring.flags)
    assert flaring.score > quiet.score + 4.0


def test_a_tidal_disruption_found_half_a_year_before_stays() -> None:
    middle, where, sigma = TRUTH["AT2019dsg"]
    curve = [(-175.0 + 7 * step, 60_000.0 * np.exp(-step / 12)) for step in range(27)]
    found = judged(EventClass.HIGH_ENERGY_NEUTRINO, middle, sigma, seen(where, *curve))
    assert found["neutrino-active"].state is PairState.OPEN
    assert "prior activity" in found["neutrino-active"].flags
    assert any("active around t0" in reason for reason in found["neutrino-active"].reasons)


@pytest.mark.parametrize("is_saturated", [True, False])
def test_a_bright_event_of_the_galaxy_stays_saturated_or_not(is_saturated: bool) -> None:
    plane = (266.4, -29.0)
    batch = seen(plane, (0.5, 1e9), (1.5, 1.2e9), is_saturated=is_saturated, is_negative=False)
    found = judged(EventClass.SUPERNOVA_NEUTRINO, plane, 0.5, batch)
    assert found["core-collapse"].state is PairState.OPEN
    assert ("saturated" in found["core-collapse"].flags) is is_saturated


def test_what_is_faint_is_no_core_collapse_of_the_galaxy() -> None:
    assert judged(EventClass.SUPERNOVA_NEUTRINO, (266.4, -29.0), 0.5, seen((266.4, -29.0), (0.5, 1e4))) == {}


def test_a_fast_radio_burst_has_no_hypothesis() -> None:
    assert judged(EventClass.FRB, (10.0, -30.0), 1.0, seen((10.0, -30.0), (0.5, 1e5))) == {}
