"""The archive that goes with a database of a test."""

import atexit
import shutil
import tempfile
from pathlib import Path

from sqlalchemy import make_url

from hub.archive.history import ArchiveHistory
from hub.storage.engine import Store

_others: list[Path] = []


def history_of(store: Store) -> ArchiveHistory:
    """Return the archive of a database: beside the file of a SQLite one, in a folder of this run for another; anew each time."""
    url = make_url(store.engine.url)
    if url.get_backend_name() == "sqlite":
        return ArchiveHistory(Path(str(url.database)).parent / "archive")
    if not _others:
        _others.append(Path(tempfile.mkdtemp(prefix="mmhub-archive-")))
        atexit.register(shutil.rmtree, _others[0], ignore_errors=True)
    return ArchiveHistory(_others[0] / str(url.database))
