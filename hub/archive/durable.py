"""Bringing files and names to the disk, one or many at once."""

import ctypes
import errno
import os
from collections.abc import Sequence
from pathlib import Path

MANY = 8
"""So many files are brought to the disk by one call for their whole file system: twenty times faster for a hundred."""


_named: dict[Path, int] = {}
"""Folders whose names this process has brought to the disk, with their inodes: one that is made anew has another."""

_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Faults of folders above the archive that nobody here could have made."""


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, on the disk when this returns.

    One that is there may be another process's that has not yet brought its name to the disk: that is done here too, once.
    """
    if folder in _named and folder.is_dir() and folder.stat().st_ino == _named[folder]:
        return
    if folder != folder.parent:
        make_folders(folder.parent)
        was_there = folder.is_dir()
        folder.mkdir(exist_ok=True)
        try:
            sync_folder(folder.parent)
        except OSError as error:
            if not was_there or error.errno not in _NOT_OURS:
                raise
    _named[folder] = folder.stat().st_ino


def folders_of(paths: Sequence[Path], root: Path) -> list[Path]:
    """Return the folders that hold the names of files below a folder and of each other, that folder included, sorted."""
    return sorted({folder for path in paths for folder in path.parents if folder.is_relative_to(root)})


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno != errno.EINVAL:  # file systems that cannot do it write names at once
            raise
    finally:
        os.close(number)


def sync_files(paths: Sequence[Path], folder: Path) -> None:
    """Bring files and folders, all below one folder, to the disk.

    Raises
    ------
    OSError
        It did not work.
    """
    if len(paths) >= MANY and _sync_file_system(folder):
        return
    for path in paths:
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _sync_file_system(folder: Path) -> bool:
    """Bring everything of a file system to the disk; return whether this machine can. Linux reports faults of it since 5.8."""
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except AttributeError:
        return False
    number = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(number) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(number)
    return True
