"""What nobody acknowledged and was told to whom, who acknowledged it, and which parts are private to a group."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "escalation_steps",
        sa.Column("concern", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("concern", "number", name=op.f("pk_escalation_steps")),
    )
    op.create_table(
        "acknowledgements",
        sa.Column("concern", sa.String(), nullable=False),
        sa.Column("at_tai_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("concern", name=op.f("pk_acknowledgements")),
    )
    op.create_table(
        "private_parts",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("group_name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_private_parts")),
    )


def downgrade() -> None:
    op.drop_table("private_parts")
    op.drop_table("acknowledgements")
    op.drop_table("escalation_steps")
