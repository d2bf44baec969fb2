"""Notices whose place only stands in are marked as such, and not known any more by the map that stands in.

Before, the map of the whole sky at order 0 said by itself that nobody states a place, whoever sent it. Only bursts of MeV
neutrinos were ever given it by the hub, so theirs are marked.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_WHOLE_SKY = "0017d34732e9e8fef68b3fa8e8f88f35"
_CLASS = "supernova_neutrino"


def upgrade() -> None:
    for name, key in (("notices", "notice_id"), ("events", "event_id")):
        rows = sa.table(name, sa.column(key), sa.column("document", sa.Text))
        found = sa.select(rows.c[key], rows.c.document).where(rows.c.document.contains(f'"localization_id":"{_WHOLE_SKY}"'))
        for row_key, document in op.get_bind().execute(found).all():
            said = json.loads(document)
            marked = [one for one in _notices_in(said) if _stands_in(one)]
            for one in marked:
                one["is_placeless"] = True
            if marked:
                text = json.dumps(said, sort_keys=True, separators=(",", ":"))
                op.execute(rows.update().where(rows.c[key] == row_key).values(document=text))


def downgrade() -> None:
    """Leave the marks: who does not know them passes over them."""


def _notices_in(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the stored notices of a document: itself, or those of the versions of an event."""
    if "versions" in document:
        yield from (version["stored"] for version in document["versions"])
    else:
        yield document


def _stands_in(stored: dict[str, Any]) -> bool:
    return bool(stored["localization_id"] == _WHOLE_SKY and stored["notice"]["event_class"] == _CLASS)
