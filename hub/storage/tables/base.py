"""What all tables share: names of constraints, JSON as canonical text."""

import json
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Dialect, Integer, MetaData, Text
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, so that migrations can speak of each on both engines."""


SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit number that the database counts up by itself; SQLite does that for ``INTEGER`` only."""


class JsonText(str):
    """A JSON value that is text already, as `canonical` makes it: it is not made again when it is written."""

    __slots__ = ()


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> JsonText:
    """Return the text of a JSON value, as columns hold it."""
    return JsonText(_ENCODER.encode(value))


class CanonicalJson(TypeDecorator[Any]):
    """JSON as text: sorted keys, no spaces, ASCII, no NaN; the same value is the same text on both engines."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the text of a JSON value."""
        return value if value is None or isinstance(value, JsonText) else canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Return the JSON value of a text."""
        return None if value is None else json.loads(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        """Compare as text."""
        return Text()


class Base(SQLModel):
    """Base of all tables, with metadata of its own."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING_CONVENTION)
