"""All parts of the calibration, and how they are run."""

import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hub.calibration.null_law import NullLaw
from hub.calibration.planted import Planted
from hub.calibration.result import Part, Result, Size, Tell
from hub.calibration.slides import Slides
from hub.calibration.subject import as_shipped
from hub.calibration.truth_side import TruthSide
from hub.calibration.year import Year


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
    )


def run(part: Part, seed: int, size: Size, tell: Tell) -> tuple[Result, float]:
    """Return what a part found and its processor seconds; its random numbers depend on its name and the seed alone."""
    begun = time.process_time()
    result = part.run(np.random.default_rng([seed, zlib.crc32(part.name.encode())]), size, tell)
    return result, time.process_time() - begun


def chosen(parts: Sequence[Part], names: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts with these names, all where none is given; unknown names are those missing from the result."""
    return tuple(part for part in parts if not names or part.name in names)
