"""What a part of the calibration is and hands back: tables, figures, and checks that can fail."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Shape ``(n,)``."""

Tell = Callable[[str], None]
"""Takes a few words on how far a part is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated."""

    pairs: int
    """Coincidences in time of the null law, for each pair of maps and for the targeted search."""

    exact: int
    """Rotations of the same for which both maps are really made at their places and overlapped."""

    sources: int
    """Sources of each error model on the truth side."""

    maps: int
    """Sky maps that mergers are drawn from."""

    mergers_per_map: int
    years: int
    """Years of unrelated notices."""

    slides: int
    """Shifts of the recorded list of triggers."""

    defects: float
    """Sizes with which defects are looked for, relative to these."""

    mergers: int
    """Mergers that are put into simulated nights."""

    largest_deg2: float = math.inf
    """Largest of their 90 % areas: unrelated objects are made wherever there is a map."""

    off_maps: int = 200
    """Maps of events that never happened, in which unrelated objects are counted."""

    seasons: int = 4
    """Seasons of the survey that they lie in."""

    injections: int = 5
    """Mergers for each of these maps: some leave a counterpart, some do not."""


FULL = Size(
    pairs=1_000_000, exact=400, sources=2_000, maps=100, mergers_per_map=20, years=300, slides=2_000, defects=0.15, mergers=1_000
)
"""What the committed page is made with."""

QUICK = Size(
    pairs=100_000,
    exact=60,
    sources=200,
    maps=8,
    mergers_per_map=60,
    years=20,
    slides=200,
    defects=0.6,
    mergers=60,
    largest_deg2=60.0,
    off_maps=40,
    seasons=1,
)
"""A few minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One statement that can turn out false."""

    name: str
    """The statement."""

    passed: bool
    found: str
    """What was measured, and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of words and numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One line of a figure."""

    label: str
    x: Floats
    y: Floats
    error: Floats | None = None
    """One standard deviation of y; the points are drawn with bars then."""

    low: Floats | None = None
    """Lower edge of a band, which is drawn in the place of the line."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figure:
    """A plot, described; `hub.calibration.figures` draws it."""

    name: str
    """Of its file, without the ending."""

    caption: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """What a part found."""

    checks: tuple[Check, ...]
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    """Paragraphs on the method, in Markdown."""

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not hold."""
        return tuple(check for check in self.checks if not check.passed)


class Part(Protocol):
    """One subject of the calibration."""

    @property
    def name(self) -> str:
        """A word for the command line."""

    @property
    def title(self) -> str:
        """Heading on the page."""

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Simulate, measure and check; the same generator and size give the same result."""


def joined(results: Sequence[Result]) -> Result:
    """Return several results as one."""
    return Result(
        checks=tuple(check for one in results for check in one.checks),
        tables=tuple(table for one in results for table in one.tables),
        figures=tuple(figure for one in results for figure in one.figures),
        notes=tuple(note for one in results for note in one.notes),
    )
