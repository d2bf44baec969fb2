"""Objects as the counterparts of events under hypotheses: a pure function of everything known."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import NO_TIME, AlertBatch
from hub.model.coincidence import Candidate, PairState, Score
from hub.model.coverage import Coverage
from hub.model.instant import Instant
from hub.model.sky import SkymapSummary
from hub.science.crossmatch import Target, first_detection_us
from hub.science.facts import IN_CATALOGUE, NO_FACTS, NOTHING_KNOWN, Facts, ObjectFacts
from hub.science.healpix import area_sr, find
from hub.science.hypotheses import FLAGS, Activity, Confirmation, Hypothesis
from hub.science.kin import OWN, is_recreated
from hub.science.latitudes import ecliptic_latitude_deg, galactic_latitude_deg
from hub.science.light_curves import LightCurves, part, rows_of
from hub.science.onset import LOOK_BACK_D, NEVER, NEW_TEMPLATE, Basis, Onset, Onsets
from hub.science.ranking import DEFAULT, Context, Ranking, Term, rank
from hub.science.rules import DAY_S
from hub.science.target_columns import TargetColumns, TargetNumbers

__all__ = ["Judgement", "Question", "evaluate", "evaluate_all", "evaluate_many"]

NO_OBJECTS = np.empty(0, dtype=np.int64)

_FACTS = (
    "prior activity",
    "negative detections",
    "solar-system association",
    "saturated",
    "known variable",
    "low ecliptic latitude",
    "dipole detections",
    "re-created object",
)
"""The recorded facts in the order in which candidates have them."""

_LEVEL_3D = Score(
    statistic="level_3d", version=1, value=None, unit="1", inputs={"reason": "the survey states no distance for the object"}
)
"""The 3D level: surveys' alerts state no distance, so it cannot be said from them alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """Some objects and one event."""

    targets: Sequence[Target]
    """Of one event, at least one: so they have the same maps."""

    numbers: Sequence[TargetNumbers]
    """Of each target."""

    summaries: Mapping[str, SkymapSummary]
    """Of the maps by id, for their distances."""

    objects: NDArray[np.int64]
    """Index into the names of the light curves, ascending."""

    facts: Facts = NO_FACTS
    """What is known of the objects beside their alerts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """By what candidates are judged beside their alerts and events."""

    coverage: Coverage = field(default_factory=Coverage)
    """What is heard of the survey: statistics that suppose the full stream are left out where there is only a part of it."""

    onsets: Onsets | None = None
    """When the objects of the light curves began; None where no ledger of visits was asked."""

    ranking: Ranking = DEFAULT
    confirmation: Confirmation = field(default_factory=Confirmation)


def evaluate(
    target: Target, alerts: AlertBatch, summaries: Mapping[str, SkymapSummary], judgement: Judgement = Judgement()
) -> Candidate | None:
    """Return the candidate that the alerts of one object, at least one, make for a target; as `evaluate_all` otherwise."""
    return evaluate_all(target, LightCurves.of(alerts), summaries, judgement)[0]


def evaluate_all(
    target: Target, curves: LightCurves, summaries: Mapping[str, SkymapSummary], judgement: Judgement = Judgement()
) -> list[Candidate | None]:
    """Return for each object the candidate that its alerts make for a target; None where none of them fits."""
    asked = Question(
        targets=(target,),
        numbers=(TargetNumbers.of(target),),
        summaries=summaries,
        objects=np.arange(len(curves), dtype=np.int64),
    )
    made = {one.object_id: one for one in evaluate_many([asked], curves, judgement)[0]}
    return [made.get(name) for name in curves.names]


def evaluate_many(
    questions: Sequence[Question], curves: LightCurves, judgement: Judgement = Judgement()
) -> list[list[Candidate]]:
    """Return for each question the candidates that the objects' alerts make for its targets, by object and then by target.

    Alerts after the end of a target's window do not matter: what is said of an object is settled then, however long it is seen
    and the alerts are kept.

    A candidate is open where the event stands and the object fits the event's *current* time, map and classification, else
    withdrawn. Its place is that of its usable detection with the highest S/N.

    All pairs of a target and an object are judged in columns together; each by itself is only the ranking of those that fit.

    Parameters
    ----------
    questions
        Events, hypotheses and objects.
    curves
        All alerts of these objects, and perhaps of others.
    judgement
        By what: coverage, onsets, ranking, confirmation.
    """
    found: list[list[Candidate]] = [[] for _ in questions]
    if not any(len(one.objects) for one in questions):
        return found
    pairs = _Pairs.of(questions, curves)
    fits = np.flatnonzero(_fitting(pairs, curves))
    if not len(fits):
        return found
    for question, one in _made(pairs, fits, curves, judgement):
        found[question].append(one)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Hits:
    """What one map says of the usable alerts of one question."""

    covered: NDArray[np.bool_]
    before: NDArray[np.float64]
    """Probability that is searched before the tile."""

    searched_prob: NDArray[np.float64]
    probdensity: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pairs:
    """All pairs of a target and an object (shape ``(p,)``: by question, object, target), and the alerts of each (``(r,)``)."""

    questions: Sequence[Question]
    targets: Sequence[Target]
    first_target: Sequence[int]
    """Index into `targets` of the first one of each question."""

    columns: TargetColumns
    question: NDArray[np.int64]
    target: NDArray[np.int64]
    object: NDArray[np.int64]

    owner: NDArray[np.int64]
    """Pair of each alert, ascending; an alert counts for each target of its object, unless it came too late."""

    row: NDArray[np.int64]
    """Row of the light curves of each."""

    mid_us: NDArray[np.int64]
    onset_us: NDArray[np.int64]
    """First detection that the alert knows."""

    accepted: NDArray[np.bool_]
    """Whether the target accepts it, time and position aside."""

    usable: NDArray[np.int64]
    """Those that fit any time of the event as well: index into `owner`, ascending."""

    hits: Sequence[Mapping[str, _Hits]]
    """For each question what each of its maps says of the usable ones."""

    starts: NDArray[np.int64]
    """First usable one of each question."""

    def __len__(self) -> int:
        return len(self.target)

    @classmethod
    def of(cls, questions: Sequence[Question], curves: LightCurves) -> "_Pairs":
        alerts = curves.alerts
        n_targets = [len(one.targets) for one in questions]
        of_question = np.array([len(one.objects) * len(one.targets) for one in questions], dtype=np.int64)
        objects = np.concatenate([np.repeat(one.objects, len(one.targets)) for one in questions])
        first_target = [0, *itertools.accumulate(n_targets)]
        target = np.concatenate(
            [
                np.tile(np.arange(first, first + len(one.targets), dtype=np.int64), len(one.objects))
                for first, one in zip(first_target, questions, strict=False)
            ]
        )
        columns = TargetColumns.of([one for asked in questions for one in asked.numbers])
        edges = np.searchsorted(curves.owner, np.arange(len(curves) + 1))
        counts = edges[objects + 1] - edges[objects]
        owner = np.repeat(np.arange(len(target)), counts)
        row = np.arange(len(owner)) + np.repeat(edges[objects] - (np.cumsum(counts) - counts), counts)
        in_time = alerts.mid_tai_us[row] < columns.times[target[owner], 0]
        if not in_time.all():
            owner, row = owner[in_time], row[in_time]
        mid_us, onset_us, asking = alerts.mid_tai_us[row], first_detection_us(alerts)[row], target[owner]
        accepted = columns.accepts(asking, alerts, row)
        usable = np.flatnonzero(accepted & columns.timely(asking, mid_us, onset_us))
        starts = np.searchsorted(owner[usable], [0, *np.cumsum(of_question).tolist()])
        pixels = alerts.hpx29[row[usable]]
        return cls(
            questions=questions,
            targets=[one for asked in questions for one in asked.targets],
            first_target=first_target[:-1],
            columns=columns,
            question=np.repeat(np.arange(len(questions)), of_question),
            target=target,
            object=objects,
            owner=owner,
            row=row,
            mid_us=mid_us,
            onset_us=onset_us,
            accepted=accepted,
            usable=usable,
            hits=[
                _hits(one.targets[0], pixels[start:stop])
                for one, start, stop in zip(questions, starts[:-1].tolist(), starts[1:].tolist(), strict=True)
            ],
            starts=starts,
        )

    def any_of(self, alerts: NDArray[np.bool_] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell of each pair whether any of its alerts is among some, a mask or indices."""
        return np.bincount(self.owner[alerts], minlength=len(self)) > 0


def _hits(target: Target, pixels: NDArray[np.int64]) -> dict[str, _Hits]:
    found = {}
    for name, levels in target.maps.items():
        index = find(levels.lo, levels.hi, pixels)
        searched, density = levels.searched_prob[index], levels.probdensity[index]
        before = searched - density * area_sr(levels.lo[index], levels.hi[index])
        found[name] = _Hits(covered=index >= 0, before=before, searched_prob=searched, probdensity=density)
    return found


def _fitting(pairs: _Pairs, curves: LightCurves) -> NDArray[np.bool_]:
    """Tell of each pair whether any alert fits, as `crossmatch.match` does, and whether the past that is required is known."""
    max_level = pairs.columns.levels[pairs.target[pairs.owner[pairs.usable]], 0]
    inside = np.zeros(len(pairs.usable), dtype=bool)
    for number, hits in enumerate(pairs.hits):
        rows = slice(int(pairs.starts[number]), int(pairs.starts[number + 1]))
        for name, of_map in hits.items():
            inside[rows] |= _allowed(pairs, number, name, rows) & of_map.covered & (of_map.before < max_level[rows])
    if curves.origin is not None:  # what is united with an object makes no candidate of it
        inside &= curves.origin[pairs.row[pairs.usable]] == OWN
    fits = pairs.any_of(pairs.usable[inside])
    required = pairs.columns.asks[pairs.target, 2]
    if required.any():
        fits &= ~required | (_first(pairs) < pairs.columns.times[pairs.target, 1])
    return fits


def _allowed(pairs: _Pairs, number: int, name: str, rows: slice) -> NDArray[np.bool_] | bool:
    """Tell for which usable alerts of a question a map may make candidates: each hypothesis may have a limit of its own."""
    too_large = [name in one.too_large for one in pairs.questions[number].targets]
    if not any(too_large):
        return True
    asking = pairs.target[pairs.owner[pairs.usable[rows]]] - pairs.first_target[number]
    return np.asarray(~np.array(too_large)[asking], dtype=np.bool_)


def _first(pairs: _Pairs) -> NDArray[np.int64]:
    first = np.full(len(pairs), np.iinfo(np.int64).max)
    np.minimum.at(first, pairs.owner, pairs.onset_us)
    return first


def _last(pairs: _Pairs) -> NDArray[np.int64]:
    last = np.full(len(pairs), np.iinfo(np.int64).min)
    np.maximum.at(last, pairs.owner, pairs.mid_us)
    return last


def _best(pairs: _Pairs, owner: NDArray[np.int64], alerts: AlertBatch) -> NDArray[np.int64]:
    """Return of each pair the usable alert of the highest S/N, as index into `usable`; of no meaning where there is none.

    Of equal ones the smallest source id, so that order never matters.
    """
    rows = pairs.row[pairs.usable]
    snr = alerts.snr[rows]
    snr = np.where(np.isfinite(snr), snr, -np.inf)
    order = np.append(np.lexsort((alerts.source_id[rows], -snr, owner)), 0)
    return order[np.searchsorted(owner, np.arange(len(pairs)))]


def _made(pairs: _Pairs, fits: NDArray[np.int64], curves: LightCurves, judgement: Judgement) -> Iterator[tuple[int, Candidate]]:
    """Yield the candidates of the pairs that fit, each with the number of its question."""
    alerts, survey, coverage = curves.alerts, curves.alerts.survey, judgement.coverage
    owner = pairs.owner[pairs.usable]
    edges = np.searchsorted(owner, np.arange(len(pairs) + 1))
    best = _best(pairs, owner, alerts)[fits]
    first, last = _first(pairs), _last(pairs)
    detections = rows_of(alerts, pairs.row[pairs.usable])
    ra, dec = detections.ra_deg[best], detections.dec_deg[best]
    beta = np.abs(ecliptic_latitude_deg(ra, dec))
    facts = _facts(pairs, curves, first)
    facts[_FACTS.index("low ecliptic latitude"), fits] = beta <= judgement.confirmation.ecliptic_deg
    onsets = judgement.onsets if judgement.onsets is not None else Onsets.unknown(curves, LOOK_BACK_D)
    # What was seen by a template that holds images after the event may be of any age.
    has_new_template = onsets.template_us[pairs.object] > pairs.columns.times[pairs.target, 2]
    after = np.where(has_new_template, NO_TIME, onsets.after_us[pairs.object])
    is_ready = _ready(pairs, facts, first, after)[fits]
    is_filtered, known_aspects = coverage.is_filtered(survey), coverage.known_aspects(survey)
    tells_past = _tells_past(coverage, survey)
    remarks = tuple(f"coverage: {remark}" for remark in coverage.remarks(survey))
    said = [_said(asked, hits) for asked, hits in zip(pairs.questions, pairs.hits, strict=True)]
    of_pair = np.searchsorted(pairs.owner, np.stack([fits, fits + 1]))
    span_us = np.where(
        edges[fits + 1] > edges[fits], detections.mid_tai_us[edges[fits + 1] - 1] - detections.mid_tai_us[edges[fits]], 0
    )
    columns = (
        pairs.question[fits],
        pairs.target[fits],
        pairs.object[fits],
        best - pairs.starts[pairs.question[fits]],
        edges[fits],
        edges[fits + 1],
        first[fits],
        last[fits],
        is_ready,
        ra,
        dec,
        beta,
        galactic_latitude_deg(ra, dec),
        span_us / 1e6,
        pairs.row[of_pair[0]],
        of_pair[1] - of_pair[0],
        onsets.before_us[pairs.object[fits]],
        after[fits],
        onsets.basis[pairs.object[fits]],
        has_new_template[fits],
    )
    of_target = [(one.event, one.hypothesis, one.event.t0 or max(one.t0s)) for asked in pairs.questions for one in asked.targets]
    why_unknown = onsets.words_by_basis()
    flags = _names_of(facts[:, fits])
    rows = zip(*(column.tolist() for column in columns), flags, strict=True)
    for (
        question,
        number,
        of_object,
        place,
        begin,
        end,
        begins,
        ends,
        ready,
        ra_deg,
        dec_deg,
        beta_deg,
        b_deg,
        span_s,
        row,
        n_rows,
        before_us,
        after_us,
        basis,
        is_new_template,
        flagged,
    ) in rows:
        event, hypothesis, t0 = of_target[number]
        on_maps, object_id = said[question], curves.names[of_object]
        own = pairs.questions[question].facts.of(object_id)
        if hypothesis.require_catalogue is not None and IN_CATALOGUE.format(hypothesis.require_catalogue) not in own.flags:
            continue
        density, level, before = on_maps.now[place] if on_maps.now is not None else _NOWHERE
        began = Instant(begins)
        onset = None
        if before_us != NEVER:
            onset = Onset(
                after_d=None if after_us == NO_TIME else (after_us - t0.tai_us) / _DAY_US,
                before_d=(before_us - t0.tai_us) / _DAY_US,
                why_unknown=NEW_TEMPLATE if is_new_template else why_unknown[basis],
                is_forced=basis == Basis.FORCED and not is_new_template,
            )
        score, scores, reasons = rank(
            Context(
                hypothesis=hypothesis,
                detections=part(detections, begin, end),
                delay_d=began.minus(t0) / DAY_S,
                t0_us=t0.tai_us,
                probdensity_per_sr=density,
                level=level,
                dist_mean_mpc=on_maps.distance_mpc[0],
                dist_std_mpc=on_maps.distance_mpc[1],
                onset=onset,
                curve=part(alerts, row, row + n_rows) if hypothesis.activity is not Activity.NEW else None,
                galactic_b_deg=b_deg,
                is_filtered=is_filtered,
                known_aspects=known_aspects,
                tells_past=tells_past,
                extra_terms=_NO_TERMS
                if own is NOTHING_KNOWN
                else {**own.extra_terms, **own.terms_of.get(hypothesis.name, _NO_TERMS)},
            ),
            judgement.ranking,
        )
        is_open = ready and before is not None and before < hypothesis.max_level and not _vetoed(hypothesis, own)
        apart = _unconfirmed(judgement.confirmation, end - begin, span_s, beta_deg, has_host=own.has_host)
        yield (
            question,
            Candidate(
                event_id=event.event_id,
                survey=survey,
                object_id=object_id,
                hypothesis=hypothesis.name,
                state=PairState.OPEN if is_open else PairState.WITHDRAWN,
                confirmed=apart is None,
                n_detections=end - begin,
                ra_deg=ra_deg,
                dec_deg=dec_deg,
                first_detection=began,
                last_detection=Instant(ends),
                levels={name: levels[place] for name, levels in on_maps.levels.items()},
                level=level,
                score=score,
                scores=(*scores, *_shown(own)),
                reasons=(
                    *reasons,
                    *_united_with(curves, object_id),
                    *(f"ranked apart: {why}" for why in (apart,) if why),
                    *remarks,
                ),
                flags=(*flagged, *own.flags),
            ),
        )


_DAY_US = 86_400e6
_NO_TERMS: dict[str, Term] = {}


def _united_with(curves: LightCurves, object_id: str) -> tuple[str, ...]:
    others = curves.kin.get(object_id, ())
    return (f"one light curve with {', '.join(others)}, at the same place",) if others else ()


def _vetoed(hypothesis: Hypothesis, own: ObjectFacts) -> bool:
    return bool(own.flags) and any(flag in hypothesis.exclude_flags for flag in own.flags)


def _unconfirmed(asks: Confirmation, n: int, span_s: float, beta_deg: float, *, has_host: bool) -> str | None:
    """Return why a candidate is not confirmed, a sentence; None where it is."""
    if (n >= 2 and span_s >= asks.gap_s) or (has_host and beta_deg > asks.ecliptic_deg):
        return None
    why = "a single detection" if n < 2 else f"its {n} detections are within {span_s / 60.0:.0f} min of one another"
    return f"{why}, and the ecliptic is near" if has_host else f"{why}, and no host is known"


_NOWHERE = (None, None, None)


def _shown(known: ObjectFacts) -> tuple[Score, ...]:
    """Return the numbers that others give of an object, the 3D level or why there is none among them."""
    if not known.extra_scores:
        return (_LEVEL_3D,)
    if any(one.statistic == "level_3d" for one in known.extra_scores):
        return known.extra_scores
    return (_LEVEL_3D, *known.extra_scores)


def _tells_past(coverage: Coverage, survey: str) -> bool:
    streams = coverage.of(survey)
    return not streams or any(one.tells_past for one in streams)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Said:
    """What the maps of a question say of its usable alerts, as plain values."""

    levels: Mapping[str, Sequence[float | None]]
    """By map; None where it does not cover the place."""

    now: Sequence[tuple[float | None, float | None, float | None]] | None
    """Of the current map density (1/sr), level, and probability that is searched before the tile; None where there is none."""

    distance_mpc: tuple[float | None, float | None]
    """Mean and spread of the distance in the current map."""


def _said(asked: Question, hits: Mapping[str, _Hits]) -> _Said:
    current = asked.targets[0].event.localization_id
    summary = asked.summaries[current] if current is not None else None
    of_current = hits.get(current) if current is not None else None
    now = None
    if of_current is not None:
        columns = (of_current.probdensity, of_current.searched_prob, of_current.before, of_current.covered)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        now = [(density, level, before) if covered else _NOWHERE for density, level, before, covered in rows]
    return _Said(
        levels={
            name: [
                level if covered else None
                for level, covered in zip(of_map.searched_prob.tolist(), of_map.covered.tolist(), strict=True)
            ]
            for name, of_map in hits.items()
        },
        now=now,
        distance_mpc=(summary.dist_mean_mpc, summary.dist_std_mpc) if summary else (None, None),
    )


def _ready(pairs: _Pairs, facts: NDArray[np.bool_], first: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell of each pair whether it fits what is said of the event now, the place aside."""
    times = pairs.columns.times[pairs.target]
    fits = (first >= times[:, 5]) & (first <= times[:, 6])
    fits &= after < times[:, 7]  # what began after the last visit without it began too late, where that is known
    excludes = pairs.columns.asks[pairs.target, 3:]
    if excludes.any():
        order = [_FACTS.index(flag) for flag in FLAGS]
        fits &= ~(facts[order].T & excludes).any(axis=1)
    now = pairs.accepted & pairs.columns.timely_now(pairs.target[pairs.owner], pairs.mid_us, pairs.onset_us)
    return np.asarray(fits & pairs.any_of(now), dtype=np.bool_)


def _facts(pairs: _Pairs, curves: LightCurves, first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of `_FACTS` are so of each pair, shape ``(8, p)``; the ecliptic latitude is told later."""
    alerts = curves.alerts
    times = pairs.columns.times[pairs.target]
    often = pairs.columns.levels[pairs.target[pairs.owner], 3]
    is_often = pairs.any_of(alerts.n_history[pairs.row] >= often)
    return np.stack(
        (
            first < times[:, 3],
            pairs.any_of(alerts.is_negative[pairs.row]),
            pairs.any_of(alerts.is_solar_system[pairs.row]),
            pairs.any_of(alerts.is_saturated[pairs.row]),
            (first < times[:, 4]) & is_often,
            np.zeros(len(pairs), dtype=bool),
            pairs.any_of(alerts.is_dipole[pairs.row]),
            is_recreated(curves)[pairs.object],
        )
    )


def _names_of(facts: NDArray[np.bool_]) -> list[tuple[str, ...]]:
    return [tuple(itertools.compress(_FACTS, of_pair)) for of_pair in facts.T.tolist()]
