"""When registers were asked about events, and what the hub reports of its own pointings there."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "register_answers",
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("asked_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("answered_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("n_pointings", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("network", "event_id", name=op.f("pk_register_answers")),
    )
    op.create_table(
        "register_reports",
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("pointing_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("network", "pointing_id", name=op.f("pk_register_reports")),
    )
    op.create_index(op.f("ix_register_reports_event_id"), "register_reports", ["event_id"])


def downgrade() -> None:
    op.drop_table("register_reports")
    op.drop_table("register_answers")
