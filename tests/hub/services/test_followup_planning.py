"""Planning again: every announced candidate is decided about, the best first, and others are not even read."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import event as sqlalchemy_event

from hub.errors import NotFound
from hub.model.coincidence import PairState
from hub.services.followup_planning import plan_again
from hub.storage import candidates, coincidences, events, followup_log
from hub.storage.engine import open_store, upgrade
from tests.support.followup import NOW, make_candidate, make_coincidence, make_event, make_hypothesis


class Asked:
    """Takes down what is to be decided about."""

    def __init__(self):
        self.gates = SimpleNamespace(book=SimpleNamespace(rules=SimpleNamespace(hypotheses=(make_hypothesis(),))))
        self.found = []

    def plan_event(self, _, event):
        self.found.append(event.event_id)

    def plan(self, _session, pair, event, candidate, hypothesis):
        assert f"LSST:{candidate.object_id}" in [member.id for member in pair.members]
        assert (event.event_id, hypothesis.name) == ("G298048", "kilonova")
        self.found.append(candidate.object_id)


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    opened = open_store(url)
    with opened.transaction() as session:
        events.save(session, make_event())
    yield opened
    opened.close()


def known(store, object_id, score, *, state=PairState.OPEN, pair=PairState.OPEN, held_back=False):
    with store.transaction() as session:
        candidates.save_all(session, [make_candidate(object_id=object_id, score=score, state=state)])
        if pair is not None:
            coincidences.add(session, replace(make_coincidence(object_id=object_id, state=pair), held_back=held_back))


def again(store):
    asked = Asked()
    plan_again(store, asked, "G298048", actor="person:maria", clock=lambda: NOW)
    return asked.found


def test_the_event_and_its_announced_candidates_are_decided_about_the_best_first(store):
    known(store, "1", 4.0)
    known(store, "2", 9.0)
    known(store, "3", 6.0)
    known(store, "4", 20.0, pair=None)
    known(store, "5", 21.0, held_back=True)
    known(store, "6", 22.0, pair=PairState.WITHDRAWN)
    known(store, "7", 23.0, state=PairState.WITHDRAWN)
    assert again(store) == ["G298048", "2", "3", "1"]
    with store.reading() as session:
        (entry,) = followup_log.search(session)
    assert (entry.actor, entry.action) == ("person:maria", "plan")


def test_candidates_that_are_not_announced_cost_nothing(store):
    known(store, "1", 4.0)
    statements = []
    sqlalchemy_event.listen(store.engine, "after_cursor_execute", lambda *words: statements.append(words[2]))
    again(store)
    few = len(statements)
    with store.transaction() as session:
        candidates.save_all(session, [make_candidate(object_id=str(number)) for number in range(100, 300)])
    statements.clear()
    assert again(store) == ["G298048", "1"]
    assert len(statements) == few


def test_an_event_that_is_not_known_is_a_sentence(store):
    with pytest.raises(NotFound, match="there is no event S9"):
        plan_again(store, Asked(), "S9", actor="person:maria", clock=lambda: NOW)
