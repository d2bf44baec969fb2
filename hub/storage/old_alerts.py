"""Past alerts of versions before the archive: the table ``alerts``, which is emptied into the archive and then dropped."""

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from hub.model.alert import COLUMN_DTYPES, UNSAID, AlertBatch

CHUNK = 20_000
"""Rows that are moved at once."""

_NAMES = tuple(name for name in COLUMN_DTYPES if name not in UNSAID)
_TABLE = sa.table("alerts", sa.column("survey"), *(sa.column(name) for name in _NAMES))
_KEY = (_TABLE.c.mid_tai_us, _TABLE.c.survey, _TABLE.c.source_id)


def are_there(engine: Engine) -> bool:
    """Return whether the database is of a version before the archive."""
    return sa.inspect(engine).has_table(_TABLE.name)


def move(engine: Engine, take: Callable[[AlertBatch], object]) -> int:
    """Hand in all rows, in order of time; return how many.

    They stay where they are: what is interrupted begins anew, and whoever takes them must know them again.

    Parameters
    ----------
    engine
        Of a database that has them.
    take
        Stores some of one survey, durably.
    """
    n = 0
    for batch in _batches(engine):
        take(batch)
        n += len(batch)
    return n


def _batches(engine: Engine) -> Iterator[AlertBatch]:
    last: tuple[Any, ...] | None = None
    while True:
        statement = sa.select(_TABLE).order_by(*_KEY).limit(CHUNK)
        if last is not None:
            statement = statement.where(sa.tuple_(*_KEY) > sa.tuple_(*(sa.literal(value) for value in last)))
        with engine.connect() as connection:
            rows = connection.execute(statement).all()
        for survey in sorted({row.survey for row in rows}):
            yield _batch(survey, [row for row in rows if row.survey == survey])
        if len(rows) < CHUNK:
            return
        last = tuple(getattr(rows[-1], column.name) for column in _KEY)


def _batch(survey: str, rows: list[Any]) -> AlertBatch:
    return AlertBatch.from_columns(survey, **{name: [_plain(getattr(row, name)) for row in rows] for name in _NAMES})


def _plain(value: Any) -> Any:
    """Return a value as a column has it: NULL was a number that is not known."""
    if value is None:
        return float("nan")
    return value.encode() if isinstance(value, str) else value
