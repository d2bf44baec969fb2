"""The tables of everything."""

from hub.services import overview
from hub.storage import candidates
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0)


def test_an_empty_hub_has_empty_tables(store: Store) -> None:
    with store.reading() as session:
        assert overview.event_rows(session) == overview.pair_rows(session) == overview.candidate_rows(session) == []


def test_each_event_pair_and_candidate_has_one_row_with_all_columns(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.tell(grb())
    desk.tell(grb("Fermi-2", t0=None))
    desk.show(alerts(*({"object_id": str(n).encode(), "dec": 20.0 + n} for n in range(5) for _ in range(2))))
    with store.reading() as session:
        found = candidates.of_event(session, "S260301a")
        event_rows, pair_rows = overview.event_rows(session), overview.pair_rows(session)
        candidate_rows = overview.candidate_rows(session, per_event=3)
    rows = {row[0]: dict(zip(overview.EVENT_COLUMNS, row, strict=True)) for row in event_rows}
    assert list(rows) == ["Fermi-1", "Fermi-2", "S260301a"]
    # The map is too wide for a late afterglow, and only objects of a catalogue of AGN can be flares of one: nobody has any here.
    assert sorted((one.object_id, one.hypothesis) for one in found) == [(str(n), "kilonova") for n in range(5)]
    assert (rows["S260301a"]["90 % deg2"], rows["S260301a"]["candidates"], rows["S260301a"]["state"]) == (300.0, 5, "active")
    assert (rows["Fermi-2"]["t0"], rows["Fermi-2"]["90 % deg2"], rows["Fermi-2"]["candidates"]) == (None, None, 0)
    (pair,) = (dict(zip(overview.PAIR_COLUMNS, row, strict=True)) for row in pair_rows)
    assert {pair["first"], pair["second"]} == {"Fermi-1", "S260301a"}
    assert (pair["kind"], pair["state"], pair["overlap"], pair["live"]) == ("gw-grb", "open", "no spatial information", True)
    assert len(candidate_rows) == 3
    scores = [dict(zip(overview.CANDIDATE_COLUMNS, row, strict=True))["score"] for row in candidate_rows]
    assert scores == sorted(scores, reverse=True)
