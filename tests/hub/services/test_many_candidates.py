"""An event with very many candidates: what is asked of it takes memory and statements for the answer, not for all that is stored."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hub.model.coincidence import PairState
from hub.model.contender import Contender
from hub.science.posterior import PriorOf, Searched, configured_densities, posterior
from hub.science.worth import UNMEASURED, chance_scores, live_maps_score, probability_scores
from hub.services.worths import Worths
from hub.storage import candidates, worths
from hub.storage.engine import Store
from tests.hub.services.test_worths import BOOK, EVENT, HERE, NIGHTS
from tests.support.correlating import Desk
from tests.support.words import alerts, notice

N = 20_000
MOST_MB = 80
"""Beside what the interpreter and its libraries take: all candidates as objects were 280."""

MOST_STATEMENTS = 40

CHILD = """
import json, re, sys
from pathlib import Path
from sqlalchemy import event
from hub.model.instant import Instant
from hub.services import counterparts
from hub.services.worths import Worths
from hub.storage.engine import open_store

def memory_mb(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

url, archive, name, now = sys.argv[1], Path(sys.argv[2]), sys.argv[3], Instant(int(sys.argv[4]))
store = open_store(url)
n_statements = [0]
event.listen(store.engine, "before_cursor_execute", lambda *_: n_statements.__setitem__(0, n_statements[0] + 1))
before = memory_mb("VmRSS")
n_written = Worths(store=store, archive=archive, book=counterparts.shipped(), clock=lambda: now).measure(name)
measured = n_statements[0]
with store.reading() as session:
    body = counterparts.of_event(session, archive, name, now=now)
(kilonova,) = [one for one in body["hypotheses"] if one["hypothesis"] == "kilonova"]
print(json.dumps({
    "n_written": n_written, "n_candidates": kilonova["n_candidates"], "n_listed": len(kilonova["candidates"]),
    "grown_mb": memory_mb("VmHWM") - before, "measured": measured, "asked": n_statements[0] - measured,
}))
"""


@pytest.fixture
def desk(store: Store) -> Desk:
    """An event with one candidate under each hypothesis."""
    made = Desk(store)
    made.tell(notice(far_hz=3e-9), HERE)
    made.show(alerts(*NIGHTS))
    return made


def multiply(desk: Desk, n: int) -> None:
    """Store so many more candidates, which differ in what they are worth."""
    rng = np.random.default_rng(7)
    with desk.store.transaction() as session:
        (model, *_) = candidates.of_event(session, EVENT, state=PairState.OPEN)
        for begin in range(0, n, 1000):
            more = [
                dataclasses.replace(
                    model,
                    object_id=str(10**12 + number),
                    confirmed=number % 3 == 0,
                    score=float(rng.normal(0.0, 3.0)),
                    level=float(rng.uniform(0.0, 0.9)),
                )
                for number in range(begin, min(begin + 1000, n))
            ]
            candidates.save_all(session, more)


def test_measuring_and_asking_of_twenty_thousand_candidates_holds_what_is_asked_for(desk: Desk, tmp_path: Path) -> None:
    multiply(desk, N)
    url = f"sqlite:///{tmp_path}/hub.db"
    command = [sys.executable, "-c", CHILD, url, str(tmp_path / "archive"), EVENT, str(desk.clock().tai_us)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, text=True, timeout=300).stdout)
    assert told["n_candidates"] == N + 1
    assert (told["n_written"], told["n_listed"]) == (BOOK.policy.worth.max_candidates, 20)
    assert told["grown_mb"] < MOST_MB
    assert told["measured"] <= MOST_STATEMENTS
    assert told["asked"] <= MOST_STATEMENTS


def test_what_is_stored_of_the_best_is_what_all_candidates_as_objects_give(desk: Desk, tmp_path: Path) -> None:
    multiply(desk, 450)
    policy = dataclasses.replace(BOOK.policy, worth=dataclasses.replace(BOOK.policy.worth, max_candidates=300))
    book = dataclasses.replace(BOOK, policy=policy)
    assert Worths(store=desk.store, archive=tmp_path / "archive", book=book, clock=desk.clock).measure(EVENT) == 300
    with desk.store.reading() as session:
        stored = worths.of_event(session, EVENT)
        whole = candidates.of_event(session, EVENT, state=PairState.OPEN)
    assert set(stored) == {candidates.row_key(one) for one in whole[:300]}
    for rule in BOOK.rules.hypotheses:
        own = [one for one in whole if one.hypothesis == rule.name]
        answer = posterior(
            rule.name,
            [Contender.of(one) for one in own],
            PriorOf(value=0.5, inputs={}),
            Searched(share=None, reason="no source of this hub listens to the alerts of a survey"),
            {"LSST": configured_densities(rule.background_per_deg2, policy.posterior)},
            policy.posterior,
        )
        probabilities = probability_scores(answer, policy.posterior.veto_loss)
        for one in own:
            if (found := stored.get(candidates.row_key(one))) is not None:
                live_maps = live_maps_score([EVENT], 1)
                assert found.scores == (
                    *chance_scores(one, UNMEASURED, BOOK.ranking),
                    live_maps,
                    probabilities[one.survey, one.object_id],
                )
