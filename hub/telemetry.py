"""Logging: structlog on standard error, secrets redacted, foreign text without control characters.

An event is a short constant phrase with fields: ``log.info("notice stored", ivorn=...)``.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import structlog

from hub.text import REDACTED, printable, redacted_url

_SECRET_KEY = re.compile(r"passw|secret|token|api_?key|authorization|credential|cookie", re.IGNORECASE)
_LONGEST = 8_000  # characters of one field


def get_logger(name: str = "hub", **fields: Any) -> structlog.stdlib.BoundLogger:
    """Return a logger with fields bound; works before `configure` (as text, from ``info`` on) and after."""
    if not structlog.is_configured():  # the library's own defaults print the locals of every frame: payloads, secrets
        _set_up("info", json=False)
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(component=name, **fields))


def configure(level: str = "info", *, json: bool = False) -> None:
    """Set up logging for the whole process; called once, by the command line.

    Parameters
    ----------
    level
        ``debug``, ``info``, ``warning`` or ``error``; lines below it are dropped.
    json
        One JSON object a line, for machines, instead of text for people.
    """
    _set_up(level, json=json)
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]), stream=sys.stderr, force=True)


def _set_up(level: str, *, json: bool) -> None:
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if json
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact,
            escape,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=_print_logger,
        cache_logger_on_first_use=False,
    )


def _print_logger(*_: Any) -> structlog.PrintLogger:
    """Return what writes to standard error as it is now: the stream of the set-up may be closed."""
    return structlog.PrintLogger(sys.stderr)


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of fields named like a secret, at any depth, and passwords inside URLs (a structlog processor)."""
    return {key: _redacted(key, value) for key, value in event.items()}


def escape(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    r"""Write control characters of foreign text as ``\xNN``, so that a message can forge no line, and cut what is long.

    A structlog processor.
    """
    return {key: _escaped(key, value) for key, value in event.items()}


def _redacted(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key) and value not in (None, ""):
        return REDACTED
    match value:
        case str():
            return redacted_url(value)
        case Mapping():
            return {k: _redacted(str(k), v) for k, v in value.items()}
        case list() | tuple():
            return [_redacted("", v) for v in value]
        case _:
            return value


def _escaped(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if len(value) > _LONGEST:
        value = f"{value[: _LONGEST // 2]} [...] {value[-_LONGEST // 2 :]}"
    if key == "exception":  # a traceback keeps its lines
        return "\n".join(printable(line) for line in value.split("\n"))
    return printable(value)
