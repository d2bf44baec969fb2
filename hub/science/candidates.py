"""Objects as the counterparts of one event under one hypothesis: a pure function of everything known."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import AlertBatch
from hub.model.coincidence import Candidate, PairState, Score
from hub.model.coverage import Coverage
from hub.model.event import EventState
from hub.model.instant import Instant
from hub.model.sky import SkymapSummary
from hub.science.crossmatch import Target, contains, first_detection_us, match, probable, usable
from hub.science.levels import LevelHits
from hub.science.light_curves import LightCurves, part
from hub.science.place_levels import PlaceHits
from hub.science.ranking import Context, rank
from hub.science.rules import DAY_S, PriorActivity

VARIABLE_AGE_D = 100.0
"""An object first detected longer before the event, days, ..."""

VARIABLE_DETECTIONS = 10
"""... and detected at least so often, is recorded as a known variable: a star or an active nucleus, no recent supernova."""


def evaluate(
    target: Target, alerts: AlertBatch, summaries: Mapping[str, SkymapSummary], coverage: Coverage = Coverage()
) -> Candidate | None:
    """Return the candidate that the alerts of one object, at least one, make for a target; as `evaluate_all` otherwise."""
    return evaluate_all(target, LightCurves.of(alerts), summaries, coverage)[0]


def evaluate_all(
    target: Target, curves: LightCurves, summaries: Mapping[str, SkymapSummary], coverage: Coverage = Coverage()
) -> list[Candidate | None]:
    """Return for each object the candidate that its alerts make for a target; None where none of them fits.

    Alerts after the end of the target's window do not matter: what is said of an object is settled then, however long it is seen
    and the alerts are kept.

    It is open where the event stands and the object fits the event's *current* time, map and classification, else withdrawn. Its
    place is that of its usable detection with the highest S/N.

    Objects are judged in columns; each by itself is only the ranking of those that fit.

    Parameters
    ----------
    target
        Event, hypothesis and the levels of all its maps.
    curves
        All alerts of some objects.
    summaries
        Of the same maps by id, for their distances.
    coverage
        What is heard of the survey: statistics that suppose the full stream are left out where there is only a part of it, and
        the reasons say so.
    """
    made: list[Candidate | None] = [None] * len(curves)
    relevant = curves.only(curves.alerts.mid_tai_us < target.window[1].tai_us)
    fits = relevant.any_of(match(relevant.alerts, target)) & ~_lacks_past(target, relevant)
    if not fits.any():
        return made
    chosen = relevant.among([name for name, is_fitting in zip(relevant.names, fits.tolist(), strict=True) if is_fitting])
    for index, candidate in zip(np.flatnonzero(fits).tolist(), _made(target, chosen, summaries, coverage), strict=True):
        made[index] = candidate
    return made


def _made(target: Target, curves: LightCurves, summaries: Mapping[str, SkymapSummary], coverage: Coverage) -> Iterator[Candidate]:
    """Yield the candidates of objects that all fit."""
    event, hypothesis, survey = target.event, target.hypothesis, curves.alerts.survey
    is_usable = usable(curves.alerts, hypothesis, target.t0s)
    fitting = curves.only(is_usable)
    best = _best(fitting)
    pixels = fitting.alerts.hpx29[best]
    first = curves.least(first_detection_us(curves.alerts))
    last = curves.greatest(curves.alerts.mid_tai_us)
    flags = _flags(target, curves, first)
    is_open = _is_open(target, pixels, curves, first, flags)
    levels = {localization_id: _levels(one.lookup(pixels)) for localization_id, one in target.maps.items()}
    current = event.localization_id
    summary = summaries[current] if current is not None else None
    places: Sequence[tuple[float, float] | None] = [None] * len(curves)
    if current is not None and current in target.maps:
        places = _places(target.maps[current].lookup(pixels))
    base = Context(
        hypothesis=hypothesis,
        detections=fitting.alerts,
        delay_d=0.0,
        probdensity_per_sr=None,
        level=None,
        dist_mean_mpc=summary.dist_mean_mpc if summary else None,
        dist_std_mpc=summary.dist_std_mpc if summary else None,
        is_filtered=coverage.is_filtered(survey),
        known_aspects=coverage.known_aspects(survey),
        tells_past=_tells_past(coverage, survey),
    )
    remarks = tuple(f"coverage: {remark}" for remark in coverage.remarks(survey))
    t0 = event.t0 or max(target.t0s)
    edges = np.searchsorted(fitting.owner, np.arange(len(curves) + 1)).tolist()
    ra_deg, dec_deg = fitting.alerts.ra_deg[best].tolist(), fitting.alerts.dec_deg[best].tolist()
    for index, (name, begins, ends) in enumerate(zip(curves.names, first.tolist(), last.tolist(), strict=True)):
        n_detections = edges[index + 1] - edges[index]
        density, level = places[index] or (None, None)
        context = replace(
            base,
            detections=part(fitting.alerts, edges[index], edges[index + 1]),
            delay_d=Instant(begins).minus(t0) / DAY_S,
            probdensity_per_sr=density,
            level=level,
        )
        score, scores, reasons = rank(context)
        yield Candidate(
            event_id=event.event_id,
            survey=survey,
            object_id=name,
            hypothesis=hypothesis.name,
            state=PairState.OPEN if is_open[index] else PairState.WITHDRAWN,
            confirmed=n_detections >= 2,
            n_detections=n_detections,
            ra_deg=ra_deg[index],
            dec_deg=dec_deg[index],
            first_detection=Instant(begins),
            last_detection=Instant(ends),
            levels={localization_id: of_map[index] for localization_id, of_map in levels.items()},
            level=level,
            score=score,
            scores=(*scores, _LEVEL_3D),
            reasons=(*reasons, *remarks),
            flags=flags[index],
        )


def _lacks_past(target: Target, curves: LightCurves) -> NDArray[np.bool_]:
    """Tell of each object whether a detection before the event is required and none is known."""
    if target.hypothesis.prior_activity is not PriorActivity.REQUIRE:
        return np.zeros(len(curves), dtype=bool)
    return curves.least(first_detection_us(curves.alerts)) >= max(target.t0s).tai_us


def _best(curves: LightCurves) -> NDArray[np.intp]:
    """Return the row of the highest S/N of each object; of equal ones the smallest source id, so that order never matters.

    Each object has alerts.
    """
    alerts = curves.alerts
    snr = np.where(np.isfinite(alerts.snr), alerts.snr, -np.inf)
    order = np.lexsort((alerts.source_id, -snr, curves.owner))
    return order[np.searchsorted(curves.owner, np.arange(len(curves)))]


def _levels(hits: LevelHits | PlaceHits) -> list[float | None]:
    """Return the level of each place, None where the map does not cover it."""
    return [level if covered else None for level, covered in zip(hits.searched_prob.tolist(), hits.covered.tolist(), strict=True)]


def _places(hits: LevelHits | PlaceHits) -> list[tuple[float, float] | None]:
    """Return density (1/sr) and level of each place, None where the map does not cover it."""
    found = zip(hits.probdensity.tolist(), hits.searched_prob.tolist(), hits.covered.tolist(), strict=True)
    return [(density, level) if covered else None for density, level, covered in found]


def _tells_past(coverage: Coverage, survey: str) -> bool:
    streams = coverage.of(survey)
    return not streams or any(one.tells_past for one in streams)


def _is_open(
    target: Target,
    pixels: NDArray[np.int64],
    curves: LightCurves,
    first: NDArray[np.int64],
    flags: Sequence[tuple[str, ...]],
) -> NDArray[np.bool_]:
    """Tell of each object whether it fits what is said of the event now; arguments as they are in `_made`."""
    event, hypothesis = target.event, target.hypothesis
    nothing = np.zeros(len(curves), dtype=bool)
    levels = target.maps.get(event.localization_id) if event.localization_id is not None else None
    numbers = {**event.properties, **event.classification}
    stands = event.state is EventState.ACTIVE and not event.vetoes and event.event_class in hypothesis.classes
    if levels is None or event.t0 is None or not (stands and probable(hypothesis, numbers)):
        return nothing
    low, high = (event.t0.plus_s(days * DAY_S).tai_us for days in hypothesis.onset_d)
    fits = contains(levels, pixels, hypothesis.max_level) & (first <= high)
    if hypothesis.prior_activity is PriorActivity.EXCLUDE:
        fits &= first >= low
    if hypothesis.prior_activity is PriorActivity.REQUIRE:
        fits &= first < event.t0.tai_us
    excluded = set(hypothesis.exclude_flags)
    if excluded:
        fits &= np.array([excluded.isdisjoint(of_object) for of_object in flags], dtype=bool)
    return fits & curves.any_of(usable(curves.alerts, hypothesis, (event.t0,)))


_LEVEL_3D = Score(
    statistic="level_3d", version=1, value=None, unit="1", inputs={"reason": "the survey states no distance for the object"}
)
"""The 3D level: surveys' alerts state no distance, so it cannot be said from them alone."""


def _flags(target: Target, curves: LightCurves, first: NDArray[np.int64]) -> list[tuple[str, ...]]:
    """Return the recorded facts of each object."""
    alerts = curves.alerts
    t0 = target.event.t0 or max(target.t0s)
    onset = t0.plus_s(target.hypothesis.onset_d[0] * DAY_S)
    is_old = first < t0.plus_s(-VARIABLE_AGE_D * DAY_S).tai_us
    facts = {
        "prior activity": first < max(onset, t0).tai_us,
        "negative detections": curves.any_of(alerts.is_negative),
        "solar-system association": curves.any_of(alerts.is_solar_system),
        "saturated": curves.any_of(alerts.is_saturated),
        "known variable": is_old & curves.any_of(alerts.n_history >= VARIABLE_DETECTIONS),
    }
    names = [name for name, is_so in facts.items() if is_so.any()]
    return [tuple(itertools.compress(names, row)) for row in zip(*(facts[name].tolist() for name in names), strict=True)] or [
        ()
    ] * len(curves)
