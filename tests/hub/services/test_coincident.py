"""Was anything coincident with a place and a time?"""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.services.coincident import Question, alerts_at, candidates_at, events_at, separation_deg
from hub.services.maps import MapCache
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import DAY_S, T0, alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 4.0))
AT = Question(ra_deg=130.0, dec_deg=20.0, time=T0, window_d=1.0, radius_deg=0.5)


@pytest.fixture
def desk(store: Store) -> Desk:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.tell(grb("Fermi-2", t0=T0.plus_s(3 * DAY_S), issued_at=T0.plus_s(3 * DAY_S)), HERE)
    desk.tell(grb("Fermi-3"))
    desk.show(
        alerts(
            {"days": 0.5, "object_id": b"100", "dec": 20.1},
            {"days": 0.6, "object_id": b"100", "dec": 20.2},
            {"days": 0.7, "object_id": b"200", "dec": 20.8},
            {"days": 5.0, "object_id": b"300", "dec": 20.3},
            {"days": 0.8, "object_id": b"", "dec": 20.4, "is_solar_system": True},
        )
    )
    return desk


def test_events_by_place_and_time(desk: Desk) -> None:
    def named(**changes: object) -> list[str]:
        with desk.store.reading() as session:
            found = events_at(session, MapCache(), dataclasses.replace(AT, **changes))
        assert [row["level"] for row in found] == sorted(row["level"] for row in found)
        return [row["event_id"] for row in found]

    assert named() == ["S260301a"]
    assert named(time=None) == ["Fermi-2", "S260301a"]
    assert named(window_d=3.5) == ["Fermi-2", "S260301a"]
    assert named(time=None, dec_deg=60.0) == []


def test_candidates_within_the_radius(desk: Desk) -> None:
    with desk.store.reading() as session:
        found = candidates_at(session, AT)
        assert {row["object_id"] for row in found} == {"LSST:100", "LSST:300"}
        assert {row["event_id"] for row in found} == {"S260301a"}
        assert all(row["separation_deg"] <= 0.5 for row in found)
        assert candidates_at(session, dataclasses.replace(AT, ra_deg=131.0)) == []


def test_alerts_within_radius_and_window_by_object(desk: Desk) -> None:
    found = alerts_at(desk.history, AT)
    assert [(row["object_id"], row["n_alerts"]) for row in found] == [("LSST:100", 2), (None, 1)]
    assert found[0]["separation_deg"] == pytest.approx(0.1)
    assert found[0]["last_alert"] == T0.plus_s(0.6 * DAY_S).to_utc_iso()
    wide = alerts_at(desk.history, dataclasses.replace(AT, time=None, radius_deg=1.0))
    assert [row["object_id"] for row in wide] == ["LSST:100", "LSST:300", None, "LSST:200"]


PLACES = st.tuples(st.floats(0, 359.999), st.floats(-90, 90))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(PLACES, PLACES)
def test_a_separation_is_symmetric_and_agrees_with_astropy(a: tuple[float, float], b: tuple[float, float]) -> None:
    from astropy.coordinates import angular_separation
    from numpy import degrees, radians

    expected = degrees(angular_separation(*radians([*a, *b])))
    assert separation_deg(*a, *b) == pytest.approx(expected, abs=2e-6)
    assert separation_deg(*a, *b) == pytest.approx(separation_deg(*b, *a), abs=1e-12)
