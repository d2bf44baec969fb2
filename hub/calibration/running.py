"""All parts of the calibration, and how they are run."""

import multiprocessing
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import numpy as np

from hub.calibration.candidates import CandidatesPart
from hub.calibration.injections import Injections
from hub.calibration.null_law import NullLaw
from hub.calibration.planted import Planted
from hub.calibration.result import Part, Result, Size, Tell
from hub.calibration.slides import Slides
from hub.calibration.subject import as_shipped
from hub.calibration.truth_side import TruthSide
from hub.calibration.year import Year

_LONGEST_FIRST = ("injections", "candidates", "null", "planted", "truth")
"""Parts that are begun before the others where several run side by side, so that none is waited for at the end."""


def all_parts(triggers: Path | None) -> tuple[Part, ...]:
    """Return the parts in the order of the page; a new one is added here.

    Parameters
    ----------
    triggers
        A recorded list of triggers, for those parts that use one.
    """
    subject = as_shipped()
    return (
        NullLaw(subject=subject, nature=subject.rules),
        TruthSide(subject=subject),
        Year(subject=subject, nature=subject.rules),
        Planted(subject=subject, nature=subject.rules),
        Slides(subject=subject, nature=subject.rules, triggers=triggers),
        Injections(subject=subject),
        CandidatesPart(),
    )


def run(part: Part, seed: int, size: Size, tell: Tell) -> tuple[Result, float]:
    """Return what a part found and its processor seconds; its random numbers depend on its name and the seed alone."""
    begun = time.process_time()
    result = part.run(np.random.default_rng([seed, zlib.crc32(part.name.encode())]), size, tell)
    return result, time.process_time() - begun


def chosen(parts: Sequence[Part], names: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts with these names, all where none is given; unknown names are those missing from the result."""
    return tuple(part for part in parts if not names or part.name in names)


def run_together(
    parts: Sequence[Part], seed: int, size: Size, triggers: Path | None, jobs: int
) -> Iterator[tuple[Part, Result, float]]:
    """Yield what parts found, in their order, while others run in further processes; the same as `run` one after the other.

    Parameters
    ----------
    parts
        Of `all_parts`.
    seed, size, triggers
        As `run` and `all_parts` take them.
    jobs
        Processes.
    """

    def place(part: Part) -> int:
        return _LONGEST_FIRST.index(part.name) if part.name in _LONGEST_FIRST else len(_LONGEST_FIRST)

    # A fresh interpreter each: a copy of this one would have threads that do not run.
    with ProcessPoolExecutor(min(jobs, len(parts)), mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: dict[str, Future[tuple[Result, float]]] = {}
        for one in sorted(parts, key=place):
            waiting[one.name] = pool.submit(_by_name, one.name, seed, size, triggers)
        for one in parts:
            result, cpu_s = waiting[one.name].result()
            yield one, result, cpu_s


def _by_name(name: str, seed: int, size: Size, triggers: Path | None) -> tuple[Result, float]:
    (part,) = chosen(all_parts(triggers), (name,))
    return run(part, seed, size, _hush)


def _hush(words: str) -> None:
    """Say nothing: several processes would write over one another."""
