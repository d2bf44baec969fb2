"""Alerts against localizations: what fits, for both directions of time.

`match` judges a batch by one target: a new localization against past alerts. `fitting` judges what the sky index found, for all
targets at once: new alerts against all live localizations. Both give the same answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import NO_TIME, AlertBatch
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.notice import Notice
from hub.science.healpix import area_sr, find
from hub.science.hypotheses import Hypothesis, PriorActivity
from hub.science.levels import Levels2D
from hub.science.place_levels import PlaceLevels
from hub.science.rules import DAY_S


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """One hypothesis about one event, with every version's time and map."""

    event: Event
    hypothesis: Hypothesis
    t0s: tuple[Instant, ...]
    """Times of the event in all its versions."""

    maps: Mapping[str, Levels2D | PlaceLevels]
    """Localization id to levels, all versions."""

    too_large: frozenset[str] = frozenset()
    """Ids of the maps that are too large to make candidates by themselves: nothing matches by them."""

    @property
    def window(self) -> tuple[Instant, Instant]:
        """Alerts outside this half-open interval never fit; later ones do not matter at all, earlier ones tell a past."""
        low, high = self.hypothesis.window_d
        return min(self.t0s).plus_s(low * DAY_S), max(self.t0s).plus_s(high * DAY_S + 1e-6)


def targets_of(
    event: Event,
    hypotheses: Sequence[Hypothesis],
    maps: Mapping[str, Levels2D | PlaceLevels],
    too_large: frozenset[str] = frozenset(),
) -> list[Target]:
    """Return the targets that an event gives: one per hypothesis that any of its notices admits; none without time or map."""
    if not event.t0s or not maps:
        return []
    return [
        Target(event=event, hypothesis=hypothesis, t0s=event.t0s, maps=maps, too_large=too_large)
        for hypothesis in admitted(event, hypotheses)
    ]


def admitted(event: Event, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Return the hypotheses that any notice of an event admits."""
    return [one for one in hypotheses if any(admits(one, notice) for notice in event.content)]


def admits(hypothesis: Hypothesis, notice: Notice) -> bool:
    """Tell whether one notice admits a hypothesis: its class, and one of the required probabilities where any is stated."""
    if notice.event_class not in hypothesis.classes:
        return False
    return probable(hypothesis, {**notice.properties, **notice.classification})


def probable(hypothesis: Hypothesis, numbers: Mapping[str, object]) -> bool:
    """Tell whether one of the required probabilities is reached, or none of them is stated."""
    stated = {
        name: float(value)
        for name in hypothesis.require_any_class
        if isinstance(value := numbers.get(name), int | float) and not isinstance(value, bool)
    }
    return not stated or any(value >= hypothesis.require_any_class[name] for name, value in stated.items())


def match(batch: AlertBatch, target: Target) -> NDArray[np.bool_]:
    """Return the rows that fit a target: usable, timely, and inside at least one of its maps that is not too large.

    Each row is judged by itself, so the answer for a set of rows is the union of the answers for its parts, whatever their order.
    """
    rows = np.zeros(len(batch), dtype=bool)
    fitting = np.flatnonzero(usable(batch, target.hypothesis, target.t0s))
    if not len(fitting):
        return rows
    pixels = batch.hpx29[fitting]
    inside = np.zeros(len(fitting), dtype=bool)
    for name, levels in target.maps.items():
        if name not in target.too_large:
            inside |= contains(levels, pixels, target.hypothesis.max_level)
    rows[fitting[inside]] = True
    return rows


def contains(levels: Levels2D | PlaceLevels, pixels: NDArray[np.int64], level: float) -> NDArray[np.bool_]:
    """Tell which order-29 pixels lie in the smallest greedy region that reaches a level, the tile that crosses it included.

    So a map whose first tile holds more than the level still contains that tile.
    """
    index = find(levels.lo, levels.hi, pixels)
    before = levels.searched_prob[index] - levels.probdensity[index] * area_sr(levels.lo[index], levels.hi[index])
    return (index >= 0) & (before < level)


def usable(batch: AlertBatch, hypothesis: Hypothesis, t0s: Sequence[Instant]) -> NDArray[np.bool_]:
    """Return the rows that a hypothesis accepts at any of these event times, position aside. A missing value never excludes."""
    fits = ~(batch.reliability < hypothesis.min_reliability)
    if hypothesis.exclude_solar_system:
        fits &= ~batch.is_solar_system
    if hypothesis.exclude_negative:
        fits &= ~batch.is_negative
    if hypothesis.min_flux_njy is not None:
        fits &= ~(batch.flux_njy < hypothesis.min_flux_njy)
    fits &= batch.object_id != b""
    timely = np.zeros(len(batch), dtype=bool)
    onset = first_detection_us(batch)
    for t0 in t0s:
        in_window = _between(batch.mid_tai_us, t0, hypothesis.window_d)
        low, high = (t0.plus_s(days * DAY_S).tai_us for days in hypothesis.first_d)
        begins = onset <= high
        if hypothesis.prior_activity is PriorActivity.EXCLUDE:
            begins &= onset >= low
        timely |= in_window & begins
    return fits & timely


def _least_flux(hypothesis: Hypothesis) -> float:
    return -np.inf if hypothesis.min_flux_njy is None else hypothesis.min_flux_njy


def first_detection_us(batch: AlertBatch) -> NDArray[np.int64]:
    """Return for each row the first detection that its packet knows, itself where it says nothing."""
    return np.where(batch.first_tai_us == NO_TIME, batch.mid_tai_us, np.minimum(batch.first_tai_us, batch.mid_tai_us))


def _between(times_us: NDArray[np.int64], t0: Instant, interval_d: tuple[float, float]) -> NDArray[np.bool_]:
    low, high = (t0.plus_s(days * DAY_S).tai_us for days in interval_d)
    return (times_us >= low) & (times_us <= high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One way by which an alert can fit an event: inside a map, at a time, under a hypothesis."""

    event_id: str
    localization_id: str
    hypothesis: Hypothesis
    t0: Instant
    is_too_large: bool
    """Whether the map is too large to make candidates."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkColumns:
    """Links as columns, shape ``(n,)``, grouped by map."""

    event_ids: tuple[str, ...]
    firsts: NDArray[np.int64]
    """First link of each map, and at the end the number of links: shape ``(n_maps + 1,)``."""

    event: NDArray[np.int32]
    """Index into `event_ids`."""

    is_too_large: NDArray[np.bool_]
    max_level: NDArray[np.float64]
    min_reliability: NDArray[np.float64]
    min_flux_njy: NDArray[np.float64]
    """Minus infinity where there is no limit."""

    exclude_solar_system: NDArray[np.bool_]
    exclude_negative: NDArray[np.bool_]
    window_us: NDArray[np.int64]
    """First and last time of an exposure that fits, `Instant.tai_us`, inclusive, shape ``(n, 2)``."""

    onset_us: NDArray[np.int64]
    """The same of the first detection."""

    @classmethod
    def of(cls, localization_ids: Sequence[str], links: Sequence[Link]) -> Self:
        """Return the columns of some links, whose maps are all among some localizations, in the order of these."""
        place = {name: number for number, name in enumerate(localization_ids)}
        ordered = sorted(links, key=lambda link: place[link.localization_id])
        event_ids = tuple(dict.fromkeys(link.event_id for link in ordered))
        number = {name: index for index, name in enumerate(event_ids)}
        of_map = np.array([place[link.localization_id] for link in ordered], dtype=np.int64)
        counts = np.bincount(of_map, minlength=len(localization_ids))
        return cls(
            event_ids=event_ids,
            firsts=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            event=np.array([number[link.event_id] for link in ordered], dtype=np.int32),
            is_too_large=np.array([link.is_too_large for link in ordered], dtype=bool),
            max_level=np.array([link.hypothesis.max_level for link in ordered], dtype=np.float64),
            min_reliability=np.array([link.hypothesis.min_reliability for link in ordered], dtype=np.float64),
            min_flux_njy=np.array([_least_flux(link.hypothesis) for link in ordered], dtype=np.float64),
            exclude_solar_system=np.array([link.hypothesis.exclude_solar_system for link in ordered], dtype=bool),
            exclude_negative=np.array([link.hypothesis.exclude_negative for link in ordered], dtype=bool),
            window_us=np.array([_span(link.t0, link.hypothesis.window_d) for link in ordered], np.int64).reshape(-1, 2),
            onset_us=np.array([_onset(link.t0, link.hypothesis) for link in ordered], dtype=np.int64).reshape(-1, 2),
        )

    @property
    def nbytes(self) -> int:
        """Memory of the columns, bytes."""
        return sum(value.nbytes for name in self.__slots__ if isinstance(value := getattr(self, name), np.ndarray))


def fitting(
    batch: AlertBatch, point: NDArray[np.int64], place: NDArray[np.int32], before: NDArray[np.float64], links: LinkColumns
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which alerts that lie in maps fit events, as `match` does for each target by itself.

    Parameters
    ----------
    batch
        The alerts.
    point, place, before
        Hits of the sky index: the row of the batch, the map by its number, and the probability that is searched before its tile.
    links
        What the maps may mean.

    Returns
    -------
    rows, link
        Row of the batch and number of the link of each fit; a pair of alert and event may come by several links.
    """
    counts = links.firsts[place + 1] - links.firsts[place]
    starts = np.cumsum(counts) - counts
    link = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(links.firsts[place] - starts, counts)
    hit = np.repeat(np.arange(len(place)), counts)
    # One cut after the other, the one that leaves least first: the others look at what is left only.
    mid = batch.mid_tai_us[point]
    keep = (mid[hit] >= links.window_us[link, 0]) & (mid[hit] <= links.window_us[link, 1])
    hit, link = hit[keep], link[keep]
    onset = first_detection_us(batch)[point]
    keep = (onset[hit] >= links.onset_us[link, 0]) & (onset[hit] <= links.onset_us[link, 1])
    keep &= before[hit] < links.max_level[link]
    hit, link = hit[keep], link[keep]
    rows = point[hit]
    keep = ~(batch.reliability[rows] < links.min_reliability[link])
    keep &= ~(batch.flux_njy[rows] < links.min_flux_njy[link])
    keep &= ~(batch.is_solar_system[rows] & links.exclude_solar_system[link])
    keep &= ~(batch.is_negative[rows] & links.exclude_negative[link])
    keep &= batch.object_id[rows] != b""
    return rows[keep], link[keep]


def _span(t0: Instant, interval_d: tuple[float, float]) -> tuple[int, int]:
    low, high = (t0.plus_s(days * DAY_S).tai_us for days in interval_d)
    return low, high


def _onset(t0: Instant, hypothesis: Hypothesis) -> tuple[int, int]:
    low, high = _span(t0, hypothesis.first_d)
    return (low if hypothesis.prior_activity is PriorActivity.EXCLUDE else int(np.iinfo(np.int64).min)), high
