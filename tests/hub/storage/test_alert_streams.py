"""What the hub remembers of the streams that it listened to."""

from dataclasses import replace

from hub.model.coverage import AlertStream, Selection, SelectionKind
from hub.model.instant import Instant
from hub.storage import alert_streams
from hub.storage.engine import Store

FIRST, LATER = Instant.from_utc_iso("2026-11-01T00:00:00Z"), Instant.from_utc_iso("2026-11-20T00:00:00Z")


def stream(cuts: str) -> AlertStream:
    selection = Selection(
        kind=SelectionKind.FILTERED, cuts=cuts, reliability_min=0.5, classes=("SN", "KN"), not_claimed=("rates", "non-detections")
    )
    return AlertStream(name="fink-ztf", survey="ZTF", selection=selection, tells_past=False, own_ids=True)


def test_a_stream_keeps_its_beginning_and_gets_its_newest_cuts(store: Store):
    with store.transaction() as session:
        alert_streams.save(session, [stream("rb above 0.5")], FIRST)
    with store.transaction() as session:
        alert_streams.save(session, [stream("rb above 0.6")], LATER)
        (found,) = alert_streams.listing(session)
    assert found.since == FIRST
    assert found.selection == stream("rb above 0.6").selection
    assert (found.survey, found.tells_past, found.own_ids) == ("ZTF", False, True)


def test_topics_are_added_and_keep_their_beginning(store: Store):
    one = stream("rb above 0.5")
    for topics, at in (((("a", FIRST),), FIRST), ((), LATER), ((("a", LATER), ("b", LATER)), LATER)):
        with store.transaction() as session:
            alert_streams.save(session, [replace(one, topics=topics)], at)
    with store.reading() as session:
        (found,) = alert_streams.listing(session)
    assert found.topics == (("a", FIRST), ("b", LATER))
    assert found.since == FIRST
