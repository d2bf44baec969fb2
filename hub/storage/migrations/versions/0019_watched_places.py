"""Where the objects lie that are watched, by small cells of the sky: alerts of other objects close to them count for them.

Objects that were watched before this version get their place with `mmhub rematch`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watched_places",
        sa.Column("cell", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("survey", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("hpx29", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cell", "survey", "object_id", name=op.f("pk_watched_places")),
    )


def downgrade() -> None:
    op.drop_table("watched_places")
