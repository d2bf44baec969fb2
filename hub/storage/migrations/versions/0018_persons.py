"""Persons, their groups and their sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "persons",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("disabled_tai_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_persons")),
        sa.UniqueConstraint("subject", name=op.f("uq_persons_subject")),
    )
    op.create_table(
        "person_groups",
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("group_name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["persons.name"], name=op.f("fk_person_groups_person_persons")),
        sa.PrimaryKeyConstraint("person", "group_name", name=op.f("pk_person_groups")),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("created_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_tai_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["persons.name"], name=op.f("fk_sessions_person_persons")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_person"), "sessions", ["person"])
    op.create_index(op.f("ix_sessions_expires_tai_us"), "sessions", ["expires_tai_us"])


def downgrade() -> None:
    op.drop_table("sessions")
    op.drop_table("person_groups")
    op.drop_table("persons")
