"""Which objects are candidates of which events, against plain loops that know neither HEALPix tiles nor the hub's code.

Levels of the merger's maps come from ligo.skymap's crossmatch of the FITS files themselves; those of stated positions from the angle
to the centre and the closed form of the content of a cap. Whatever lies near the edge of a region, where pixels matter, must be
absent from the world: the first test sees to it.
"""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from ligo.skymap.io import read_sky_map
from ligo.skymap.postprocess.crossmatch import crossmatch

from hub.bootstrap import open_hub
from hub.ports import SkymapReader
from hub.storage import candidates, events
from tests.support import small_world as world

DAYS = {1: 0.4, 2: 0.9, 3: 1.4, 4: 2.4, 5: 0.5, 6: 1.5, 7: 2.5, 8: 0.6, 9: 1.6, 10: 0.7, 11: 1.7, 12: 0.8, 13: 0.9, 14: 1.0}
DAYS |= {15: 2.3, 16: 2.5, 17: 2.9, 18: 0.4, 19: 1.4, 20: 1.1}
"""Alert to days after the first merger."""

OBJECT = dict(zip(DAYS, [101] * 4 + [102] * 3 + [103] * 2 + [104] * 2 + [105] * 3 + [106] * 3 + [107] * 2 + [108], strict=True))
"""Alert to its object."""

KNOWN_SINCE = {104: -100.0}
"""Object to the day of an earlier detection that its packets tell of."""

NEGATIVE, DOUBTFUL, ASTEROID = 12, 13, 14
"""The three alerts of the object that is not a transient."""

RULES = {
    "kilonova": {"window": (0.0, 30.0), "onset": (0.0, 30.0), "level": 0.9995, "negative": False, "prior": False},
    "afterglow": {"window": (-1.0, 45.0), "onset": (-1.0, 45.0), "level": 0.9995, "negative": False, "prior": False},
    "neutrino-active": {"window": (-365.0, 365.0), "onset": (-365.0, 365.0), "level": 0.99, "negative": True, "prior": True},
}
"""The hypotheses of conf/coincidence.toml in the words of this test: days after the event, largest level."""


def separation(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the angle between two positions, radians."""
    (ra1, dec1), (ra2, dec2) = (map(math.radians, place) for place in (a, b))
    h = math.sin((dec2 - dec1) / 2) ** 2 + math.cos(dec1) * math.cos(dec2) * math.sin((ra2 - ra1) / 2) ** 2
    return 2 * math.asin(math.sqrt(h))


def cap(angle: float, kappa: float) -> float:
    """Return the content of a cap under a Fisher distribution."""
    return -math.expm1(-kappa * (1 - math.cos(angle))) / -math.expm1(-2 * kappa)


def circle(place: tuple[float, float, float], containment: float, where: tuple[float, float]) -> float:
    """Return the level of a place in an error circle."""
    ra, dec, radius = place
    kappa = -math.log1p(-containment) / (1 - math.cos(math.radians(radius)))
    return cap(separation((ra, dec), where), kappa)


def gbm(place: tuple[float, float, float], core_weight: float, core: float, tail: float, where: tuple[float, float]) -> float:
    """Return the level of a place under a statistical circle of 68 % and the two systematic parts of Connaughton et al. (2015)."""
    ra, dec, radius = place
    angle = separation((ra, dec), where)
    kappas = [1 / (0.66 * math.radians(math.hypot(radius, part))) ** 2 for part in (core, tail)]
    return core_weight * cap(angle, kappas[0]) + (1 - core_weight) * cap(angle, kappas[1])


def in_map(place: tuple[float, float, float], where: tuple[float, float]) -> float:
    """Return the level of a place in a sky map by ligo.skymap."""
    table = read_sky_map(io.BytesIO(world.skymap(*place)), moc=True)
    return float(crossmatch(table, SkyCoord(*where, unit=units.deg)).searched_prob)


def levels(where: tuple[float, float]) -> dict[str, tuple[str, float, list[float]]]:
    """Return for each event its hypothesis, the day of its time, and the level of a place in each of its localizations."""
    flight, ground = (0.897, 7.52, 55.6), (0.804, 3.72, 13.7)
    on_ground = gbm(world.BURST_PLACE, *ground, where)
    other = gbm((41.0, -29.0, 4.0), *ground, where)
    return {
        "S260301b": ("kilonova", 0.0, [in_map(world.FIRST_PLACE, where), in_map(world.SECOND_PLACE, where)]),
        "S260303c": ("kilonova", 2.0, [in_map(world.OTHER_PLACE, where)]),
        "MS260301b": ("kilonova", 0.0, [in_map(world.FIRST_PLACE, where)]),
        "Fermi-794023391": ("afterglow", 2.0 / 86_400, [on_ground, gbm((148.0, -17.0, 6.0), *flight, where)]),
        "Fermi-794023394-test": ("afterglow", 1.0 / 86_400, [on_ground]),
        "Fermi-794023392": ("afterglow", 2.0 + 3.0 / 86_400, [other]),
        "IceCube-141234-5678901": (
            "neutrino-active",
            100.0 / 86_400,
            [circle(place, 0.9, where) for place in world.NEUTRINO_PLACES],
        ),
    }


def wanted() -> set[tuple[str, int]]:
    """Return every (event, object) that must be a candidate in some state."""
    found = set()
    for alert, days in DAYS.items():
        name = OBJECT[alert]
        for event, (hypothesis, t0, at) in levels(world.OBJECTS[name]).items():
            rule: dict[str, Any] = RULES[hypothesis]
            first = min(days, KNOWN_SINCE.get(name, days)) - t0
            if alert in (DOUBTFUL, ASTEROID) or (alert == NEGATIVE and not rule["negative"]):
                continue
            if not rule["window"][0] <= days - t0 <= rule["window"][1]:
                continue
            if first > rule["onset"][1] or (first < rule["onset"][0] and not rule["prior"]):
                continue
            if min(at) < rule["level"]:
                found.add((event, name))
    return found


def found(skymaps: SkymapReader, made: Path, folder: Path, order: Sequence[world.Sent]) -> set[tuple[str, int]]:
    """Return the candidates that the hub finds."""
    with world.fresh_sqlite(folder, made) as store:
        with open_hub(world.settings_in(folder), store, clock=world.Ticking(), skymaps=skymaps) as hub:
            world.deliver(hub, order, range(0, len(order), 4))
        with store.reading() as session:
            return {
                (one.event_id, int(one.object_id) % 1000)
                for event_id in events.all_ids(session)
                for one in candidates.of_event(session, event_id)
            }


def test_nothing_lies_near_the_edge_of_a_region() -> None:
    for where in world.OBJECTS.values():
        for hypothesis, _, at in levels(where).values():
            limit = RULES[hypothesis]["level"]
            for level in at:
                assert not 0.9 * (1 - limit) < 1 - level < 1.1 * (1 - limit), (where, hypothesis, level)


@pytest.mark.parametrize("direction", ["events after alerts", "alerts after events"])
def test_exactly_the_objects_that_plain_loops_find_are_candidates(
    direction: str, skymaps: SkymapReader, made: Path, tmp_path: Path
) -> None:
    halves = [world.alerts(), world.notices()]
    order = [one for half in (halves if direction == "events after alerts" else halves[::-1]) for one in half]
    expected = wanted()
    assert len(expected) > 15
    assert found(skymaps, made, tmp_path, order) == expected
