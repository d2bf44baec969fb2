"""What the books count must be there: rows that somebody deletes are missed, by their kind."""

import pytest
from sqlalchemy import text

from hub.api import wire_status
from hub.model.instant import Instant
from hub.runtime.watch import Watch
from hub.services import status
from hub.services.watch import law_alarms, row_alarms
from hub.storage import components
from tests.support.api_night import api
from tests.support.histories import history_of

T0 = Instant.from_utc_iso("2026-11-23T00:00:00Z")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    with api(tmp_path_factory.mktemp("night")) as (_, store):
        yield store


def changed(store, statement):
    """Return what is said once a statement has changed the database, which is taken back."""
    with store.reading() as session:
        assert session.execute(text(statement)).rowcount > 0
        assert law_alarms(session) == []
        found = row_alarms(session, history_of(store).count_ever)
        session.rollback()
    return found


def test_a_whole_database_has_nothing_missing(night):
    with night.reading() as session:
        assert row_alarms(session, history_of(night).count_ever) == []


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "DELETE FROM notices WHERE notice_id = (SELECT min(notice_id) FROM notices)",
            "1 messages are marked as stored, but what they said is gone",
        ),
        (
            "UPDATE raw_messages SET state = 'duplicate' WHERE state = 'stored'",
            "messages or alerts as stored that are not there",
        ),
        ("UPDATE raw_messages SET state = 'dead' WHERE state = 'stored'", "are there that the books do not count"),
    ],
)
def test_rows_that_somebody_took_away_are_missed_though_the_books_balance(night, statement, sentence):
    found = changed(night, statement)
    assert any(sentence in one for one in found), found


def test_health_says_that_messages_are_unaccounted_for(tmp_path):
    with api(tmp_path) as (_, store):
        with store.transaction() as session:
            session.execute(text("DELETE FROM notices"))
        watch = Watch(store, lambda: T0, count_alerts=history_of(store).count_ever, echoes={}, healths={})
        watch.look()
        with store.transaction() as session:
            components.report(session, "host/1", [("watch", watch.health())], T0)
        with store.reading() as session:
            body = status.health(session, T0)
            assert not status.numbers(session).law_holds
    wire_status.Health.model_validate(body)
    assert (body["status"], body["law_holds"]) == ("messages unaccounted for", False)
    assert any("what they said is gone" in one for one in body["alarms"])
