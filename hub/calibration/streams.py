"""Unrelated notices of every kind that pairs are made of: how often they come, how significant, and with what maps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration.error_models import MODELS, ErrorModel
from hub.calibration.mergers import random_map
from hub.calibration.result import Floats
from hub.calibration.subject import Subject
from hub.model.notice import EventClass, Messenger
from hub.model.sky import Localization
from hub.science.localization import localization_from_skymap
from hub.science.rules import Rules
from hub.science.searches import YEAR_S

Fars = Callable[[Generator, int], Floats]
"""Draws false-alarm rates, Hz; NaN where notices state none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Notices of one kind."""

    name: str
    event_class: EventClass
    messenger: Messenger
    mission: str
    rate_hz: float
    """Mean rate, real and false ones together."""

    fars: Fars
    maps: str
    """Key of the maps that `pools` makes."""


REAL_FAR_HZ = (1e-18, 1e-8)
"""False-alarm rates of real mergers, spread evenly in their logarithm: published catalogues reach below 1e-5 a century."""

REAL_SHARE = 0.1
"""Of all public alerts of mergers, low significance included, how many are real: 80 in 800 a year."""


def unrelated(rules: Rules) -> tuple[Stream, ...]:
    """Return all kinds, at the rates that the rules state."""
    profile = rules.profile
    by_name = {search.name: search for search in rules.searches}

    def rate(search: str) -> float:
        return by_name[search].rate_hz[profile]

    cbc_hz, burst_hz = by_name["GRB-CBC"].gw_rate_hz, by_name["GRB-BURST"].gw_rate_hz
    xray_hz = next(pair.rate_hz for pair in rules.pairs if pair.name == "xray-neutrino")
    fermi = by_name["SUBGRB_TARGETED_FERMI-CBC"].max_external_far_hz[profile]
    swift = by_name["SUBGRB_TARGETED_SWIFT-CBC"].max_external_far_hz[profile]
    assert xray_hz is not None, "the rules state the rate of X-ray transients"
    hen_hz = rate("HEN-CBC")
    light, neutrino, wave = Messenger.EM, Messenger.NEUTRINO, Messenger.GW

    def stream(name: str, kind: EventClass, who: tuple[Messenger, str], hz: float, fars: Fars, maps: str) -> Stream:  # noqa: PLR0917 - a table's columns
        return Stream(name=name, event_class=kind, messenger=who[0], mission=who[1], rate_hz=hz, fars=fars, maps=maps)

    return (
        stream("mergers", EventClass.CBC, (wave, "LVK"), cbc_hz, _mergers(cbc_hz), "gw"),
        stream("GW bursts", EventClass.BURST, (wave, "LVK"), burst_hz, _uniform(burst_hz), "gw"),
        stream("GRB", EventClass.GRB, (light, "Fermi"), rate("GRB-CBC"), _none, "fermi"),
        stream("sub-threshold GRB", EventClass.SUB_GRB, (light, "Fermi"), rate("SUBGRB-CBC"), _none, "fermi"),
        stream("targeted, Fermi", EventClass.SUB_GRB_TARGETED, (light, "Fermi"), fermi, _uniform(fermi), "fermi"),
        stream("targeted, Swift", EventClass.SUB_GRB_TARGETED, (light, "Swift"), swift, _uniform(swift), "swift"),
        stream("FRB", EventClass.FRB, (light, "CHIME"), rate("FRB-CBC"), _none, "swift"),
        stream("X-ray transients", EventClass.XRAY_TRANSIENT, (light, "EinsteinProbe"), xray_hz, _none, "swift"),
        stream("neutrinos", EventClass.HIGH_ENERGY_NEUTRINO, (neutrino, "IceCube"), hen_hz, _uniform(hen_hz), "icecube"),
    )


def pools(subject: Subject, rng: Generator, number: int) -> Mapping[str, tuple[Localization, ...]]:
    """Return maps at random places by key, so many of each: notices take any of them."""
    by_name = {model.name: model for model in MODELS}

    def notices(model: ErrorModel) -> tuple[Localization, ...]:
        found = (subject.localize(model.draw(rng)[0], model.systematic_model) for _ in range(number))
        return tuple(one for one in found if one is not None)

    return {
        "gw": tuple(localization_from_skymap(random_map(rng)) for _ in range(number)),
        "fermi": notices(by_name["fermi-gbm-ground"]),
        "swift": notices(by_name["Swift, circle of 90 %"]),
        "icecube": notices(by_name["IceCube, circle of 90 %"]),
    }


def _none(rng: Generator, number: int) -> Floats:
    return np.full(number, np.nan)


def _uniform(largest_hz: float) -> Fars:
    """Return noise: as many with a false-alarm rate below f as f says."""

    def draw(rng: Generator, number: int) -> Floats:
        return rng.uniform(0.0, largest_hz, number)

    return draw


def _mergers(rate_hz: float) -> Fars:
    """Return noise, with real mergers among it."""

    def draw(rng: Generator, number: int) -> Floats:
        noise = rng.uniform(0.0, rate_hz * (1.0 - REAL_SHARE), number)
        real = np.exp(rng.uniform(np.log(REAL_FAR_HZ[0]), np.log(REAL_FAR_HZ[1]), number))
        return np.where(rng.random(number) < REAL_SHARE, real, noise)

    return draw


__all__ = ["YEAR_S", "Stream", "pools", "unrelated"]
