"""The pinned LSST schemas equal those of the official package, and none can harm a reader."""

import json
import re

import pytest

from adapters.avro_schema_safety import check_json_depth, check_schema
from adapters.codecs.alerts.lsst_schemas import WANTED, by_id, known_ids
from hub import resources
from tests.support import lsst_schemas

VERSIONS = ("3.0", "4.0", "5.0", "6.0", "6.1", "7.0", "7.1", "7.2", "7.3", "7.4", "8.0", "9.0", "10.0", "11.0", "11.1")


def pinned(version: str) -> str:
    return resources.read_text(f"schemas/lsst/{version}.avsc").rstrip("\n")


def test_the_table_holds_every_version_that_the_official_package_ships():
    assert tuple(f"{major}.{minor}" for major, minor in lsst_schemas.official_versions()) == VERSIONS
    assert sorted(known_ids().values()) == sorted(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pinned_schema_equals_the_official_one_in_canonical_form(version: str):
    major, minor = (int(part) for part in version.split("."))
    official = lsst_schemas.canonical(major, minor)
    assert pinned(version) == official
    table = json.loads(resources.read_text("schemas/lsst/fingerprints.json"))
    assert table[version] == {"id": 100 * major + minor, **lsst_schemas.fingerprints(official)}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wire_id_is_100_times_major_plus_minor_and_names_the_records(version: str):
    major, minor = (int(part) for part in version.split("."))
    assert known_ids()[100 * major + minor] == version
    assert json.loads(pinned(version))["name"] == f"lsst.v{major}_{minor}.alert"


@pytest.mark.parametrize("version", VERSIONS)
def test_no_pinned_schema_is_recursive_or_has_values_without_bytes(version: str):
    schema = json.loads(pinned(version))
    check_json_depth(schema)
    check_schema(schema)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pinned_schema_carries_names_and_types_only(version: str):
    assert not re.findall(r'"(doc|default|aliases|order|logicalType|namespace)"', pinned(version))


def test_every_wanted_path_exists_in_some_version_and_every_version_has_the_needed_ones():
    def fields(version: str, record: str) -> set[str]:
        if not record:
            return {field["name"] for field in json.loads(pinned(version))["fields"]}
        found = re.search(rf'"name":"lsst\.v\d+_\d+\.{record}","type":"record","fields":(\[.*)', pinned(version))
        assert found
        return {field["name"] for field in json.JSONDecoder().raw_decode(found[1])[0]}

    records = {
        "": "",
        "diaSource": "diaSource",
        "prvDiaSources": "diaSource",
        "prvDiaForcedSources": "diaForcedSource",
        "diaObject": "diaObject",
    }
    for path in WANTED:
        record, _, name = path.rpartition(".")
        assert any(name in fields(version, records[record]) for version in VERSIONS), path
    having = {version: fields(version, "diaSource") for version in VERSIONS}
    for version, names in having.items():
        assert {"diaSourceId", "diaObjectId", "ssObjectId", "ra", "snr"} <= names, version
        for new, old in (("dec", "decl"), ("midpointMjdTai", "midPointTai"), ("band", "filterName"), ("psfFlux", "psFlux")):
            assert (new in names) != (old in names), version


def test_an_unknown_id_has_no_schema():
    assert by_id(9999) is None
    assert by_id(1102) is None
