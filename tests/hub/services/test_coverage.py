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
    assert Coverage((stream("ztf", since=NOW), stream("fink-ztf", PART))).remarks("ZTF") == ()


def test_a_full_stream_that_has_brought_nothing_yet_lifts_no_remark():
    found = Coverage((stream("ztf"), stream("fink-ztf", PART)))
    assert found.is_filtered("ZTF")
    assert found.known_aspects("ZTF") == frozenset()
    assert "only through fink-ztf" in found.remarks("ZTF")[0]
    assert Coverage((stream("ztf"),)).surveys() == ()


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
    (remark,) = Coverage((stream("lite", tells_past=False, since=NOW),)).remarks("ZTF")
    assert remark == "lite does not say when an object was first detected: it may be older than it seems"


def test_a_stream_with_ids_of_the_hubs_own_is_never_heard_beside_another_of_its_survey():
    lite = stream("lite", PART, own_ids=True)
    coverage.check([lite, stream("lsst", survey="LSST")])
    coverage.check([stream("ztf"), stream("fink", PART)])
    with pytest.raises(ConfigError, match="the streams lite and ztf cannot be heard together"):
        coverage.check([stream("ztf"), lite])


def hears(listening: coverage.Listening, store: Store) -> Coverage:
    with store.reading() as session:
        return listening.coverage(session)


def test_a_filtered_stream_counts_from_the_start_and_keeps_its_beginning(store: Store):
    streams = {"fink": stream("fink", PART, sources=("a",))}
    (heard,) = hears(coverage.Listening(store, streams, lambda: NOW), store).streams
    (again,) = hears(coverage.Listening(store, streams, lambda: NOW.plus_s(60)), store).streams
    assert (heard.since, again.since) == (NOW, NOW)
    shown = coverage.body(heard)
    assert (shown["selection"], shown["cuts"], shown["since"]) == ("filtered", "rb above 0.5", "2026-11-20T00:00:00.000000Z")


def test_a_full_stream_counts_from_its_first_alert_on_and_after_a_restart(store: Store):
    streams = {"x.toml": stream("ztf", sources=("rubin",)), "fink": stream("fink", PART, sources=("a",))}
    listening = coverage.Listening(store, streams, lambda: NOW)
    assert hears(listening, store).is_filtered("ZTF")
    for source, name, survey in (
        ("b", "x.toml", "ZTF"),
        ("rubin", "x.toml", "LSST"),
        ("rubin", "other", "ZTF"),
        ("a", "fink", "ZTF"),
    ):
        listening.hears(source, name, survey)
        assert hears(listening, store).is_filtered("ZTF")
    listening.hears("rubin", "x.toml", "ZTF")
    assert not hears(listening, store).is_filtered("ZTF")
    assert not hears(coverage.Listening(store, streams, lambda: NOW), store).is_filtered("ZTF")


def test_the_topics_by_which_each_stream_brought_alerts_are_remembered(store: Store):
    moment = [NOW]
    streams = {"ztf": stream("ztf", sources=("rubin",)), "fink": stream("fink", PART, sources=("a",))}
    listening = coverage.Listening(store, streams, lambda: moment[0])
    listening.hears("rubin", "ztf", "ZTF", ("old",))
    moment[0] = NOW.plus_s(60)
    listening.hears("rubin", "ztf", "ZTF", ("new", "", "old"))
    listening.hears("a", "fink", "ZTF", ("fink_kn",))
    heard = hears(coverage.Listening(store, streams, lambda: NOW.plus_s(99)), store)
    assert heard.full_topics("ZTF") == {"old": NOW, "new": NOW.plus_s(60)}
    assert heard.full_topics("LSST") == {}
    listening.hears("a", "fink", "ZTF", ("new",))
    assert hears(coverage.Listening(store, streams, lambda: NOW), store).full_topics("ZTF") == {"old": NOW}


@pytest.mark.parametrize(("source", "advice"), [("fink", "set `stream` in [sources.fink]"), ("http:eve", "posted to the API")])
def test_alerts_from_a_network_without_a_stream_map_count_as_filtered_by_nobody_knows_what(
    store: Store, source: str, advice: str
):
    listening = coverage.Listening(store, {}, lambda: NOW, unnamed=["fink"])
    listening.hears("file", None, "LSST")
    assert not hears(listening, store).is_filtered("LSST")
    listening.hears(source, None, "LSST")
    for each in (listening, coverage.Listening(store, {}, lambda: NOW, unnamed=["fink"])):
        (remark,) = hears(each, store).remarks("LSST")
        assert f"only through {source}/LSST (what it leaves out is not known: {advice})" in remark
    with store.reading() as session:
        assert coverage.by_source(session)[source]["selection"] == "filtered"
