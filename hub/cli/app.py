"""The command line: global options, the verbs, and what becomes of errors."""

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import (
    annotations,
    backfill,
    budget,
    calibrate,
    catalog,
    circulars,
    coincidences,
    combine,
    compact,
    config,
    counterparts,
    database,
    deadletter,
    decode,
    demo,
    diff,
    drafts,
    events,
    followup,
    groups,
    ingest,
    inside,
    joint,
    listen,
    networks,
    outbox,
    plan,
    rates,
    rematch,
    replay,
    run,
    searched,
    serve,
    simulate,
    source,
    status,
    token,
    user,
    what,
)
from hub.cli.invocation import EXIT_FAILED, EXIT_NOTHING_FOUND, EXIT_USAGE, Invocation
from hub.cli.output import complain
from hub.errors import HubError, NotFound
from hub.version import VERSION

app = typer.Typer(
    name="mmhub",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
"""All verbs."""

DEBUG_VARIABLE = "MMHUB_DEBUG"
"""Environment variable with the effect of ``--debug``."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mmhub {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="Settings file (TOML); several overlay each other. Default: ./mmhub.toml"
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of database and outgoing files; overrides hub.data_dir.")
    ] = None,
    debug: Annotated[bool, typer.Option(envvar=DEBUG_VARIABLE, help="Log everything; show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Match alerts with gravitational-wave, neutrino and gamma-ray notices, announce coincidences, coordinate follow-up.

    Exit codes: 0 fine, 1 failed, 2 usage, 3 nothing found.
    """
    context.obj = Invocation(
        config_files=tuple(config_files or ()), data_dir=data_dir, debug=debug, whole_process=context.obj is True
    )


for _verbs in (
    demo,
    simulate,
    run,
    status,
    ingest,
    replay,
    rematch,
    backfill,
    listen,
    decode,
    inside,
    joint,
    combine,
    plan,
    what,
    searched,
    counterparts,
    events,
    diff,
    coincidences,
    groups,
    source,
    rates,
    budget,
    followup,
    drafts,
    networks,
    circulars,
    annotations,
    catalog,
    calibrate,
    deadletter,
    outbox,
    serve,
    token,
    user,
    compact,
    config,
    database,
):
    _verbs.register(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an error is one sentence on standard error, never a traceback.

    Parameters
    ----------
    arguments
        The words after ``mmhub``; those of the process where not given.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in words or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0", "false")
    try:
        app(words, prog_name="mmhub", obj=arguments is None)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else EXIT_FAILED * bool(stop.code)
    except HubError as error:
        if debug:
            traceback.print_exc()
        complain(f"mmhub: {error}")
        return EXIT_NOTHING_FOUND if isinstance(error, NotFound) else EXIT_FAILED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except KeyboardInterrupt:
        complain("mmhub: interrupted")
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the last door: a person gets a sentence, the traceback goes to a file
        if isinstance(error, UnicodeEncodeError) and not all(_is_text(word) for word in words):  # a path may be so, an id not
            complain("mmhub: a word of the command line is no text in UTF-8")
            return EXIT_USAGE
        complain(f"mmhub: {_internal_error(error, debug=debug)}")
        return EXIT_FAILED
    return 0


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _internal_error(error: Exception, *, debug: bool) -> str:
    text = "".join(traceback.format_exception(error))
    if debug:
        sys.stderr.write(text)
        return f"internal error ({type(error).__name__}), the traceback is above"
    try:
        descriptor, path = tempfile.mkstemp(prefix="mmhub-error-", suffix=".txt")
    except OSError:
        return f"internal error ({type(error).__name__}); --debug before the verb shows the traceback"
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return f"internal error ({type(error).__name__}), the traceback is in {path}; --debug before the verb shows it"
