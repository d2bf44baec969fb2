"""``mmhub diff``: two versions of an event compared."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hub.cli.invocation import start
from hub.cli.listing import AsJson, cell
from hub.cli.output import emit, say, table

SECTIONS = (
    ("changes", ("what", "before", "after", "change", "ratio")),
    ("overlaps", ("coincidence_id", "other", "state", "before", "after", "before_reason", "after_reason")),
    ("moves", ("survey", "object_id", "hypothesis", "rank_before", "rank_after", "score_before", "score_after", "term")),
)
"""Parts of the answer, and the columns of each."""


STORED = ("coincidence_id", "others", "state_before", "state_after", "what", "before", "after")
"""Columns of what was stored: one line for each number that differs."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(diff)


def diff(
    context: typer.Context,
    event: Annotated[str, typer.Argument(help="Id of an event, or another name of it.", metavar="EVENT")],
    before: Annotated[int, typer.Argument(help="Number of a version, as show lists them.", metavar="V1")],
    after: Annotated[int, typer.Argument(help="The version that it is compared with.", metavar="V2")],
    as_json: AsJson = False,
) -> None:
    """Say what differs between two versions of an event: areas, distance, rates, class, time, place, overlaps and rank moves."""
    settings = start(context)
    from hub.bootstrap import open_database, ranking_for
    from hub.services.differences import Means, differences, differences_body

    folders = settings.archive_folder, settings.catalogs_folder
    with open_database(settings) as store, store.reading() as session:
        means = Means.of_folders(*folders, settings.catalogs.use, ranking_for(settings), store)
        body = differences_body(differences(session, event, before, after, means))
    if as_json:
        emit(body)
        return
    say(f"{body['event_id']}, version {before} to {after}")
    for name, columns in SECTIONS:
        say("")
        say(f"{name}: {len(body[name]) or 'none'}{' (recomputed)' if name != 'changes' and body[name] else ''}")
        if body[name]:
            table(columns, [[cell(one[column]) for column in columns] for one in body[name]])
    said = [row for one in body["stored"] for row in _stored(one)]
    say("")
    say(f"stored: {len(said) or 'none'}")
    if said:
        table(STORED, [[cell(value) for value in row] for row in said])
    for one in body["moves"]:
        say(f"  {one['survey']}:{one['object_id']} as {one['hypothesis']}: {one['reason']}")
    say("")
    say(body["basis"])


def _stored(one: Mapping[str, Any]) -> list[list[Any]]:
    """Return the numbers of a coincidence that were stored otherwise under the two versions."""
    before, after = one["before"] or {}, one["after"] or {}
    names = {**(before.get("scores") or {}), **(after.get("scores") or {})}
    numbers = [("place", before.get("rank"), after.get("rank"))]
    numbers += [(name, (before.get("scores") or {}).get(name), (after.get("scores") or {}).get(name)) for name in names]
    head = [one["coincidence_id"], " ".join(one["others"]), before.get("state"), after.get("state")]
    rows = [[*head, *number] for number in numbers if number[1] != number[2]]
    return rows or [[*head, "version", before.get("coincidence_version"), after.get("coincidence_version")]]
