"""Pairs of event and object that are looked at again: with every new alert of the object, and of whatever lies close to it.

What surveys call another object may be the same transient, and its alerts are part of what the object is judged by. So it is
known where each object lies that is watched.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, CompoundSelect, and_, bindparam, literal, select, union_all
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.ports import NEIGHBOUR_ARCSEC
from hub.science.healpix import centres
from hub.science.small_cone import cells_around_all
from hub.storage.tables import EventRow, WatchedPlaceRow, WatchedRow
from hub.storage.writing import among_those, insert_all_new, is_postgresql, table, those


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A pair that new alerts may change."""

    event_id: str
    survey: str
    object_id: str
    hpx29: int | None
    """Where the object lies, of one that lies in the cells that were asked for; None of one that was asked for by its id."""


def watch(session: Session, survey: str, pairs: Collection[tuple[str, str, int]]) -> None:
    """Have pairs looked at again with every new alert of their objects, and of what lies close to these.

    Committed before the object's alerts are read: of an alert that comes meanwhile and of the reader at least one sees the other.

    Parameters
    ----------
    session
        Writes.
    survey
        Of the objects.
    pairs
        Event id, object id, and order-29 pixel of one of the object's detections.
    """
    if not pairs:
        return
    rows = [{"event_id": event_id, "survey": survey, "object_id": object_id} for event_id, object_id, _ in pairs]
    insert_all_new(session, WatchedRow, rows, key=["event_id", "survey", "object_id"])
    objects = sorted({(object_id, pixel) for _, object_id, pixel in pairs})
    pixels = np.array([pixel for _, pixel in objects], dtype=np.int64)
    numbers, cells = cells_around_all(*centres(pixels, pixels + 1), NEIGHBOUR_ARCSEC)
    places = [
        {"cell": cell, "survey": survey, "object_id": objects[number][0], "hpx29": objects[number][1]}
        for number, cell in zip(numbers.tolist(), cells.tolist(), strict=True)
    ]
    insert_all_new(session, WatchedPlaceRow, places, key=["cell", "survey", "object_id"])


def of_alerts(
    session: Session, survey: str, object_ids: Collection[str], cells: Collection[int], since: Instant
) -> list[Watched]:
    """Return what is to be looked at with new alerts: pairs of their objects, and pairs of any objects that lie close to a cell.

    Only events that have a time at or after a moment by any of their notices: what is said of older ones is settled.

    Parameters
    ----------
    session
        Was opened after the alerts were archived.
    survey, object_ids
        Of the alerts.
    cells
        `hub.science.small_cone` cells that they lie in: whatever lies within `NEIGHBOUR_ARCSEC` of any place there is found, and
        some that lies farther away.
    since
        The moment.
    """
    asked = {
        "of_survey": survey,
        "object_ids": those(session, object_ids),
        "cells": those(session, cells),
        "since": since.tai_us,
    }
    found = session.execute(_of_alerts(is_postgresql(session)), asked)
    return [Watched(event_id=event_id, survey=of, object_id=name, hpx29=pixel) for event_id, of, name, pixel in found]


@cache
def _of_alerts(for_postgresql: bool) -> CompoundSelect[*tuple[Any, ...]]:
    row, place, event = table(WatchedRow).c, table(WatchedPlaceRow), table(EventRow)
    is_live = event.c.last_t0_tai_us >= bindparam("since")
    of_them = (
        select(row.event_id, row.survey, row.object_id, literal(None, BigInteger))
        .join(event, event.c.event_id == row.event_id)
        .where(
            row.survey == bindparam("of_survey"),
            among_those(row.object_id, "object_ids", for_postgresql=for_postgresql),
            is_live,
        )
    )
    near_them = (
        select(row.event_id, row.survey, row.object_id, place.c.hpx29)
        .select_from(place)
        .join(table(WatchedRow), and_(row.survey == place.c.survey, row.object_id == place.c.object_id))
        .join(event, event.c.event_id == row.event_id)
        .where(among_those(place.c.cell, "cells", for_postgresql=for_postgresql, kind=BigInteger), is_live)
    )
    return union_all(of_them, near_them)


def of_event(session: Session, event_id: str) -> set[tuple[str, str, str]]:
    """Return (event id, object id, survey) of all pairs of an event that are watched."""
    row = WatchedRow
    statement = select(col(row.event_id), col(row.object_id), col(row.survey)).where(col(row.event_id) == event_id)
    return {(name, object_id, survey) for name, object_id, survey in session.execute(statement)}
