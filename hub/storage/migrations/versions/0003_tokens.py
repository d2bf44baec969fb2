"""Tokens of the HTTP API, and maps that notices name by URL."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "map_fetches",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("due_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("fetched_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("localization_id", sa.String(), nullable=True),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "url", name=op.f("pk_map_fetches")),
    )
    with op.batch_alter_table("map_fetches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_map_fetches_state_due_tai_us"), ["state", "due_tai_us"], unique=False)

    op.create_table(
        "tokens",
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("is_trusted", sa.Boolean(), nullable=False),
        sa.Column("created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("last_used_tai_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_tokens_name")),
    )


def downgrade() -> None:
    op.drop_table("tokens")
    op.drop_table("map_fetches")
