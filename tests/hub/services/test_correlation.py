"""What is announced of a pair through its life, and what never leaves."""

import pytest

from hub.model.coincidence import PairState
from hub.model.notice import CiteKind, Role, Stage
from hub.storage import candidates, jobs, packets
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import T0, alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0))
NEAR = localization(gaussian_map(134.0, 21.0, 5.0))
AWAY = localization(gaussian_map(310.0, -20.0, 3.0))
FADING = alerts(
    {"days": 0.5, "flux_njy": 20_000.0, "snr": 200.0},
    {"days": 1.5, "flux_njy": 8_000.0, "snr": 80.0},
    {"days": 2.5, "flux_njy": 4_000.0, "snr": 40.0},
)


def retraction(issued: float = 5000.0):
    return notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(issued), t0=None, classification={}, far_hz=None, sequence=9)


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def test_the_life_of_a_pair_in_messages(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    assert desk.words() == ["v1"]
    desk.tell(notice(issued_at=T0.plus_s(3000), stage=Stage.UPDATE, sequence=2), NEAR)
    assert desk.words()[1:] == ["v2 supersedes v1"]
    desk.tell(retraction())
    assert desk.words()[2:] == ["v3 retraction v2"]
    desk.tell(grb(issued_at=T0.plus_s(4000), stage=Stage.UPDATE, sequence=2), HERE)  # withdrawn still, with another overlap
    assert [one.version for one in desk.pairs()] == [4]
    assert len(desk.words()) == 3
    desk.tell(notice(issued_at=T0.plus_s(9000), stage=Stage.UPDATE, sequence=10), HERE)  # stands again
    assert desk.words()[3:] == ["v5 supersedes v3"]
    assert desk.pairs()[0].state is PairState.OPEN
    for one in desk.sent():
        followed = {cite.ivorn for cite in one.cites if cite.kind is CiteKind.FOLLOWUP}
        assert len(followed) == 2
    assert [cite.ivorn for cite in desk.sent()[0].cites] == ["ivo://test/S260301a#0", "ivo://test/Fermi-1#0"]


def test_nothing_new_makes_no_new_version(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    for event_id in ("S260301a", "Fermi-1"):
        assert desk.correlation.on_event(event_id).versions == 0
    assert desk.words() == ["v1"]


@pytest.mark.parametrize(
    ("changes", "is_trusted"),
    [
        ({"role": Role.TEST, "is_live": False}, True),  # role test, ids MS... and TS..., search MDC: the codec says so by both
        ({"is_live": False}, True),  # tense injection or archival
        ({}, False),
    ],
    ids=["test", "not current", "untrusted"],
)
@pytest.mark.parametrize("which", ["gw", "grb"])
def test_what_is_not_live_is_stored_and_never_leaves(
    desk: Desk, which: str, changes: dict[str, object], is_trusted: bool
) -> None:
    odd = {"gw": (notice(**changes), HERE), "grb": (grb(**changes), NEAR)}
    plain = {"gw": (notice(), HERE), "grb": (grb(), NEAR)}
    for name in ("gw", "grb"):
        message, place = odd[name] if name == which else plain[name]
        desk.tell(message, place, is_trusted=is_trusted or name != which)
    (pair,) = desk.pairs()
    assert (pair.is_live, pair.state) == (False, PairState.OPEN)
    desk.tell(retraction())
    assert desk.pairs()[0].state is PairState.WITHDRAWN
    assert desk.sent() == []


def test_an_object_under_a_test_event_never_leaves(desk: Desk) -> None:
    desk.tell(notice(role=Role.TEST, is_live=False), HERE)
    desk.show(FADING)
    (pair,) = desk.pairs()
    assert (pair.state, pair.is_live) == (PairState.OPEN, False)
    assert desk.sent() == []


def test_a_pair_that_turns_out_to_be_a_test_is_retracted(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    desk.tell(grb(role=Role.TEST, is_live=False, issued_at=T0.plus_s(500)), NEAR)
    assert desk.words() == ["v1", "v2 retraction v1"]
    (pair,) = desk.pairs()
    assert (pair.state, pair.is_live) == (PairState.OPEN, False)


def test_an_untrusted_retraction_retracts_nothing(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    desk.tell(retraction(), is_trusted=False)
    assert desk.words() == ["v1"]
    assert "retract" not in desk.sent()[0].payload.decode()


def test_an_event_that_nobody_vouched_for_is_announced_once_a_trusted_source_does(desk: Desk) -> None:
    desk.tell(notice(), HERE, is_trusted=False)
    desk.tell(grb(), NEAR)
    assert desk.sent() == []
    desk.tell(notice(issued_at=T0.plus_s(310)), HERE)
    assert desk.words() == ["v2"]


def test_an_object_is_announced_and_withdrawn_with_the_map(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    assert desk.show(FADING, [b"1", b"2", b"3"]).matched_alerts == 3
    assert desk.words()[-1].startswith("v")
    (pair,) = desk.pairs()
    assert (pair.kind, pair.state, pair.members[1].id) == ("gw-optical", PairState.OPEN, "LSST:100")
    with desk.store.reading() as session:
        assert packets.get(session, "LSST", 170_000_000_000_000_002) == b"2"
    before = len(desk.words())
    desk.tell(notice(issued_at=T0.plus_s(3000), stage=Stage.UPDATE, sequence=2), AWAY)
    (pair,) = desk.pairs()
    assert pair.state is PairState.WITHDRAWN
    assert pair.reasons[0] == "withdrawn: it no longer fits the current version of the event"
    assert len(desk.words()) == before + 1
    assert "retraction" in desk.words()[-1]


def test_one_detection_is_a_candidate_and_no_coincidence(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.show(FADING.take(FADING.source_id == FADING.source_id[0]))
    with desk.store.reading() as session:
        (candidate,) = candidates.of_event(session, "S260301a")
    assert (candidate.state, candidate.confirmed) == (PairState.OPEN, False)
    assert desk.pairs() == []


def test_no_announcement_where_it_is_switched_off(store: Store) -> None:
    desk = Desk(store, enabled=False)
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    assert desk.sent() == []
    assert len(desk.pairs()) == 1


def test_an_event_that_breaks_the_evaluation_stops_no_other_and_is_tried_again(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.renderer.is_broken = True
    desk.tell(grb(), NEAR)
    desk.tell(notice("S260302b", t0=T0.plus_s(9e5), issued_at=T0.plus_s(9e5)), AWAY)
    assert desk.waiting() == ["Fermi-1"]
    assert desk.pairs() == []  # version and message are one transaction
    desk.renderer.is_broken = False
    desk.correlation.run_jobs()
    assert desk.waiting() == []
    assert desk.words() == ["v1"]


def test_alerts_that_break_the_evaluation_are_not_lost(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.renderer.is_broken = True
    desk.show(FADING, [b"1", b"2", b"3"])
    assert desk.waiting() == ["S260301a"]
    assert desk.pairs() == []
    desk.renderer.is_broken = False
    desk.correlation.run_jobs()
    assert desk.words() == ["v1"]
    with desk.store.reading() as session:
        assert packets.get(session, "LSST", 170_000_000_000_000_003) == b"3"


def test_a_notice_after_its_job_was_taken_leaves_the_job_open(desk: Desk) -> None:
    desk.tell(notice(), HERE, run=False)
    assert desk.waiting() == ["S260301a"]
    with desk.store.reading() as session:
        (taken,) = jobs.take(session, 9)
    desk.tell(notice(issued_at=T0.plus_s(3000), stage=Stage.UPDATE, sequence=2), NEAR, run=False)
    desk.correlation.on_event("S260301a", taken)
    assert desk.waiting() == ["S260301a"]
    desk.correlation.run_jobs()
    assert desk.waiting() == []
