"""``mmhub followup draft``: documents for a person to finish and to send."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from hub.cli.followup import group
from hub.cli.invocation import reading
from hub.cli.listing import AsJson
from hub.cli.output import complain, emit
from hub.errors import InvalidRequest


class Document(StrEnum):
    """What is drafted."""

    CIRCULAR = "circular"
    TREASURE_MAP = "treasure-map"
    TNS = "tns"


def register(app: typer.Typer) -> None:
    """Add the verb of this file to those of follow-up."""
    group.command()(draft)


def draft(
    context: typer.Context,
    document: Annotated[Document, typer.Argument(help="What to draft.")],
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Id of an event, or another name of it.")],
    *,
    candidate: Annotated[
        str | None, typer.Option("--candidate", metavar="ID", help="The object of a TNS report, with or without SURVEY:.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the draft of a GCN Circular or of a report. It is for a person to finish: nothing is sent, now or later."""
    from hub.services import drafts

    if (document is Document.TNS) is (candidate is None):
        raise InvalidRequest("--candidate names the object of a TNS report, and belongs to nothing else")
    with reading(context) as session:
        match document:
            case Document.CIRCULAR:
                body = drafts.circular(session, event)
            case Document.TREASURE_MAP:
                body = drafts.treasure_map(session, event)
            case Document.TNS:
                body = drafts.tns(session, event, candidate or "")
    if as_json:
        emit(body)
    else:
        _tell(body)


def _tell(body: dict[str, Any]) -> None:
    found = body["document"]
    if body["kind"] == "gcn-circular":
        typer.echo(f"Subject: {found['subject']}\n")
        typer.echo(found["body"])
    else:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    for remark in ("this is a draft: nothing was sent", *body["remarks"]):
        complain(remark)
