"""The files that the hub ships: ``conf/`` and ``schemas/``, read from the installed package or from the source tree.

A wheel carries them inside the package as ``hub/_data``; an editable install and a clone read them where they lie. A name is
always written as it stands in the tree, with forward slashes: ``conf/default.toml``, ``schemas/lsst/10.0.avsc``.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

SHIPPED_FOLDERS = ("conf", "schemas")
"""Top-level folders that a wheel carries; ``setup.py`` copies the same."""


def read_bytes(relative: str) -> bytes:
    """Return the content of one shipped file.

    Parameters
    ----------
    relative
        Its name in the tree, e.g. ``schemas/lsst/10.0.avsc``.

    Raises
    ------
    FileNotFoundError
        No such file is shipped.
    """
    found = _find(relative)
    if not found.is_file():
        raise FileNotFoundError(f"the hub ships no file {relative}")
    return found.read_bytes()


def read_text(relative: str) -> str:
    """Return the content of one shipped file as UTF-8 text; as `read_bytes` otherwise."""
    return read_bytes(relative).decode()


def listing(relative: str) -> list[str]:
    """Return the names of all files below a shipped folder as `read_bytes` takes them, sorted; none without such a folder."""
    found = _find(relative)
    return sorted(_walk(found, PurePosixPath(relative))) if found.is_dir() else []


def _walk(folder: Traversable, name: PurePosixPath) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, name / entry.name)
        else:
            yield str(name / entry.name)


def _find(relative: str) -> Traversable:
    parts = PurePosixPath(relative).parts
    if not parts or parts[0] not in SHIPPED_FOLDERS or ".." in parts:
        raise FileNotFoundError(f"the hub ships no file {relative}: names begin with {' or '.join(SHIPPED_FOLDERS)}")
    return _root().joinpath(*parts)


def _root() -> Traversable:
    packaged = files("hub") / "_data"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent
