"""How much left because of each version of a coincidence, and the pairs that were evaluated without letting everything out.

Versions that are there count as having let out everything, for that is what was done when they were written. Only those that
``mmhub rematch`` or ``mmhub backfill`` wrote without announcing did not, which nothing tells from the others: they stay unsaid
until something about them changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("coincidences") as batch:
        batch.add_column(sa.Column("let_out", sa.String(), nullable=False, server_default="all"))
    with op.batch_alter_table("coincidences") as batch:
        batch.alter_column("let_out", server_default=None)
    op.create_table(
        "unsaid",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "survey", "object_id", name=op.f("pk_unsaid")),
    )


def downgrade() -> None:
    op.drop_table("unsaid")
    with op.batch_alter_table("coincidences") as batch:
        batch.drop_column("let_out")
