"""When each event last changed, and the pairs of event and object to look at again: what workers that match alerts ask for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("events") as batch:
        batch.add_column(sa.Column("changed", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("events") as batch:
        batch.alter_column("changed", server_default=None)
        batch.create_index(op.f("ix_events_changed"), ["changed"])
    op.create_table(
        "watched",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "survey", "object_id", name=op.f("pk_watched")),
    )
    op.create_index(op.f("ix_watched_survey_object_id"), "watched", ["survey", "object_id"])
    op.execute("INSERT INTO watched (event_id, survey, object_id) SELECT DISTINCT event_id, survey, object_id FROM candidates")


def downgrade() -> None:
    op.drop_table("watched")
    with op.batch_alter_table("events") as batch:
        batch.drop_index(op.f("ix_events_changed"))
        batch.drop_column("changed")
