"""Which coincidences are held back, in a column; and what candidates were found to be worth, measured beside the stream."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("coincidences") as batch:
        batch.add_column(sa.Column("held_back", sa.Boolean(), nullable=False, server_default=sa.false()))
    coincidences = sa.table("coincidences", sa.column("held_back", sa.Boolean()), sa.column("document", sa.Text()))
    # documents are compact JSON, and inside of a text of one these words would have other quotation marks
    is_held_back = coincidences.c.document.like('%"held_back":true%')
    op.execute(coincidences.update().where(is_held_back).values(held_back=True))
    with op.batch_alter_table("coincidences") as batch:
        batch.alter_column("held_back", server_default=None)
    op.create_table(
        "worths",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("hypothesis", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("computed_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "survey", "object_id", "hypothesis", name=op.f("pk_worths")),
    )


def downgrade() -> None:
    op.drop_table("worths")
    with op.batch_alter_table("coincidences") as batch:
        batch.drop_column("held_back")
