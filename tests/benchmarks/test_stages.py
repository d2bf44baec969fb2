"""The watches of the stages sit on the real flow, count each part once and go away again."""

import threading
import time
from pathlib import Path

import pytest

from hub.bootstrap import create_database, open_hub
from hub.config import load
from hub.model.envelope import Envelope, Trust
from hub.model.packets import PacketBatch
from tests.benchmarks.stages import COMMIT, EVALUATING, FLOW, STAGES, TAKING, StageClock, _watched, cpu, watched
from tests.support.packet_world import SOURCE, T0, packet, write_settings

OF_THE_SOURCE = {TAKING, "commit"}
"""Stages that only a broker can try."""

OF_MATCHES = {
    "watch what matched",
    "read events",
    "place objects",
    "read past alerts of objects",
    "judge candidates",
    "write candidates",
    "what follows from candidates",
    "keep packets of matches",
}
"""Stages that only alerts reach that match."""


def work() -> None:
    """Use the processor until its clock has moved on."""
    begun = time.thread_time()
    while time.thread_time() - begun < 0.002:
        pass


def test_a_batch_goes_through_every_stage_and_the_watches_are_gone_then(tmp_path: Path) -> None:
    former = {name: getattr(owner, method) for name, (owner, method) in STAGES.items()}
    settings = load([write_settings(tmp_path, "", "none")], {"logging.level": "error"}).settings
    envelopes = [
        Envelope(
            payload=packet(n), source=SOURCE, received_at=T0.plus_s(60.0), position=str(n), topic="none", trust=Trust.TRUSTED
        )
        for n in range(3)
    ]
    with create_database(settings) as store, open_hub(settings, store) as hub, watched() as clock:
        hub.flow.take_packets(PacketBatch.of(envelopes))
    reached = set(STAGES) - OF_THE_SOURCE - OF_MATCHES  # nothing matches here
    assert set(clock.calls) == reached
    assert {name: getattr(owner, method) for name, (owner, method) in STAGES.items()} == former


def test_a_stage_is_told_without_those_inside_it() -> None:
    clock = StageClock()
    begun = time.thread_time()
    with clock.stage("outer"):
        work()
        with clock.stage("inner"):
            work()
        with clock.stage("inner"):
            work()
    whole = time.thread_time() - begun
    assert clock.calls == {"outer": 1, "inner": 2}
    assert 0.002 <= clock.spent["outer"] < whole - 0.004 + 1e-6
    assert 0.004 <= clock.spent["inner"] < whole
    assert sum(clock.spent.values()) <= whole


def test_a_stage_that_counts_inside_another_only_belongs_elsewhere_to_what_it_is_in() -> None:
    clock = StageClock()
    counted = _watched(clock, COMMIT, work)
    counted()
    with clock.stage("books"):
        counted()
    assert clock.calls == {"books": 1}
    assert clock.spent["books"] >= 0.002
    with clock.stage(EVALUATING):
        counted()
        with clock.stage("inside"):
            counted()
    assert clock.calls == {"books": 1, COMMIT: 1, "inside": 1, EVALUATING: 1}


def test_a_stage_counts_its_own_thread_only() -> None:
    clock = StageClock()
    with clock.stage("outer"):
        other = threading.Thread(target=lambda: [work() for _ in range(50)])
        other.start()
        other.join()
    assert clock.spent["outer"] < 0.1


def test_a_stage_that_fails_is_counted_and_leaves_the_others_right() -> None:
    clock = StageClock()
    with clock.stage("outer"), pytest.raises(ValueError, match="broken"), clock.stage("inner"):
        raise ValueError("broken")
    assert clock.calls == {"outer": 1, "inner": 1}


def test_counts_are_added_and_forgotten() -> None:
    one, other = StageClock(), StageClock()
    with one.stage("a"):
        pass
    other.add(one)
    other.add(one)
    one.reset()
    assert (other.calls["a"], one.calls["a"]) == (2, 0)


def test_the_time_of_a_process_is_told_by_thread() -> None:
    before = cpu()
    for _ in range(50):  # the system brings the time of a thread up to date a hundred times a second
        work()
    used = cpu() - before
    assert used.process >= 0.1
    assert 0.05 < used.busiest <= used.process + 0.02


def test_the_stages_are_named_once_and_end_with_the_flow_and_the_commit() -> None:
    assert list(STAGES)[-2:] == [FLOW, "commit"]
