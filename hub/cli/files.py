"""Files that a person names: read whole, up to a limit, and only if they are files."""

import errno
import os
from pathlib import Path


def read_up_to(path: Path, limit: int) -> bytes | None:
    """Return the bytes of a regular file; None where it is larger than the limit, bytes.

    Raises
    ------
    OSError
        It cannot be read, or is a pipe or a device, which might never end.
    """
    refuse_pipes(path)
    with path.open("rb") as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def refuse_pipes(path: Path) -> None:
    """Raise `OSError` where a path is neither a file nor a folder nor missing."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
