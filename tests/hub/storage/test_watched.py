"""What new alerts make the hub look at again."""

import numpy as np
import pytest

from hub.model.event import assemble
from hub.ports import NEIGHBOUR_ARCSEC
from hub.science.healpix import pixels29
from hub.science.small_cone import CELL_SHIFT
from hub.storage import events, watched
from hub.storage.engine import Store
from tests.support.words import T0, notice, stored

DAY_S = 86_400.0
LONG_AGO = T0.plus_s(-100 * DAY_S)
PLACE = (150.0, -20.0)


def pixel(ra_deg: float, dec_deg: float) -> int:
    return int(pixels29([ra_deg], [dec_deg])[0])


HERE = pixel(*PLACE)


@pytest.fixture
def two_events(store: Store) -> Store:
    """S2 was 90 days before S1."""
    with store.transaction() as session:
        for event_id, t0 in (("S1", T0), ("S2", T0.plus_s(-90 * DAY_S))):
            events.save(session, assemble(event_id, [stored(notice(event_id, t0=t0))]))
    return store


def test_pairs_that_are_watched_are_found_by_their_objects_until_the_event_is_over(two_events: Store) -> None:
    wanted = [str(number) for number in range(1200)]
    with two_events.transaction() as session:
        watched.watch(session, "LSST", [(*one, HERE) for one in (("S1", "5"), ("S2", "5"), ("S1", "1300"), ("S1", "o'5\\"))])
        watched.watch(session, "LSST", [("S1", "5", HERE), ("S1", "5", HERE)])
        watched.watch(session, "ZTF", [("S1", "6", HERE)])
        watched.watch(session, "ZTF", [])

    with two_events.reading() as session:

        def pairs(object_ids, since):
            found = watched.of_alerts(session, "LSST", object_ids, [], since)
            assert all(one.survey == "LSST" and one.hpx29 is None for one in found)
            return {(one.event_id, one.object_id) for one in found}

        assert pairs(wanted, LONG_AGO) == {("S1", "5"), ("S2", "5")}
        assert pairs(wanted, T0) == {("S1", "5")}
        assert pairs(["o'5\\"], T0) == {("S1", "o'5\\")}
        assert pairs([], T0) == set()
        assert watched.of_event(session, "S2") == {("S2", "5", "LSST")}


@pytest.mark.parametrize("dec_deg", [-20.0, 0.0, 41.9, 89.9995, -90.0])
def test_whatever_lies_close_to_an_alert_is_found_by_its_cell(two_events: Store, dec_deg: float) -> None:
    random = np.random.default_rng(5)
    ra, dec = 150.0 + 360.0 * random.random(60), np.clip(dec_deg + random.normal(0.0, 0.01, 60), -90.0, 90.0)
    objects = [("S1", str(number), pixel(*place)) for number, place in enumerate(zip(ra % 360.0, dec, strict=True))]
    with two_events.transaction() as session:
        watched.watch(session, "LSST", objects)
    with two_events.reading() as session:
        for number, place in enumerate(zip(ra, dec, strict=True)):
            north = place[1] + 0.999 * NEIGHBOUR_ARCSEC / 3600.0 * (-1.0 if place[1] > 0.0 else 1.0)
            cell = pixel(place[0] % 360.0, north) >> CELL_SHIFT
            found = {one.object_id: one for one in watched.of_alerts(session, "ZTF", ["z"], [cell], T0)}
            assert found[str(number)].hpx29 == objects[number][2]
            assert len(found) < len(objects)
        assert watched.of_alerts(session, "ZTF", ["z"], [cell], T0.plus_s(1.0)) == []
        assert watched.of_alerts(session, "ZTF", ["z"], [], T0) == []


def test_an_object_that_several_events_watch_lies_where_it_was_seen_each_time(two_events: Store) -> None:
    other = pixel(PLACE[0], PLACE[1] + 0.5 / 3600.0)
    with two_events.transaction() as session:
        watched.watch(session, "LSST", [("S1", "5", HERE)])
        watched.watch(session, "LSST", [("S2", "5", other)])
    with two_events.reading() as session:
        found = watched.of_alerts(session, "ZTF", [], [HERE >> CELL_SHIFT], LONG_AGO)
    assert {(one.event_id, one.survey, one.object_id) for one in found} == {("S1", "LSST", "5"), ("S2", "LSST", "5")}
