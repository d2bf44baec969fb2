"""What objects are to events: every candidate that a set of alerts makes, before anything is written."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate, PairState
from hub.model.coverage import Coverage
from hub.model.event import Event
from hub.science import candidates as candidate_science
from hub.science.crossmatch import Target
from hub.science.light_curves import LightCurves
from hub.services.maps import MapCache
from hub.services.matching import Matching, ObjectKey
from hub.storage import candidates
from hub.storage.candidates import RowKey
from hub.storage.tables import JsonText

UNFIT = "withdrawn: it does not fit under the present rules"
"""First reason of a candidate that former rules made."""


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


def judge(  # noqa: PLR0917 - all it looks at
    session: Session,
    matching: Matching,
    maps: MapCache,
    event: Event,
    keys: Collection[ObjectKey],
    past: Mapping[str, LightCurves],
    coverage: Coverage,
) -> Judged:
    """Return what some objects are to an event, by their alerts of each survey."""
    targets = matching.targets(session, event)
    summaries = maps.summaries(session, event.localization_ids) if targets else {}
    found: list[Candidate] = []
    for survey, curves in sorted(past.items()):
        of_survey = curves.among([key.object_id for key in keys if key.survey == survey])
        made = [candidate_science.evaluate_all(target, of_survey, summaries, coverage) for target in targets]
        found += [one for of_object in zip(*made, strict=True) for one in of_object if one is not None]
    return Judged(event=event, keys=keys, targets=targets, candidates=found)


def with_unfit(judged: Judged, past: Mapping[str, LightCurves], stored: Mapping[RowKey, JsonText]) -> Judged:
    """Return the same with what was a candidate by former rules and is none by the present ones, withdrawn.

    Where the archive does not have the alerts any more, what was said stays.

    Parameters
    ----------
    judged
        By the present rules.
    past
        Alerts of the objects by survey.
    stored
        What is stored of the objects, and perhaps of others.
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
        begin = begins.get((survey, object_id))
        if begin is None or (hypothesis in ends and begin >= ends[hypothesis]):
            continue
        former = candidates.read(stored[row])
        reasons = tuple(one for one in former.reasons if one != UNFIT)
        withdrawn.append(replace(former, state=PairState.WITHDRAWN, reasons=(UNFIT, *reasons)))
    return replace(judged, candidates=[*judged.candidates, *withdrawn])


def _rows_of(judged: Judged, stored: Mapping[RowKey, JsonText]) -> Iterable[RowKey]:
    names = judged.names
    return (row for row in stored if row[:3] in names)
