"""What may be said of nights of which a full stream, a filtered one, both or nothing was heard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.archive import visits_file
from hub.archive.layout import night_name, night_of
from hub.archive.retention import retire
from hub.archive.visits_ledger import KEPT_DAYS, VisitLedger
from hub.model.coverage import SelectionKind
from hub.model.instant import Instant
from hub.ports import Incident, Position
from hub.services import coverage, searched
from hub.storage import incidents, positions
from hub.storage.engine import Store
from tests.support.api_night import fill
from tests.support.hearing import DAY_S, FINK, Hub
from tests.support.searched import FIRST, hears
from tests.support.visits import CAMERAS, TOPIC

TEN_YEARS_S = KEPT_DAYS * DAY_S


@pytest.fixture
def hub(store: Store, tmp_path: Path) -> Hub:
    fill(store)
    return Hub(store, tmp_path / "archive")


def night(day: float) -> str:
    return night_name(night_of(FIRST.plus_s(day * DAY_S).tai_us))


def test_through_a_filter_alone_nothing_is_known_and_nothing_kept(hub: Hub) -> None:
    hub.filtered(-1)
    hub.visit(0, FINK)
    assert hub.update() == 0
    found = hub.ask(-0.1, 0.1)
    assert (found["coverage"], found["visits"]) == ("unknown", [])
    assert "only through filters (fink-lsst)" in found["reason"]
    assert hub.share(-0.1, 0.1)["searched_prob"] is None


def test_nights_of_a_filter_stay_unknown_when_the_survey_is_heard_in_full_later(hub: Hub) -> None:
    hub.filtered(-1)
    hub.visit(0, FINK, per_detector=0.5)
    hub.full(2)
    later = hub.visit(2)
    hub.update()
    before = hub.ask(-0.1, 0.1)
    assert (before["coverage"], before["visits"], before["last"]) == ("unknown", [], None)
    assert f"the night {night(0)} only through fink-lsst (SNR above 8)" in before["reason"]
    assert hub.share(-0.1, 0.1)["searched_prob"] is None
    assert (hub.ask(1.999, 2.001)["coverage"], hub.visits(1.999, 2.001)) == ("partial", [later])
    whole = hub.ask(-0.1, 2.02)
    assert whole["coverage"] == "partial"
    assert {one["visit"] for one in whole["visits"]} == {str(later)}
    assert any("fink-lsst" in remark for remark in whole["remarks"])


def test_nights_of_a_filter_are_unknown_after_the_full_stream_ended(hub: Hub) -> None:
    hub.full(-1)
    first = hub.visit(0)
    hub.filtered(1)
    hub.visit(3, FINK, per_detector=0.5)
    hub.update()
    assert (hub.ask(-0.1, 0)["coverage"], hub.visits(-0.1, 0)) == ("partial", [first])
    assert hub.ask(-0.1, -0.01)["coverage"] == "known"
    after = hub.ask(2.9, 3.1)
    assert (after["coverage"], after["visits"]) == ("unknown", [])
    assert "LSST was heard in full until 2017-08-18T00:11:04.400000Z" in after["reason"]
    assert f"the night {night(3)} only through fink-lsst" in after["reason"]


def test_of_two_streams_at_once_the_full_one_tells_and_the_filter_alone_does_not(hub: Hub) -> None:
    hub.filtered(-1)
    hub.full(-1)
    early = hub.visit(-0.02, FINK, per_detector=0.5)
    both = hub.visit(0, FINK, per_detector=0.5)
    hub.visit(0, number=both)
    assert hub.update() == 1
    found = hub.ask(-0.01, 0.02)
    assert {one["visit"] for one in found["visits"]} == {str(both)}
    (kept,) = set(visits_file.read(hub.folder, night_of(FIRST.tai_us)).visit.tolist())
    assert kept == both != early


def test_a_topic_that_was_renamed_is_heard_on_but_not_in_between(hub: Hub) -> None:
    hub.full(-1, "alerts-v1")
    one = hub.visit(0, "alerts-v1")
    hub.full(1, "alerts-v2")
    two = hub.visit(1, "alerts-v2")
    hub.update()
    assert hub.visits(-0.5, 1.01) == [one, two]
    assert hub.ask(-0.5, 1.01)["coverage"] == "partial"
    assert hub.ask(0.2, 0.8)["coverage"] == "unknown"
    assert hub.ask(-0.5, -0.01)["coverage"] == "known"


def test_a_topic_by_which_a_filter_brought_alerts_too_tells_nothing(hub: Hub) -> None:
    hub.filtered(-1, TOPIC)
    hub.full(-1)
    hub.visit(0)
    assert hub.update() == 0
    assert hub.ask(-0.1, 0.01)["coverage"] == "unknown"


def test_rows_that_name_no_topic_are_of_no_full_stream(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0, "")
    assert hub.update() == 0
    assert hub.ask(-0.1, 0.01)["coverage"] == "unknown"


def test_a_stream_that_turned_out_to_be_filtered_takes_its_visits_with_it(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.update()
    assert hub.visits(-0.1, 0.01)
    hears(hub.store, SelectionKind.FILTERED, since=FIRST)
    assert hub.ask(-0.1, 0.01)["coverage"] == "unknown"
    hub.full(0, "other", "lsst-two")
    hub.visit(1, "other")
    hub.ledger = VisitLedger(hub.history, CAMERAS, quiet_s=0.0)
    hub.update()
    assert hub.ask(-0.1, 0.01)["coverage"] == "unknown"
    assert len(visits_file.read(hub.folder, night_of(FIRST.tai_us))) == 0


def lost(first: int, end: int, n: int | None = 1) -> Incident:
    facts = {"topic": TOPIC, "partition": 0, "first_offset": first, "end_offset": end, "n_messages": n}
    return Incident(kind="gap", subject=f"{first}", text=f"offsets {first} to {end} were lost", facts=facts)


def record(hub: Hub, incident: Incident, day: float) -> None:
    with hub.store.transaction() as session:
        incidents.record(session, "rubin", incident, FIRST.plus_s(day * DAY_S))


def test_a_cloudy_night_was_heard_and_found_empty(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.visit(3)
    hub.update()
    silent = hub.ask(1, 2)
    assert (silent["coverage"], silent["n_visits"], silent["remarks"]) == ("known", 0, [])


def test_nights_that_the_hub_missed_are_unknown_and_those_that_it_caught_up_with_are_not(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    gap = hub.offset
    hub.visit(3, after=1000)
    hub.visit(5)
    record(hub, lost(gap, gap + 1000), 2.9)
    hub.update()
    missed = hub.ask(1, 2)
    assert missed["coverage"] == "unknown"
    assert "was not heard in full" in missed["reason"]
    assert f"offsets {gap} to {gap + 1000} were lost" in missed["reason"]
    assert hub.share(1, 2)["searched_prob"] is None
    assert hub.ask(3.5, 4.5)["coverage"] == "known"
    assert hub.ask(-0.9, -0.1)["coverage"] == "known"


def test_a_gap_within_a_night_makes_it_known_in_part(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    gap = hub.offset
    hub.visit(0.01, after=50)
    hub.visit(0.02)
    record(hub, lost(gap, gap + 50), 0.03)
    hub.update()
    found = hub.ask(-0.1, 0.015)
    assert (found["coverage"], found["n_visits"]) == ("partial", 2)
    assert found["remarks"] == [f"alerts were lost, so a visit may look unsearched: offsets {gap} to {gap + 50} were lost"]


def test_a_topic_that_was_made_anew_breaks_what_is_known(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    record(hub, lost(hub.offset, 0, None), 2.5)
    hub.visit(3)
    hub.update()
    assert hub.ask(1, 2)["coverage"] == "unknown"


def test_nights_before_the_hub_knew_where_it_read_are_not_joined(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.visit(3)
    hub.update()
    with hub.store.transaction() as session:
        anew = Position(topic=TOPIC, partition=0, first_offset=hub.offset, next_offset=hub.offset + 1, n_messages=1, topic_id="b")
        positions.advance(
            session, "rubin", [Position(topic=TOPIC, partition=0, first_offset=0, next_offset=1, n_messages=1, topic_id="a")]
        )
        positions.advance(session, "rubin", [anew])
    assert hub.ask(1, 2)["coverage"] == "unknown"
    assert hub.ask(2.999, 3.01)["coverage"] == "partial"


@pytest.mark.parametrize("ask", [lambda hub: hub.ask(-0.5, 0.5), lambda hub: hub.share(-0.5, 0.5)])
def test_a_deleted_night_is_told_from_its_ledger_and_unknown_without_one(hub: Hub, ask: Callable[[Hub], dict[str, Any]]) -> None:
    hub.full(-2)
    hub.visit(-1)
    hub.visit(0)
    hub.visit(299)
    hub.update()
    before = ask(hub)
    gone = retire(hub.folder, now=FIRST.plus_s(299.5 * DAY_S), keep_days=260.0, max_bytes=0)
    assert len(gone) == 2
    hub.update()
    assert ask(hub) == before
    assert before["n_visits"] == 1
    visits_file.path_of(hub.folder, night_of(FIRST.tai_us)).unlink()
    after = ask(hub)
    assert after["coverage"] == "unknown"
    assert f"the alerts and the ledger of the night {night(0)} were deleted" in after["reason"]
    assert after["n_visits"] == 0
    assert after.get("searched_prob") is None


def test_a_ledger_without_rows_goes_after_ten_years_and_one_with_rows_never(hub: Hub) -> None:
    hub.full(-2)
    hub.visit(0)
    hub.visit(20)
    hub.update()
    retire(hub.folder, now=FIRST.plus_s(280 * DAY_S), keep_days=265.0, max_bytes=0)
    with hub.store.reading() as session:
        surveys = searched.surveys_in_full(coverage.heard(session))
    nights = visits_file.nights(hub.folder)
    hub.ledger.update(surveys, FIRST.plus_s(TEN_YEARS_S - DAY_S))
    assert visits_file.nights(hub.folder) == nights
    hub.ledger.update(surveys, FIRST.plus_s(TEN_YEARS_S + 30 * DAY_S))
    assert visits_file.nights(hub.folder) == nights[1:]
    assert hub.ask(-0.5, 0.5)["coverage"] == "unknown"


def test_visits_that_wait_to_be_computed_do_not_look_unsearched(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.update()
    hub.ledger = VisitLedger(hub.history, CAMERAS, quiet_s=600.0)
    hub.visit(0.05)
    hub.update()
    hub.visit(0.1)
    assert hub.ask(0.045, 0.055)["coverage"] == "unknown"
    now = FIRST.plus_s(400 * DAY_S + 700)
    with hub.store.reading() as session:
        surveys = searched.surveys_in_full(coverage.heard(session))
    assert hub.ledger.update(surveys, now) == 1
    assert hub.visits(0.045, 0.055)
    assert hub.ask(0.095, 0.105)["coverage"] == "unknown"


def test_a_ledger_of_a_version_before_tells_nothing_until_it_is_made_anew(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.update()
    path = visits_file.path_of(hub.folder, night_of(FIRST.tai_us))
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(path).replace_schema_metadata({b"mmhub": b'{"settled": "x", "latest": {"LSST": 1}}'}), path)
    assert hub.ask(-0.1, 0.01)["coverage"] == "unknown"
    hub.ledger = VisitLedger(hub.history, CAMERAS, quiet_s=0.0)
    assert hub.update() == 1
    assert (hub.ask(-0.1, -0.01)["coverage"], len(hub.visits(-0.1, 0))) == ("known", 1)


def test_the_hub_knows_only_instants(hub: Hub) -> None:
    hub.full(-1)
    hub.visit(0)
    hub.update()
    with hub.store.reading() as session:
        (said,) = searched.standings(session, hub.folder, coverage.heard(session), (FIRST.plus_s(-3600), FIRST))
    assert said.heard is not None
    assert said.heard.until == Instant(FIRST.tai_us)
    (only,) = said.body()["unheard"]
    assert "whether that visit was over is not known" in only["reason"]
    assert only["from"] == only["to"] == FIRST.to_utc_iso()
