"""Where the objects lie that are candidates, by small cells of the sky.

Finds what is said of a place, and the same thing in another survey.

Objects that were evaluated before this version get their place when they are evaluated again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "object_places",
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("ra_deg", sa.Float(), nullable=False),
        sa.Column("dec_deg", sa.Float(), nullable=False),
        sa.Column("first_tai_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("survey", "object_id", name=op.f("pk_object_places")),
    )
    op.create_index(op.f("ix_object_places_cell"), "object_places", ["cell"])
    op.create_index(op.f("ix_object_places_object_id"), "object_places", ["object_id"])


def downgrade() -> None:
    op.drop_table("object_places")
