"""A pass that announces nothing swallows nothing: beside it, a hub lets out what it would have let out without it.

Stories are told to two hubs. In one of them somebody evaluates the past quietly in between, at any place: before a waiting job is
done, between the archiving of a batch and its matching, with the same rules or with others.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.model.coincidence import Coincidence
from hub.model.notice import Stage
from hub.model.outgoing import Leaves
from hub.ports import Announcement
from hub.services.rematch import Rematch
from hub.services.routes import Route
from hub.storage import events
from hub.storage.engine import Store, make_engine, upgrade
from tests.support.correlating import RULES, Desk
from tests.support.words import T0, alerts, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0, order=4))
NEAR = localization(gaussian_map(134.0, 21.0, 5.0, order=4))
AWAY = localization(gaussian_map(310.0, -20.0, 3.0, order=4))
FADING = alerts(
    {"days": 0.5, "flux_njy": 20_000.0, "snr": 200.0},
    {"days": 1.5, "flux_njy": 8_000.0, "snr": 80.0},
    {"days": 2.5, "flux_njy": 4_000.0, "snr": 40.0},
)
LATER = alerts(
    {"days": 3.5, "flux_njy": 2_000.0, "snr": 20.0, "source_id": 21},
    {"days": 1.0, "object_id": b"200", "ra": 133.0, "source_id": 22},
    {"days": 2.0, "object_id": b"200", "ra": 133.0, "flux_njy": 5_000.0, "snr": 50.0, "source_id": 23},
)
BATCHES = {"first": FADING, "later": LATER}


def of_merger(issued: float, **changes: object) -> object:
    return notice(issued_at=T0.plus_s(issued), sequence=int(issued), **changes)


STEPS: dict[str, Callable[[Desk], object]] = {
    "merger": lambda desk: desk.tell(notice(), HERE, run=False),
    "burst": lambda desk: desk.tell(grb(), NEAR, run=False),
    "moved": lambda desk: desk.tell(of_merger(3000.0, stage=Stage.UPDATE), NEAR, run=False),
    "lost": lambda desk: desk.tell(of_merger(4000.0, stage=Stage.UPDATE), AWAY, run=False),
    "found": lambda desk: desk.tell(of_merger(5000.0, stage=Stage.UPDATE), HERE, run=False),
    "retracted": lambda desk: desk.tell(
        of_merger(9000.0, stage=Stage.RETRACTION, t0=None, classification={}, far_hz=None), run=False
    ),
    "jobs": lambda desk: desk.correlation.run_jobs(),
    **{f"archive {name}": lambda desk, batch=batch: desk.history.append(batch) for name, batch in BATCHES.items()},
    **{f"match {name}": lambda desk, batch=batch: desk.correlation.on_alerts(batch) for name, batch in BATCHES.items()},
}
"""What a hub does, in pieces between which others may do something."""

LIFE = (
    *("merger", "jobs", "archive first", "match first", "burst", "jobs", "moved", "jobs", "archive later", "match later"),
    *("lost", "jobs", "found", "jobs", "retracted", "jobs"),
)
PILED_UP = (
    "merger",
    "archive first",
    "burst",
    "jobs",
    "moved",
    "archive later",
    "match first",
    "retracted",
    "match later",
    "jobs",
)

OTHER_RULES = {
    "same": RULES,
    "strict": replace(
        RULES,
        hypotheses=tuple(replace(one, min_announce_score=99.0) for one in RULES.hypotheses),
        pairs=tuple(replace(one, windows_s=((-0.5, 0.5),)) for one in RULES.pairs),
    ),
    "narrow": replace(RULES, hypotheses=tuple(replace(one, window_d=(2.2, 9.0)) for one in RULES.hypotheses)),
    "none": replace(RULES, hypotheses=(), pairs=()),
}


class Words:
    """Renders what a message says, without the number of the version and the time."""

    media_type = "application/json"

    def render(self, announcement: Announcement) -> bytes:
        said = replace(announcement.coincidence, version=0, created_at=T0)
        does = [cite.kind.value for cite in announcement.cites if "coincidence#" in cite.ivorn]
        return json.dumps([str(said), does, announcement.is_retraction, announcement.radius_deg]).encode()


class Telescopes:
    """Stands where the service of follow-up does: what is planned once is stopped once."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def plan(self, _session: object, pair: Coincidence, *_: object) -> None:
        self._do(f"plan {pair.coincidence_id}")

    def plan_event(self, *_: object) -> None:
        """Do nothing: these policies ask for candidates only."""

    def withdraw(self, _session: object, pair: Coincidence) -> None:
        if f"plan {pair.coincidence_id}" in self.steps:
            self._do(f"stop {pair.coincidence_id}")

    def _do(self, step: str) -> None:
        if step not in self.steps:
            self.steps.append(step)


class World:
    """A hub, its telescopes, and those who pass by quietly."""

    def __init__(self, store: Store) -> None:
        self.telescopes = Telescopes()
        self.store = store
        self.hub = self.desk("same")

    def desk(self, rules: str) -> Desk:
        routes = [Route(destination="file", renderer=Words())]
        return Desk(self.store, routes=routes, rules=OTHER_RULES[rules], followups=self.telescopes)  # type: ignore[arg-type]

    def do(self, step: str) -> None:
        """Do a step of the hub, or a pass of another: ``nothing strict``, ``backfill first``."""
        if step in STEPS:
            STEPS[step](self.hub)
            return
        leaves, rules = step.split()
        if leaves == "backfill":
            self.desk("same").correlation.leaving(Leaves.NOTHING).on_alerts(BATCHES[rules])
            return
        other = self.desk(rules).correlation.leaving(Leaves(leaves))
        with self.store.reading() as session:
            event_ids = events.all_ids(session)
        for done in Rematch(store=self.store, correlation=other).run(event_ids):
            assert not done.report.broken

    def messages(self) -> list[str]:
        return [one.payload.decode() for one in self.hub.sent()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    upgrade(f"sqlite:///{folder}/hub.db")
    return folder


@contextmanager
def world(made: Path) -> Iterator[World]:
    """A hub that knows nothing."""
    shutil.rmtree(made / "world", ignore_errors=True)
    (made / "world").mkdir()
    shutil.copy(made / "hub.db", made / "world")
    store = Store(make_engine(f"sqlite:///{made}/world/hub.db"))
    yield World(store)
    store.close()


def told(made: Path, steps: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the messages that left, and what telescopes were asked."""
    with world(made) as one:
        for step in steps:
            one.do(step)
        return one.messages(), one.telescopes.steps


def with_passes(story: Sequence[str], passes: Iterable[tuple[int, str]]) -> list[str]:
    """Return a story with something put before some of its steps, or after the last."""
    steps = list(story)
    for place, one in sorted(passes, reverse=True):
        steps.insert(place, one)
    return steps


def test_a_quiet_pass_at_any_place_changes_nothing_that_leaves(made: Path) -> None:
    expected = told(made, PILED_UP)
    assert [len(one) for one in expected] == [5, 2]
    for place in range(1, len(PILED_UP) + 1):
        assert told(made, with_passes(PILED_UP, [(place, "nothing same")])) == expected, place


@pytest.mark.parametrize("seed", range(3))
def test_passes_by_any_rules_change_nothing_that_leaves(made: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    expected = told(made, LIFE)
    assert [len(one) for one in expected] == [15, 4]
    places, rules = random.integers(1, len(LIFE), 4).tolist(), random.choice(list(OTHER_RULES), 4).tolist()
    passes = [(place, f"nothing {name}") for place, name in zip(places, rules, strict=True)]
    assert told(made, with_passes(LIFE, passes)) == expected, passes


def ends(messages: list[str]) -> dict[str, str]:
    """Return the last message about each pair."""
    return {message.partition(",")[0]: message for message in messages}


@pytest.mark.parametrize("place", [2, 6, 8])
def test_where_messages_leave_early_telescopes_are_asked_as_ever_and_all_ends_alike(made: Path, place: int) -> None:
    messages, asked = told(made, PILED_UP)
    early, asked_then = told(made, with_passes(PILED_UP, [(place, "messages same")]))
    assert asked_then == asked
    assert len(early) == len(set(early))
    found, expected = ends(early), ends(messages)
    assert {pair: found[pair] for pair in expected} == expected
    for pair in found.keys() - expected.keys():  # of what was there for a while only, and is taken back
        assert json.loads(found[pair])[1:3] == [["retraction"], True]


@pytest.mark.parametrize("first", ["nothing same", "nothing strict", "backfill first"])
def test_what_was_written_quietly_is_let_out_when_the_alerts_come(made: Path, first: str) -> None:
    with world(made) as one:
        for step in ("merger", "jobs", "archive first", first):
            one.do(step)
        assert (one.messages(), one.telescopes.steps) == ([], [])
        one.do("match first")
        assert (len(one.messages()), len(one.telescopes.steps)) == (1, 1)
        one.do("match first")
        one.do("all same")
        assert (one.hub.words(), len(one.telescopes.steps)) == (["v1"], 1)


def test_what_was_written_quietly_is_announced_where_that_is_wanted_later(made: Path) -> None:
    with world(made) as one:
        for step in ("merger", "burst", "archive first", "nothing same", "messages same", "nothing same", "messages same"):
            one.do(step)
        assert (one.hub.words(), one.telescopes.steps) == (["v1", "v1"], [])
        one.do("nothing none")
        assert {pair.state.value for pair in one.hub.pairs()} == {"withdrawn"}
        one.do("messages none")
        assert one.hub.words()[2:] == ["v2 retraction v1"] * 2
        one.do("all none")
        one.do("all none")
        assert len(one.hub.words()) == 4


def test_what_was_written_and_taken_back_quietly_was_never_there(made: Path) -> None:
    with world(made) as one:
        for step in ("merger", "jobs", "archive first", "match first", "nothing none", "nothing same", "all same"):
            one.do(step)
        assert [pair.version for pair in one.hub.pairs()] == [3]
        assert one.hub.words() == ["v1"]
        one.do("lost")
        one.do("jobs")
        assert one.hub.words() == ["v1", "v4 retraction v1"]


def test_what_nobody_was_told_is_not_retracted_and_is_told_when_it_stands(made: Path) -> None:
    with world(made) as one:
        for step in ("merger", "archive first", "nothing same", "lost", "jobs"):
            one.do(step)
        assert [(pair.state.value, pair.version) for pair in one.hub.pairs()] == [("withdrawn", 2)]
        assert (one.messages(), one.telescopes.steps) == ([], [])
        one.do("found")
        one.do("jobs")
        assert (one.hub.words(), len(one.telescopes.steps)) == (["v3"], 1)
