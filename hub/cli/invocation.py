"""What every verb knows: the options before the verb, and how to get the settings from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from hub.config import Loaded, Settings

EXIT_FAILED = 1
"""Exit code: something was refused or went wrong."""

EXIT_USAGE = 2
"""Exit code: the command line makes no sense."""

EXIT_NOTHING_FOUND = 3
"""Exit code: the question was fine, the answer is empty; for scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The options that stand before the verb."""

    config_files: tuple[Path, ...]
    """Settings files in order; empty for ``./mmhub.toml`` where it exists."""

    data_dir: Path | None
    """Overrides ``hub.data_dir``."""

    debug: bool
    """Show tracebacks and log everything."""

    whole_process: bool = False
    """Whether this process is there for this call alone, so that what is not needed for it may be left out for good."""

    def words(self) -> list[str]:
        """Return the words that give another process the same options."""
        words = [word for file in self.config_files for word in ("--config", str(file))]
        words += ["--data-dir", str(self.data_dir)] if self.data_dir is not None else []
        return [*words, "--debug"] if self.debug else words


def invocation(context: typer.Context) -> Invocation:
    """Return the options of this call."""
    found = context.find_object(Invocation)
    assert found is not None, "the callback of the app sets it"
    return found


def load_settings(context: typer.Context, **overrides: object) -> "Loaded":
    """Read the settings of this call without any other effect.

    Parameters
    ----------
    context
        Of the verb.
    **overrides
        ``section__key`` to value, where the verb has options of its own; None leaves the setting alone.

    Raises
    ------
    ConfigError
        A setting is unknown or out of range.
    """
    from hub.config import load

    options = invocation(context)
    wanted = {name.replace("__", ".", 1): value for name, value in overrides.items() if value is not None}
    if options.data_dir is not None:
        wanted.setdefault("hub.data_dir", str(options.data_dir))
    if options.debug:
        wanted["logging.level"] = "debug"
    return load(options.config_files, wanted)


def start(context: typer.Context, **overrides: object) -> "Settings":
    """Read the settings and set up logging; what a verb that works calls first. Parameters and errors as `load_settings`."""
    from hub import telemetry

    settings = load_settings(context, **overrides).settings
    telemetry.configure(settings.logging.level, json=settings.logging.format == "json")
    return settings


@contextmanager
def reading(context: typer.Context) -> "Iterator[Session]":
    """Give one state of the database to read from; parameters as `start`.

    Raises
    ------
    ConfigError, StorageError
        The settings are wrong, or there is no usable database.
    """
    settings = start(context)
    from hub.bootstrap import open_database

    with open_database(settings) as store, store.reading() as session:
        yield session
