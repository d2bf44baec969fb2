"""Versions of backgrounds, and reports of pointings, on both engines."""

from dataclasses import replace

from hub.model.background import BackgroundVersion
from hub.model.pointing import Pointing, PointingStatus
from hub.storage import backgrounds, pointings
from tests.support.words import T0

FOUND = BackgroundVersion(
    event_id="S1", hypothesis="kilonova", survey="LSST", version=0, computed_at=T0, content={"until": 1, "weights": [0.5, 1.0]}
)
POINTING = Pointing(
    event_id="S1",
    instrument="DECam",
    status=PointingStatus.PLANNED,
    at=T0,
    band="i",
    depth_ab=None,
    corners_deg=((10.0, 0.0), (11.0, 0.0), (11.0, 1.0)),
    reported_by="us",
    name="field 7",
)


def test_a_version_is_written_where_the_content_differs_from_the_newest(store):
    with store.transaction() as session:
        first = backgrounds.save(session, FOUND)
        again = backgrounds.save(session, replace(FOUND, computed_at=T0.plus_s(60)))
        second = backgrounds.save(session, replace(FOUND, content={"until": 2}))
        third = backgrounds.save(session, FOUND)
    assert (first.version, again, second.version, third.version) == (1, None, 2, 3)
    with store.reading() as session:
        assert [one.version for one in backgrounds.versions(session, "S1", "kilonova", "LSST")] == [1, 2, 3]
        assert backgrounds.versions(session, "S1", "kilonova", "LSST")[0].content == FOUND.content
        assert backgrounds.of_event(session, "S1")["kilonova", "LSST"] == third
        assert backgrounds.latest(session, "S1", "afterglow", "LSST") is None


def test_a_later_report_of_a_pointing_takes_the_place_of_the_earlier_one(store):
    done = replace(POINTING, status=PointingStatus.COMPLETED, at=T0.plus_s(900), depth_ab=22.5)
    other = replace(POINTING, name="field 8", at=T0.plus_s(-60))
    with store.transaction() as session:
        assert pointings.save(session, [POINTING], T0) == 1
        assert pointings.save(session, [done, other], T0) == 2
        assert pointings.save(session, [], T0) == 0
    with store.reading() as session:
        assert pointings.of_event(session, "S1") == [other, done]
        assert pointings.of_event(session, "S2") == []
