"""Annotations: statements about events, objects and places, found by name and by place, never edited but for a decision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, exists, func, or_, select, text, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.annotation import Annotation, AnnotationKind, AnnotationState
from hub.model.instant import Instant
from hub.science.event_names import keys_of
from hub.science.small_cone import cell_of, cells_around, separation_arcsec
from hub.storage.jsonable import dump, load
from hub.storage.paging import Order, after, ordering
from hub.storage.tables import AnnotationDecisionRow, AnnotationNameRow, AnnotationRow
from hub.storage.writing import CHUNK, hold, insert, is_postgresql, storable, table

Key = tuple[int, str]
"""Place of an annotation in listings: time (stated, else received; `Instant.tai_us`) and id."""

_SUBJECT = "what is said of candidates"

_ORDER: Order = ((col(AnnotationRow.order_tai_us), True), (col(AnnotationRow.annotation_id), False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided about a proposal."""

    state: AnnotationState
    """``accepted`` or ``rejected``."""

    decided_by: str
    decided_at: Instant
    note: str


def key(annotation: Annotation) -> Key:
    """Return the place of an annotation in listings: hand it to `search` as ``before`` to go on after it."""
    return (annotation.stated_at or annotation.received_at).tai_us, annotation.annotation_id


def add(session: Session, annotations: Sequence[Annotation]) -> int:
    """Store the statements that are not there yet; return how many were new.

    Which version of a thing is the newest is for `find_current` or `set_current` to find afterwards.
    """
    n_new = 0
    for start in range(0, len(annotations), CHUNK):
        chunk = annotations[start : start + CHUNK]
        statement = insert(session, AnnotationRow).on_conflict_do_nothing(index_elements=[table(AnnotationRow).c.annotation_id])
        result: Any = session.execute(statement, [_row(one) for one in chunk], execution_options={"preserve_rowcount": True})
        n_new += int(result.rowcount)
        names = [
            {"name_key": name, "annotation_id": one.annotation_id}
            for one in chunk
            for name in keys_of([one.target_id, *one.names])
        ]
        columns = table(AnnotationNameRow).c
        if names:
            session.execute(
                insert(session, AnnotationNameRow).on_conflict_do_nothing(
                    index_elements=[columns.name_key, columns.annotation_id]
                ),
                names,
            )
    return n_new


def find_current(session: Session, source: str, refs: Iterable[str]) -> None:
    """Find anew which statements about some things of a source are of the newest version: the latest stated, then by version."""
    wanted = sorted(set(refs))
    row = AnnotationRow
    for start in range(0, len(wanted), CHUNK):
        statement = select(
            col(row.annotation_id), col(row.source_ref), col(row.order_tai_us), col(row.version), col(row.is_current)
        ).where(col(row.source) == source, col(row.source_ref).in_(wanted[start : start + CHUNK]))
        rows = session.execute(statement).all()
        newest: dict[str, tuple[int, str]] = {}
        for _, ref, order, version, _ in rows:
            newest[ref] = max(newest.get(ref, (order, version)), (order, version))
        wrong: dict[bool, list[str]] = {True: [], False: []}
        for one, ref, order, version, is_current in rows:
            if is_current != (newest[ref] == (order, version)):
                wrong[not is_current].append(one)
        for is_current, ids in wrong.items():
            for at in range(0, len(ids), CHUNK):
                session.execute(update(row).where(col(row.annotation_id).in_(ids[at : at + CHUNK])).values(is_current=is_current))


def set_current(session: Session, source: str, source_ref: str, version: str) -> None:
    """Say which version of a thing of a source is the newest, also where nothing was found in it."""
    place = (col(AnnotationRow.source) == source, col(AnnotationRow.source_ref) == source_ref)
    session.execute(update(AnnotationRow).where(*place).values(is_current=col(AnnotationRow.version) == version))


def decide(session: Session, annotation_id: str, decision: Decision) -> Annotation | None:
    """Write a decision beside the earlier ones and make it count; return the annotation, None where there is none."""
    hold(session, f"annotation {annotation_id}")
    if get(session, annotation_id) is None:
        return None
    decisions = AnnotationDecisionRow
    last = session.scalar(select(func.max(col(decisions.number))).where(col(decisions.annotation_id) == annotation_id)) or 0
    session.add(
        decisions(
            annotation_id=annotation_id,
            number=last + 1,
            state=decision.state.value,
            decided_by=storable(decision.decided_by),
            decided_tai_us=decision.decided_at.tai_us,
            note=storable(decision.note),
        )
    )
    session.execute(
        update(AnnotationRow).where(col(AnnotationRow.annotation_id) == annotation_id).values(state=decision.state.value)
    )
    session.flush()
    return get(session, annotation_id)


def decisions_of(session: Session, annotation_id: str) -> list[Decision]:
    """Return all decisions about a proposal, the first one first."""
    row = AnnotationDecisionRow
    rows = session.scalars(select(row).where(col(row.annotation_id) == annotation_id).order_by(col(row.number)))
    return [_decision(one) for one in rows]


def get(session: Session, annotation_id: str) -> Annotation | None:
    """Return one annotation."""
    statement = select(AnnotationRow).where(col(AnnotationRow.annotation_id) == annotation_id)
    rows = session.scalars(statement.execution_options(populate_existing=True)).all()
    return next(iter(_loaded(session, rows)), None)


def search(
    session: Session,
    *,
    names: Sequence[str] | None = None,
    kinds: Sequence[AnnotationKind] | None = None,
    states: Sequence[AnnotationState] | None = None,
    source: str | None = None,
    source_ref: str | None = None,
    current_only: bool = True,
    limit: int,
    before: Key | None = None,
) -> list[Annotation]:
    """Return annotations, the latest stated first.

    Parameters
    ----------
    session
        Of the state database.
    names
        Names of the target in any spelling, one of which it must have; None for any.
    kinds, states, source, source_ref
        Only these; None for any.
    current_only
        Leave out what a newer version of its source no longer says; what a person accepted stays.
    limit
        Most annotations.
    before
        Only those after this place.
    """
    row = AnnotationRow
    statement = select(row)
    if names is not None:
        named = col(AnnotationNameRow.name_key).in_(keys_of(names)[:CHUNK])
        statement = statement.where(exists().where(col(AnnotationNameRow.annotation_id) == col(row.annotation_id), named))
    if kinds is not None:
        statement = statement.where(col(row.kind).in_([kind.value for kind in kinds]))
    if states is not None:
        statement = statement.where(col(row.state).in_([state.value for state in states]))
    if source is not None:
        statement = statement.where(col(row.source) == source)
    if source_ref is not None:
        statement = statement.where(col(row.source_ref) == source_ref)
    if current_only:
        statement = statement.where(or_(col(row.is_current).is_(True), col(row.state) == AnnotationState.ACCEPTED.value))
    if before is not None:
        statement = statement.where(after(_ORDER, before))
    return _loaded(session, session.scalars(statement.order_by(*ordering(_ORDER)).limit(limit)).all())


def near(session: Session, ra_deg: float, dec_deg: float, radius_arcsec: float, *, limit: int) -> list[Annotation]:
    """Return the current and the accepted annotations whose target lies within a few arcseconds, the nearest first."""
    row = AnnotationRow
    statement = (
        select(row)
        .where(col(row.cell).in_(cells_around(ra_deg, dec_deg, radius_arcsec)))
        .where(or_(col(row.is_current).is_(True), col(row.state) == AnnotationState.ACCEPTED.value))
        .order_by(*ordering(_ORDER))
        .limit(10 * limit)
    )
    found = []
    for one in _loaded(session, session.scalars(statement).all()):
        if one.ra_deg is not None and one.dec_deg is not None:
            separation = separation_arcsec(ra_deg, dec_deg, one.ra_deg, one.dec_deg)
            if separation <= radius_arcsec:
                found.append((separation, one))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].annotation_id))][:limit]


def has_any(session: Session, kind: AnnotationKind) -> bool:
    """Tell whether anything of a kind has ever been stated: where not, nobody needs to look for it."""
    return session.scalar(_any_of(), {"of_kind": kind.value}) is True


@cache
def _any_of() -> Select[Any]:
    return select(exists().where(col(AnnotationRow.kind) == bindparam("of_kind")))


def of_many(session: Session, kind: AnnotationKind, *, names: Iterable[str], cells: Iterable[int]) -> list[Annotation]:
    """Return what is stated or accepted now of targets with any of some names or in any of some cells, by id."""
    row, state = AnnotationRow, [AnnotationState.STATED.value, AnnotationState.ACCEPTED.value]
    is_now = or_(col(row.is_current).is_(True), col(row.state) == AnnotationState.ACCEPTED.value)
    statement = select(row).where(col(row.kind) == kind.value, is_now, col(row.state).in_(state))
    found: dict[str, AnnotationRow] = {}
    keys, wanted = sorted(keys_of(names)), sorted(set(cells))
    for start in range(0, len(keys), CHUNK):
        named = col(AnnotationNameRow.name_key).in_(keys[start : start + CHUNK])
        chosen = statement.where(exists().where(col(AnnotationNameRow.annotation_id) == col(row.annotation_id), named))
        found |= {one.annotation_id: one for one in session.scalars(chosen)}
    for start in range(0, len(wanted), CHUNK):
        chosen = statement.where(col(row.cell).in_(wanted[start : start + CHUNK]))
        found |= {one.annotation_id: one for one in session.scalars(chosen)}
    return _loaded(session, [found[name] for name in sorted(found)])


def hold_alone(session: Session) -> None:
    """Wait until nobody else holds what is said of candidates, and hold it until the transaction ends: for who states."""
    hold(session, _SUBJECT)


def hold_shared(session: Session) -> None:
    """Hold what is said of candidates beside others who hold it so, until the transaction ends: for who judges."""
    if is_postgresql(session):  # on SQLite one writes at a time
        session.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:subject, 0))"), {"subject": _SUBJECT})


def ever_said(
    session: Session, kind: AnnotationKind, *, names: Iterable[str], cells: Iterable[int]
) -> tuple[frozenset[str], frozenset[int]]:
    """Return of which of some name keys and cells anything of a kind was ever stated, whatever became of it since."""
    row, name = AnnotationRow, AnnotationNameRow
    named: set[str] = set()
    placed: set[int] = set()
    keys, wanted = sorted(keys_of(names)), sorted(set(cells))
    for start in range(0, len(keys), CHUNK):
        listed = select(col(name.name_key)).join(row, col(row.annotation_id) == col(name.annotation_id))
        chosen = listed.where(col(row.kind) == kind.value, col(name.name_key).in_(keys[start : start + CHUNK]))
        named.update(session.scalars(chosen))
    for start in range(0, len(wanted), CHUNK):
        within = select(col(row.cell)).where(col(row.kind) == kind.value, col(row.cell).in_(wanted[start : start + CHUNK]))
        placed.update(cell for cell in session.scalars(within) if cell is not None)
    return frozenset(named), frozenset(placed)


def _row(one: Annotation) -> dict[str, Any]:
    has_place = one.ra_deg is not None and one.dec_deg is not None
    return {
        "annotation_id": one.annotation_id,
        "target_kind": one.target_kind.value,
        "target_id": storable(one.target_id),
        "kind": one.kind.value,
        "source": storable(one.source),
        "source_ref": storable(one.source_ref),
        "version": storable(one.version),
        "state": one.state.value,
        "is_current": one.is_current,
        "order_tai_us": key(one)[0],
        "cell": cell_of(one.ra_deg, one.dec_deg) if has_place else None,  # type: ignore[arg-type]  # has_place says so
        "document": dump(one),
    }


def _loaded(session: Session, rows: Sequence[AnnotationRow]) -> list[Annotation]:
    """Return annotations as they stand now: state and currency from the columns, the last decision beside them."""
    decided = [row.annotation_id for row in rows if row.state in (AnnotationState.ACCEPTED, AnnotationState.REJECTED)]
    last: dict[str, Decision] = {}
    for start in range(0, len(decided), CHUNK):
        statement = select(AnnotationDecisionRow).where(
            col(AnnotationDecisionRow.annotation_id).in_(decided[start : start + CHUNK])
        )
        for row in session.scalars(statement.order_by(col(AnnotationDecisionRow.number))):
            last[row.annotation_id] = _decision(row)
    return [_load(row, last.get(row.annotation_id)) for row in rows]


def _load(row: AnnotationRow, decision: Decision | None) -> Annotation:
    loaded = load(Annotation, row.document)
    loaded = replace(loaded, state=AnnotationState(row.state), is_current=row.is_current)
    if decision is None:
        return loaded
    return replace(loaded, decided_by=decision.decided_by, decided_at=decision.decided_at, note=decision.note)


def _decision(row: AnnotationDecisionRow) -> Decision:
    return Decision(
        state=AnnotationState(row.state),
        decided_by=row.decided_by,
        decided_at=Instant(row.decided_tai_us),
        note=row.note,
    )
