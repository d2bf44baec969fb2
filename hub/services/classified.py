"""Classes that others state of objects, looked up for many objects at once."""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy.orm import Session

from hub.model.annotation import Annotation, AnnotationKind, TargetKind
from hub.science.class_rules import ClassRules
from hub.science.event_names import name_key
from hub.science.healpix import Floats
from hub.science.ranking.classification import StatedClass
from hub.science.small_cone import cell_of, cells_around_all, separation_arcsec
from hub.services.bodies import utc
from hub.storage import annotations


def names_of(survey: str, object_id: str) -> list[str]:
    """Return the names under which statements about an object are found; a bare number is none, other surveys count too."""
    return [f"{survey}:{object_id}", *([] if object_id.isdigit() else [object_id])]


def classes_of(  # noqa: PLR0917 - places in columns
    session: Session, survey: str, objects: Sequence[str], ra_deg: Floats, dec_deg: Floats, rules: ClassRules
) -> dict[str, tuple[StatedClass, ...]]:
    """Return what is stated or accepted now of the classes of some objects; those of which nothing is are left out."""
    if not len(objects) or not annotations.has_any(session, AnnotationKind.CLASSIFICATION):
        return {}
    by_key = {name_key(name): number for number, one in enumerate(objects) for name in names_of(survey, one)}
    places, cells = cells_around_all(np.asarray(ra_deg), np.asarray(dec_deg), rules.radius_arcsec)
    in_cell: dict[int, list[int]] = {}
    for place, cell in zip(places.tolist(), cells.tolist(), strict=True):
        in_cell.setdefault(cell, []).append(place)
    said = annotations.of_many(
        session, AnnotationKind.CLASSIFICATION, names=[name for one in objects for name in names_of(survey, one)], cells=in_cell
    )
    found: dict[int, set[StatedClass]] = {}
    for one in said:
        if (stated := _stated(one)) is None:
            continue
        about = {by_key[key] for name in (one.target_id, *one.names) if (key := name_key(name)) in by_key}
        if one.target_kind is not TargetKind.OBJECT and one.ra_deg is not None and one.dec_deg is not None:
            cell = cell_of(one.ra_deg, one.dec_deg)
            about |= {
                number
                for number in in_cell.get(cell, ())
                if separation_arcsec(ra_deg[number], dec_deg[number], one.ra_deg, one.dec_deg) <= rules.radius_arcsec
            }
        for number in about:
            found.setdefault(number, set()).add(stated)
    return {objects[number]: tuple(sorted(of_object)) for number, of_object in sorted(found.items())}


def _stated(one: Annotation) -> StatedClass | None:
    name = one.value.get("class")
    if not isinstance(name, str) or not name:
        return None
    return StatedClass(
        source=one.source,
        name=name,
        version=one.version,
        stated_at=utc(one.stated_at) or "",
        probability=_probability(one.value),
    )


def _probability(value: Mapping[str, object]) -> float:
    stated = value.get("probability")
    if isinstance(stated, int | float) and not isinstance(stated, bool) and 0.0 <= stated <= 1.0:
        return float(stated)
    return 1.0
