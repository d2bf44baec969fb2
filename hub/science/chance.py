"""How many unrelated objects would look as good as a candidate by chance: counts beside the event, never with it.

Off maps are the event's map at other places, or the same fields before the event. What the surveys searched of each is divided
into strata; an object counts in the stratum of the look by which it was found. Counts over exposure in the off maps, times the
exposure inside the map since the event, is the expectation. Strata with too little exposure are pooled, coarser and coarser;
where even the coarsest has too little, the answer is that the background is insufficient. That rates differ from map to map by
more than Poisson says is measured from the counts of whole off maps, and widens what is stated (gamma-Poisson: the rate of a map
is drawn from a gamma distribution with the relative variance `Background.dispersion`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRIOR_COUNTS = 0.5
"""Added to every count, as Jeffreys' prior of a Poisson rate does (Jeffreys 1961, section 3.10): no expectation is ever 0."""

LOW, HIGH = 0.05, 0.95
"""Quantiles of the interval that is stated."""


class Stratum(NamedTuple):
    """Where and how was looked; each part in words that a person reads."""

    programme: str
    """LSST ``observation_reason``."""

    band: str
    gap: str
    """Days since the last look at that place, as an interval."""

    depth: str
    """AB magnitude at 5 sigma, as an interval."""

    level: str
    """2D level of the place in the map, as an interval."""


DIMENSIONS = Stratum._fields
"""What strata can be pooled over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChancePolicy:
    """Table ``[chance]`` of conf/counterparts.toml."""

    n_time_shifts: int
    """Most off maps at the same place before the event."""

    n_place_shifts: int
    """Most off maps at other right ascensions."""

    place_step_deg: float
    """Right ascensions that are tried are so far apart."""

    max_galactic_change_deg: float
    """An off map's mean |b| differs by at most so much."""

    max_ecliptic_change_deg: float
    """An off map's mean distance from the ecliptic differs by at most so much."""

    n_points: int
    """Points that stand for the area of the map."""

    gap_edges_d: tuple[float, ...]
    depth_edges_ab: tuple[float, ...]
    level_edges: tuple[float, ...]
    min_hull_alerts: int
    """Detectors whose footprint is the hull of fewer alerts do not count."""

    look_back_d: float
    """A look longer ago than this does not count as one."""

    pooling: tuple[tuple[str, ...], ...]
    """What strata are told apart by, of `DIMENSIONS`: the finest first."""

    min_exposure_ratio: float
    """Off exposure of a stratum over the exposure inside the map; with less it is pooled."""

    typical_dispersion: float
    """Relative variance of rates from map to map beyond Poisson, with a standard deviation as large: what is supposed before the
    off maps tell, and where they are too few to."""

    max_unlike: float
    """Share of the exposure inside the map that may have no like in the off maps."""

    min_off_maps: int
    max_window_d: float
    """Of the time since the event not more than this is looked at, days."""

    max_objects: int
    """Objects of an off map that are evaluated; of more of them a sample."""

    every_min: float
    """Open live events are estimated anew after so many minutes."""

    seed: int
    """Chooses which shifts are taken of those possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OffObject:
    """An unrelated object that passes the cuts in an off map."""

    stratum: Stratum
    level: float
    score: float
    confirmed: bool

    evidence: float = 0.0
    """Logarithm of the likelihood ratio of what was seen of it, as if it were the counterpart; its place aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OffMap:
    """What was searched and found in one off map."""

    ra_shift_deg: float
    """0 for the same fields before the event."""

    shift_d: float
    """So many days before the event; 0 for another place at the same time."""

    exposure: Mapping[Stratum, float]
    """Square degrees times looks."""

    objects: Sequence[OffObject]
    share_evaluated: float = 1.0
    """Of the objects that match, the sample that `objects` comes from."""

    n_unplaced: int = 0
    """Objects that no visit of the ledger explains; they do not count."""

    @property
    def total(self) -> float:
        """Exposure of all strata."""
        return math.fsum(self.exposure.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRate:
    """A stratum, or several in one, with its counts."""

    dimensions: tuple[str, ...]
    """What it is told apart by."""

    values: tuple[str, ...]
    n: float
    """Objects in the off maps; more than were evaluated where those were a sample."""

    off_exposure: float
    """Square degrees times looks."""

    on_exposure: float
    """The same inside the map since the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Unrelated objects inside one map since one event, under one hypothesis, in one survey."""

    reason: str | None
    """Why nothing can be said, None where something can."""

    cells: tuple[CellRate, ...] = ()
    levels: tuple[float, ...] = ()
    """2D level of each off object; so are the following ones."""

    scores: tuple[float, ...] = ()
    confirmed: tuple[bool, ...] = ()
    evidences: tuple[float, ...] = ()
    """`OffObject.evidence`; none where the background was measured before it was kept."""

    weights: tuple[float, ...] = ()
    """How many objects inside the map each stands for."""

    unit_weight: float = 0.0
    """How many objects inside the map one off object stands for on average."""

    dispersion: float = 0.0
    """Relative variance of the rate from map to map beyond Poisson."""

    n_off_maps: int = 0
    on_exposure: float = 0.0
    off_exposure: float = 0.0
    on_area_deg2: float = 0.0
    """Area inside the map that was looked at at least once since the event."""

    remarks: tuple[str, ...] = field(default=())

    @property
    def is_sufficient(self) -> bool:
        """Whether an expectation can be stated."""
        return self.reason is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """How many unrelated objects are at least as good as something."""

    mu: float
    low: float
    """5 % quantile of the rate, counting errors and over-dispersion in."""

    high: float
    chance: float
    """``1 - exp(-mu)``: probability of at least one, of a Poisson number with the mean ``mu``."""

    chance_dispersed: float
    """The same where the mean itself is uncertain: ``1 - (1 + v mu)^(-1/v)``."""

    relative_variance: float
    """v: of counting in the off maps, and `Background.dispersion`."""

    n_off: int
    """Off objects that are at least as good."""


def estimate(
    on: Mapping[Stratum, float], offs: Sequence[OffMap], policy: ChancePolicy, *, on_area_deg2: float = 0.0
) -> Background:
    """Return the background inside a map, from the exposure inside it and from off maps; their order does not matter."""
    searched = sorted((one for one in offs if one.total > 0.0), key=lambda one: (one.ra_shift_deg, one.shift_d))
    on_total, off_total = math.fsum(on.values()), math.fsum(one.total for one in searched)
    facts = partial(
        Background,
        n_off_maps=len(searched),
        on_exposure=on_total,
        off_exposure=off_total,
        on_area_deg2=on_area_deg2,
        remarks=_remarks(searched),
    )
    if on_total <= 0.0:
        return facts(reason="nothing of the map was searched since the event, as far as the ledger knows")
    if len(searched) < policy.min_off_maps:
        found = f"{len(searched)} of the off maps {'was' if len(searched) == 1 else 'were'} searched"
        return facts(reason=f"insufficient background: {found}, at least {policy.min_off_maps} are needed")
    pools = _Pools.of(on, searched, policy)
    assigned: dict[tuple[int, tuple[str, ...]], float] = {}
    unlike = 0.0
    for stratum, exposure in sorted(on.items()):
        cell = pools.cell_of(stratum)
        if cell is None:
            unlike += exposure
        else:
            assigned[cell] = assigned.get(cell, 0.0) + exposure
    if unlike > policy.max_unlike * on_total:
        share = f"{100 * unlike / on_total:.0f} %"
        return facts(reason=f"insufficient background: {share} of what was searched has no like in the off maps")
    return _background(assigned, pools, searched, on_total / (on_total - unlike), policy.typical_dispersion, facts)


def expected(background: Background, *, level: float, score: float, confirmed: bool = False) -> Expectation | None:
    """Return how many unrelated objects have a level and a score at least as good; None where the background is insufficient.

    Those with two detections are before those with one, so of a confirmed candidate only confirmed ones count.
    """
    if not background.is_sufficient:
        return None
    levels, scores = np.asarray(background.levels), np.asarray(background.scores)
    as_good = (levels <= level) & (scores >= score)
    if confirmed:
        as_good &= np.asarray(background.confirmed, dtype=bool)
    return _expectation(np.asarray(background.weights)[as_good], background)


def density_per_deg2(background: Background, *, confirmed: bool) -> float | None:
    """Return the unrelated objects that pass the cuts per square degree searched, confirmed ones or those seen once.

    None where the background is insufficient, or the searched area unknown.
    """
    if not background.is_sufficient or background.on_area_deg2 <= 0.0:
        return None
    own = np.asarray(background.confirmed, dtype=bool) == confirmed
    return _expectation(np.asarray(background.weights)[own], background).mu / background.on_area_deg2


@dataclass(frozen=True, slots=True, kw_only=True)
class LikenessPolicy:
    """How the likeness of unrelated objects is estimated: table ``[posterior.likeness]`` of conf/counterparts.toml."""

    prior_alike: float
    """So many unrelated objects that look no more like a counterpart than not are added to those measured."""

    least: float
    """Least mean."""

    most_evidence: float
    """The most, a log, that one of them can do to it."""


def likeness(background: Background, policy: LikenessPolicy, *, confirmed: bool) -> float | None:
    """Return the mean likelihood ratio of unrelated objects, of those with two detections or of those seen once.

    None where it was not measured.
    """
    if not background.is_sufficient or len(background.evidences) != len(background.weights):
        return None
    own = np.asarray(background.confirmed, dtype=bool) == confirmed
    weights, evidences = np.asarray(background.weights)[own], np.asarray(background.evidences)[own]
    prior = policy.prior_alike * background.unit_weight
    mean = float(weights @ np.exp(np.minimum(evidences, policy.most_evidence))) + prior
    return max(policy.least, mean / (float(weights.sum()) + prior))


def interval(value: float | None, edges: Sequence[float], *, unit: str = "") -> str:
    """Return the interval of ascending edges that a value lies in, in words; ``none`` where there is no value.

    >>> interval(1.5, (1.0, 5.0), unit=" d"), interval(9.0, (1.0, 5.0)), interval(None, (1.0,))
    ('1 to 5 d', 'from 5', 'none')
    """
    if value is None or math.isnan(value):
        return "none"
    place = int(np.searchsorted(np.asarray(edges), value, side="right"))
    if place == 0:
        return f"below {edges[0]:g}{unit}" if edges else "any"
    return f"from {edges[-1]:g}{unit}" if place == len(edges) else f"{edges[place - 1]:g} to {edges[place]:g}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pools:
    """Exposure and counts of the off maps by pool; a cell is the number of a pooling and the values of its dimensions."""

    poolings: tuple[tuple[str, ...], ...]
    min_ratio: float
    on: tuple[dict[tuple[str, ...], float], ...]
    off: tuple[dict[tuple[str, ...], float], ...]
    counts: tuple[dict[tuple[str, ...], float], ...]

    @classmethod
    def of(cls, on: Mapping[Stratum, float], offs: Sequence[OffMap], policy: ChancePolicy) -> "_Pools":
        own = [_projected(on.items(), names) for names in policy.pooling]
        off = [_projected((pair for one in offs for pair in sorted(one.exposure.items())), names) for names in policy.pooling]
        found = [(thing.stratum, 1.0 / one.share_evaluated) for one in offs for thing in one.objects]
        counts = [_projected(found, names) for names in policy.pooling]
        return cls(
            poolings=policy.pooling,
            min_ratio=policy.min_exposure_ratio,
            on=tuple(own),
            off=tuple(off),
            counts=tuple(counts),
        )

    def cell_of(self, stratum: Stratum) -> tuple[int, tuple[str, ...]] | None:
        """Return the finest cell of a stratum with enough exposure."""
        for number, names in enumerate(self.poolings):
            values = _values(stratum, names)
            exposure = self.off[number].get(values, 0.0)
            if exposure > 0.0 and exposure >= self.min_ratio * self.on[number].get(values, 0.0):
                return number, values
        return None

    def rate(self, cell: tuple[int, tuple[str, ...]]) -> float:
        number, values = cell
        return self.counts[number].get(values, 0.0) / self.off[number][values]


def _projected(pairs: Iterable[tuple[Stratum, float]], names: Sequence[str]) -> dict[tuple[str, ...], float]:
    parts: dict[tuple[str, ...], list[float]] = {}
    for stratum, number in pairs:
        parts.setdefault(_values(stratum, names), []).append(number)
    return {values: math.fsum(some) for values, some in parts.items()}


def _values(stratum: Stratum, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(getattr(stratum, name) for name in names)


def _background(  # noqa: PLR0917 - what it follows from
    assigned: Mapping[tuple[int, tuple[str, ...]], float],
    pools: _Pools,
    offs: Sequence[OffMap],
    scale: float,
    typical: float,
    facts: "partial[Background]",
) -> Background:
    per_object = {cell: scale * exposure / pools.off[cell[0]][cell[1]] for cell, exposure in assigned.items()}
    found: list[tuple[float, float, bool, float, float]] = []
    for one in offs:
        for thing in one.objects:
            own = [(number, _values(thing.stratum, names)) for number, names in enumerate(pools.poolings)]
            weight = math.fsum(per_object.get(cell, 0.0) for cell in own) / one.share_evaluated
            if weight > 0.0:
                found.append((thing.score, thing.level, thing.confirmed, weight, thing.evidence))
    found.sort(reverse=True)
    cells = [
        CellRate(
            dimensions=pools.poolings[number],
            values=values,
            n=pools.counts[number].get(values, 0.0),
            off_exposure=pools.off[number][values],
            on_exposure=exposure,
        )
        for (number, values), exposure in sorted(assigned.items())
    ]
    on_total = math.fsum(assigned.values()) * scale
    return facts(
        reason=None,
        cells=tuple(cells),
        scores=tuple(one[0] for one in found),
        levels=tuple(one[1] for one in found),
        confirmed=tuple(one[2] for one in found),
        weights=tuple(one[3] for one in found),
        evidences=tuple(one[4] for one in found),
        unit_weight=on_total / math.fsum(one.total for one in offs),
        dispersion=_dispersion(pools, offs, typical),
    )


def _dispersion(pools: _Pools, offs: Sequence[OffMap], typical: float) -> float:
    """Return the relative variance of the rates of whole off maps beyond Poisson.

    By the method of moments, joined with what is typical, each weighed by its own error: some ten maps of a few objects each
    tell little, and would be taken for maps that do not differ at all as often as not. The rates come from the same counts, so
    a map with the share h of the exposure leaves ``(1 - h)`` of its variance.
    """
    whole = math.fsum(one.total for one in offs)
    excess, squares, expected_counts = [], [], []
    for one in offs:
        means = []
        for stratum, exposure in sorted(one.exposure.items()):
            cell = pools.cell_of(stratum)
            if cell is not None:
                means.append(exposure * pools.rate(cell))
        mean, left = math.fsum(means), 1.0 - one.total / whole
        n = len(one.objects) / one.share_evaluated
        excess.append((n - mean) ** 2 - mean * left / one.share_evaluated)
        squares.append(mean**2 * left)
        expected_counts.append(mean)
    below, mean = math.fsum(squares), math.fsum(expected_counts) / len(offs)
    if not below > 0.0 or not mean > 0.0:
        return typical
    found = math.fsum(excess) / below
    if not typical > 0.0:
        return max(0.0, found)
    of_maps, of_typical = len(offs) / (2.0 * (1.0 / mean + typical) ** 2), 1.0 / typical**2
    return max(0.0, (of_maps * found + of_typical * typical) / (of_maps + of_typical))


def _expectation(weights: NDArray[np.float64], background: Background) -> Expectation:
    from scipy.special import gammaincinv  # noqa: PLC0415 - takes a third of a second, and few need it

    unit = background.unit_weight
    mu = math.fsum(weights.tolist()) + PRIOR_COUNTS * unit
    variance = math.fsum((weights**2).tolist()) + PRIOR_COUNTS * unit**2
    # The off maps differ among themselves as the map does from them, so their mean has its share of it.
    relative = variance / mu**2 + background.dispersion * (1.0 + 1.0 / max(1, background.n_off_maps))
    shape = 1.0 / relative
    low, high = (float(gammaincinv(shape, at)) / shape * mu for at in (LOW, HIGH))
    return Expectation(
        mu=mu,
        low=low,
        high=high,
        chance=-math.expm1(-mu),
        chance_dispersed=-math.expm1(-math.log1p(relative * mu) / relative),
        relative_variance=relative,
        n_off=len(weights),
    )


def _remarks(offs: Sequence[OffMap]) -> tuple[str, ...]:
    n_unplaced = sum(one.n_unplaced for one in offs)
    n_all = n_unplaced + sum(len(one.objects) for one in offs)
    if not n_unplaced:
        return ()
    return (f"{n_unplaced} of {n_all} objects in the off maps were found by no visit that the ledger knows, and do not count",)
