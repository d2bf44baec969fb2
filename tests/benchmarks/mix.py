"""Packets that stand for whole simulated nights: of each programme as many as its share, in runs of visits spread over the night.

A few whole visits would all be of the wide survey: deep fields, whose packets have the longest histories, are one visit in 35 and
come one after the other. A run is the begin of a visit: its detectors leave in a random order, so it is like the rest.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import count
from time import time

import numpy as np

from hub.demo.survey import schedule
from hub.demo.survey.night import SurveyNight

SEED = 1
RUN = 1_000
"""Packets taken from one visit, where the night has visits enough."""

LEAST_RUNS = 5
"""Of a programme: deep fields differ from each other."""

SAMPLED = 8
"""Visits of each programme whose alerts are counted."""

ROOM_BYTES = 8 << 20
"""Of packets without cutouts that are made at a time: little, since most of a visit is left out."""

PROGRAMMES = {"wide": schedule.WIDE, "deep": schedule.DEEP, "too": schedule.TOO}
"""Names for options."""


def last_night() -> date:
    """Return the latest day of observation whose night is over everywhere."""
    return datetime.fromtimestamp(time() - 2 * 86_400, tz=UTC).date()


def night_of(days_before: int = 0, *, with_cutouts: bool = True) -> SurveyNight:
    """Return the last night, or one before it."""
    return _night(last_night() - timedelta(days=days_before), with_cutouts)


@lru_cache(maxsize=4)
def _night(day: date, with_cutouts: bool) -> SurveyNight:
    return SurveyNight(SEED, day, with_cutouts=with_cutouts, room_bytes=ROOM_BYTES)


@lru_cache(maxsize=4)
def _shares(day: date) -> dict[int, float]:
    return shares(_night(day, with_cutouts=False))


@dataclass(frozen=True, kw_only=True)
class Run:
    """The first packets of a visit."""

    visit: int
    n: int


@dataclass(kw_only=True)
class Taken:
    """What was taken."""

    n_packets: int = 0
    n_bytes: int = 0
    n_with_history: int = 0
    """Packets with earlier detections of their object."""

    by_reason: Counter[str] = field(default_factory=Counter)
    """Packets by observation_reason."""

    def note(self) -> str:
        """Return it in words."""
        shares = ", ".join(f"{n / self.n_packets:.1%} {reason}" for reason, n in self.by_reason.most_common())
        return (
            f"{self.n_packets} packets: {shares}; mean {self.n_bytes / self.n_packets:.0f} B, "
            f"{self.n_with_history / self.n_packets:.0%} with history"
        )


def shares(night: SurveyNight) -> dict[int, float]:
    """Return the share of each programme in the alerts of a night, from some of its visits."""
    alerts = {}
    for programme in np.unique(night.visits.programme).tolist():
        visits = np.flatnonzero(night.visits.programme == programme)
        sample = _spread(visits, SAMPLED)
        alerts[programme] = len(visits) * float(np.mean([len(night.detections(visit)) for visit in sample]))
    whole = sum(alerts.values())
    return {programme: n / whole for programme, n in alerts.items()}


def runs(night: SurveyNight, n: int, share: dict[int, float]) -> list[Run]:
    """Return runs, in time order, that together have so many packets, where the night has them; its last visit is left out."""
    wanted = _apportioned(n, share)
    found = []
    for programme, quota in wanted.items():
        visits = np.flatnonzero(night.visits.programme[:-1] == programme)
        if not quota or not len(visits):
            continue
        chosen = _spread(visits, max(LEAST_RUNS, round(quota / RUN)))
        edges = np.linspace(0, quota, len(chosen) + 1).round().astype(int)
        found += [Run(visit=visit, n=int(size)) for visit, size in zip(chosen, np.diff(edges), strict=True)]
    return sorted(found, key=lambda run: run.visit)


def _apportioned(n: int, share: dict[int, float]) -> dict[int, int]:
    """Return whole numbers with the given sum and shares, by the method of the largest remainder."""
    exact = {programme: n * one for programme, one in share.items()}
    whole = {programme: int(one) for programme, one in exact.items()}
    by_remainder = sorted(exact, key=lambda programme: whole[programme] - exact[programme])
    for programme in by_remainder[: n - sum(whole.values())]:
        whole[programme] += 1
    return whole


def _spread(visits: np.ndarray, n: int) -> list[int]:
    """Return so many of the visits at most, evenly spread over them: the middles of equal parts."""
    n = min(n, len(visits))
    places = ((np.arange(n) + 0.5) * len(visits) / n).astype(int)
    return [int(visit) for visit in visits[places]]


def packets(n: int, *, with_cutouts: bool = True, taken: Taken | None = None) -> Iterator[bytes]:
    """Yield so many packets of the last night, and of those before where that is not enough; ``taken`` is told of each run.

    Parameters
    ----------
    n
        Packets.
    with_cutouts
        Whether they have their full size.
    taken
        What is kept of them.
    """
    told, left = taken if taken is not None else Taken(), n
    last = last_night()  # asked once: a run that lasts beyond midnight would take a night twice
    for days in count():
        night = _night(last - timedelta(days=days), with_cutouts)
        for run in runs(night, left, _shares(last - timedelta(days=days))):
            before = told.n_packets
            yield from first_of(night, run, told)
            left -= told.n_packets - before
        if not left:
            return


def first_of(night: SurveyNight, run: Run, taken: Taken) -> Iterator[bytes]:
    """Yield the packets of a run; a visit may have fewer."""
    made = night.visit(run.visit, run.n)
    sizes, n = 0, len(made.alerts)
    for packet in made.packets():
        sizes += len(packet)
        yield packet
    taken.n_packets += n
    taken.n_bytes += sizes
    taken.n_with_history += int(np.count_nonzero(made.alerts.n_history))
    taken.by_reason[made.alerts.reason] += n


def visits_of(night: SurveyNight, programme: str) -> Sequence[int]:
    """Return the visits of a programme but for the first and the last of the night.

    Raises
    ------
    SystemExit
        The night has none.
    """
    found = np.flatnonzero(night.visits.programme == PROGRAMMES[programme])
    visits = [int(visit) for visit in found if 0 < visit < len(night) - 1]
    if not visits:
        raise SystemExit(f"the night of {last_night()} has no visit of the programme {programme!r}")
    return visits
