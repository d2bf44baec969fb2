"""Where objects lie that are candidates, on both engines."""

from hub.storage import object_places
from hub.storage.engine import Store
from hub.storage.object_places import ObjectPlace


def place(survey: str, object_id: str) -> ObjectPlace:
    return ObjectPlace(survey=survey, object_id=object_id, cell=5, ra_deg=1.0, dec_deg=2.0, first_tai_us=3)


def test_objects_are_of_several_surveys_once_there_are_two(store: Store) -> None:
    for places, expected in (((), False), (("LSST", "1"), False), (("LSST", "2"), False), (("ZTF", "1"), True)):
        with store.transaction() as session:
            object_places.save(session, [place(*places)] if places else [])
        with store.reading() as session:
            assert object_places.are_of_several_surveys(session) is expected


def test_objects_are_found_by_their_ids_whatever_survey_they_are_of(store: Store) -> None:
    known = [place(survey, object_id) for survey in ("LSST", "ZTF") for object_id in ("1", "2", 'it\'s "3"')]
    with store.transaction() as session:
        object_places.save(session, known)
    with store.reading() as session:
        assert object_places.of_ids(session, []) == []
        assert object_places.of_ids(session, ["2", 'it\'s "3"', "none", *(f"many {n}" for n in range(2_000))]) == sorted(
            one for one in known if one.object_id != "1"
        )
