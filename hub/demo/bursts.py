"""Fermi GBM notices: each as a classic VOEvent and as its unified JSON twin with the same trigger number.

The first burst is GRB 170817A with its published positions. The second is of our invention: it lies over a field of the wide
survey, so that optical candidates are found for it, and in the end it is declared no burst.
"""

import json
from dataclasses import dataclass
from typing import Any

from hub.demo.classic import MADE_UP, Classic, Param, tjd_and_sod, voevent
from hub.demo.messages import Message
from hub.demo.published import GRB_FINAL, GRB_FLIGHT, GRB_GROUND, GRB_T0, GRB_TRIGGER
from hub.model.instant import Instant

SCHEMA = "https://gcn.nasa.gov/schema/main/gcn/notices/fermi/gbm/trigger.schema.json"
"""What the unified notices name as their schema."""

TOPIC_UNIFIED = "gcn.notices.fermi.gbm"

FALSE_T0 = Instant.from_utc_iso("2017-08-18T01:52:33.18Z")
"""Trigger time of the burst that is none; ours."""

FALSE_TRIGGER = 524713958
"""Its trigger number: Fermi mission elapsed time, as Fermi numbers its triggers."""

RETRACTION_DELAY_S = 65.0
"""From the final position of the false burst to its retraction, seconds."""

_ALERT = (110, "GBM_Alert", "INITIAL_ALERT", "FERMI_GBM_ALERT")
_FLIGHT = (111, "GBM_Flt_Pos", "FLIGHT_POSITION", "FERMI_GBM_FLT_POS")
_GROUND = (112, "GBM_Gnd_Pos", "GROUND_POSITION", "FERMI_GBM_GND_POS")
_FINAL = (115, "GBM_Fin_Pos", "FINAL_POSITION", "FERMI_GBM_FIN_POS")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Burst:
    trigger: int
    name: str
    t0: Instant
    significance: float
    timescale_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    kind: tuple[int, str, str, str]
    sequence: int
    issued: Instant
    position: tuple[float, float, float] | None
    """RA, Dec, 68 % statistical radius, degrees."""

    delay_s: float = 2.0
    """From issue to arrival."""

    not_a_burst: bool = False
    is_retraction: bool = False


def messages() -> list[Message]:
    """Return the notices of both bursts, classic and unified."""
    real = _Burst(trigger=GRB_TRIGGER, name="bn170817529", t0=GRB_T0, significance=4.8, timescale_s=0.256)
    false = _Burst(trigger=FALSE_TRIGGER, name="bn170818078", t0=FALSE_T0, significance=4.9, timescale_s=4.096)
    steps = [
        (real, _Step(kind=_ALERT, sequence=1, issued=GRB_T0.plus_s(14), position=None)),
        (real, _Step(kind=_FLIGHT, sequence=46, issued=GRB_T0.plus_s(25), position=GRB_FLIGHT)),
        (real, _Step(kind=_GROUND, sequence=57, issued=GRB_T0.plus_s(37), position=GRB_GROUND)),
        (real, _Step(kind=_FINAL, sequence=0, issued=Instant.from_utc_iso("2017-08-18T00:20:31Z"), position=GRB_FINAL)),
        (false, _Step(kind=_ALERT, sequence=1, issued=FALSE_T0.plus_s(15), position=None)),
        (false, _Step(kind=_FLIGHT, sequence=45, issued=FALSE_T0.plus_s(32), position=(351.9, -33.2, 6.4))),
        # The relay is late: the ground position arrives when the field has already been observed.
        (false, _Step(kind=_GROUND, sequence=52, issued=FALSE_T0.plus_s(71), position=(349.1, -35.9, 2.9), delay_s=9_000.0)),
        (
            false,
            _Step(
                kind=_FINAL,
                sequence=0,
                issued=Instant.from_utc_iso("2017-08-21T00:31:05Z"),
                position=(349.1, -35.9, 2.9),
                not_a_burst=True,
                is_retraction=True,
            ),
        ),
    ]
    return [message for burst, step in steps for message in (_classic(burst, step), _unified(burst, step))]


def _classic(burst: _Burst, step: _Step) -> Message:
    number, word, _, topic = step.kind
    ra, dec, error = step.position or (0.0, 0.0, 0.0)
    first = f"ivo://nasa.gsfc.gcn/Fermi#GBM_Alert_{burst.t0.to_utc_iso()[:22]}_{burst.trigger}_1-429{MADE_UP}"
    separator = "" if step.kind is _FINAL else "_"  # GCN writes final positions without the underscore
    serial = 428 + (110, 111, 112, 115).index(number) + 1
    notice = Classic(
        ivorn=f"ivo://nasa.gsfc.gcn/Fermi#{word}{separator}{burst.t0.to_utc_iso()[:22]}_{burst.trigger}_{step.sequence}-{serial}{MADE_UP}",
        author="Fermi (via VO-GCN)",
        date=step.issued,
        params=[*_common_params(burst, step), *_own_params(burst, step)],
        groups=_groups(step),
        t0=burst.t0,
        ra_deg=ra,
        dec_deg=dec,
        error_deg=error,
        importance=0.5,
        cites=None if step.kind is _ALERT else first,
        summary="The Fermi-GBM location of a transient." if step.position else "The Fermi-GBM instrument found a transient.",
    )
    return Message(
        payload=voevent(notice),
        topic=f"gcn.classic.voevent.{topic}",
        media_type="application/xml",
        arrives=step.issued.plus_s(step.delay_s),
    )


def _common_params(burst: _Burst, step: _Step) -> list[Param]:
    tjd, sod = tjd_and_sod(burst.t0)
    return [
        ("Packet_Type", str(step.kind[0]), None),
        ("Pkt_Ser_Num", "1", None),
        ("TrigID", str(burst.trigger), None),
        ("Sequence_Num", str(step.sequence), None),
        ("Burst_TJD", tjd, "days"),
        ("Burst_SOD", sod, "sec"),
    ]


def _own_params(burst: _Burst, step: _Step) -> list[Param]:
    match step.kind[0]:
        case 110:
            return [
                ("Trig_Signif", f"{burst.significance:.1f}", "sigma"),
                ("Trig_Dur", f"{burst.timescale_s:.3f}", "sec"),
                ("Lo_Chan_Energy", "47", "keV"),
                ("Hi_Chan_Energy", "291", "keV"),
                ("Algorithm", "8", None),
                ("Coords_Type", "0", "dn"),
                ("Coords_String", "unavailable/inappropriate", None),
            ]
        case 111:
            return [
                ("Trig_Timescale", f"{burst.timescale_s:.3f}", "sec"),
                ("Data_Timescale", f"{burst.timescale_s:.3f}", "sec"),
                ("Data_Signif", f"{burst.significance + 0.7:.2f}", "sigma"),
                ("Most_Likely_Index", "4", "dn"),
                ("Most_Likely_Prob", "86", None),
                ("Sec_Most_Likely_Index", "5", "dn"),
                ("Sec_Most_Likely_Prob", "8", None),
                ("Hardness_Ratio", "0.87", None),
                ("Coords_Type", "1", "dn"),
                ("Coords_String", "source_object", None),
            ]
        case _:
            return [
                ("Data_Integ", "2.048", "sec"),
                ("Burst_Signif", f"{burst.significance + 1.2:.2f}", "sigma"),
                ("Algorithm", "4173", "dn"),
                ("Lo_Energy", "44032", "keV"),
                ("Hi_Energy", "279965", "keV"),
                ("Coords_Type", "1", "dn"),
                ("Coords_String", "source_object", None),
            ]


def _groups(step: _Step) -> dict[str, dict[str, str]]:
    ground = step.kind[0] in (112, 115)
    flags = {"Flt_Generated": str(not ground).lower(), "Gnd_Generated": str(ground).lower()}
    if step.kind is _ALERT:
        return {"Misc_Flags": flags}
    trigger = {"Def_NOT_a_GRB": str(step.not_a_burst).lower(), "Target_in_Blk_Catalog": "false", "Test_Submission": "false"}
    if step.kind is _FINAL:
        trigger |= {"Human_generated": "true", "Robo_generated": "false"}
    return {"Trigger_ID": trigger, "Misc_Flags": flags}


def _unified(burst: _Burst, step: _Step) -> Message:
    issued = step.issued.plus_s(RETRACTION_DELAY_S) if step.is_retraction else step.issued
    notice: dict[str, Any] = {
        "$schema": SCHEMA,
        "mission": "Fermi",
        "instrument": "GBM",
        "messenger": "EM",
        "id": [str(burst.trigger), burst.name],
        "alert_datetime": issued.to_utc_iso()[:19] + "Z",
        "alert_tense": "current",
        "alert_type": "retraction" if step.is_retraction else "initial" if step.kind is _ALERT else "update",
        "subtype": step.kind[2],
        "record_number": step.sequence,
        "trigger_time": burst.t0.to_utc_iso()[:22] + "Z",
        "trigger_type": "rate",
        "rate_snr": burst.significance,
        "rate_duration": burst.timescale_s,
        "rate_energy_range": [47, 291],
        "ground_generated_notice": step.kind[0] in (112, 115),
        "human_in_the_loop": step.kind is _FINAL,
        "additional_info": "Synthesised by the demo of the multimessenger hub; not sent by GCN.",
    }
    if step.position is not None and not step.is_retraction:
        ra, dec, error = step.position
        notice |= {
            "ra": ra,
            "dec": dec,
            "ra_dec_error": error,
            "containment_probability": 0.68,
            "systematic_included": False,
        }
    if step.kind is _FLIGHT:
        notice["classification"] = {"GRB": 0.86, "GENERIC_SGR": 0.08}
    return Message(
        payload=json.dumps(notice).encode(),
        topic=TOPIC_UNIFIED,
        media_type="application/json",
        arrives=issued.plus_s(step.delay_s + 1.0),
    )
