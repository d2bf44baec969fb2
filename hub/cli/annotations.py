"""``mmhub annotation list|show|accept|reject``."""

from typing import Annotated

import typer

from hub.cli.invocation import reading, start
from hub.cli.listing import AsJson, Limit, collect, facts, present
from hub.cli.output import emit
from hub.errors import InvalidRequest
from hub.model.annotation import AnnotationKind, AnnotationState

group = typer.Typer(no_args_is_help=True, help="Look at annotations, accept or reject what was found in circulars.")
"""Verbs below ``mmhub annotation``."""

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of an annotation, as the listing gives it.")]
"""What names an annotation."""

By = Annotated[str, typer.Option("--by", help="Name of the person who decides; kept with the decision.")]
"""Who decides."""

Note = Annotated[str, typer.Option("--note", help="Why, in a few words.")]
"""Why."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="annotation")


@group.command("list")
def list_(
    context: typer.Context,
    *,
    event: Annotated[str | None, typer.Option(help="Any name of an event.")] = None,
    of_object: Annotated[str | None, typer.Option("--object", help="SURVEY:ID, or another name of an object.")] = None,
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(AnnotationKind)}.")] = None,
    state: Annotated[str | None, typer.Option(help=f"One of {', '.join(AnnotationState)}.")] = None,
    source: Annotated[str | None, typer.Option(help="TNS, gcn-circular, or the name of a broker.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List annotations, the latest stated first."""
    from hub.services import annotations

    try:
        wanted_kind = AnnotationKind(kind) if kind is not None else None
        wanted_state = AnnotationState(state) if state is not None else None
    except ValueError as error:
        raise InvalidRequest(f"there is no such kind or state: {error}") from error
    with reading(context) as session:
        bodies = collect(
            lambda n, last: annotations.page(
                session,
                event_name=event,
                object_id=of_object,
                kind=wanted_kind,
                state=wanted_state,
                source=source,
                limit=n,
                before=last,
            ),
            limit,
        )
    present(
        bodies, ("annotation_id", "state", "target_id", "kind", "value", "source", "source_ref", "stated_at"), as_json=as_json
    )


@group.command()
def show(context: typer.Context, annotation_id: Id, as_json: AsJson = False) -> None:
    """Show an annotation, where it was found, and every decision about it."""
    from hub.services import annotations

    with reading(context) as session:
        body = annotations.one(session, annotation_id)
    emit(body) if as_json else facts(body)


@group.command()
def accept(context: typer.Context, annotation_id: Id, by: By, note: Note = "", as_json: AsJson = False) -> None:
    """Accept what was found in a circular: from now on it shows beside its event or object."""
    _decide(context, annotation_id, AnnotationState.ACCEPTED, by, note, as_json=as_json)


@group.command()
def reject(context: typer.Context, annotation_id: Id, by: By, note: Note = "", as_json: AsJson = False) -> None:
    """Reject what was found in a circular; it may be accepted later, and both decisions are kept."""
    _decide(context, annotation_id, AnnotationState.REJECTED, by, note, as_json=as_json)


def _decide(context: typer.Context, annotation_id: str, state: AnnotationState, by: str, note: str, *, as_json: bool) -> None:
    settings = start(context)
    from hub.bootstrap import now, open_database
    from hub.services import annotations

    with open_database(settings) as store, store.transaction() as session:
        body = annotations.decide(session, annotation_id, state, by=by, note=note, at=now())
    emit(body) if as_json else facts(body)
