"""Asks for objects to be judged again when somebody says something of them.

On PostgreSQL an object may become a candidate in a transaction that has looked already for what is said of it, while another one
that says it does not see the candidate yet. Both therefore hold one lock from when they look for the other until they end:
whoever comes later sees what the earlier did. Who states holds it alone, and for a moment; who judges, beside others who judge.
"""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from hub.model.annotation import Annotation, AnnotationKind, TargetKind
from hub.model.coincidence import Candidate
from hub.science.event_names import keys_of
from hub.science.small_cone import cells_around_all, separation_arcsec
from hub.services.classified import names_of
from hub.storage import annotations, jobs, object_places
from hub.storage.object_places import ObjectPlace
from hub.storage.writing import is_postgresql

OBJECT_JOB = "object"
"""Kind of the job: its key is ``SURVEY:ID`` of an object that is a candidate."""

RADIUS_ARCSEC = 3.0
"""Objects so near a place of which something is said are judged again; the statements that count lie nearer."""


def ask(session: Session, statements: Sequence[Annotation]) -> None:
    """Leave a job for each candidate that some new statements, or decisions about them, are about.

    A statement about a place may take another one's away, whatever it says itself; one about an object gives way to its like.
    The session has written the statements.
    """
    annotations.hold_alone(session)
    by_name = [one for one in statements if one.kind is AnnotationKind.CLASSIFICATION]
    ids = {one.target_id.partition(":")[2] for one in by_name if one.target_kind is TargetKind.OBJECT}
    ids |= {name for one in by_name for name in one.names if not name.isdigit()}
    found = {place.name for place in object_places.of_ids(session, ids)}
    for name in sorted(found | {place.name for place in _near(session, statements)}):
        jobs.put(session, OBJECT_JOB, name)


def look_again(session: Session, new: Sequence[Candidate]) -> None:
    """Leave a job for those of some new candidates of which anything was ever said: it may have come while they were judged.

    A job that was not needed finds nothing to change. The session has written the candidates.
    """
    if not new or not is_postgresql(session):  # of transactions that run one after the other the later sees all
        return
    annotations.hold_shared(session)
    if not annotations.has_any(session, AnnotationKind.CLASSIFICATION):
        return
    owner, cells = cells_around_all(np.array([one.ra_deg for one in new]), np.array([one.dec_deg for one in new]), RADIUS_ARCSEC)
    of_candidate: dict[int, set[int]] = {}
    for number, cell in zip(owner.tolist(), cells.tolist(), strict=True):
        of_candidate.setdefault(number, set()).add(cell)
    names = [names_of(one.survey, one.object_id) for one in new]
    named, placed = annotations.ever_said(
        session,
        AnnotationKind.CLASSIFICATION,
        names=[name for some in names for name in some],
        cells=set().union(*of_candidate.values()),
    )
    due = {
        f"{one.survey}:{one.object_id}"
        for number, (one, own) in enumerate(zip(new, names, strict=True))
        if named.intersection(keys_of(own)) or placed & of_candidate[number]
    }
    for name in sorted(due):
        jobs.put(session, OBJECT_JOB, name)


def _near(session: Session, statements: Sequence[Annotation]) -> set[ObjectPlace]:
    at = sorted(
        {
            (one.ra_deg, one.dec_deg)
            for one in statements
            if one.target_kind is TargetKind.POSITION and one.ra_deg is not None and one.dec_deg is not None
        }
    )
    if not at:
        return set()
    ra, dec = (np.array(column) for column in zip(*at, strict=True))
    places, cells = cells_around_all(ra, dec, RADIUS_ARCSEC)
    in_cell: dict[int, list[int]] = {}
    for place, cell in zip(places.tolist(), cells.tolist(), strict=True):
        in_cell.setdefault(cell, []).append(place)
    return {
        one
        for one in object_places.in_cells(session, in_cell)
        if any(separation_arcsec(one.ra_deg, one.dec_deg, *at[number]) <= RADIUS_ARCSEC for number in in_cell[one.cell])
    }
