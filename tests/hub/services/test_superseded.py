"""Another trigger of a burst takes the place of the one that was announced: its message supersedes, and nothing is retracted."""

import pytest

from adapters.codecs.hub_json import HubJsonRenderer
from hub.model.notice import CiteKind, Stage
from hub.model.outgoing import Outgoing, Subject
from hub.science.budget import Budget
from hub.services.budget import budget_body
from hub.services.routes import Route
from hub.services.sources import join, split
from hub.storage import announced
from hub.storage.engine import Store
from tests.support.correlating import RULES, Desk
from tests.support.words import T0, gaussian_map, grb, localization, notice

GW_PLACE = localization(gaussian_map(130.0, 20.0, 6.0))
WIDE = localization(gaussian_map(134.0, 21.0, 5.0), area90_deg2=360.0)
NARROW = localization(gaussian_map(133.0, 21.0, 1.5), area90_deg2=30.0)


def swift(**changes):
    return grb("Swift-2", **{"mission": "Swift", "instrument": "BAT", "t0": T0.plus_s(2.4), **changes})


@pytest.fixture
def desk(store: Store) -> Desk:
    """A hub that announced the burst by the later of its two triggers, and then heard of the earlier one."""
    return first_swift_then_fermi(Desk(store))


def first_swift_then_fermi(desk: Desk) -> Desk:
    desk.tell(notice(), GW_PLACE)
    desk.tell(swift(), NARROW)
    desk.tell(grb(), WIDE)
    return desk


def by_burst(desk: Desk) -> dict[str, str]:
    """Return the id of the coincidence of each burst."""
    return {member.id: one.coincidence_id for one in desk.pairs() for member in one.members if member.id != "S260301a"}


def said(desk: Desk) -> list[tuple[str, str, list[str]]]:
    """Return for each message its subject, which version of which pair, and what it replaces."""
    bursts = {name: burst for burst, name in by_burst(desk).items()}

    def short(ivorn: str) -> str:
        name, _, version = ivorn.rpartition("#")[2].rpartition(".")
        return f"{bursts[name]} {version}"

    def replaced(one: Outgoing) -> list[str]:
        return [f"{cite.kind.value} {short(cite.ivorn)}" for cite in one.cites if cite.kind is not CiteKind.FOLLOWUP]

    return [(one.subject, short(one.ivorn), replaced(one)) for one in desk.sent()]


def standing(desk: Desk) -> set[str]:
    with desk.store.reading() as session:
        return {one.coincidence_id for one in announced.standing(session)}


def say(desk: Desk, word) -> None:
    with desk.store.transaction() as session:
        word(session, desk.association, "Fermi-1", "Swift-2", by="A. Person", because="seen in the light curves", at=desk.clock())
    desk.correlation.run_jobs()


def test_the_message_of_the_earlier_trigger_supersedes_that_of_the_later_one(desk: Desk) -> None:
    assert said(desk) == [
        ("coincidence", "Swift-2 v1", []),
        ("coincidence", "Fermi-1 v1", ["supersedes Swift-2 v1"]),
    ]
    assert standing(desk) == {by_burst(desk)["Fermi-1"]}


def test_the_budget_counts_both_as_one_that_stands_since_the_first_message(desk: Desk) -> None:
    first, last = (one.created_at for one in desk.sent())
    assert first < last
    assert isinstance(RULES.budget, Budget)
    with desk.store.reading() as session:
        (row,) = announced.since(session, T0)
        body = budget_body(session, RULES.budget, desk.clock())
    assert (row.coincidence_id, row.first_at, row.withdrawn_at) == (by_burst(desk)["Fermi-1"], first, None)
    assert (body["announced"], body["taken_back"]) == (1, 0)


def test_a_retraction_of_the_merger_takes_back_the_last_message_only(desk: Desk) -> None:
    desk.tell(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(9000)), None)
    assert said(desk)[2:] == [("retraction", "Fermi-1 v2", ["retraction Fermi-1 v1"])]
    assert standing(desk) == set()


def test_a_burst_that_is_split_has_two_messages_and_one_that_is_joined_again_has_one_for_both(desk: Desk) -> None:
    say(desk, split)
    assert standing(desk) == set(by_burst(desk).values())
    n_before = len(said(desk))
    say(desk, join)
    fermi = next(version for subject, version, _ in reversed(said(desk)) if subject == "coincidence")
    last = said(desk)[n_before:]
    assert [(subject, name) for subject, name, _ in last] == [("coincidence", fermi)]
    (replaced,) = (names for _, _, names in last)
    assert sorted(name.partition(" v")[0] for name in replaced) == ["supersedes Fermi-1", "supersedes Swift-2"]
    assert standing(desk) == {by_burst(desk)["Fermi-1"]}


def test_a_message_that_went_to_one_who_gets_only_retractions_now_is_retracted(store: Store) -> None:
    to_all = Route(destination="all", renderer=HubJsonRenderer())
    desk = Desk(store, routes=[to_all, Route(destination="other", renderer=HubJsonRenderer())])
    desk.tell(notice(), GW_PLACE)
    desk.tell(swift(), NARROW)
    only = Route(destination="other", renderer=HubJsonRenderer(), subjects=frozenset({Subject.RETRACTION}))
    later = Desk(store, routes=[to_all, only])
    later.now = desk.now
    later.tell(grb(), WIDE)
    last = [(one.destination, one.subject) for one in later.sent()[2:]]
    assert sorted(last) == [("all", "coincidence"), ("all", "retraction"), ("other", "retraction")]
    assert all(names == [] for subject, _, names in said(later)[2:] if subject == "coincidence")


def test_where_the_earlier_trigger_is_held_back_the_message_of_the_later_one_is_retracted(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=1e-6), GW_PLACE)
    desk.tell(swift(), NARROW)
    desk.tell(grb(), WIDE, run=False)
    update = notice(issued_at=T0.plus_s(3000.0), stage=Stage.UPDATE, sequence=2, far_hz=1e-2)
    desk.tell(update, GW_PLACE)
    assert said(desk)[1:] == [("retraction", "Swift-2 v2", ["retraction Swift-2 v1"])]
    assert standing(desk) == set()
