"""``mmhub db upgrade``."""

import typer

from hub.cli.invocation import start
from hub.cli.listing import AsJson
from hub.cli.output import emit, say
from hub.text import redacted_url

group = typer.Typer(no_args_is_help=True, help="Look after the state database.")
"""Verbs below ``mmhub db``."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this file."""
    app.add_typer(group, name="db")


@group.callback()
def _group() -> None:
    pass  # keeps `upgrade` a verb of its own while it is the only one


@group.command()
def upgrade(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database's tables to the form that this version needs; a new database is made."""
    settings = start(context)
    from hub.bootstrap import make_data_dir, upgrade_database

    make_data_dir(settings)
    upgrade_database(settings)
    url = redacted_url(settings.storage_url)
    emit({"url": url, "is_current": True}) if as_json else say(f"the database {url} is up to date")
