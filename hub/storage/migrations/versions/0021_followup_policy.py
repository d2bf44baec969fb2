"""Decisions of the follow-up policy, networks that persons stop, the log of who did what, and answers that are given once."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "followup_decisions",
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("coincidence_id", sa.String(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("decided_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_followup_decisions")),
    )
    op.create_index(op.f("ix_followup_decisions_event_id"), "followup_decisions", ["event_id"])
    op.create_index(
        op.f("ix_followup_decisions_decided_tai_us_decision_id"), "followup_decisions", ["decided_tai_us", "decision_id"]
    )
    op.create_table(
        "network_stops",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("at_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("is_stopped", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_network_stops")),
    )
    op.create_table(
        "followup_log",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("intent_id", sa.String(), nullable=True),
        sa.Column("network", sa.String(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_followup_log")),
    )
    op.create_index(op.f("ix_followup_log_intent_id"), "followup_log", ["intent_id"])
    op.create_table(
        "idempotent_answers",
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_idempotent_answers")),
    )
    op.create_index(op.f("ix_idempotent_answers_at_tai_us"), "idempotent_answers", ["at_tai_us"])


def downgrade() -> None:
    op.drop_table("idempotent_answers")
    op.drop_table("followup_log")
    op.drop_table("network_stops")
    op.drop_table("followup_decisions")
