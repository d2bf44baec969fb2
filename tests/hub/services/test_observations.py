"""Reports of observations: what they count as, and what is refused with which sentence."""

import json

import pytest

from hub.errors import InvalidRequest, NotFound
from hub.model.annotation import AnnotationKind, TargetKind
from hub.science.footprint import Halves, holding
from hub.science.small_cone import cell_of
from hub.services import coverage_curve, observations, rescoring
from hub.storage import annotations, jobs, localizations, object_places, pointings
from hub.storage.object_places import ObjectPlace
from tests.support.api_night import OBJECT_ID, T0, add_event, localization, notice

NOW = T0.plus_s(86_400.0)
PLACE = (197.45, -23.38)
NAME = f"LSST:{OBJECT_ID}"
BASE = {"instrument": "FLOYDS", "time": T0.plus_s(40_000).to_utc_iso(), "band": "r", "id": "obs-1"}


@pytest.fixture
def night(store):
    """A store with an event that has a map, and an object that is its candidate."""
    place = localization()
    with store.transaction() as session:
        localizations.save(session, place)
        add_event(session, [notice("S170817a", aliases=("GW170817",))], localization_id=place.localization_id)
        cell = cell_of(*PLACE)
        object_places.save(
            session,
            [
                ObjectPlace(
                    survey="LSST",
                    object_id=OBJECT_ID,
                    cell=cell,
                    ra_deg=PLACE[0],
                    dec_deg=PLACE[1],
                    first_tai_us=T0.tai_us,
                )
            ],
        )
    return store


def add(store, *rows, **more):
    with store.transaction() as session:
        content = json.dumps([BASE | {"graceid": "GW170817"} | row for row in rows])
        return observations.add(session, content, reported_by="token:robot", now=NOW, **more)


def stated(store, kind):
    with store.reading() as session:
        return annotations.of_many(session, kind, names=[NAME], cells=[])


def test_a_limit_of_a_candidate_is_a_deep_field_around_it(night):
    told = add(night, {"kind": "limit", "object": NAME, "limit_mag": 22.5})
    assert told == {"n_pointings": 0, "n_detections": 0, "n_limits": 1, "n_classes": 0, "events": ["S170817a"]}
    with night.reading() as session:
        (one,) = pointings.of_event(session, "S170817a")
        assert one.depth_ab == 22.5
        assert holding(Halves.of(coverage_curve.as_visits([one]).polygons), *PLACE)[0]
    (said,) = stated(night, AnnotationKind.OBSERVATION)
    assert (said.target_kind, said.target_id, said.source) == (TargetKind.OBJECT, NAME, "token:robot")
    assert said.value == {
        "kind": "limit",
        "at": "2017-08-17T23:47:44.400000Z",
        "band": "r",
        "instrument": "FLOYDS",
        "limit_mag": 22.5,
    }


def test_a_detection_is_stated_of_its_object_and_counts_as_observed(night, tmp_path):
    add(night, {"kind": "detection", "object": NAME, "mag": 18.5, "mag_error": 0.1, "ra": 197.4504, "dec": -23.3815})
    (said,) = stated(night, AnnotationKind.OBSERVATION)
    assert (said.value["mag"], said.value["mag_error"]) == (18.5, 0.1)
    with night.reading() as session:
        curve = coverage_curve.of_event(session, tmp_path, "S170817a", now=NOW)
    (series,) = curve["series"]
    assert (series["by"], series["n_exposures"]) == ("FLOYDS (reported)", 1)
    assert series["searched_prob"] < 1e-3, "a field that nobody stated is next to nothing of the map"


def test_a_class_asks_for_the_candidate_to_be_ranked_anew(night):
    told = add(night, {"kind": "detection", "object": NAME, "mag": 18.5, "class": "SN Ia"})
    assert told["n_classes"] == 1
    (said,) = stated(night, AnnotationKind.CLASSIFICATION)
    assert said.value == {"class": "SN Ia"}
    with night.reading() as session:
        assert (rescoring.OBJECT_JOB, NAME) in {(job.kind, job.key) for job in jobs.take(session, 10)}


def test_a_report_told_twice_is_told_once_and_a_pointing_is_one_as_ever(night):
    rows = [{"kind": "limit", "object": NAME, "limit_mag": 22.5}, {"id": "p", "ra": 1.0, "dec": 1.0, "radius_deg": 1.0}]
    assert add(night, *rows) == add(night, *rows)
    with night.reading() as session:
        assert len(pointings.of_event(session, "S170817a")) == 2
    assert len(stated(night, AnnotationKind.OBSERVATION)) == 1


def test_a_table_says_the_same_as_json(night):
    row = BASE | {"graceid": "GW170817", "kind": "detection", "object": NAME, "mag": "18.5"}
    table = ",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n"
    with night.transaction() as session:
        told = observations.add(session, table, reported_by="token:robot", now=NOW)
    assert told["n_detections"] == 1
    assert stated(night, AnnotationKind.OBSERVATION)[0].value["mag"] == 18.5


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"kind": "dream"}, "'dream' is not a valid Kind"),
        ({"kind": "limit", "object": NAME}, "its limit_mag is missing"),
        ({"kind": "detection", "object": NAME}, "its mag is missing"),
        ({"kind": "detection", "object": NAME, "mag": "bright"}, "its mag is no number"),
        ({"kind": "detection", "object": NAME, "mag": 99}, "its mag must lie between"),
        ({"kind": "detection", "object": "x", "mag": 18}, "its object is written SURVEY:ID"),
        ({"kind": "detection", "object": "LSST:1", "mag": 18}, "does not know where LSST:1 is: give ra and dec"),
        ({"kind": "detection", "mag": 18}, "its ra is missing"),
        ({"kind": "limit", "object": NAME, "limit_mag": 22, "status": "planned"}, "a limit is completed, not planned"),
        ({"ra": 1, "dec": 1, "radius_deg": 1, "class": "SN"}, "its class is of no object"),
        ({"ra": 1, "dec": 1}, "it says not where it looked"),
        ({"kind": "limit", "object": NAME, "limit_mag": 22, "time": ""}, "its time is missing"),
    ],
)
def test_what_is_wrong_with_a_report_is_said_and_nothing_of_it_is_kept(night, row, sentence):
    good = {"id": "good", "kind": "limit", "object": NAME, "limit_mag": 22.5}
    with pytest.raises(InvalidRequest, match=f"observation 2: .*{sentence}"):
        add(night, good, row)
    with night.reading() as session:
        assert pointings.of_event(session, "S170817a") == []
    assert stated(night, AnnotationKind.OBSERVATION) == []


def test_an_event_must_be_named_and_known(night):
    with pytest.raises(InvalidRequest, match="observation 1 names no event"):
        add(night, {"graceid": "", "ra": 1, "dec": 1, "radius_deg": 1})
    with pytest.raises(NotFound, match="there is no event S9"):
        add(night, {"graceid": "S9", "ra": 1, "dec": 1, "radius_deg": 1})
    told = add(night, {"graceid": None, "ra": 1, "dec": 1, "radius_deg": 1}, event="S170817a")
    assert told["n_pointings"] == 1
