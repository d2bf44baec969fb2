"""Notices that make groups: superevents near one burst, a neutrino, detectors of a supernova."""

from typing import Any

from hub.model.notice import EventClass, Messenger, Notice, Stage
from hub.model.sky import Localization
from tests.support.words import T0, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0, order=3))
NEAR = localization(gaussian_map(134.0, 21.0, 5.0, order=3))
THERE = localization(gaussian_map(131.0, 22.0, 4.0, order=3))


def superevent(name: str, far_hz: float, **changes: Any) -> Notice:
    return notice(name, far_hz=far_hz, **changes)


def neutrino(name: str = "IceCube-1", **changes: Any) -> Notice:
    values = {
        "messenger": Messenger.NEUTRINO,
        "event_class": EventClass.HIGH_ENERGY_NEUTRINO,
        "mission": "IceCube",
        "instrument": None,
        "stream": "gcn.notices.icecube.gold_bronze_track_alerts",
        "far_hz": 1e-8,
        "classification": {},
        "t0": T0.plus_s(4.0),
    }
    return notice(name, **{**values, **changes})


def mev(detector: str, at_s: float, **changes: Any) -> Notice:
    values = {"event_class": EventClass.SUPERNOVA_NEUTRINO, "mission": detector, "instrument": detector, "far_hz": None}
    return neutrino(f"{detector}-1", **{**values, "stream": "snews.alert", "t0": T0.plus_s(at_s), **changes})


def taken_back(message: Notice) -> dict[str, Any]:
    return {"stage": Stage.RETRACTION, "issued_at": T0.plus_s(9000), "sequence": 9, "event_class": message.event_class}


TWO = [(superevent("S1", 1e-9), HERE), (superevent("S2", 1e-8), HERE), (grb(), NEAR)]


SNEWS = [mev("Super-K", 0.0), mev("LVD", 2.0), mev("JUNO", 6.0)]


WORLD: list[tuple[Notice, Localization | None]] = [
    *TWO,
    (neutrino(), THERE),
    (grb("Fermi-2", t0=T0.plus_s(2.5)), THERE),
    (superevent("S1", 1e-9, **taken_back(TWO[0][0])), None),
    (superevent("S3", 1e-10, t0=T0.plus_s(2.0)), NEAR),
    (superevent("S3", 1e-7, t0=T0.plus_s(2.0), stage=Stage.UPDATE, issued_at=T0.plus_s(4000), sequence=2), THERE),
    *((message, None) for message in SNEWS),
    (mev("LVD", 2.0, **taken_back(SNEWS[1])), None),
    (superevent("S4", 1e-7, properties={"significant": False}, t0=T0.plus_s(1.0)), HERE),
]
"""All of it: taken back, changed, below the threshold."""
