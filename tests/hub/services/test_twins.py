"""An object that several surveys see is one transient: one of its names is announced, and it does not matter which comes first."""

import itertools

import pytest

from hub.model.coincidence import PairState
from hub.model.notice import Stage
from hub.science.transients import transients_of
from hub.storage import announced, candidates
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.readers import own_cites, readers_of
from tests.support.words import T0, alerts, gaussian_map, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, dist_mean_mpc=40.0, dist_std_mpc=8.0)
NEAR_DEG = 1.0 / 3600
FAR_DEG = 2.0 / 3600


def nights(survey: str, name: bytes, dec: float, start: float):
    return alerts(
        *(
            {"object_id": name, "reliability": 0.95, "dec": dec, "days": start + 0.6 * day, "flux_njy": 100_000.0 * 0.6**day}
            for day in range(3)
        ),
        survey=survey,
    )


LSST = nights("LSST", b"1", 20.0, 0.4)
ZTF = nights("ZTF", b"ZTF26aaaaaaa", 20.0 + NEAR_DEG, 0.3)
OTHER = nights("ZTF", b"ZTF26bbbbbbb", 20.0 - FAR_DEG, 0.3)


def open_ones(desk: Desk) -> dict[str, PairState]:
    return {pair.members[1].id: pair.state for pair in desk.pairs()}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_first_detected_one_stands_for_both_in_whatever_order(store: Store, order: tuple[int, ...]) -> None:
    desk = Desk(store)
    steps = [lambda: desk.tell(notice(far_hz=3e-9), HERE), lambda: desk.show(LSST), lambda: desk.show(ZTF)]
    for number in order:
        steps[number]()
    found = open_ones(desk)
    assert found["ZTF:ZTF26aaaaaaa"] is PairState.OPEN
    assert found.get("LSST:1", PairState.WITHDRAWN) is PairState.WITHDRAWN
    (pair,) = (one for one in desk.pairs() if one.state is PairState.OPEN)
    assert "the same transient as LSST:1" in pair.reasons
    for one in desk.pairs():
        if one.state is PairState.WITHDRAWN:
            assert one.reasons[0] == "withdrawn: it is the same transient as ZTF:ZTF26aaaaaaa, which stands for both"
    with store.reading() as session:  # both stay candidates
        assert {one.survey for one in candidates.search(session, limit=None)} == {"LSST", "ZTF"}


def test_objects_farther_apart_are_two(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(LSST)
    desk.show(OTHER)
    assert open_ones(desk) == {"LSST:1": PairState.OPEN, "ZTF:ZTF26bbbbbbb": PairState.OPEN}


def test_what_one_survey_saw_before_makes_both_old(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(LSST)
    desk.show(ZTF)
    late = {"object_id": b"ZTF26aaaaaaa", "dec": 20.0 + NEAR_DEG, "days": -30.0, "source_id": 99}  # it was there before
    desk.show(alerts(late, survey="ZTF"))
    assert set(open_ones(desk).values()) == {PairState.WITHDRAWN}
    with store.reading() as session:
        for one in candidates.search(session, hypothesis="kilonova", limit=None):
            assert "prior activity" in one.flags
            assert any(reason.startswith("one light curve with ") for reason in one.reasons)


def test_surveys_are_joined_and_not_the_objects_of_one() -> None:
    at = {"LSST:1": (10.0, 0.0), "ZTF:a": (10.0, 1.2 / 3600), "LSST:2": (10.0, 2.4 / 3600), "ZTF:b": (10.0, 6.0 / 3600)}
    assert transients_of(at) == [("LSST:1", "LSST:2", "ZTF:a"), ("ZTF:b",)]
    assert transients_of({"LSST:1": (10.0, 0.0), "LSST:2": (10.0, 0.0)}) == [("LSST:1",), ("LSST:2",)]
    assert transients_of({"LSST:1": (0.0, 90.0), "ZTF:a": (180.0, 90.0 - 1e-4)}) == [("LSST:1", "ZTF:a")]


# ------------------------------------------------------------------------------------------------------------ what is sent of them


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_one_message_stands_in_whatever_order_and_nothing_is_ever_retracted(store: Store, order: tuple[int, ...]) -> None:
    desk = Desk(store)
    steps = [lambda: desk.tell(notice(far_hz=3e-9), HERE), lambda: desk.show(LSST), lambda: desk.show(ZTF)]
    for number in order:
        steps[number]()
    (reader,) = readers_of(desk.sent()).values()
    (last,) = reader.believed
    assert reader.taken_back == []
    (pair,) = (one for one in desk.pairs() if one.state is PairState.OPEN)
    assert pair.members[1].id == "ZTF:ZTF26aaaaaaa"
    assert last.rpartition("#")[2] == f"{pair.coincidence_id}.v{pair.version}"
    with store.reading() as session:
        assert [one.coincidence_id for one in announced.standing(session)] == [pair.coincidence_id]
        assert len(announced.since(session, T0)) == 1


def test_what_the_survey_takes_back_of_one_object_is_carried_on_by_the_other(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=3e-9), HERE)
    desk.show(LSST)
    desk.show(ZTF)
    bodies = [{"object_id": b"", "is_solar_system": True, "dec": 20.0 + NEAR_DEG, "days": 0.3 + 0.6 * day} for day in range(3)]
    desk.show(alerts(*bodies, survey="ZTF"))
    (reader,) = readers_of(desk.sent()).values()
    (last,) = reader.believed.values()
    assert reader.taken_back == []
    assert len(own_cites(last)) == 1
    assert open_ones(desk) == {"LSST:1": PairState.OPEN, "ZTF:ZTF26aaaaaaa": PairState.WITHDRAWN}
    desk.tell(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(9000.0)), None)
    (reader,) = readers_of(desk.sent()).values()
    assert (reader.believed, len(reader.taken_back)) == ({}, 1)
