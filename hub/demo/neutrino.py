"""An IceCube track alert of the night that belongs to nothing else: ours, with the numbers of an ordinary one.

A first notice and a revision with a smaller error, each as a classic VOEvent and as its unified JSON twin. The revision comes
after the field was observed, so that past alerts are searched with it.
"""

import json

from hub.demo.classic import MADE_UP, Classic, tjd_and_sod, voevent
from hub.demo.messages import Message
from hub.model.instant import Instant

T0 = Instant.from_utc_iso("2017-08-17T20:03:11.37Z")
"""Time of the neutrino; ours."""

RUN_ID, EVENT_ID = 129_972, 48_216_077
"""Run and event number; ours."""

ENERGY_TEV = 178.4
SIGNALNESS = 0.56
FAR_PER_YEAR = 1.07
"""False-alarm rate, 1/yr; gold alerts have a signalness over 0.5 (Blaufuss et al. 2019, ICRC 1021)."""

_SECONDS_PER_YEAR = 365.25 * 86_400
_NOTICES = (
    (0, "2017-08-17T20:03:54Z", 312.41, -15.62, 1.42, 0.55),
    (1, "2017-08-18T03:24:40Z", 312.14, -15.91, 0.78, 0.31),
)
"""Revision, issue time, RA, Dec, radii of 90 and 50 % containment in degrees."""


def messages() -> list[Message]:
    """Return the notices, classic and unified."""
    made = []
    for revision, issued, ra, dec, error90, error50 in _NOTICES:
        date = Instant.from_utc_iso(issued)
        made.append(
            Message(
                payload=_classic(revision, date, (ra, dec), error90, error50),
                topic="gcn.classic.voevent.ICECUBE_ASTROTRACK_GOLD",
                media_type="application/xml",
                arrives=date.plus_s(2.0),
            )
        )
        made.append(
            Message(
                payload=_unified(revision, date, ra, dec, error90),
                topic="gcn.notices.icecube.gold_bronze_track_alerts",
                media_type="application/json",
                arrives=date.plus_s(4.0),
            )
        )
    return made


def _classic(revision: int, date: Instant, position: tuple[float, float], error90: float, error50: float) -> bytes:
    tjd, sod = tjd_and_sod(T0)
    stem = f"ivo://nasa.gsfc.gcn/AMON#ICECUBE_GOLD_Event{T0.to_utc_iso()[:22]}_24_{RUN_ID}_{EVENT_ID:09d}_"
    return voevent(
        Classic(
            ivorn=f"{stem}{revision}{MADE_UP}",
            author="IceCube (via VO-GCN)",
            date=date,
            params=[
                ("Packet_Type", "173", None),
                ("Pkt_Ser_Num", "1", None),
                ("AMON_ID", f"{RUN_ID}{EVENT_ID}", None),
                ("run_id", str(RUN_ID), None),
                ("event_id", str(EVENT_ID), None),
                ("Event_TJD", tjd, "days"),
                ("Event_SOD", sod, "sec"),
                ("Stream", "24", "dn"),
                ("Rev", str(revision), "dn"),
                ("signalness", f"{SIGNALNESS:.4f}", "dn"),
                ("FAR", f"{FAR_PER_YEAR:.4f}", "yr^-1"),
                ("energy", f"{ENERGY_TEV:.4f}", "TeV"),
                ("src_error_90", f"{error90:.4f}", "deg"),
                ("src_error_50", f"{error50:.4f}", "deg"),
            ],
            groups={"Trigger_ID": {"SubType": "indi", "Test": "false", "Retraction": "false", "InternalTest": "false"}},
            t0=T0,
            ra_deg=position[0],
            dec_deg=position[1],
            error_deg=error90,
            importance=1.0,
            cites=f"{stem}0{MADE_UP}" if revision else None,
            summary="An IceCube gold track alert.",
        )
    )


def _unified(revision: int, date: Instant, ra: float, dec: float, error90: float) -> bytes:
    notice = {
        "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/icecube/single_neutrino_alerts.schema.json",
        "mission": "IceCube",
        "instrument": "IC86",
        "messenger": "Neutrino",
        "pipeline": "Gold Track Alert",
        "record_number": revision,
        "event_name": ["IceCube-170817A"],
        "id": [f"{RUN_ID}_{EVENT_ID}"],
        "alert_datetime": date.to_utc_iso()[:19] + "Z",
        "alert_type": "update" if revision else "initial",
        "alert_tense": "current",
        "alert_topology": "Track",
        "number_of_events": 1,
        "ra": ra,
        "dec": dec,
        "ra_dec_error": error90,
        "containment_probability": 0.9,
        "systematic_included": False,
        "trigger_time": T0.to_utc_iso(),
        "nu_energy": ENERGY_TEV,
        "p_astro": SIGNALNESS,
        "far": FAR_PER_YEAR / _SECONDS_PER_YEAR,
    }
    return json.dumps(notice).encode()
