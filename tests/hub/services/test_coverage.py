"""What may be said from the streams that a hub hears."""

import pytest

from hub.errors import ConfigError
from hub.model.coverage import AlertStream, Coverage, Selection, SelectionKind
from hub.model.instant import Instant
from hub.services import coverage
from hub.storage.engine import Store

NOW = Instant.from_utc_iso("2026-11-20T00:00:00Z")
FULL = Selection(kind=SelectionKind.FULL)
PART = Selection(kind=SelectionKind.FILTERED, cuts="rb above 0.5")


def stream(name: str, selection: Selection = FULL, **values: object) -> AlertStream:
    return AlertStream(**{"name": name, "survey": "ZTF", "selection": selection, **values})


def test_nothing_is_said_of_a_survey_that_is_heard_in_full():
    assert Coverage((stream("ztf"), stream("fink-ztf", PART))).remarks("ZTF") == ()


def test_nothing_is_said_of_a_survey_whose_alerts_came_from_files():
    assert Coverage().remarks("ZTF") == ()
    assert not Coverage().is_filtered("ZTF")


def test_a_survey_heard_through_filters_only_is_marked_with_their_cuts():
    found = Coverage((stream("lasair", PART), stream("fink", PART), stream("lsst", survey="LSST")))
    assert found.is_filtered("ZTF")
    assert found.remarks("ZTF") == (
        "ZTF is heard only through fink (rb above 0.5) and lasair (rb above 0.5): that nothing else was seen there says nothing",
    )
    assert found.remarks("LSST") == ()


def test_a_stream_that_tells_no_past_is_named():
    (remark,) = Coverage((stream("lite", tells_past=False),)).remarks("ZTF")
    assert remark == "lite does not say when an object was first detected: it may be older than it seems"


def test_a_stream_with_ids_of_the_hubs_own_is_never_heard_beside_another_of_its_survey():
    lite = stream("lite", PART, own_ids=True)
    coverage.check([lite, stream("lsst", survey="LSST")])
    coverage.check([stream("ztf"), stream("fink", PART)])
    with pytest.raises(ConfigError, match="the streams lite and ztf cannot be heard together"):
        coverage.check([stream("ztf"), lite])


def test_listening_records_the_stream_and_its_beginning(store: Store):
    heard = coverage.listen(store, [stream("fink", PART)], NOW)
    assert [one.since for one in heard.streams] == [NOW]
    assert coverage.listen(store, [stream("fink", PART)], NOW.plus_s(60)).streams[0].since == NOW
    shown = coverage.body(heard.streams[0])
    assert (shown["selection"], shown["cuts"], shown["since"]) == ("filtered", "rb above 0.5", "2026-11-20T00:00:00.000000Z")
