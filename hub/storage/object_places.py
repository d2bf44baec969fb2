"""Where the objects lie that are candidates."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.tables import ObjectPlaceRow
from hub.storage.writing import CHUNK, upsert_all


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
    first, last = session.execute(select(func.min(col(ObjectPlaceRow.survey)), func.max(col(ObjectPlaceRow.survey)))).one()
    return bool(first != last)


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
    wanted, row = sorted(set(object_ids)), ObjectPlaceRow
    found: list[ObjectPlace] = []
    for start in range(0, len(wanted), CHUNK):
        rows = session.execute(
            select(*(getattr(row, name) for name in _COLUMNS)).where(col(row.object_id).in_(wanted[start : start + CHUNK]))
        )
        found += [ObjectPlace(**dict(zip(_COLUMNS, values, strict=True))) for values in rows]
    return sorted(found)


_COLUMNS = ("survey", "object_id", "cell", "ra_deg", "dec_deg", "first_tai_us")
