"""The folder that a demo plays in: emptied before each, and never one that holds a real hub's database."""

import shutil
from pathlib import Path

from hub.bootstrap import DEMO_MARK, make_data_dir
from hub.config import Settings
from hub.errors import ConfigError

LEFT_BEHIND = ("hub.sqlite", "hub.sqlite-wal", "hub.sqlite-shm", "simulated-network.sqlite")
"""Files of a former demo, beside the VOEvents."""


def clear(settings: Settings) -> Path:
    """Return the data folder, emptied of a former demo and marked as a demo's.

    Raises
    ------
    ConfigError
        It holds a database that is not a demo's, or the database is not a file in it.
    """
    folder = make_data_dir(settings)
    if settings.storage.url:
        raise ConfigError("storage.url: a demo plays in its own SQLite file, so leave the URL empty")
    if settings.archive.folder:
        raise ConfigError("archive.folder: a demo keeps its alerts in its own folder, so leave it empty")
    mark = folder / DEMO_MARK
    if ((folder / "hub.sqlite").exists() or settings.archive_folder.exists()) and not mark.exists():
        raise ConfigError(f"{folder} holds the database of a real hub, which a demo would replace: name another with --data-dir")
    mark.write_text("made by `mmhub demo`, which empties this folder's database and archive\n", encoding="utf-8")
    for name in LEFT_BEHIND:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(settings.archive_folder, ignore_errors=True)
    for old in settings.announce_folder.glob("*.xml"):
        old.unlink()
    return folder
