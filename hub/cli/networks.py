"""``mmhub networks``: the telescope networks, and what is left of their time."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.invocation import EXIT_FAILED, load_settings
from hub.cli.listing import AsJson
from hub.cli.output import emit, table
from hub.errors import NotFound, TransportError

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.ports import TelescopeNetwork


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.command()(networks)


def networks(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this one of the settings.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the telescope networks, whether each is asked in earnest, and what it says is left of its time. Nothing is requested.

    Exit code 1 where one does not answer.
    """
    from hub.bootstrap import enabled_networks, open_networks

    settings = load_settings(context).settings
    if name is not None and name not in enabled_networks(settings):
        raise NotFound(f"there is no network {name} in the settings, or it is switched off; see `mmhub config show`")
    with open_networks(settings) as opened:
        bodies = [_body(settings, network) for one, network in opened.items() if name in (None, one)]
    if as_json:
        for body in bodies:
            emit(body)
    else:
        table(
            ("network", "kind", "live", "host", "what", "left", "unit", "until"), [row for body in bodies for row in _rows(body)]
        )
    if any(body["fault"] for body in bodies):
        raise typer.Exit(EXIT_FAILED)


def _body(settings: "Settings", network: "TelescopeNetwork") -> dict[str, Any]:
    section, fault = settings.networks[network.name], ""
    try:
        found = network.quota()
    except TransportError as error:
        found, fault = (), str(error)
    return {
        "network": network.name,
        "kind": section.kind,
        "live": section.live,
        "host": network.host,
        "fault": fault,
        "quota": [
            {
                "what": one.what,
                "unit": one.unit,
                "allocated": one.allocated,
                "used": one.used,
                "left": one.left,
                "until": one.until.to_utc_iso() if one.until else None,
            }
            for one in found
        ],
    }


def _rows(body: dict[str, Any]) -> list[tuple[object, ...]]:
    head = (body["network"], body["kind"], body["live"], body["host"])
    if not body["quota"]:
        return [(*head, body["fault"] or "no limits that it tells", None, None, None)]
    return [(*head, one["what"], one["left"], one["unit"], one["until"]) for one in body["quota"]]
