"""What objects are to events: every candidate that a set of alerts makes, before anything is written."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, PairState
from hub.model.event import Event
from hub.science.candidates import Judgement, Question, evaluate_many
from hub.science.crossmatch import Target
from hub.science.facts import NO_FACTS, Facts
from hub.science.light_curves import LightCurves
from hub.science.onset import LOOK_BACK_D, Onsets, VisitsBefore, onsets
from hub.services.matching import Matching, ObjectKey
from hub.storage import candidates
from hub.storage.candidates import RowKey
from hub.storage.tables import JsonText


class FactSource(Protocol):
    """Knows more of objects than their alerts say: catalogues, hosts, terms of its own."""

    def __call__(self, session: Session, questions: Sequence[Question], curves: LightCurves) -> Sequence[Facts]:
        """Return for each question what is known of its objects, all of them at once: `Question.objects` of the light curves."""
        ...


def knows_nothing(session: Session, questions: Sequence[Question], curves: LightCurves) -> list[Facts]:
    """Return for each question that nothing is known."""
    return [NO_FACTS] * len(questions)


UNFIT = "withdrawn: it does not fit under the present rules"
"""First reason of a candidate that former rules made."""

REATTRIBUTED = "withdrawn: the survey gives its detections to something else by now, or took them back"
"""First reason of a candidate that only versions of detections made which do not hold any more: a record of what was known."""


Shrunk = frozenset[tuple[str, str]]
"""Survey and object id of objects that may have lost detections."""

NOTHING_SHRUNK: Shrunk = frozenset()


def is_record(candidate: Candidate) -> bool:
    """Tell whether a candidate is only a record of what was known: its detections are not its own any more."""
    return candidate.reasons[:1] == (REATTRIBUTED,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Some objects as candidates of one event."""

    event: Event
    keys: Collection[ObjectKey]
    """The objects that were looked at."""

    targets: Sequence[Target]
    candidates: Sequence[Candidate]
    """Those that the present rules make, or once made; by object."""

    @property
    def names(self) -> set[tuple[str, str, str]]:
        """Event id, survey and object id of each object."""
        return {(self.event.event_id, key.survey, key.object_id) for key in self.keys}


def judge(
    session: Session,
    matching: Matching,
    pairs: Sequence[tuple[Event, Collection[ObjectKey]]],
    past: Mapping[str, LightCurves],
    *,
    by: Judgement,
    facts: FactSource = knows_nothing,
    visits: VisitsBefore | None = None,
    look_back_d: float = LOOK_BACK_D,
) -> list[Judged]:
    """Return what some objects are to some events, by their alerts of each survey; all pairs are judged at once.

    Parameters
    ----------
    session, matching
        Know the maps and hypotheses.
    pairs
        Events, and the objects of each.
    past
        The alerts of the objects by survey.
    by
        Coverage, ranking and confirmation; onsets are worked out here.
    facts
        What is known of the objects beside their alerts.
    visits
        The ledger of visits; None where none is kept.
    look_back_d
        How far it is asked to look back, days.
    """
    pixels = _pixels_of([keys for _, keys in pairs], past)
    asked = [matching.question(session, event, where) for (event, _), where in zip(pairs, pixels, strict=True)]
    found: list[list[Candidate]] = [[] for _ in pairs]
    for survey, curves in sorted(past.items()):
        place = {name: number for number, name in enumerate(curves.names)}
        numbers, questions = [], []
        for number, ((_, keys), one) in enumerate(zip(pairs, asked, strict=True)):
            objects = sorted(place[key.object_id] for key in keys if key.survey == survey and key.object_id in place)
            if one is not None and objects:
                numbers.append(number)
                questions.append(replace(one, objects=np.array(objects, dtype=np.int64)))
        judgement = by if visits is None or not questions else replace(by, onsets=_onsets(questions, curves, visits, look_back_d))
        questions = [replace(one, facts=known) for one, known in zip(questions, facts(session, questions, curves), strict=True)]
        for number, made in zip(numbers, evaluate_many(questions, curves, judgement), strict=True):
            found[number] += made
    return [
        Judged(event=event, keys=keys, targets=one.targets if one is not None else (), candidates=of_event)
        for (event, keys), one, of_event in zip(pairs, asked, found, strict=True)
    ]


def _pixels_of(keys: Sequence[Collection[ObjectKey]], past: Mapping[str, LightCurves]) -> list[NDArray[np.int64]]:
    """Return the order-29 pixels of all alerts of several sets of objects, of each set by itself."""
    found: list[list[NDArray[np.int64]]] = [[] for _ in keys]
    for survey, curves in past.items():
        edges = np.searchsorted(curves.owner, np.arange(len(curves) + 1)).tolist()
        where = {name: curves.alerts.hpx29[edges[number] : edges[number + 1]] for number, name in enumerate(curves.names)}
        for of_set, some in zip(found, keys, strict=True):
            of_set += [where[key.object_id] for key in some if key.survey == survey and key.object_id in where]
    return [np.concatenate([_NO_PIXELS, *of_set]) for of_set in found]


_NO_PIXELS = np.empty(0, dtype=np.int64)


def _onsets(questions: Sequence[Question], curves: LightCurves, visits: VisitsBefore, look_back_d: float) -> Onsets:
    """Return when the objects began; the ledger is asked for those alone that are in any question."""
    asked = np.unique(np.concatenate([one.objects for one in questions]))
    return onsets(curves, visits, look_back_d, asked)


def with_unfit(
    judged: Judged, past: Mapping[str, LightCurves], stored: Mapping[RowKey, JsonText], shrunk: Shrunk = NOTHING_SHRUNK
) -> Judged:
    """Return the same with what was a candidate by former rules, or by former versions of detections, and is none now, withdrawn.

    Where the archive does not have the alerts any more, what was said stays.

    Parameters
    ----------
    judged
        By the present rules.
    past
        Alerts of the objects by survey.
    stored
        What is stored of the objects, and perhaps of others.
    shrunk
        Objects that lost detections just now.
    """
    made = {candidates.row_key(one) for one in judged.candidates}
    unfit = sorted(set(_rows_of(judged, stored)) - made)
    if not unfit:
        return judged
    ends = {target.hypothesis.name: target.window[1].tai_us for target in judged.targets}
    begins = {
        (survey, name): begin
        for survey, curves in past.items()
        for name, begin in zip(curves.names, curves.least(curves.alerts.mid_tai_us).tolist(), strict=True)
    }
    withdrawn = []
    for row in unfit:
        _, survey, object_id, hypothesis = row
        former = candidates.read(stored[row])
        if is_record(former):
            continue
        begin = begins.get((survey, object_id))
        if (survey, object_id) in shrunk:
            withdrawn.append(_without_detections(former))
            continue
        if begin is None or (hypothesis in ends and begin >= ends[hypothesis]):
            continue
        reasons = tuple(one for one in former.reasons if one != UNFIT)
        withdrawn.append(replace(former, state=PairState.WITHDRAWN, reasons=(UNFIT, *reasons)))
    return replace(judged, candidates=[*judged.candidates, *withdrawn])


def _without_detections(former: Candidate) -> Candidate:
    reasons = tuple(one for one in former.reasons if one != UNFIT)
    return replace(former, state=PairState.WITHDRAWN, reasons=(REATTRIBUTED, *reasons))


def _rows_of(judged: Judged, stored: Mapping[RowKey, JsonText]) -> Iterable[RowKey]:
    names = judged.names
    return (row for row in stored if row[:3] in names)
