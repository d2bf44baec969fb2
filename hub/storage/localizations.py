"""Localizations by the content of their map, arrays as compressed ``npz`` without pickle."""

import io
import zipfile
from collections.abc import Collection, Sequence

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.sky import Localization, LocalizationSource, Skymap, SkymapSummary
from hub.storage.jsonable import dump, load
from hub.storage.tables import LocalizationRow
from hub.storage.writing import among, insert_new

_COLUMNS = ("lo", "hi", "probdensity", "distmu", "distsigma", "distnorm")


def save(session: Session, localization: Localization) -> None:
    """Store a localization; one with the same map is there already and stays as it is."""
    values = {
        "localization_id": localization.localization_id,
        "source": localization.source.value,
        "summary": dump(localization.summary),
        "remarks": list(localization.remarks),
        "columns": _pack(localization.skymap),
    }
    insert_new(session, LocalizationRow, values, key=["localization_id"])


def get(session: Session, localization_id: str) -> Localization | None:
    """Return a localization with its map."""
    row = session.get(LocalizationRow, localization_id, populate_existing=True)
    if row is None:
        return None
    return Localization(
        localization_id=row.localization_id,
        source=LocalizationSource(row.source),
        skymap=_unpack(row.columns),
        summary=load(SkymapSummary, row.summary),
        remarks=tuple(row.remarks),
    )


def sources(session: Session, localization_ids: Sequence[str]) -> dict[str, LocalizationSource]:
    """Return what some localizations were made from, by id."""
    columns = (col(LocalizationRow.localization_id), col(LocalizationRow.source))
    statement = select(*columns).where(columns[0].in_(localization_ids))
    return {name: LocalizationSource(source) for name, source in session.execute(statement)}


def summary(session: Session, localization_id: str) -> SkymapSummary | None:
    """Return the few numbers of a localization without reading its map."""
    document = session.scalars(
        select(col(LocalizationRow.summary)).where(col(LocalizationRow.localization_id) == localization_id)
    ).first()
    return None if document is None else load(SkymapSummary, document)


def areas(session: Session, localization_ids: Collection[str]) -> dict[str, float]:
    """Return the 90 % areas of some localizations, square degrees, by id; ids that do not exist are left out."""
    name = col(LocalizationRow.localization_id)
    rows = session.execute(select(name, col(LocalizationRow.summary)).where(among(session, name, localization_ids)))
    return {found: load(SkymapSummary, document).area90_deg2 for found, document in rows}


def _pack(skymap: Skymap) -> bytes:
    """Return what `numpy.savez_compressed` would write, at its lowest level: a quarter of the time, the same size to 1 %."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in _COLUMNS:
            column = getattr(skymap, name)
            if column is not None:
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, np.ascontiguousarray(column), allow_pickle=False)
    return buffer.getvalue()


def _unpack(packed: bytes) -> Skymap:
    with np.load(io.BytesIO(packed), allow_pickle=False) as columns:
        return Skymap(**{name: columns[name] for name in columns.files})
