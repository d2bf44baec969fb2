"""Which database an archive belongs to: that of the first hub that appends to it, or looks after it.

Its ledgers say what that one heard, and another one would write them anew; rows that another one's workers append are in no book
of the first.
"""

import os
import secrets
from pathlib import Path

from hub.archive.durable import sync_folder
from hub.archive.space import translated

OWNER = "database"
"""File in the archive: the number of the database."""


def owner_of(archive: Path) -> str | None:
    """Return the number of the database that an archive belongs to; None where it belongs to none yet.

    Raises
    ------
    StorageError
        The disk does not work.
    """
    path = archive / OWNER
    try:
        with translated(path):
            return path.read_text(encoding="ascii", errors="replace").strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None


def claim(archive: Path, database: str) -> str:
    """Write down that an archive belongs to a database, unless it belongs to one; return the one that it belongs to.

    Raises
    ------
    StorageError
        The disk does not work.
    """
    if (owner := owner_of(archive)) is not None:
        return owner
    path = archive / OWNER
    beside = archive / f".{OWNER}-{secrets.token_hex(8)}"
    with translated(path):
        with beside.open("w", encoding="ascii") as file:
            file.write(f"{database}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(beside)
        except FileExistsError:  # another process was faster
            pass
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(archive)
    return owner_of(archive) or database


def foreign(archive: Path) -> str:
    """Return the sentence that refuses an archive of another database."""
    return (
        f"the archive {archive} belongs to the database of another hub: give each hub its own archive.folder, or delete the file "
        f"{archive / OWNER} if that database is gone for good"
    )
