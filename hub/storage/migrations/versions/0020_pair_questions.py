"""What pairs of events asked of the triggers before them, so that one tells for which of them a late trigger matters."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pair_questions",
        sa.Column("coincidence_id", sa.String(), nullable=False),
        sa.Column("first_id", sa.String(), nullable=False),
        sa.Column("second_id", sa.String(), nullable=False),
        sa.Column("at_tai_us", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("coincidence_id", name=op.f("pk_pair_questions")),
    )
    op.create_index(op.f("ix_pair_questions_at_tai_us"), "pair_questions", ["at_tai_us"])


def downgrade() -> None:
    op.drop_table("pair_questions")
