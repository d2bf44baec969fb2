"""Candidates are found by their place: the pixel of each beside its document, by which they are looked up."""

import json
import math
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.model.pixel29 import pixels29

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_KEY = ("event_id", "survey", "object_id", "hypothesis")
_CANDIDATES = sa.table(
    "candidates",
    *(sa.column(name, sa.String) for name in _KEY),
    sa.column("document", sa.Text),
    sa.column("hpx29", sa.BigInteger),
)


def upgrade() -> None:
    op.add_column("candidates", sa.Column("hpx29", sa.BigInteger(), nullable=True))
    row, connection = _CANDIDATES.c, op.get_bind()
    same = sa.and_(*(row[name] == sa.bindparam(f"of_{name}") for name in _KEY))
    write = _CANDIDATES.update().where(same).values(hpx29=sa.bindparam("pixel"))
    for rows in _pages():
        places = [(document["ra_deg"], document["dec_deg"]) for document in (json.loads(one.document) for one in rows)]
        known = [number for number, place in enumerate(places) if all(map(_is_finite, place))]
        pixels = pixels29([places[number][0] for number in known], [places[number][1] for number in known]).tolist()
        values = [
            {"pixel": pixel, **{f"of_{name}": getattr(rows[number], name) for name in _KEY}}
            for number, pixel in zip(known, pixels, strict=True)
        ]
        if values:
            connection.execute(write, values)
    op.create_index(op.f("ix_candidates_hpx29"), "candidates", ["hpx29"])


def downgrade() -> None:
    op.drop_index(op.f("ix_candidates_hpx29"), "candidates")
    with op.batch_alter_table("candidates") as batch:
        batch.drop_column("hpx29")


def _pages() -> Iterator[list[Any]]:
    """Yield all candidates, so many at once that their documents are a few megabytes."""
    row, connection = _CANDIDATES.c, op.get_bind()
    key = sa.tuple_(*(row[name] for name in _KEY))
    statement = sa.select(*(row[name] for name in _KEY), row.document).order_by(*(row[name] for name in _KEY)).limit(_AT_ONCE)
    rows = connection.execute(statement).all()
    while rows:
        yield list(rows)
        last = sa.tuple_(*(sa.literal(value) for value in rows[-1][:4]))
        rows = connection.execute(statement.where(key > last)).all()


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
