"""Which objects are looked at again: a late alert may matter by what it says of its object's past."""

import itertools
from dataclasses import replace

import pytest
from sqlalchemy import delete

from hub.model.alert import AlertBatch
from hub.model.coincidence import PairState
from hub.science.hypotheses import PriorActivity
from hub.science.rules import Rules
from hub.storage import candidates
from hub.storage.engine import Store
from hub.storage.tables import LocalizationRow
from tests.support.correlating import RULES, Desk
from tests.support.words import DAY_S, T0, alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0))
BLACK_HOLES = {"BBH": 0.95, "BNS": 0.0, "NSBH": 0.0, "Terrestrial": 0.05}
BEFORE = alerts({"days": -10.0, "source_id": 1})
AFTER = alerts({"days": 20.0, "source_id": 2}, {"days": 20.5, "source_id": 3, "object_id": b"200", "ra": 131.0})


def flares(prior_activity: PriorActivity) -> Rules:
    """Return rules by which any object may flare because of a merger of black holes, whatever catalogues are installed."""
    return replace(
        RULES,
        hypotheses=tuple(
            replace(one, prior_activity=prior_activity, require_catalogue=None) if one.name == "agn-flare" else one
            for one in RULES.hypotheses
        ),
    )


TOLD_LATER = alerts({"days": 55.0, "source_id": 1, "reliability": 0.1, "first_tai_us": T0.plus_s(-10 * DAY_S).tai_us})
ORDERS = list(itertools.permutations(["event", "before", "after"]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("before", [BEFORE, TOLD_LATER], ids=["an old alert", "a doubtful later alert that tells of it"])
def test_where_a_past_is_required_it_counts_whenever_it_becomes_known(
    store: Store, order: tuple[str, ...], before: AlertBatch
) -> None:
    desk = Desk(store, rules=flares(PriorActivity.REQUIRE))
    for step in order:
        match step:
            case "event":
                desk.tell(notice(classification=BLACK_HOLES), HERE)
            case "before":
                desk.show(before)
            case "after":
                desk.show(AFTER)
    with store.reading() as session:
        found = candidates.of_event(session, "S260301a")
    assert [(one.object_id, one.hypothesis, one.state) for one in found] == [("100", "agn-flare", PairState.OPEN)]


@pytest.mark.parametrize("order", list(itertools.permutations(["event", "within", "after"])))
def test_what_is_said_of_an_object_is_settled_at_the_end_of_the_window(store: Store, order: tuple[str, ...]) -> None:
    desk = Desk(store, rules=flares(PriorActivity.NOTE))
    for step in order:
        match step:
            case "event":
                desk.tell(notice(classification=BLACK_HOLES), HERE)
            case "within":
                desk.show(alerts({"days": -10.0, "source_id": 1}, {"days": 20.0, "source_id": 2}))
            case "after":
                desk.show(alerts({"days": 260.0, "source_id": 3, "is_negative": True, "n_history": 99}))
    with store.reading() as session:
        (found,) = candidates.of_event(session, "S260301a")
    assert (found.n_detections, found.last_detection) == (1, T0.plus_s(20 * DAY_S))
    assert found.flags == ("prior activity", "low ecliptic latitude")


def test_the_map_of_an_event_is_not_read_for_alerts_that_only_other_kinds_of_event_wait_for(store: Store) -> None:
    Desk(store).tell(grb(), HERE)
    with store.transaction() as session:
        session.execute(delete(LocalizationRow))  # whoever asks for it fails
    later = alerts({"days": 60.0, "source_id": 9})  # too late for a supernova, in time for a neutrino or a flare
    assert Desk(store).show(later).matched_alerts == 0
