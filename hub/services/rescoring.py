"""Asks for objects to be judged again when somebody says something of them."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from hub.model.annotation import Annotation, AnnotationKind, TargetKind
from hub.science.small_cone import cells_around_all, separation_arcsec
from hub.storage import jobs, object_places
from hub.storage.object_places import ObjectPlace

OBJECT_JOB = "object"
"""Kind of the job: its key is ``SURVEY:ID`` of an object that is a candidate."""

RADIUS_ARCSEC = 3.0
"""Objects so near a place of which something is said are judged again; the statements that count lie nearer."""


def ask(session: Session, statements: Sequence[Annotation]) -> None:
    """Leave a job for each candidate that some new statements, or decisions about them, are about.

    A statement about a place may take another one's away, whatever it says itself; one about an object gives way to its like.
    """
    by_name = [one for one in statements if one.kind is AnnotationKind.CLASSIFICATION]
    ids = {one.target_id.partition(":")[2] for one in by_name if one.target_kind is TargetKind.OBJECT}
    ids |= {name for one in by_name for name in one.names if not name.isdigit()}
    found = {place.name for place in object_places.of_ids(session, ids)}
    for name in sorted(found | {place.name for place in _near(session, statements)}):
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
