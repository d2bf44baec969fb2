"""A world in which everything that significance is made of happens once: some twenty notices, 500 alerts, two words, a catalogue.

A merger with two updates, the last with a published coincidence; a second one that is retracted; one of low significance with a burst
beside it; an earlier one that makes the rates of the others higher, and a mock of weeks before, since which mergers were heard. A burst
that Fermi and Swift saw an hour apart, one by two texts that name it; a pair of bursts that time and place join and a person splits; a
pair that only a person joins; one that is retracted. A find below threshold, a neutrino with a revision, a search for tracks, a fast
radio burst, a test. Objects of two surveys: a counterpart with a twin, one known to move only later, one classified by a registry, one
in a nearby galaxy of the catalogue.
"""

import base64
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from hub.model.instant import Instant
from tests.support import small_world, ztf_packets
from tests.support.json_notices import as_bytes, chime, circular, guano, icecube, igwn_alert, lvk_track_search, maxi
from tests.support.lsst_packets import framed
from tests.support.lsst_packets import record as lsst_record
from tests.support.small_world import DAY_S, T0, Sent, after, burst, merger, skymap
from tests.support.tns_tables import table
from tests.support.voevents import voevent

FIRST = (150.0, -20.0, 4.0)
LATER = (154.0, -20.0, 2.5)
OTHER = (40.0, -30.0, 3.0)
FAR_OFF = (270.0, 30.0, 3.0)
FAINT = (210.0, 15.0, 3.0)
"""Centres and sigmas of maps, degrees."""

COUNTERPART = (154.0, -20.3)
"""Where the counterpart of the merger is, degrees."""

CLASSIFIED = (153.2, -19.9)
"""Where an object is that a registry calls a supernova, degrees."""

N_ALERTS = 500
"""Alerts of both surveys together."""

CATALOGUE = f"id,kind,ra,dec,z\nhost,galaxy,{COUNTERPART[0]},{COUNTERPART[1] + 0.001},0.0098\nnucleus,agn,152.0,-20.5,0.3\n"
"""A table of two entries: the host of the counterpart, and one nucleus in the map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person says about two events; only possible once both are there."""

    name: str
    joins: bool
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The catalogue is added: the hub is started anew, and the past looked at with it."""

    name: str = "catalogue"


Step = Sent | Said | Installed
"""One thing that happens."""


def swift(trigger: int, t0_s: float, position: tuple[float, float, float]) -> bytes:
    """Return a position of Swift's BAT."""
    return voevent(
        ivorn=f"ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_{trigger}-301",
        params={"Packet_Type": 61, "TrigID": trigger},
        time=after(t0_s)[:-1],
        date=after(t0_s + 40)[:19],
        position=position,
    )


def published() -> bytes:
    """Return the last update of the merger, with another observatory's burst beside it."""
    event = igwn_alert()["event"] | {"time": after(0), "skymap": base64.b64encode(skymap(*LATER)).decode()}
    external = {
        "gcn_notice_id": 123456789,
        "ivorn": "ivo://nasa.gsfc.gcn/Fermi#GBM_Gnd_Pos_794023391",
        "observatory": "Fermi",
        "search": "GRB",
        "time_difference": 2.0,
        "time_coincidence_far": 3e-10,
        "time_sky_position_coincidence_far": 4e-12,
        "combined_skymap": base64.b64encode(skymap(*LATER)).decode(),
    }
    return as_bytes(
        igwn_alert(
            superevent_id="S260301b",
            alert_type="UPDATE",
            time_created=after(20_000)[:19] + "Z",
            event=event,
            external_coinc=external,
        )
    )


def _with_far(event_id: str, t0_s: float, place: tuple[float, float, float], **event: Any) -> bytes:
    body = igwn_alert()["event"] | {"time": after(t0_s), "skymap": base64.b64encode(skymap(*place)).decode()} | event
    created = after(t0_s + 120)[:19] + "Z"
    return as_bytes(igwn_alert(superevent_id=event_id, alert_type="PRELIMINARY", time_created=created, event=body))


@cache
def notices() -> tuple[Sent, ...]:
    """Return every message that is no alert of a survey."""
    second, third = 2.0 * DAY_S, 2.4 * DAY_S
    neutrino = {"trigger_time": after(100.0), "id": ["141234_5678901_0"]}
    revised = {"alert_datetime": after(8000), "alert_type": "update", "record_number": 2}
    targeted = guano(
        trigger_time=after(3.5),
        alert_datetime=after(3000),
        follow_up_event="S260301b",
        follow_up_type="GW",
        id=["794023390"],
        healpix_file=base64.b64encode(skymap(151.0, -20.0, 3.0)).decode(),
    )
    taken_back = {"alert_type": "retraction", "subtype": "FINAL_POSITION", "record_number": 9}
    grb = "GRB 260301A"
    by_fermi = circular(
        circularId=40001,
        subject=f"{grb}: Fermi GBM Final Real-time Localization",
        body=f"Fermi GBM triggered and located {grb} (trigger 794023391.125 / 260301085).",
    )
    by_swift = circular(
        circularId=40002,
        subject=f"{grb}: Swift detection of a burst",
        body=f"At 03:03:04 UT, the Swift Burst Alert Telescope (BAT) triggered and located {grb} (trigger=1234567).",
    )
    modern, classic = "gcn.notices.fermi.gbm", "gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK"
    tracks = "gcn.notices.icecube.gold_bronze_track_alerts"
    sent: dict[str, tuple[bytes, str | None]] = {
        "old mock": (_with_far("MS260110a", -50.0 * DAY_S, FAR_OFF), "igwn.gwalert"),
        "late trigger": (_with_far("S260220k", -9.0 * DAY_S, FAR_OFF, far=1e-10), "igwn.gwalert"),
        "merger": (merger("S260301b", "PRELIMINARY", 180, FIRST), "igwn.gwalert"),
        "merger update": (merger("S260301b", "UPDATE", 9000, LATER), "igwn.gwalert"),
        "merger published": (published(), "igwn.gwalert"),
        "second merger": (merger("S260303c", "PRELIMINARY", second + 200, OTHER, time=after(second)), "igwn.gwalert"),
        "second merger retracted": (merger("S260303c", "RETRACTION", second + 4000, None), "igwn.gwalert"),
        "faint merger": (_with_far("S260302d", DAY_S, FAINT, far=2e-5, significant=False), "igwn.gwalert"),
        "faint burst": (burst(794023399, DAY_S + 1.5, DAY_S + 60, (210.5, 15.5, 2.0)), modern),
        "burst": (burst(794023391, 2.0, 60, (153.0, -19.5, 3.0)), modern),
        "burst by Swift": (swift(1234567, 3600.0, (153.5, -20.0, 0.05)), classic),
        "text on Fermi": (as_bytes(by_fermi), "gcn.circulars"),
        "text on Swift": (as_bytes(by_swift), "gcn.circulars"),
        "targeted find": (as_bytes(targeted), "gcn.notices.swift.bat.guano"),
        "neutrino": (as_bytes(icecube(**neutrino, alert_datetime=after(150), ra=152.0, dec=-21.0, ra_dec_error=1.5)), tracks),
        "neutrino revised": (as_bytes(icecube(**neutrino, **revised, ra=153.0, dec=-20.5, ra_dec_error=0.8)), tracks),
        "tracks": (as_bytes(lvk_track_search()), "gcn.notices.icecube.lvk_nu_track_search"),
        "radio burst": (as_bytes(chime(trigger_time=after(6.0), ra=152.5, dec=-20.5)), "gcn.notices.chime.frb"),
        "second burst": (burst(794023392, second + 3.0, second + 60, (41.0, -29.0, 4.0)), modern),
        "second burst by Swift": (swift(1234568, second + 4.0, (41.2, -29.2, 0.05)), classic),
        "third burst": (burst(794023394, third, third + 60, (1.0, 10.0, 3.0)), modern),
        "third burst by MAXI": (as_bytes(maxi(trigger_time=after(third + 900), alert_datetime=after(third + 1000))), None),
        "fourth burst": (burst(794023395, DAY_S + 3.0, DAY_S + 63, (210.0, 14.0, 4.0)), modern),
        "fourth burst retracted": (burst(794023395, DAY_S + 3.0, DAY_S + 7000, (210.0, 14.0, 4.0), **taken_back), modern),
        "test burst": (burst(794023397, 1.0, 55, (151.0, -19.0, 3.0), alert_tense="test"), modern),
        "registry": (table({"ra": str(CLASSIFIED[0]), "declination": str(CLASSIFIED[1])}), None),
    }
    return tuple(Sent(name=name, payload=payload, topic=topic) for name, (payload, topic) in sent.items())


WORDS = (
    Said(name="split", joins=False, first="Fermi-794023392", second="Swift-1234568"),
    Said(name="join", joins=True, first="Fermi-794023394", second="MAXI-1234567890"),
)
"""What persons say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    number: int
    ra: float
    dec: float
    flux: float
    """Of the first detection, nJy."""

    start_d: float
    """Of the first detection after the merger, days."""

    fades: float
    """Share of the flux that is left after a day."""

    n: int
    """Detections."""

    step_d: float = 0.5
    moves: bool = False
    """Whether the last detection is said to be of a body of the solar system."""

    twin_arcsec: float | None = None
    """Distance of the object of ZTF that is the same, which is seen a quarter of a day earlier; None where there is none."""


def _objects() -> Iterator[_Object]:
    ra, dec = COUNTERPART
    yield _Object(number=101, ra=ra, dec=dec, flux=90_000.0, start_d=0.4, fades=0.5, n=6, twin_arcsec=0.8)
    yield _Object(number=102, ra=152.5, dec=-20.8, flux=30_000.0, start_d=0.5, fades=0.6, n=4, moves=True)
    yield _Object(number=103, ra=152.0, dec=-20.5, flux=20_000.0, start_d=0.7, fades=0.7, n=5)
    yield _Object(number=104, ra=40.3, dec=-30.2, flux=40_000.0, start_d=2.2, fades=0.5, n=4, twin_arcsec=1.2)
    yield _Object(number=105, ra=210.4, dec=15.2, flux=40_000.0, start_d=1.3, fades=0.5, n=5, twin_arcsec=1.4)
    ra, dec = CLASSIFIED
    yield _Object(number=106, ra=ra, dec=dec, flux=40_000.0, start_d=0.5, fades=0.5, n=4)
    random = Random(7)
    centres = ((150.0, -20.0), (154.0, -20.0), (40.0, -30.0), (210.0, 15.0), (100.0, 50.0))
    for number in itertools.count(200):
        ra, dec = random.choice(centres)
        yield _Object(
            number=number,
            ra=round(ra + random.uniform(-6, 6), 4),
            dec=round(dec + random.uniform(-4, 4), 4),
            flux=random.uniform(1_500.0, 60_000.0),
            start_d=random.uniform(-3.0, 2.3),
            fades=random.uniform(0.4, 1.1),
            n=random.randint(1, 7),
            step_d=random.uniform(0.15, 0.6),
            twin_arcsec=random.choice((None, None, None, 0.5, 1.4, 2.5)),
        )


def _lsst(source: int, one: _Object, days: float, flux: float, moves: bool) -> bytes:
    changes = {"ssObjectId": 77} if moves else {}
    values = {
        "diaSourceId": 170_000_000_000_000_000 + source,
        "diaObjectId": 313_000_000_000_000_000 + one.number,
        "ra": one.ra,
        "dec": one.dec,
        "midpointMjdTai": T0.plus_s(days * DAY_S).mjd_tai,
        "psfFlux": flux,
        "psfFluxErr": 100.0,
        "snr": flux / 100.0,
        "reliability": 0.9,
        "isNegative": False,
        **changes,
    }
    return framed("10.0", lsst_record("10.0", **values))


def _ztf(source: int, one: _Object, days: float, magnitude: float, offset_arcsec: float) -> bytes:
    packet = ztf_packets.record(
        2_500_000_000_000_000 + source,
        jd=2_400_000.5 + T0.plus_s(days * DAY_S).mjd_tai - 37.0 / DAY_S,
        ra=one.ra,
        dec=one.dec + offset_arcsec / 3600.0,
        magpsf=magnitude,
    )
    letters = "".join(chr(ord("a") + int(digit)) for digit in f"{one.number:07d}")
    return ztf_packets.container([packet | {"objectId": f"ZTF26{letters}"}])


@cache
def alerts(n_alerts: int = N_ALERTS) -> tuple[Sent, ...]:
    """Return so many alerts, those of the objects that something is said of first."""
    made: list[Sent] = []
    numbers = itertools.count(1)
    for one in _objects():
        for night in range(one.n):
            days, last = one.start_d + night * one.step_d, night == one.n - 1
            if days > 2.9:
                break
            flux = one.flux * one.fades ** (night * one.step_d)
            made.append(
                Sent(
                    name=f"LSST {one.number} night {night}",
                    payload=_lsst(next(numbers), one, days, round(flux, 1), one.moves and last),
                )
            )
            if one.twin_arcsec is not None and night < 2:
                payload = _ztf(next(numbers), one, days - 0.25, round(18.0 + night * 0.4, 2), one.twin_arcsec)
                made.append(Sent(name=f"ZTF {one.number} night {night}", payload=payload))
        if len(made) >= n_alerts:
            return tuple(made[:n_alerts])
    raise AssertionError


def everything(n_alerts: int = N_ALERTS, *, with_catalogue: bool = True) -> tuple[Step, ...]:
    """Return all that happens, in one order of many."""
    return (*([Installed()] if with_catalogue else []), *notices(), *alerts(n_alerts), *WORDS)


NOW: Instant = small_world.NOW
"""When everything arrives."""
