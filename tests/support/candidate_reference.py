"""The plain form of `hub.science.candidates.evaluate_all`: one object after the other, one question after the other."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import AlertBatch
from hub.model.coincidence import Candidate, PairState, Score
from hub.model.coverage import Coverage
from hub.model.event import EventState
from hub.model.instant import Instant
from hub.model.sky import Localization
from hub.science.crossmatch import Target, contains, first_detection_us, match, probable, usable
from hub.science.hypotheses import Activity, Hypothesis, PriorActivity
from hub.science.latitudes import galactic_latitude_deg
from hub.science.onset import Onset
from hub.science.ranking import Context, rank
from hub.science.rules import DAY_S


def evaluate(
    target: Target,
    alerts: AlertBatch,
    localizations: Mapping[str, Localization],
    coverage: Coverage = Coverage(),
    last_visit_us: int | None = None,
) -> Candidate | None:
    """Return the candidate that the alerts of one object make for a target; None where none of them fits."""
    hypothesis = target.hypothesis
    began = _began(alerts)
    alerts = _relevant(target, alerts)
    if not match(alerts, target).any() or _lacks_past(target, alerts) or hypothesis.require_catalogue is not None:
        return None  # here nobody has a catalogue
    first = Instant(int(first_detection_us(alerts).min()))
    alerts = alerts.take(np.lexsort((alerts.source_id, alerts.mid_tai_us)))
    fitting = alerts.take(usable(alerts, hypothesis, target.t0s))
    best = _best(fitting)
    pixel = fitting.hpx29[best : best + 1]
    current = target.event.localization_id
    context = _context(target, fitting, pixel, first, localizations[current] if current is not None else None)
    if hypothesis.activity is not Activity.NEW:
        context = replace(context, curve=alerts)
    if began is not None:
        after_d = None if last_visit_us is None else (last_visit_us - context.t0_us) / 86_400e6
        unknown = "coverage unknown: no ledger of visits tells of all the 30 d before" if last_visit_us is None else None
        context = replace(context, onset=Onset(after_d=after_d, before_d=(began - context.t0_us) / 86_400e6, why_unknown=unknown))
    streams = coverage.of(alerts.survey)
    tells_past = not streams or any(one.tells_past for one in streams)
    score, scores, reasons = rank(
        replace(
            context,
            is_filtered=coverage.is_filtered(alerts.survey),
            known_aspects=coverage.known_aspects(alerts.survey),
            tells_past=tells_past,
        )
    )
    apart = _apart(fitting)
    return Candidate(
        event_id=target.event.event_id,
        survey=alerts.survey,
        object_id=alerts.object_id[0].decode(),
        hypothesis=hypothesis.name,
        state=_state(target, pixel, alerts, first, last_visit_us),
        confirmed=apart is None,
        n_detections=len(fitting),
        ra_deg=float(fitting.ra_deg[best]),
        dec_deg=float(fitting.dec_deg[best]),
        first_detection=first,
        last_detection=Instant(int(alerts.mid_tai_us[-1])),
        levels={name: _level(target, name, pixel) for name in target.maps},
        level=context.level,
        score=score,
        scores=(*scores, _level_3d()),
        reasons=(
            *reasons,
            *([f"ranked apart: {apart}"] if apart else []),
            *(f"coverage: {remark}" for remark in coverage.remarks(alerts.survey)),
        ),
        flags=(
            *_flags(target, alerts, first),
            *(["low ecliptic latitude"] if _is_low(fitting, best) else []),
            *(["dipole detections"] if alerts.is_dipole.any() else []),
        ),
    )


def _began(alerts: AlertBatch) -> int | None:
    """Return the first detection that sets an onset: positive, no dipole and no asteroid's."""
    negative = {
        time for time, row in zip(alerts.mid_tai_us.tolist(), range(len(alerts)), strict=True) if not _counts(alerts, row)
    }
    told = first_detection_us(alerts).tolist()
    mids = alerts.mid_tai_us.tolist()
    times = [mids[row] if told[row] in negative else told[row] for row in range(len(alerts)) if _counts(alerts, row)]
    return min(times, default=None)


def _counts(alerts: AlertBatch, row: int) -> bool:
    excluded = alerts.is_negative[row] or alerts.is_solar_system[row] or alerts.is_dipole[row]
    return not (excluded or alerts.flux_njy[row] <= 0)


def _apart(fitting: AlertBatch) -> str | None:
    if len(fitting) < 2:
        return "a single detection, and no host is known"
    minutes = (int(fitting.mid_tai_us.max()) - int(fitting.mid_tai_us.min())) / 60e6
    if minutes >= 20:
        return None
    return f"its {len(fitting)} detections are within {minutes:.0f} min of one another, and no host is known"


def _is_low(fitting: AlertBatch, best: int) -> bool:
    ra, dec = math.radians(fitting.ra_deg[best]), math.radians(fitting.dec_deg[best])
    tilt = math.radians(23.43928)
    sine = math.sin(dec) * math.cos(tilt) - math.cos(dec) * math.sin(tilt) * math.sin(ra)
    return abs(math.degrees(math.asin(sine))) <= 20


def _relevant(target: Target, alerts: AlertBatch) -> AlertBatch:
    is_relevant = alerts.mid_tai_us < target.window[1].tai_us
    return alerts if is_relevant.all() else alerts.take(is_relevant)


def _lacks_past(target: Target, alerts: AlertBatch) -> bool:
    """Tell whether a detection before the event is required and none is known."""
    if target.hypothesis.prior_activity is not PriorActivity.REQUIRE:
        return False
    return int(first_detection_us(alerts).min()) >= max(target.t0s).tai_us


def _best(alerts: AlertBatch) -> int:
    """Return the row of the highest S/N; of equal ones the smallest source id, so that order never matters."""
    snr: NDArray[np.float64] = np.where(np.isfinite(alerts.snr), alerts.snr, -np.inf)
    return int(np.lexsort((alerts.source_id, -snr))[0])


def _level(target: Target, name: str, pixel: NDArray[np.int64]) -> float | None:
    hit = target.maps[name].lookup(pixel)
    return float(hit.searched_prob[0]) if hit.covered[0] else None


def _state(target: Target, pixel: NDArray[np.int64], alerts: AlertBatch, first: Instant, last_visit_us: int | None) -> PairState:
    event, hypothesis = target.event, target.hypothesis
    stands = event.state is EventState.ACTIVE and not event.vetoes and event.t0 is not None
    levels = target.maps.get(event.localization_id) if event.localization_id is not None else None
    inside = levels is not None and bool(contains(levels, pixel, hypothesis.max_level)[0])
    numbers = {**event.properties, **event.classification}
    if not (stands and inside and event.event_class in hypothesis.classes and probable(hypothesis, numbers)):
        return PairState.WITHDRAWN
    assert event.t0 is not None
    low, high = (event.t0.plus_s(days * DAY_S) for days in hypothesis.first_d)
    begins = first <= high
    if hypothesis.prior_activity is PriorActivity.EXCLUDE:
        begins = begins and first >= low
    if hypothesis.activity is Activity.NEW and last_visit_us is not None:
        begins = begins and Instant(last_visit_us) < event.t0.plus_s(hypothesis.appearance_d[1] * DAY_S)
    if hypothesis.prior_activity is PriorActivity.REQUIRE:
        begins = begins and first < event.t0
    if set(hypothesis.exclude_flags) & set(_flags(target, alerts, first)):
        return PairState.WITHDRAWN
    timely = bool(usable(alerts, hypothesis, (event.t0,)).any())
    return PairState.OPEN if begins and timely else PairState.WITHDRAWN


def _context(
    target: Target, fitting: AlertBatch, pixel: NDArray[np.int64], first: Instant, place: Localization | None
) -> Context:
    density = level = None
    if place is not None and place.localization_id in target.maps:
        hit = target.maps[place.localization_id].lookup(pixel)
        if hit.covered[0]:
            density, level = float(hit.probdensity[0]), float(hit.searched_prob[0])
    t0 = target.event.t0 or max(target.t0s)
    return Context(
        hypothesis=target.hypothesis,
        detections=fitting,
        delay_d=first.minus(t0) / DAY_S,
        t0_us=t0.tai_us,
        galactic_b_deg=float(galactic_latitude_deg(fitting.ra_deg[_best(fitting)], fitting.dec_deg[_best(fitting)])),
        probdensity_per_sr=density,
        level=level,
        dist_mean_mpc=place.summary.dist_mean_mpc if place else None,
        dist_std_mpc=place.summary.dist_std_mpc if place else None,
    )


def _level_3d() -> Score:
    """Return the 3D level: surveys' alerts state no distance, so it cannot be said from them alone."""
    return Score(
        statistic="level_3d", version=1, value=None, unit="1", inputs={"reason": "the survey states no distance for the object"}
    )


def _flags(target: Target, alerts: AlertBatch, first: Instant) -> tuple[str, ...]:
    hypothesis: Hypothesis = target.hypothesis
    t0 = target.event.t0 or max(target.t0s)
    flags = []
    if first < t0.plus_s(hypothesis.onset_d[0] * DAY_S) or first < t0:
        flags.append("prior activity")
    if alerts.is_negative.any():
        flags.append("negative detections")
    if alerts.is_solar_system.any():
        flags.append("solar-system association")
    if alerts.is_saturated.any():
        flags.append("saturated")
    variable = hypothesis.priors.objects
    if first < t0.plus_s(-variable.variable_age_d * DAY_S) and int(alerts.n_history.max()) >= variable.variable_detections:
        flags.append("known variable")
    return tuple(flags)
