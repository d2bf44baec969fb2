"""What was spent of the budget, events that pairs promote, and groups of events.

What left before there was a budget is not entered: nobody counted it against one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "announced",
        sa.Column("coincidence_id", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spends_per_month", sa.Float(), nullable=True),
        sa.Column("first_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_tai_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("coincidence_id", name=op.f("pk_announced")),
    )
    op.create_index(op.f("ix_announced_first_tai_us"), "announced", ["first_tai_us"])
    op.create_table(
        "promoted",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_promoted")),
    )
    op.create_table(
        "event_groups",
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("t0_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("first_created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "version", name=op.f("pk_event_groups")),
    )
    op.create_index(
        op.f("ix_event_groups_is_latest_first_created_tai_us_group_id"),
        "event_groups",
        ["is_latest", "first_created_tai_us", "group_id"],
    )
    op.create_table(
        "group_members",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("group_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "member_id", name=op.f("pk_group_members")),
    )
    op.create_index(op.f("ix_group_members_group_id"), "group_members", ["group_id"])


def downgrade() -> None:
    for name in ("group_members", "event_groups", "promoted", "announced"):
        op.drop_table(name)
