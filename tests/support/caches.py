"""Heavy things that the tests build once per machine: a folder each, named by what it was made from."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path


def folder() -> Path:
    """Return where the caches are: MMHUB_CACHE, else ~/.cache/mmhub-tests."""
    named = os.environ.get("MMHUB_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "mmhub-tests"


def place(name: str, made_from: Iterable[bytes]) -> Path:
    """Return the folder that something made from these inputs has; it exists only once it is complete."""
    digest = hashlib.sha256()
    for part in made_from:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return folder() / f"{name}-{digest.hexdigest()[:16]}"


def built(target: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder, which `build` fills where it is not there yet.

    One process builds, others wait for it. The folder appears by a rename, so that one whose making was killed is never taken for whole.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        unfinished = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
        try:
            build(unfinished)
            unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target
