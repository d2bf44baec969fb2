"""Backgrounds of events, and the pointings that observers report."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backgrounds",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("hypothesis", sa.String(), nullable=False),
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("computed_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "hypothesis", "survey", "version", name=op.f("pk_backgrounds")),
    )
    op.create_table(
        "pointings",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("pointing_id", sa.String(), nullable=False),
        sa.Column("at_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("received_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "pointing_id", name=op.f("pk_pointings")),
    )
    op.create_index(op.f("ix_pointings_event_id_at_tai_us"), "pointings", ["event_id", "at_tai_us"], unique=False)


def downgrade() -> None:
    op.drop_table("pointings")
    op.drop_table("backgrounds")
