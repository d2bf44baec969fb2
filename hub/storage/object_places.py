"""Where the objects lie that are candidates."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.tables import ObjectPlaceRow
from hub.storage.writing import CHUNK, among_those, is_postgresql, those, upsert_all


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectPlace:
    """One object."""

    survey: str
    object_id: str
    cell: int
    ra_deg: float
    dec_deg: float
    first_tai_us: int
    """When it was first detected, `Instant.tai_us`."""

    @property
    def name(self) -> str:
        """``SURVEY:ID``."""
        return f"{self.survey}:{self.object_id}"


def save(session: Session, places: Sequence[ObjectPlace]) -> None:
    """Write where objects lie over what was known."""
    rows = [{name: getattr(one, name) for name in _COLUMNS} for one in sorted(places)]
    upsert_all(session, ObjectPlaceRow, rows, key=("survey", "object_id"))


def are_of_several_surveys(session: Session) -> bool:
    """Tell whether objects of more than one survey are known; two looks at the key."""
    first, last = session.execute(_ends()).one()
    return bool(first != last)


@cache
def _ends() -> Select[*tuple[Any, ...]]:
    # One by one: SQLite reads the whole table to find the least and the greatest in one go.
    survey = col(ObjectPlaceRow.survey)
    return select(select(func.min(survey)).scalar_subquery(), select(func.max(survey)).scalar_subquery())


def in_cells(session: Session, cells: Collection[int]) -> list[ObjectPlace]:
    """Return the objects in some cells, sorted."""
    wanted, row = sorted(set(cells)), ObjectPlaceRow
    found: list[ObjectPlace] = []
    for start in range(0, len(wanted), CHUNK):
        rows = session.execute(
            select(*(getattr(row, name) for name in _COLUMNS)).where(col(row.cell).in_(wanted[start : start + CHUNK]))
        )
        found += [ObjectPlace(**dict(zip(_COLUMNS, values, strict=True))) for values in rows]
    return sorted(found)


def of_ids(session: Session, object_ids: Collection[str]) -> list[ObjectPlace]:
    """Return the objects with some ids, of whichever survey, sorted."""
    rows = session.execute(_of_ids(is_postgresql(session)), {"ids": those(session, object_ids)})
    return sorted(ObjectPlace(**dict(zip(_COLUMNS, values, strict=True))) for values in rows)


@cache
def _of_ids(for_postgresql: bool) -> Select[*tuple[Any, ...]]:
    row = ObjectPlaceRow
    name = among_those(col(row.object_id), "ids", for_postgresql=for_postgresql)
    return select(*(getattr(row, column) for column in _COLUMNS)).where(name)


_COLUMNS = ("survey", "object_id", "cell", "ra_deg", "dec_deg", "first_tai_us")
