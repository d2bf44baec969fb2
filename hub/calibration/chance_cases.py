"""Events in seasons of the simulated survey with all that the hub knows of them, made once for every part that looks at them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration.chance_events import Book, candidates_in, merger, shipped_book
from hub.calibration.chance_season import Plan, Season, SeasonHistory, season
from hub.calibration.result import Size, Tell
from hub.model.coincidence import Candidate
from hub.science.chance import Background
from hub.services.off_counts import Asked, OffCounts
from hub.storage.jsonable import load

SEARCH_D = 6.0
"""Days between event and question: longer than the onset window, so that what began after it must be told apart."""

FIRST_D = 18.0
"""Days of the season before the first event: some windows before it must fit in."""

_SUBJECT = 404


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One event that never happened, and what the hub makes of the sky inside its map."""

    season: Season
    asked: Asked
    background: Background
    inside: tuple[Candidate, ...]
    """Open candidates, all of them unrelated objects."""


Measure = Callable[[Season, SeasonHistory, Asked, Book], Background]
"""Takes a season and what is asked, and returns the background."""


def as_the_hub_does(sky: Season, history: SeasonHistory, asked: Asked, book: Book) -> Background:
    """Return the background by the hub's own counts."""
    counts = OffCounts(history=history, visits=sky.visits_around, policy=book.policy)
    return load(Background, counts.content(asked)["background"])


class Cases:
    """Makes cases, and keeps those that were made last.

    Parameters
    ----------
    measure
        The hub's counts, or a mistaken form of them.
    plan
        Of the seasons.
    """

    def __init__(self, measure: Measure = as_the_hub_does, plan: Plan | None = None) -> None:
        self._measure = measure
        self._plan = plan or Plan()
        self._key: tuple[object, ...] = ()
        self._kept: tuple[Case, ...] = ()

    def of(self, rng: Generator, size: Size, tell: Tell) -> tuple[Case, ...]:
        """Return the cases of a seed and a size, the same for every part of a run: their generators begin with one seed."""
        seed = seed_of(rng)
        key = (seed, size.off_maps, size.seasons)
        if key != self._key:
            self._kept = tuple(self._made(np.random.default_rng([seed, _SUBJECT]), size, tell))
            self._key = key
        return self._kept

    def _made(self, rng: Generator, size: Size, tell: Tell) -> Iterator[Case]:
        book, made = shipped_book(), 0
        for number in range(size.seasons):
            sky = season(int(rng.integers(2**31)), self._plan)
            history = SeasonHistory(sky)
            while made < size.off_maps * (number + 1) // size.seasons:
                asked = merger(rng, sky, made, book, search_d=SEARCH_D, first_d=FIRST_D)
                yield Case(
                    season=sky,
                    asked=asked,
                    background=self._measure(sky, history, asked, book),
                    inside=tuple(candidates_in(sky, history, asked, book.policy.chance.look_back_d)),
                )
                made += 1
            tell(f"{made} maps")


def seed_of(rng: Generator) -> int:
    """Return the first of the numbers that a generator was made from."""
    entropy = rng.bit_generator.seed_seq.entropy  # type: ignore[attr-defined]  # as `hub.calibration.running` makes them
    return int(entropy[0] if isinstance(entropy, list | tuple) else entropy)
