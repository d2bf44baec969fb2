"""Whom an archive belongs to."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from hub.archive.owner import OWNER, claim, owner_of


def test_an_archive_belongs_to_the_first_that_claims_it(tmp_path: Path) -> None:
    assert owner_of(tmp_path) is None
    assert claim(tmp_path, "one") == "one"
    assert claim(tmp_path, "another") == "one"
    assert owner_of(tmp_path) == "one"


def test_of_two_threads_that_claim_it_at_once_one_gets_it_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are at their file on the disk before either gives it its name."""
    both, brought = Barrier(2), os.fsync

    def fsync(number: int) -> None:
        brought(number)
        if not (tmp_path / OWNER).exists():
            both.wait(timeout=60)

    monkeypatch.setattr("hub.archive.owner.os.fsync", fsync)
    with ThreadPoolExecutor(2) as threads:
        (owner,) = set(threads.map(lambda name: claim(tmp_path, name), ["one", "another"]))
    assert owner in {"one", "another"}
    assert [path.name for path in tmp_path.iterdir()] == [OWNER]
