"""The stream maps that are shipped, and what the reference says of them."""

import pytest

from adapters.codecs.alerts.stream_map import StreamMap, parse, shipped
from hub.model.coverage import SelectionKind
from tests.conftest import REPOSITORY

MAPS = shipped()
BROKERS = {"fink-ztf", "fink-lsst", "alerce", "lasair-ztf", "lasair-lsst", "antares", "babamul-ztf", "babamul-lsst", "ampel"}


def test_the_surveys_and_their_brokers_are_mapped():
    assert {"lsst", "ztf", *BROKERS} <= set(MAPS)


@pytest.mark.parametrize("stream", MAPS.values(), ids=list(MAPS))
def test_only_the_surveys_own_streams_are_full(stream: StreamMap):
    assert (stream.selection.kind is SelectionKind.FULL) is (stream.name in ("lsst", "ztf"))
    if stream.selection.kind is SelectionKind.FILTERED:
        assert {"rates", "non-detections"} <= set(stream.selection.not_claimed)


@pytest.mark.parametrize("stream", MAPS.values(), ids=list(MAPS))
def test_the_reference_says_what_each_map_was_tested_against(stream: StreamMap):
    lines = (REPOSITORY / "docs" / "reference" / "alert-streams.md").read_text().splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{stream.name}` |")]
    assert stream.tested.against in row
    assert stream.selection.kind.value in row


def test_the_guide_shows_a_map_that_loads():
    text = (REPOSITORY / "docs" / "how-to" / "add-a-stream.md").read_text()
    example = text.split("```toml\n", 1)[1].split("```", 1)[0]
    found = parse(example.encode(), where="guide")
    assert found.stream().selection.kind is SelectionKind.FILTERED
