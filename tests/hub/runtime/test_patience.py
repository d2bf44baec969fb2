"""Work that is done again until it succeeds, while its source keeps its place."""

import threading

import pytest

from hub.errors import DecodeError, StorageError
from hub.runtime.patience import PatientWork, Stopped


class Staying:
    """A source that counts how often it was told to stay, and how often nothing was under way then."""

    def __init__(self) -> None:
        self.idle: list[bool] = []
        self.told = threading.Event()

    def stay(self, finished: threading.Event) -> None:
        self.idle.append(finished.is_set())
        self.told.set()


def never() -> bool:
    return False


def test_what_succeeds_at_once_is_done_once_and_nobody_stays() -> None:
    source, patient = Staying(), PatientWork(never)
    assert patient.do(source, lambda: 7) == 7
    assert (source.idle, patient.failure, patient.n_failures) == ([], None, 0)


def test_a_store_that_takes_nothing_is_tried_again_while_the_source_stays() -> None:
    failures = ["the disk is full"] * 3
    said: list[str | None] = []

    def work() -> int:
        if failures:
            raise StorageError(failures.pop())
        return 7

    source = Staying()
    patient = PatientWork(never, on_change=lambda: said.append(patient.failure), first_pause_s=0.001)
    assert patient.do(source, work) == 7
    assert said == ["the disk is full", None]
    assert (patient.failure, patient.n_failures) == (None, 3)
    assert source.idle
    assert all(source.idle)


def test_the_source_stays_while_the_work_takes_long() -> None:
    source = Staying()
    patient = PatientWork(never, stay_after_s=0.0)
    slow: list[bool] = []

    def work() -> None:
        assert source.told.wait(60)
        slow.append(patient.is_slow)

    patient.do(source, work)
    assert source.idle[0] is False
    assert (slow, patient.is_slow) == ([True], False)


def test_a_stop_ends_the_waiting_and_leaves_the_work_undone() -> None:
    stopped = threading.Event()

    def work() -> None:
        stopped.set()
        raise StorageError("the disk is full")

    with pytest.raises(Stopped):
        PatientWork(stopped.is_set).do(Staying(), work)


def test_other_failures_go_through() -> None:
    def work() -> None:
        raise DecodeError("no luck")

    with pytest.raises(DecodeError, match="no luck"):
        PatientWork(never).do(Staying(), work)


def test_a_source_that_cannot_stay_is_waited_for_all_the_same() -> None:
    failures = ["x"]

    def work() -> int:
        if failures:
            raise StorageError(failures.pop())
        return threading.get_ident()

    assert PatientWork(never, first_pause_s=0.001).do(object(), work) == threading.get_ident()
