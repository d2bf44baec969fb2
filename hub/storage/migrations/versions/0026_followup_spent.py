"""What budgets and circuit breakers count stands beside the documents: they ask for sums and for the newest answers."""

import json
import math
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_INTENTS = sa.table(
    "intents",
    sa.column("intent_id", sa.String),
    sa.column("document", sa.Text),
    sa.column("instrument", sa.String),
    sa.column("counted_tai_us", sa.BigInteger),
    sa.column("shutter_us", sa.BigInteger),
)
_TRANSITIONS = sa.table(
    "transitions",
    sa.column("intent_id", sa.String),
    sa.column("network", sa.String),
    sa.column("number", sa.Integer),
    sa.column("document", sa.Text),
    sa.column("state", sa.String),
    sa.column("answered_tai_us", sa.BigInteger),
)


def upgrade() -> None:
    op.add_column("intents", sa.Column("instrument", sa.String(), nullable=True))
    op.add_column("intents", sa.Column("counted_tai_us", sa.BigInteger(), nullable=True))
    op.add_column("intents", sa.Column("shutter_us", sa.BigInteger(), nullable=True))
    op.add_column("transitions", sa.Column("state", sa.String(), nullable=True))
    op.add_column("transitions", sa.Column("answered_tai_us", sa.BigInteger(), nullable=True))
    for intents in _pages():
        _fill(intents)
    op.create_index(op.f("ix_intents_counted_tai_us"), "intents", ["counted_tai_us"])
    op.create_index(op.f("ix_intents_network_instrument"), "intents", ["network", "instrument"])
    op.create_index(op.f("ix_transitions_network_answered_tai_us"), "transitions", ["network", "answered_tai_us"])


def downgrade() -> None:
    op.drop_index(op.f("ix_transitions_network_answered_tai_us"), "transitions")
    op.drop_index(op.f("ix_intents_network_instrument"), "intents")
    op.drop_index(op.f("ix_intents_counted_tai_us"), "intents")
    op.drop_column("transitions", "answered_tai_us")
    op.drop_column("transitions", "state")
    op.drop_column("intents", "shutter_us")
    op.drop_column("intents", "counted_tai_us")
    op.drop_column("intents", "instrument")


def _shutter_us(seconds: float) -> int:
    """Return microseconds; what is no time counts as 30 years, the longest."""
    return round(min(max(1e6 * seconds, 0.0), 1e15)) if math.isfinite(seconds) else 10**15


def _fill(intents: list[Any]) -> None:
    connection, row, step = op.get_bind(), _INTENTS.c, _TRANSITIONS.c
    values = []
    for one in intents:
        said = json.loads(one.document)
        stated = [(each.get("seconds", 0.0), each.get("count", 1)) for each in said["exposures"]]
        is_known = all(isinstance(part, int | float) for each in stated for part in each)
        once = sum(float(seconds) * int(count) for seconds, count in stated) if is_known else math.inf
        values.append(
            {
                "of_intent": one.intent_id,
                "camera": said["instrument"],
                "counted": said["created_at"] if said.get("due_at") is None else said["due_at"],
                "shutter": _shutter_us(once * max(1, len(said.get("fields", ())))),
            }
        )
    connection.execute(
        _INTENTS.update()
        .where(row.intent_id == sa.bindparam("of_intent"))
        .values(instrument=sa.bindparam("camera"), counted_tai_us=sa.bindparam("counted"), shutter_us=sa.bindparam("shutter")),
        values,
    )
    statement = (
        sa.select(step.intent_id, step.network, step.number, step.document)
        .where(step.intent_id.in_([one.intent_id for one in intents]))
        .order_by(step.intent_id, step.network, step.number)
    )
    steps: list[dict[str, Any]] = []
    before = ("", "")
    for one in connection.execute(statement):
        said = json.loads(one.document)
        is_answer = before == (one.intent_id, "sending")
        steps.append(
            {
                "of_intent": one.intent_id,
                "of_network": one.network,
                "of_number": one.number,
                "became": said["state"],
                "answered": said["at"] if is_answer else None,
            }
        )
        before = (one.intent_id, said["state"])
    if steps:
        connection.execute(
            _TRANSITIONS.update()
            .where(
                step.intent_id == sa.bindparam("of_intent"),
                step.network == sa.bindparam("of_network"),
                step.number == sa.bindparam("of_number"),
            )
            .values(state=sa.bindparam("became"), answered_tai_us=sa.bindparam("answered")),
            steps,
        )


def _pages() -> Iterator[list[Any]]:
    row, connection = _INTENTS.c, op.get_bind()
    statement = sa.select(row.intent_id, row.document).order_by(row.intent_id).limit(_AT_ONCE)
    rows = connection.execute(statement).all()
    while rows:
        yield list(rows)
        rows = connection.execute(statement.where(row.intent_id > rows[-1].intent_id)).all()
