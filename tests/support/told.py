"""What two registers were told of a request of the hub's own, as rows."""

from hub.model.followup import Intent
from hub.model.pointing import OWN, Pointing, PointingStatus
from hub.model.register import RegisterReport
from hub.storage import followup, pointings, registers
from tests.support.followup import NOW

REQUEST = "c0ffee" * 5 + "aa"


def told(session, event_id):
    """Write a request of two bands down of which one register took one and refused the other, and the other is in doubt."""
    intent = Intent(
        intent_id=REQUEST,
        event_id=event_id,
        coincidence_id=None,
        target="LSST:1",
        ra_deg=10.0,
        dec_deg=5.0,
        network="portal",
        instrument="CAMERA",
        purpose="kilonova",
        policy_version=1,
        window_start=NOW,
        window_end=NOW.plus_s(3600.0),
        exposures=({"filter": "g", "seconds": 60.0, "count": 1}, {"filter": "r", "seconds": 60.0, "count": 1}),
        max_airmass=2.0,
        reason="",
        created_at=NOW,
    )
    followup.add_intent(session, intent)
    own = [pointing(event_id, f"{REQUEST}/1/{band}", band) for band in ("r", "g")]
    pointings.save(session, own, NOW)
    red, blue = (one.pointing_id for one in own)
    planned = PointingStatus.PLANNED
    report(session, "map", blue, event_id, told=planned, number=12)
    report(session, "map", red, event_id, told=None, refused=planned, reason="the band is not known there")
    report(session, "other", blue, event_id, told=None, telling=planned, reason="no answer within 30 s")
    report(session, "other", red, event_id, told=None, reason="no connection")


def pointing(event_id, name, band):
    """Return a pointing of the hub's own."""
    return Pointing(
        event_id=event_id,
        instrument="portal CAMERA",
        status=PointingStatus.PLANNED,
        at=NOW,
        band=band,
        depth_ab=None,
        corners_deg=((10.0, 5.0), (11.0, 5.0), (11.0, 6.0), (10.0, 6.0)),
        reported_by=OWN,
        name=name,
    )


def report(session, network, pointing_id, event_id, **said):
    """Write down what a register was told."""
    one = RegisterReport(network=network, pointing_id=pointing_id, event_id=event_id, at=NOW, **said)
    registers.save_report(session, one)
