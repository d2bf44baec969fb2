import pytest

from adapters.codecs.gcn_unified import is_unified
from adapters.codecs.gcn_unified.dialects import DIALECTS, GENERAL, dialect_of, schema_path
from hub.errors import DecodeError
from tests.support import json_notices as made


@pytest.mark.parametrize("pin", ["main", "stable", "v4.4.1", "v6"])
def test_the_path_counts_whatever_the_pin(pin):
    schema = f"https://gcn.nasa.gov/schema/{pin}/gcn/notices/swift/bat/Guano.schema.json"
    assert schema_path({"$schema": schema}) == "swift/bat/Guano"
    assert dialect_of({"$schema": schema}).instrument == "BAT-GUANO"


def test_each_dialect_is_reached_by_its_own_path():
    for dialect in DIALECTS:
        schema = f"https://gcn.nasa.gov/schema/main/gcn/notices/{dialect.path}"
        assert dialect_of({"$schema": schema + ("x" if dialect.path.endswith("/") else "")}) is dialect


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"mission": "Fermi", "instrument": "GBM"}, "fermi/gbm/"),
        ({"mission": "Fermi", "instrument": "LAT"}, "fermi/lat/"),
        ({"mission": "Swift", "instrument": "BAT-GUANO"}, "swift/bat/guano"),
        ({"mission": "Swift", "instrument": "XRT"}, "swift/"),
        ({"mission": "IceCube"}, "icecube/"),
        ({"mission": "KM3NeT"}, "km3net/"),
        ({"mission": "Nobody"}, ""),
        ({"mission": 5}, ""),
    ],
)
def test_without_a_schema_mission_and_instrument_count(message, path):
    assert dialect_of(message).path == path


def test_an_unknown_schema_is_read_by_the_general_dialect():
    assert dialect_of({"$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/newsat/x.schema.json"}) is GENERAL


def test_building_blocks_are_refused():
    with pytest.raises(DecodeError, match="'Pointing' is a building block"):
        dialect_of({"$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/core/Pointing.schema.json"})


@pytest.mark.parametrize("build", [made.gbm, made.guano, made.chime, made.boom, made.boom_alert, made.lvk_track_search])
def test_notices_are_told_from_other_json(build):
    assert is_unified(build())


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"mission": "Fermi"},
        {"mission": "Fermi", "id": "1"},
        {"id": "1", "ra": 2.0},
        made.snews(),
        made.circular(),
        made.igwn_alert(),
    ],
)
def test_other_json_is_not_taken_for_a_notice(message):
    assert not is_unified(message)
