"""Grades of notices through their true codecs, and the filter of the listing."""

import json

import pytest

from adapters.codecs.decoder import WireDecoder
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.model.significance import Significance, significance_of
from hub.ports import DecodedNotice
from tests.support.json_notices import as_bytes, gbm, icecube, igwn_alert
from tests.support.voevents import voevent


def grade(payload):
    decoded = WireDecoder().decode(Envelope(payload=payload, source="test", received_at=Instant(0)))
    assert isinstance(decoded, DecodedNotice)
    return significance_of(decoded.notice)


def lvk(significant):
    alert = igwn_alert()
    return as_bytes(alert | {"event": alert["event"] | {"significant": significant}})


def classic(number, **params):
    return voevent(ivorn=f"ivo://nasa.gsfc.gcn/X#{number}", params={"Packet_Type": number} | params)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (lvk(True), Significance.SIGNIFICANT),
        (lvk(False), Significance.LOW),
        (as_bytes(icecube(pipeline="Gold Track Alert")), Significance.SIGNIFICANT),
        (as_bytes(icecube(pipeline="Bronze Track Alert")), Significance.LOW),
        (as_bytes(gbm()), Significance.UNSTATED),
        (as_bytes(gbm(reliability=7)), Significance.SUB_THRESHOLD),
        (classic(131, Trans_Num=5, Reliability=7), Significance.SUB_THRESHOLD),
        (classic(98, TrigID=5), Significance.SUB_THRESHOLD),
        (classic(173, run_id=1, event_id=2), Significance.SIGNIFICANT),
        (classic(174, run_id=1, event_id=3), Significance.LOW),
        (classic(112, TrigID=5), Significance.UNSTATED),
    ],
    ids=[
        "LVK",
        "LVK low",
        "gold",
        "bronze",
        "GBM",
        "GBM sub",
        "classic GBM sub",
        "BAT sub",
        "classic gold",
        "classic bronze",
        "GBM ground",
    ],
)
def test_a_notice_has_the_grade_that_its_observatory_gives(payload, expected):
    assert grade(payload) is expected


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "expected"), [("bronze", Significance.LOW), ("gold", Significance.SIGNIFICANT)])
def test_recorded_track_alerts_have_their_grades(recorded, name, expected):
    payload = (recorded / "gcn" / "kafka" / f"kafka_alert_icecube_{name}.json").read_bytes()
    json.loads(payload)
    assert grade(payload) is expected
