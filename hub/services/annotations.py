"""Annotations: recorded as they are stated, shown beside events and objects, and decided upon by persons."""

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from hub.errors import InvalidRequest, NotFound
from hub.model.alert import ObjectStatement
from hub.model.annotation import (
    Annotation,
    AnnotationKind,
    AnnotationState,
    ReportedObject,
    TargetKind,
    annotation_id,
)
from hub.model.instant import Instant
from hub.services import rescoring
from hub.services.annotation_bodies import annotation_body
from hub.services.bodies import Body, jsonable, utc
from hub.services.queries import Page, find_event
from hub.storage import annotations
from hub.storage.annotations import Decision, Key
from hub.storage.engine import Store

AT_ONCE = 2_000
"""Statements about the objects of a registry that are written together."""


def record(session: Session, statements: Sequence[Annotation]) -> int:
    """Store statements, and find anew which of their things' versions is the newest; return how many were new.

    Told twice is told once; the order in which versions come does not matter.
    """
    n_new = annotations.add(session, statements)
    if n_new:
        rescoring.ask(session, statements)
    by_source: dict[str, set[str]] = {}
    for one in statements:
        by_source.setdefault(one.source, set()).add(one.source_ref)
    for source, refs in sorted(by_source.items()):
        annotations.find_current(session, source, refs)
    return n_new


def record_reports(store: Store, reports: Iterable[ReportedObject], received_at: Instant) -> int:
    """Store what a registry says of its objects; return how many statements were new.

    Some thousand statements make a transaction, so that nobody waits for the whole of a registry; a crash on the way is made
    good by telling it again.
    """
    n_new = 0
    waiting: list[Annotation] = []
    for report in reports:
        waiting += of_report(report, received_at)
        if len(waiting) >= AT_ONCE:
            n_new += _record(store, waiting)
            waiting = []
    return n_new + _record(store, waiting)


def _record(store: Store, statements: Sequence[Annotation]) -> int:
    if not statements:
        return 0
    with store.transaction() as session:
        return record(session, statements)


def of_report(report: ReportedObject, received_at: Instant) -> list[Annotation]:
    """Return what an entry of a registry states: the name, and class and redshift and host where it has them."""
    full_name = f"{report.prefix} {report.name}".strip()
    name = {
        "name": full_name,
        "internal_names": list(report.internal_names),
        "discovered_at": utc(report.discovered_at),
        "mag": report.discovery_mag,
        "filter": report.discovery_filter,
        "reported_by": report.reported_by,
    }
    said: list[tuple[AnnotationKind, dict[str, object]]] = [
        (AnnotationKind.NAME, {key: value for key, value in name.items() if value})
    ]
    if report.classification:
        said.append((AnnotationKind.CLASSIFICATION, {"class": report.classification}))
    if report.redshift is not None:
        said.append((AnnotationKind.REDSHIFT, {"z": report.redshift}))
    if report.host:
        said.append((AnnotationKind.HOST, {"name": report.host}))
    target = (TargetKind.POSITION, full_name)
    return [
        Annotation(
            annotation_id=annotation_id(
                source=report.registry,
                source_ref=report.name,
                version=report.version,
                target=target,
                kind=kind,
                value=value,
                stated_at=report.modified_at,
            ),
            target_kind=target[0],
            target_id=target[1],
            kind=kind,
            value=value,
            source=report.registry,
            source_ref=report.name,
            version=report.version,
            stated_at=report.modified_at,
            received_at=received_at,
            names=(report.name, f"AT{report.name}", *report.internal_names),
            ra_deg=report.ra_deg,
            dec_deg=report.dec_deg,
        )
        for kind, value in said
    ]


def of_alerts(statements: Iterable[ObjectStatement], received_at: Instant) -> list[Annotation]:
    """Return what brokers say of objects, one statement for each alert that it came with; a newer alert's takes its place.

    A broker does not tell when it said so, but not before the exposure ended: that is the time of the statement, so that the same
    packet gives the same statement whenever it comes.
    """
    return [_of_alert(one, received_at) for one in statements]


def _of_alert(one: ObjectStatement, received_at: Instant) -> Annotation:
    target_id = f"{one.survey}:{one.object_id}"
    stated_at = Instant(one.mid_tai_us)
    kind = AnnotationKind(one.kind)
    what = str(one.value.get("class", "")) if "probability" in one.value else ""
    source_ref = f"{target_id} {kind.value} {what}".rstrip()
    version = f"{one.source_id} {one.version}".rstrip()
    value = {**one.value, "alert": str(one.source_id)} | ({"software": one.version} if one.version else {})
    return Annotation(
        annotation_id=annotation_id(
            source=one.source,
            source_ref=source_ref,
            version=version,
            target=(TargetKind.OBJECT, target_id),
            kind=kind,
            value=value,
            stated_at=stated_at,
        ),
        target_kind=TargetKind.OBJECT,
        target_id=target_id,
        kind=kind,
        value=value,
        source=one.source,
        source_ref=source_ref,
        version=version,
        stated_at=stated_at,
        received_at=received_at,
        ra_deg=one.ra_deg,
        dec_deg=one.dec_deg,
    )


def page(
    session: Session,
    *,
    event_name: str | None = None,
    object_id: str | None = None,
    kind: AnnotationKind | None = None,
    state: AnnotationState | None = None,
    source: str | None = None,
    with_older: bool = False,
    limit: int,
    before: Key | None = None,
) -> Page:
    """Return annotations, the latest stated first; those of older versions only where asked for."""
    names = None if object_id is None else [object_id]
    if event_name is not None:
        names = [*(names or ()), *_names_of_event(session, event_name)]
    found = annotations.search(
        session,
        names=names,
        kinds=None if kind is None else [kind],
        states=None if state is None else [state],
        source=source,
        current_only=not with_older,
        limit=limit + 1,
        before=before,
    )
    shown = found[:limit]
    return Page(bodies=[annotation_body(one) for one in shown], last=annotations.key(shown[-1]) if len(found) > limit else None)


def one(session: Session, annotation_id: str) -> Body:
    """Return an annotation with every decision about it; raises `NotFound`."""
    return with_decisions(session, _find(session, annotation_id))


def decide(session: Session, annotation_id: str, state: AnnotationState, *, by: str, note: str = "", at: Instant) -> Body:
    """Accept or reject a proposal in a person's name; it may be decided anew, and every decision is kept.

    Raises
    ------
    NotFound
        There is no such annotation.
    InvalidRequest
        It is no proposal, or nobody is named.
    """
    if state not in (AnnotationState.ACCEPTED, AnnotationState.REJECTED):
        raise InvalidRequest("a proposal is accepted or rejected", field="state")
    if not by.strip():
        raise InvalidRequest("a decision needs the name of the person who takes it", field="by")
    found = _find(session, annotation_id)
    if found.state is AnnotationState.STATED:
        raise InvalidRequest(f"{found.source} states this itself: only proposals can be accepted or rejected")
    decision = Decision(state=state, decided_by=by.strip(), decided_at=at, note=note.strip())
    decided = annotations.decide(session, annotation_id, decision)
    assert decided is not None
    rescoring.ask(session, [decided])
    return with_decisions(session, decided)


def with_decisions(session: Session, found: Annotation) -> Body:
    """Return the body of an annotation with every decision about it, the first one first."""
    decisions = [
        {
            "state": decision.state.value,
            "by": jsonable(decision.decided_by),
            "at": utc(decision.decided_at),
            "note": jsonable(decision.note),
        }
        for decision in annotations.decisions_of(session, found.annotation_id)
    ]
    return {**annotation_body(found), "decisions": decisions}


def _find(session: Session, annotation_id: str) -> Annotation:
    found = annotations.get(session, annotation_id)
    if found is None:
        raise NotFound(f"there is no annotation {annotation_id}")
    return found


def _names_of_event(session: Session, name: str) -> list[str]:
    try:
        event = find_event(session, name)
    except NotFound:
        return [name]
    return [name, event.event_id, *event.aliases]
