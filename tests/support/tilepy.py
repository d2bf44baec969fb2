"""tilepy, a planner of pointings for telescopes: in an environment of its own, without a network, as a peer that plans are compared with.

It comes from PyPI (LGPL-3.0-or-later) in the versions of ``tilepy_requirements.txt`` and needs older numpy and scipy than the hub. Only the
benchmark of plans wants it, so that its environment (1.2 GB, some minutes) is built by the first one that runs and not by `tests.support.prepare`.
"""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.errors import HubError
from tests.support import caches

REQUIREMENTS = Path(__file__).parent / "tilepy_requirements.txt"
"""What is installed, everything pinned."""

DRIVER = Path(__file__).parent / "tilepy_driver.py"
"""Runs in its environment."""


class TilepyMissing(HubError):
    """tilepy cannot be installed here."""


class TilepyFailed(HubError):
    """It made no plan; the text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """One of its pointings."""

    ra_deg: float
    dec_deg: float
    start_utc: str
    """Begin, to the second."""


def prepare() -> Path:
    """Return the environment with tilepy, built where it is not there.

    Raises
    ------
    TilepyMissing
        pip does not bring the packages.
    """
    version = f"{sys.implementation.cache_tag}".encode()
    return caches.built(caches.place("tilepy", [REQUIREMENTS.read_bytes(), version]), _build)


def _build(folder: Path) -> None:
    venv.create(folder, with_pip=True, symlinks=True)
    command = [*_python(folder), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["-r", str(REQUIREMENTS)]
    installed = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if installed.returncode != 0:
        raise TilepyMissing(f"pip cannot install tilepy: {installed.stderr.strip()[-300:]}")


def _python(folder: Path) -> list[str]:
    return [str(folder / "bin" / "python"), "-P"]  # names of modules beside the driver are not to be imported


def plan(asked: Mapping[str, Any], longest_s: float) -> tuple[list[Pointing], float]:
    """Return what it plans, in its order, and how many seconds that took it without its imports.

    Parameters
    ----------
    asked
        What the driver reads, but for the folder.
    longest_s
        After so many seconds it is ended.

    Raises
    ------
    TilepyFailed
        It took too long or ended with an error.
    TilepyMissing
        As of `prepare`.
    """
    environment = prepare()
    with tempfile.TemporaryDirectory(prefix="mmhub-tilepy-") as folder:
        command = [*_python(environment), str(DRIVER)]
        words = json.dumps({**asked, "folder": folder})
        try:
            ended = subprocess.run(command, input=words, capture_output=True, text=True, check=False, timeout=longest_s)
        except subprocess.TimeoutExpired:
            raise TilepyFailed(f"not within {longest_s:.0f} s") from None
    if ended.returncode != 0:
        raise TilepyFailed((ended.stderr.strip().splitlines() or ["it ended without a word"])[-1][:200])
    answer = json.loads(ended.stdout)
    return [Pointing(ra_deg=ra, dec_deg=dec, start_utc=start) for ra, dec, start in answer["pointings"]], answer["seconds"]
