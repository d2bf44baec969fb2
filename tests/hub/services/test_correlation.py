"""What is announced of a pair through its life, and what never leaves."""

import itertools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event

from hub.archive.history import ArchiveHistory
from hub.model.alert import AlertBatch
from hub.model.coincidence import PairState
from hub.model.notice import CiteKind, Role, Stage
from hub.model.outgoing import Leaves
from hub.services.correlation import Correlation, CorrelationReport
from hub.storage import candidates, jobs, packets
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import T0, alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0))
NEAR = localization(gaussian_map(134.0, 21.0, 5.0))
AWAY = localization(gaussian_map(310.0, -20.0, 3.0))
HUGE = localization(gaussian_map(140.0, 20.0, 30.0), area90_deg2=24_000.0)
FADING = alerts(
    {"days": 0.5, "flux_njy": 20_000.0, "snr": 200.0},
    {"days": 1.5, "flux_njy": 8_000.0, "snr": 80.0},
    {"days": 2.5, "flux_njy": 4_000.0, "snr": 40.0},
)


def retraction(issued: float = 5000.0):
    return notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(issued), t0=None, classification={}, far_hz=None, sequence=9)


class Listener:
    """Stands where the service of follow-up does, and notes what it is asked for."""

    def __init__(self, asked: list[str]) -> None:
        self.asked = asked

    def plan(self, *_: object) -> None:
        self.asked.append("plan")

    def plan_event(self, *_: object) -> None:
        """Do nothing: these policies ask for candidates only."""

    def withdraw(self, *_: object) -> None:
        self.asked.append("withdraw")


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
        found = candidates.of_event(session, "S260301a")
    assert {one.hypothesis for one in found} == {"kilonova", "late-afterglow"}
    assert {(one.state, one.confirmed) for one in found} == {(PairState.OPEN, False)}
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


def unheard(desk: Desk, leaves: Leaves) -> Correlation:
    """Return a correlation of which not everything leaves."""
    return desk.correlation.leaving(leaves)


def test_nothing_leaves_where_nothing_shall_and_no_job_is_taken_from_those_who_announce(store: Store) -> None:
    asked: list[str] = []
    desk = Desk(store, followups=Listener(asked))  # type: ignore[arg-type]
    desk.tell(notice(), HERE, run=False)
    desk.tell(grb(), NEAR, run=False)
    quiet = unheard(desk, Leaves.NOTHING)
    assert quiet.run_jobs() == CorrelationReport()
    assert desk.waiting() == ["S260301a", "Fermi-1"]
    desk.history.append(FADING)
    assert quiet.on_alerts(FADING, [b"1", b"2", b"3"]).versions > 0
    assert quiet.on_event("S260301a").versions > 0
    assert len(desk.pairs()) >= 2
    assert (desk.sent(), asked) == ([], [])
    desk.tell(retraction(), run=False)
    assert quiet.on_event("S260301a").versions > 0
    assert (desk.sent(), asked) == ([], [])


def test_messages_leave_and_telescopes_are_left_alone_where_only_messages_shall(store: Store) -> None:
    asked: list[str] = []
    desk = Desk(store, followups=Listener(asked))  # type: ignore[arg-type]
    desk.tell(notice(), HERE, run=False)
    desk.history.append(FADING)
    assert unheard(desk, Leaves.MESSAGES).on_event("S260301a").versions == 1
    assert (len(desk.sent()), asked) == (1, [])
    desk.tell(notice(issued_at=T0.plus_s(3000), stage=Stage.UPDATE, sequence=2), NEAR)
    assert asked == ["plan"]


def test_events_that_break_where_nothing_leaves_are_named_for_a_job_would_be_done_aloud(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.renderer.is_broken = True
    desk.history.append(FADING)
    report = unheard(desk, Leaves.MESSAGES).on_alerts(FADING, [b"1", b"2", b"3"])
    assert (report.broken, report.matched_alerts) == (("S260301a",), 3)
    assert desk.waiting() == []


@pytest.mark.parametrize("order", list(itertools.permutations(["small", "large", "alerts"])))
def test_a_map_that_is_too_large_makes_no_candidate_in_any_order(store: Store, order: tuple[str, ...]) -> None:
    desk = Desk(store)
    away = alerts(*({"days": one, "ra": 160.0, "object_id": b"200", "source_id": int(one)} for one in (3.0, 4.0)))
    in_large = 0
    for step in order:
        match step:
            case "small":
                desk.tell(notice(issued_at=T0.plus_s(300)), HERE)
            case "large":
                desk.tell(notice(issued_at=T0.plus_s(3000), stage=Stage.UPDATE, sequence=2), HUGE)
            case "alerts":
                in_large = desk.show(FADING).in_large_maps + desk.show(away).in_large_maps
    with desk.store.reading() as session:
        found = [one for one in candidates.of_event(session, "S260301a") if one.hypothesis == "kilonova"]
    # The large map is the current one: what the small one found lies in it and stays open.
    assert [(one.object_id, one.hypothesis, one.state) for one in found] == [("100", "kilonova", PairState.OPEN)]
    assert set(found[0].levels) == {HERE.localization_id, HUGE.localization_id}
    known = set(order[: order.index("alerts")])
    assert in_large == {frozenset(): 0, frozenset({"small"}): 0, frozenset({"large"}): 5}.get(frozenset(known), 2)


def test_objects_by_the_thousand_are_evaluated_in_parts(desk: Desk) -> None:
    many = alerts(
        *(
            {"days": 0.5 + day, "ra": 125.0 + number / 120, "object_id": str(number).encode(), "source_id": 2 * number + day}
            for number in range(1200)
            for day in (0, 1)
        )
    )
    desk.show(many)
    desk.tell(notice(), HERE)
    with desk.store.reading() as session:
        found = candidates.of_event(session, "S260301a")
    assert len(found) == 2 * 1200  # a kilonova, or an afterglow seen from the side; nobody has a catalogue of active nuclei
    assert len({one.object_id for one in found}) == 1200
    assert {one.n_detections for one in found} == {2}
    assert desk.show(many, [b"x"] * len(many)) == CorrelationReport(matched_alerts=2400)


class Interrupted:
    """An archive that lets something happen between an answer of it and its use."""

    def __init__(self, archive: ArchiveHistory, interruption: Callable[[], None]) -> None:
        self._archive = archive
        self._interruption = interruption

    def of_objects(self, *asked: Any) -> AlertBatch:
        answer = self._archive.of_objects(*asked)
        self._interruption()
        return answer


def test_an_alert_that_comes_while_its_object_is_first_evaluated_is_not_missed(store: Store) -> None:
    first, second = Desk(store), Desk(store)
    first.tell(notice(), HERE)
    # By itself it fits nothing: whoever brings it must learn that the object is watched.
    odd = alerts({"days": 3.5, "is_negative": True, "reliability": 0.1, "source_id": 4})
    archived = Event()

    def bring() -> CorrelationReport:
        second.history.append(odd)
        archived.set()
        return second.correlation.on_alerts(odd)

    with ThreadPoolExecutor(1) as other:
        brought: list[Future[CorrelationReport]] = []

        def interrupt() -> None:
            brought.append(other.submit(bring))
            assert archived.wait(60)

        interrupted = Interrupted(first.history, interrupt)
        first.correlation._candidacy = replace(first.correlation._candidacy, history=interrupted)
        assert first.show(FADING).candidates > 0
        assert brought[0].result(60).candidates > 0
    with store.reading() as session:
        assert {one.flags for one in candidates.of_event(session, "S260301a")} == {
            ("negative detections", "low ecliptic latitude")
        }


def test_a_batch_that_matches_is_one_transaction_of_the_only_writer(desk: Desk) -> None:
    desk.tell(notice(), HERE)
    desk.history.append(FADING)
    commits = []
    event.listen(desk.store.engine, "commit", lambda one: commits.append(one.get_execution_options().get("mmhub_reads", False)))
    desk.correlation.on_alerts(FADING)
    assert commits.count(False) == 1
