"""Announcements of our own making, and the examples beside the outgoing schemas that are rendered from them.

``python -m tests.support.announcements`` writes the examples anew; a published version is never edited, so that is for new ones only.
"""

from pathlib import Path
from typing import Any

from adapters.codecs.gcn_unified.writer import GcnUnifiedRenderer
from adapters.codecs.hub_avro import HubAvroRenderer
from adapters.codecs.hub_json import HubJsonRenderer
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score
from hub.model.followup import Intent
from hub.model.instant import Instant
from hub.model.notice import Citation, CiteKind
from hub.model.pointing import OWN, Pointing, PointingStatus
from hub.ports import Announcement, OwnPointing, PlanMessage

T0 = Instant.from_utc_iso("2027-03-01T04:00:00.25")
ISSUED = Instant.from_utc_iso("2027-03-01T04:12:30.5")
AUTHOR = "ivo://example.org/mmhub"
FORMER = f"{AUTHOR}/coincidence#00112233445566778899.v1"
EXAMPLES = Path("schemas/hub/1")

GW = {
    "id": "S270301a",
    "kind": "event",
    "messenger": "gw",
    "mission": "LVK",
    "t0": T0.to_utc_iso(),
    "ivorn": None,
    "ra_deg": None,
    "dec_deg": None,
    "far_hz": 1e-9,
    "state": "active",
}
GRB = {
    "id": "Fermi-999000111",
    "kind": "event",
    "messenger": "em",
    "mission": "Fermi",
    "t0": T0.plus_s(1.7).to_utc_iso(),
    "ivorn": "ivo://example.net/Fermi#GBM_Gnd_Pos_999000111",
    "ra_deg": 134.5,
    "dec_deg": -21.25,
    "far_hz": None,
    "state": "active",
}
OBJECT = {
    "id": "LSST:170123456789012345",
    "kind": "object",
    "survey": "LSST",
    "t0": T0.plus_s(40_000).to_utc_iso(),
    "ivorn": None,
    "ra_deg": 134.4981,
    "dec_deg": -21.2512,
    "n_detections": 3,
    "level": 0.41,
}


def coincidence(**changes: Any) -> Coincidence:
    """Return a pair of a gravitational wave and a burst, in its second version."""
    values: dict[str, Any] = {
        "coincidence_id": "00112233445566778899",
        "kind": "gw-grb",
        "hypothesis": "cbc-grb",
        "members": (Member(kind=MemberKind.EVENT, id=GRB["id"]), Member(kind=MemberKind.EVENT, id=GW["id"])),
        "state": PairState.OPEN,
        "version": 2,
        "scores": (
            Score(statistic="delay", version=1, value=1.7, unit="s", inputs={"window_s": [-1.0, 5.0]}),
            Score(statistic="joint_far", version=1, value=1.25e-14, unit="Hz", inputs={"far_hz": 1e-9, "n_trials": 2**60 + 1}),
            Score(statistic="random_association", version=1, value=2.5e-12, unit="Hz", inputs={"other_rate_hz": 2.5e-5}),
            Score(statistic="level_3d", version=1, value=None, unit="1", inputs={"reason": "no distance is stated"}),
        ),
        "reasons": ("the burst came 1.7 s after the merger", "the maps overlap 32.3 times more than by chance"),
        "localization_ids": ("0123456789abcdef0123456789abcdef",),
        "is_live": True,
        "t0": T0,
        "created_at": ISSUED,
    }
    return Coincidence(**{**values, **changes})


def announcement(pair: Coincidence | None = None, **changes: Any) -> Announcement:
    """Return the announcement of a pair."""
    values: dict[str, Any] = {
        "coincidence": pair or coincidence(),
        "ivorn": f"{AUTHOR}/coincidence#00112233445566778899.v2",
        "cites": (
            Citation(ivorn=FORMER, kind=CiteKind.SUPERSEDES),
            Citation(ivorn=str(GRB["ivorn"]), kind=CiteKind.FOLLOWUP),
        ),
        "is_retraction": False,
        "author_ivorn": AUTHOR,
        "member_facts": (GW, GRB),
        "ra_deg": 134.5,
        "dec_deg": -21.25,
        "radius_deg": 3.5,
        "issued_at": ISSUED,
    }
    return Announcement(**{**values, **changes})


def candidate(**changes: Any) -> Announcement:
    """Return the first announcement of an object in an event's map."""
    pair = coincidence(
        coincidence_id="99887766554433221100",
        kind="gw-optical",
        hypothesis="kilonova",
        members=(Member(kind=MemberKind.EVENT, id=GW["id"]), Member(kind=MemberKind.OBJECT, id=OBJECT["id"])),
        version=1,
    )
    values = {
        "ivorn": f"{AUTHOR}/coincidence#99887766554433221100.v1",
        "cites": (),
        "member_facts": (GW, OBJECT),
        "ra_deg": OBJECT["ra_deg"],
        "dec_deg": OBJECT["dec_deg"],
        "radius_deg": 1 / 3600,
    }
    return announcement(pair, **{**values, **changes})


def retraction(**changes: Any) -> Announcement:
    """Return the retraction of a pair one of whose members was retracted."""
    pair = coincidence(state=PairState.WITHDRAWN, version=3, reasons=("withdrawn: S270301a was retracted",))
    values = {
        "ivorn": f"{AUTHOR}/coincidence#00112233445566778899.v3",
        "cites": (Citation(ivorn=FORMER.replace(".v1", ".v2"), kind=CiteKind.RETRACTION),),
        "is_retraction": True,
        "member_facts": ({**GW, "state": "retracted"}, GRB),
    }
    return announcement(pair, **{**values, **changes})


def plan(**changes: Any) -> PlanMessage:
    """Return what is said of a request that a network has: one field in two bands."""
    asked = Intent(
        intent_id="00112233445566778899aabbccddeeff",
        event_id="S270301a",
        coincidence_id="00112233445566778899",
        target="LSST:170000000000000001",
        ra_deg=197.45,
        dec_deg=-23.38,
        network="lco",
        instrument="1M0-SCICAM-SINISTRO",
        purpose="kilonova",
        policy_version=1,
        window_start=T0.plus_s(7200.0),
        window_end=T0.plus_s(93_600.0),
        exposures=({"filter": "gp", "seconds": 120.0, "count": 1}, {"filter": "ip", "seconds": 120.0, "count": 1}),
        max_airmass=2.0,
        reason="kilonova: an announced candidate inside the 90 % region",
        created_at=T0.plus_s(7200.0),
    )
    pointings = tuple(
        OwnPointing(
            pointing=Pointing(
                event_id="S270301a",
                instrument="lco 1M0-SCICAM-SINISTRO",
                status=PointingStatus.PLANNED,
                at=asked.window_start,
                band=band,
                depth_ab=None,
                corners_deg=((197.2, -23.6), (197.7, -23.6), (197.7, -23.1), (197.2, -23.1)),
                reported_by=OWN,
            ),
            camera=asked.instrument,
            ra_deg=asked.ra_deg,
            dec_deg=asked.dec_deg,
            planned_at=asked.window_start,
        )
        for band in ("gp", "ip")
    )
    values = {
        "ivorn": f"{AUTHOR}/plan#{asked.intent_id}.4",
        "author_ivorn": AUTHOR,
        "word": "submitted",
        "cites": (Citation(ivorn=f"{AUTHOR}/notice#00ff", kind=CiteKind.FOLLOWUP),),
        "event_facts": GW,
        "intent": asked,
        "pointings": pointings,
        "reason": asked.reason,
        "issued_at": T0.plus_s(7260.0),
    }
    return PlanMessage(**{**values, **changes})


def examples() -> dict[str, bytes]:
    """Return the examples by file name."""
    return {
        "announcement.example.json": HubJsonRenderer().render(announcement()),
        "announcement.example.avro": HubAvroRenderer().render(announcement()),
        "plan.example.json": HubJsonRenderer().render_plan(plan()),
        "gcn_notice.example.json": GcnUnifiedRenderer().render(announcement()),
    }


if __name__ == "__main__":
    for name, payload in examples().items():
        (EXAMPLES / name).write_bytes(payload)
